//! Which kinds of job there are, and when each is due. The schedules are made at each start; an operator may add further ones.

use std::sync::Arc;
use std::time::Duration;

use venue::Venue;

use crate::engine::{Configured, Job, Jobs, Missed, NewSchedule, OverTime, When};
use crate::jobs::end_of_day::{self, EndOfDay};
use crate::jobs::fees::PostFees;
use crate::jobs::reconcile::Reconcile;
use crate::jobs::release::{self, Recheck, Resume};
use crate::jobs::seal_audit::{self, SealAudit};
use crate::jobs::settlement::Settle;
use crate::{Config, Deps, Housekeeping};

/// Every kind of job, ready to run.
pub(crate) fn jobs<V: Venue>(config: &Config, deps: &Arc<Deps<V>>) -> Jobs {
    let jobs: [Arc<dyn Job>; 8] = [
        Arc::new(Housekeeping::new(config.keep_messages, deps.pool.clone())),
        Arc::new(EndOfDay::new(config.end_of_day, Arc::clone(deps))),
        Arc::new(Recheck::new(config.collar, Arc::clone(deps))),
        Arc::new(Resume::new(Arc::clone(deps))),
        Arc::new(PostFees(Arc::clone(deps))),
        Arc::new(Reconcile::new(Arc::clone(deps))),
        Arc::new(Settle(Arc::clone(deps))),
        Arc::new(SealAudit::new(deps.pool.clone())),
    ];
    Jobs::new(jobs)
}

/// Rises with each change of [`schedules`]: a program of a lower one leaves them as they are.
const GENERATION: i32 = 2;

/// The schedules of the configuration.
pub(crate) fn configured() -> Configured {
    Configured {
        generation: GENERATION,
        schedules: schedules(),
    }
}

fn schedules() -> Vec<NewSchedule> {
    let minutes = |n: u64| Some((Duration::from_secs(60 * n), OverTime::Alert));
    vec![
        NewSchedule {
            // Partitions are made a week ahead, so one run makes up for all that were missed.
            missed: Missed::Last,
            time_limit: minutes(5),
            ..NewSchedule::new("housekeeping", when("0 * * * *"))
        },
        NewSchedule {
            // Each date has an end of its own, however late; it gives up only on what an operator has to see.
            missed: Missed::Each,
            attempts_max: 100,
            time_limit: minutes(10),
            ..NewSchedule::new(end_of_day::NAME, when("close"))
        },
        NewSchedule {
            // Late is better than never: what was sent by then is left alone, what still waits is checked.
            missed: Missed::Last,
            time_limit: minutes(4),
            ..NewSchedule::new(release::RECHECK, when("open - 5m"))
        },
        NewSchedule {
            missed: Missed::Last,
            time_limit: minutes(10),
            ..NewSchedule::new(release::RESUME, when("open"))
        },
        NewSchedule {
            // One run seals what came since the last one, however many were missed.
            missed: Missed::Last,
            time_limit: minutes(4),
            ..NewSchedule::new(seal_audit::NAME, when("*/5 * * * *"))
        },
        // Parts of the end of the day, for a date that came late or has to be done again.
        NewSchedule::new("fees", when("by hand")),
        NewSchedule::new("reconcile", when("by hand")),
        NewSchedule::new("settlement", when("by hand")),
    ]
}

fn when(text: &str) -> When {
    text.parse().expect("the times of this file are checked by its test")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another list? Then raise the generation, and write both down here: an older program that starts again would else put
    /// its own in force.
    #[test]
    fn another_list_of_schedules_is_another_generation() {
        let text = |s: &NewSchedule| {
            let limit = s.time_limit.map(|(limit, then)| (limit.as_secs(), then.as_str()));
            let (attempts, missed) = (s.attempts_max, s.missed.as_str());
            format!(
                "{} {} {} {missed} {attempts} {limit:?} {}",
                s.name, s.job, s.when, s.arguments
            )
        };
        let known = [
            r#"housekeeping housekeeping 0 * * * * last 5 Some((300, "alert")) {}"#,
            r#"end-of-day end-of-day close each 100 Some((600, "alert")) {}"#,
            r#"release-check release-check open - 5m last 5 Some((240, "alert")) {}"#,
            r#"resume-orders resume-orders open last 5 Some((600, "alert")) {}"#,
            r#"seal-audit seal-audit */5 * * * * last 5 Some((240, "alert")) {}"#,
            "fees fees by hand each 5 None {}",
            "reconcile reconcile by hand each 5 None {}",
            "settlement settlement by hand each 5 None {}",
        ];
        let Configured { generation, schedules } = configured();
        let listed: Vec<String> = schedules.iter().map(text).collect();
        assert_eq!((generation, listed), (2, known.map(str::to_owned).to_vec()));
    }
}
