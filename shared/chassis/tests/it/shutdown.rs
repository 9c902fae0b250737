//! How tasks end, and what the process makes of it.

use std::time::Duration;

use chassis::shutdown::{Shutdown, ShutdownError};

/// A busy machine may take its time; only a task that hangs waits for its own, shorter, one to pass.
const PATIENCE: Duration = Duration::from_secs(60);

fn failure(outcome: Result<(), ShutdownError>) -> (&'static str, String) {
    match outcome {
        Err(ShutdownError::TaskFailed { task, why }) => (task, why),
        other => panic!("expected a failed task, not {other:?}"),
    }
}

#[tokio::test]
async fn tasks_that_heed_the_switch_end_well() {
    let shutdown = Shutdown::new();
    let switch = shutdown.clone();
    shutdown.spawn("server", async move { switch.wait().await });
    shutdown.spawn("short", async { Ok::<(), std::io::Error>(()) });
    assert!(!shutdown.is_draining());
    shutdown.drain(PATIENCE).await.unwrap();
    assert!(shutdown.is_draining() && shutdown.token().is_cancelled());
}

#[tokio::test]
async fn a_failed_task_stops_all_the_others_and_is_named() {
    let shutdown = Shutdown::new();
    let switch = shutdown.clone();
    shutdown.spawn("server", async move { switch.wait().await });
    shutdown.spawn("executor", async { Err(std::io::Error::other("the disk is full")) });
    shutdown.wait().await;
    assert_eq!(
        failure(shutdown.drain(PATIENCE).await),
        ("executor", "the disk is full".to_owned())
    );
}

#[tokio::test]
async fn the_first_failure_is_the_one_remembered() {
    let shutdown = Shutdown::new();
    let switch = shutdown.clone();
    shutdown.spawn("follower", async move {
        switch.wait().await;
        Err(std::io::Error::other("somebody else stopped"))
    });
    shutdown.spawn("culprit", async { Err(std::io::Error::other("it was me")) });
    assert_eq!(failure(shutdown_after_wait(&shutdown).await).0, "culprit");
}

async fn shutdown_after_wait(shutdown: &Shutdown) -> Result<(), ShutdownError> {
    shutdown.wait().await;
    shutdown.drain(PATIENCE).await
}

#[tokio::test]
async fn a_panic_is_a_failure() {
    let shutdown = Shutdown::new();
    shutdown.spawn("clumsy", async { assert!(std::hint::black_box(false), "on purpose") });
    assert_eq!(
        failure(shutdown_after_wait(&shutdown).await),
        ("clumsy", "panicked".to_owned())
    );
}

#[tokio::test]
async fn a_task_that_hangs_is_named() {
    let shutdown = Shutdown::new();
    shutdown.spawn("stuck", std::future::pending::<()>());
    shutdown.spawn("quick", async {});
    match shutdown.drain(Duration::from_secs(1)).await {
        Err(ShutdownError::Unfinished { tasks, .. }) => assert_eq!(tasks, ["stuck"]),
        other => panic!("expected an unfinished task, not {other:?}"),
    }
}
