//! Compensation: how an order that could not be handed in properly is ended without a guess.
//!
//! | step | does | done when | undone by |
//! |---|---|---|---|
//! | `burn_submit` | submits harmless terms under the key | the venue took it | `burn_cancel` |
//! | `burn_cancel` | asks the venue to end what it took | it will try, or it is too late | (facts stand) |
//! | `await_end` | asks by key | the end is seen, with the filled count | (facts stand) |
//! | `report` | tells status-updater | told | (facts stand) |
//!
//! After `burn_submit` a late twin of an earlier request meets a duplicate, so the end that `await_end` sees is the
//! last word (crash-points rule 4). Each step is written down before it runs and may run again: the key makes the
//! first, the venue's order id the second, and asking changes nothing. A step that cannot be done keeps trying and is
//! counted as stuck; the order stays open and its hold stays.

use domain::{OrderId, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr};
use venue::{VenueOrderView, VenueStatus};
use wire::events::v1::End;

use super::burn::end_short_of;
use super::submission::Submission;
use super::words::end_of;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Step {
    /// Submit under the key.
    BurnSubmit,
    /// Cancel what it names.
    BurnCancel,
    /// Look until the end is seen.
    AwaitEnd,
    /// Tell.
    Report,
}

impl Step {
    /// The word, for SQL.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The end that was seen; kept in the row of `await_end` until it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// How it ended; `None` when it was filled, which the executions tell.
    pub end: Option<End>,
    /// Shares filled by then.
    pub filled_qty: Decimal,
    /// Why, for the customer.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

impl Ending {
    /// What the venue shows, if it is an end.
    pub fn seen(view: &VenueOrderView, submission: &Submission) -> Option<Self> {
        let end = match view.status {
            VenueStatus::Working | VenueStatus::PendingReplace | VenueStatus::DoneForDay => return None,
            VenueStatus::Filled => end_short_of(submission, view).map(|(end, _)| end),
            VenueStatus::Ended(kind) => Some(end_of(kind)),
        };
        Some(Self {
            end,
            filled_qty: view.filled_qty.get(),
            reason: submission.burn_reason.clone(),
            at: view.updated_at,
        })
    }
}

/// Where a saga stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saga {
    /// The step to do or under way.
    pub step: Step,
    /// Tries of it so far.
    pub tries: i32,
    /// The end that was seen.
    pub ending: Option<Ending>,
}

impl Saga {
    /// A saga about to do this step.
    pub fn at(step: Step) -> Self {
        Self {
            step,
            tries: 0,
            ending: None,
        }
    }

    /// The same saga, about to do another step.
    #[must_use]
    pub fn go(self, step: Step) -> Self {
        Self { step, tries: 0, ..self }
    }

    /// Where a dead owner's saga goes on: at the last step that was begun and not finished.
    pub fn resume(rows: &[StepRow]) -> Self {
        let row = |step: Step| rows.iter().find(|row| row.step == step);
        let outcome = |step: Step| row(step).and_then(|row| row.outcome.clone());
        let ending = outcome(Step::AwaitEnd).and_then(|text| serde_json::from_str(&text).ok());
        let open = |step: Step| row(step).is_some_and(|row| !row.done);
        let done = |step: Step| row(step).is_some_and(|row| row.done);
        let step = if ending.is_some() && done(Step::AwaitEnd) {
            Step::Report
        } else if open(Step::AwaitEnd) || done(Step::BurnCancel) {
            Step::AwaitEnd
        } else if open(Step::BurnCancel) || done(Step::BurnSubmit) {
            Step::BurnCancel
        } else {
            Step::BurnSubmit
        };
        let tries = row(step).map_or(0, |row| row.attempts);
        Self { step, tries, ending }
    }
}

/// A row of `venue_saga_steps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepRow {
    /// Which order.
    pub order_id: OrderId,
    /// Which step.
    pub step: Step,
    /// Times it was begun.
    pub attempts: i32,
    /// Whether it is done.
    pub done: bool,
    /// What came of it.
    pub outcome: Option<String>,
}

#[cfg(test)]
mod tests {
    //! Where a saga goes on after its owner died, from the rows it left.
    use super::*;
    use uuid::Uuid;

    fn row(step: Step, outcome: Option<&str>) -> StepRow {
        let (order_id, outcome) = (OrderId::new(Uuid::nil()), outcome.map(str::to_owned));
        StepRow {
            order_id,
            step,
            attempts: 1,
            done: outcome.is_some(),
            outcome,
        }
    }

    #[test]
    fn a_saga_goes_on_at_the_step_that_was_begun() {
        let ending = r#"{"end":"canceled","filled_qty":"3","reason":null,"at":"2026-11-23T15:00:00Z"}"#;
        let (submit, cancel) = (
            row(Step::BurnSubmit, Some("taken")),
            row(Step::BurnCancel, Some("taken")),
        );
        let cases = [
            (vec![], Step::BurnSubmit),
            (vec![row(Step::BurnSubmit, None)], Step::BurnSubmit),
            (vec![submit.clone()], Step::BurnCancel),
            (vec![submit.clone(), row(Step::BurnCancel, None)], Step::BurnCancel),
            (vec![submit.clone(), cancel.clone()], Step::AwaitEnd),
            (
                vec![submit.clone(), cancel.clone(), row(Step::AwaitEnd, None)],
                Step::AwaitEnd,
            ),
            (vec![submit, cancel, row(Step::AwaitEnd, Some(ending))], Step::Report),
        ];
        for (rows, step) in cases {
            assert_eq!(Saga::resume(&rows).step, step, "{rows:?}");
        }
    }
}
