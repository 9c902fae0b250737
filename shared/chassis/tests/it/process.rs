//! What needs a process of its own to show: aborting and signals. A child is this very test binary, told
//! to run one of the ignored tests below.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use chassis::shutdown::Shutdown;
use chassis::telemetry::{TelemetryConfig, init};

const SIGABRT: i32 = 6;

fn child(test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", test])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads standard error until a line with this text.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) {
    assert!(
        lines.any(|line| line.unwrap().contains(text)),
        "the child never said {text:?}"
    );
}

fn terminate(child: &Child) {
    assert!(
        Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_panic_in_any_task_aborts_the_process_and_says_why() {
    let output = child("process::child_panics").wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(SIGABRT));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        log.contains("the process ends: on purpose") && log.contains("process.rs"),
        "{log}"
    );
}

#[test]
fn the_first_signal_drains() {
    let mut child = child("process::child_drains");
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    wait_for(&mut log, "up");
    terminate(&child);
    wait_for(&mut log, "drained");
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_second_signal_stops_a_process_that_hangs() {
    let mut child = child("process::child_hangs");
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    wait_for(&mut log, "up");
    terminate(&child);
    wait_for(&mut log, "draining");
    terminate(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[tokio::test]
#[ignore = "a child of the tests above"]
async fn child_panics() {
    init(TelemetryConfig::default()).unwrap();
    let _ = tokio::spawn(async { panic!("on purpose") }).await;
    unreachable!("the panic has ended the process");
}

#[tokio::test]
#[ignore = "a child of the tests above"]
async fn child_drains() {
    init(TelemetryConfig::default()).unwrap();
    let shutdown = listening();
    shutdown.wait().await;
    shutdown.drain(std::time::Duration::from_secs(5)).await.unwrap();
    tracing::info!("drained");
}

#[tokio::test]
#[ignore = "a child of the tests above"]
async fn child_hangs() {
    init(TelemetryConfig::default()).unwrap();
    let _shutdown = listening();
    std::future::pending::<()>().await;
}

fn listening() -> Shutdown {
    let shutdown = Shutdown::new();
    shutdown.listen_for_signals();
    tracing::info!("up");
    shutdown
}
