//! The Prometheus side of the `metrics` facade: installed once, rendered for `/metrics`.
//!
//! A histogram's name ends in its unit, and the unit picks the buckets: `_seconds`, `_age_seconds` for what takes up to
//! days, or `_size`.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

pub use metrics_exporter_prometheus::PrometheusHandle;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use metrics_process::Collector;

/// How often recorded samples are folded into their buckets, scraped or not.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder of this process; later calls give the same handle.
///
/// # Panics
/// When something else installed a recorder before.
pub fn install() -> PrometheusHandle {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    HANDLE.get_or_init(install_recorder).clone()
}

/// All metrics as Prometheus text, what the process uses of the machine among them; empty when nothing was installed.
pub fn render() -> String {
    let Some(handle) = HANDLE.get() else {
        return String::new();
    };
    Collector::default().collect();
    handle.render()
}

/// Says what a counter means, in the `# HELP` line.
pub fn describe_counter(name: &'static str, meaning: &'static str) {
    ::metrics::describe_counter!(name, meaning);
}

/// Says what a gauge means, in the `# HELP` line.
pub fn describe_gauge(name: &'static str, meaning: &'static str) {
    ::metrics::describe_gauge!(name, meaning);
}

/// Says what a histogram means, in the `# HELP` line.
pub fn describe_histogram(name: &'static str, meaning: &'static str) {
    ::metrics::describe_histogram!(name, meaning);
}

/// A count as a gauge or histogram takes it: without a cast, and never wrong by wrapping.
pub fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn install_recorder() -> PrometheusHandle {
    let seconds = [
        0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
    ];
    let sizes = [
        1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 4096.0,
    ];
    let ages = [
        0.01, 0.1, 1.0, 5.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0, 14_400.0, 86_400.0, 604_800.0,
    ];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)
        // Before the shorter suffix: the exporter takes the first in the order of the alphabet.
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_age_seconds".to_owned()), &ages))
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_size".to_owned()), &sizes))
        .and_then(PrometheusBuilder::install_recorder)
        .expect("the buckets are not empty and no other recorder is installed");
    describe_own();
    Collector::default().describe();
    keep_up(handle.clone());
    handle
}

/// Samples pile up in memory until they are folded, so this cannot wait for a scrape that never comes.
#[expect(clippy::disallowed_methods, reason = "a thread of its own, no task waits for it")]
fn keep_up(handle: PrometheusHandle) {
    let work = move || loop {
        std::thread::sleep(UPKEEP_EVERY);
        handle.run_upkeep();
    };
    std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(work)
        .expect("a process can start one thread");
}

fn describe_own() {
    describe_counter(
        "daybook_http_requests_total",
        "Requests answered, by route, method and status.",
    );
    describe_histogram(
        "daybook_http_request_seconds",
        "From the request's head to the answer's head.",
    );
    describe_histogram("daybook_batch_size", "Items done in one batch.");
    describe_histogram(
        "daybook_batch_wait_seconds",
        "From the queue to the begin of the batch.",
    );
    describe_histogram("daybook_batch_run_seconds", "Work of one batch, its commit included.");
    describe_gauge("daybook_batch_queue_depth", "Items waiting when a batch began.");
    describe_counter(
        "daybook_batch_refused_total",
        "Items refused because the queue was full or draining.",
    );
    describe_counter("daybook_trace_spans_total", "Spans begun in traces that are recorded.");
    describe_counter(
        "daybook_trace_exported_spans_total",
        "Spans handed to the collector, by what came of it; those missing here did not fit into the queue.",
    );
    describe_counter(
        "daybook_steps_total",
        "Steps of a service's loop, by what came of them.",
    );
    describe_histogram("daybook_step_seconds", "Length of one step that found work.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_pick_their_buckets_and_a_second_install_is_the_first() {
        install();
        install();
        ::metrics::histogram!("daybook_example_seconds").record(Duration::from_millis(3));
        ::metrics::histogram!("daybook_example_age_seconds").record(Duration::from_secs(7_200));
        ::metrics::histogram!("daybook_example_size").record(count(300));
        let text = render();
        assert!(
            text.contains("daybook_example_seconds_bucket{le=\"0.005\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("daybook_example_age_seconds_bucket{le=\"14400\"} 1"),
            "{text}"
        );
        assert!(text.contains("daybook_example_size_bucket{le=\"512\"} 1"), "{text}");
        assert!(text.contains("daybook_example_size_bucket{le=\"256\"} 0"), "{text}");
    }

    #[test]
    fn what_the_process_uses_is_shown_under_the_names_that_dashboards_know() {
        install();
        let text = render();
        for name in [
            "process_resident_memory_bytes ",
            "process_cpu_seconds_total ",
            "process_open_fds ",
        ] {
            assert!(
                text.lines().any(|line| line.starts_with(name)),
                "{name} is not in {text}"
            );
        }
    }

    #[test]
    fn a_count_beyond_the_range_stays_at_its_end() {
        assert_eq!(count(usize::MAX), u32::MAX);
    }
}
