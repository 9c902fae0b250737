//! Which kinds of job there are, and when each is due. The schedules are made at each start; an operator may add further ones.

use std::sync::Arc;
use std::time::Duration;

use venue::Venue;

use crate::engine::{Job, Jobs, Missed, NewSchedule, OverTime, When};
use crate::jobs::fees::PostFees;
use crate::jobs::reconcile::Reconcile;
use crate::jobs::settlement::Settle;
use crate::{Config, Deps, Housekeeping};

/// Every kind of job, ready to run.
pub(crate) fn jobs<V: Venue>(config: &Config, deps: &Arc<Deps<V>>) -> Jobs {
    let jobs: [Arc<dyn Job>; 4] = [
        Arc::new(Housekeeping::new(config.keep_messages, deps.pool.clone())),
        Arc::new(PostFees(Arc::clone(deps))),
        Arc::new(Reconcile::new(Arc::clone(deps))),
        Arc::new(Settle(Arc::clone(deps))),
    ];
    Jobs::new(jobs)
}

/// The schedules of the configuration.
pub(crate) fn configured() -> Vec<NewSchedule> {
    vec![
        NewSchedule {
            // Partitions are made a week ahead, so one run makes up for all that were missed.
            missed: Missed::Last,
            time_limit: Some((Duration::from_secs(300), OverTime::Alert)),
            ..NewSchedule::new("housekeeping", when("0 * * * *"))
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

    #[test]
    fn every_schedule_of_the_configuration_can_be_read() {
        assert!(!configured().is_empty());
    }
}
