//! The loop around a step.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chassis::shutdown::Shutdown;
use chassis::step::{Progress, Step, StepError, Wake, run_loop};

const NEVER: Duration = Duration::from_secs(3_600);
const SECOND: Duration = Duration::from_secs(1);

/// Plays a list of outcomes, then is idle for ever; counts its turns.
struct Script {
    outcomes: VecDeque<Result<Progress, StepError>>,
    turns: Arc<Mutex<u32>>,
    /// Called at each turn, with its number.
    at_turn: Box<dyn FnMut(u32) + Send>,
}

impl Step for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    async fn step(&mut self) -> Result<Progress, StepError> {
        let turn = {
            let mut turns = self.turns.lock().unwrap();
            *turns += 1;
            *turns
        };
        (self.at_turn)(turn);
        self.outcomes.pop_front().unwrap_or(Ok(Progress::Idle))
    }
}

/// Runs the outcomes and drains at the turn given; the loop has to come that far.
async fn run(outcomes: Vec<Result<Progress, StepError>>, wake: Wake, poll: Duration, until_turn: u32) -> Duration {
    let shutdown = Shutdown::new();
    let switch = shutdown.clone();
    let turns = Arc::new(Mutex::new(0));
    let at_turn = Box::new(move |turn| {
        if turn == until_turn {
            switch.begin()
        }
    });
    let script = Script {
        outcomes: outcomes.into(),
        turns: Arc::clone(&turns),
        at_turn,
    };
    let begun = Instant::now();
    tokio::time::timeout(5 * SECOND, run_loop(script, wake, poll, shutdown))
        .await
        .expect("the loop comes to its last turn");
    assert_eq!(
        *turns.lock().unwrap(),
        until_turn,
        "a draining loop takes no further step"
    );
    begun.elapsed()
}

#[tokio::test]
async fn a_step_that_worked_is_followed_by_the_next_at_once() {
    let worked = || Ok(Progress::Worked);
    run(vec![worked(), worked(), worked()], Wake::new(), NEVER, 4).await;
}

#[tokio::test]
async fn an_idle_loop_looks_again_after_its_poll_time() {
    run(vec![Ok(Progress::Idle)], Wake::new(), Duration::from_millis(5), 3).await;
}

#[tokio::test]
async fn a_wake_before_the_loop_waits_is_not_lost_and_many_count_as_one() {
    let wake = Wake::new();
    wake.wake();
    wake.wake();
    run(vec![], wake.clone(), NEVER, 2).await;
    let second = tokio::time::timeout(SECOND / 50, wake.woken()).await;
    assert!(second.is_err(), "both rings were answered by one look");
}

#[tokio::test]
async fn soon_means_before_the_poll_time() {
    run(
        vec![Ok(Progress::Soon(Duration::from_millis(5)))],
        Wake::new(),
        NEVER,
        2,
    )
    .await;
}

#[tokio::test]
async fn a_failed_step_is_tried_again_after_a_growing_pause() {
    let failed = || Err(StepError::msg("database away"));
    let took = run(vec![failed(), failed(), failed()], Wake::new(), NEVER, 4).await;
    assert!(took >= Duration::from_millis(20 + 40 + 80), "{took:?}");
}

#[tokio::test]
async fn an_error_keeps_the_words_of_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("booking failed")]
    struct Booking(#[source] std::io::Error);
    let error = StepError::from(Booking(std::io::Error::other("disk full")));
    assert_eq!(error.to_string(), "booking failed: disk full");
}
