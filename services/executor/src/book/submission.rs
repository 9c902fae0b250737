//! One order as the executor holds it: the row of `venue_submissions`, and what only this owner needs to remember.

use bus::Position;
use chrono::NaiveDate;
use domain::{AccountId, OrderId, RequestId, Symbol, Timestamp, TraceContext, VenueOrderId};
use strum::{Display, EnumString, IntoStaticStr};
use venue::{Refusal, VenueOrder};

use super::agenda::Task;
use super::replace::InPlaceOf;
use super::saga::{Saga, Step};

/// How far handing in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum State {
    /// Filed, never sent.
    Queued,
    /// The intent to send is committed; the call may be out.
    Sending,
    /// Sent, outcome unknown: ask by key before anything else.
    InDoubt,
    /// The venue has it.
    Working,
    /// The saga that ends it safely is under way.
    Burning,
    /// Over, by the venue's word.
    Ended,
    /// Never sent, and never will be.
    Withdrawn,
}

/// How far a wish to cancel has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum CancelState {
    /// Nobody asked.
    None,
    /// Asked for; waits until the venue is known to have the order, or for its next try.
    Wanted,
    /// The intent to send is committed; the call may be out.
    Sending,
    /// The venue will try.
    Sent,
    /// The venue said that it is too late.
    Refused,
}

impl State {
    /// The word, for SQL.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl CancelState {
    /// The word, for SQL.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What the venue is asked for, and in which session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The order.
    pub order: VenueOrder,
    /// The session it belongs to.
    pub session_date: NaiveDate,
    /// Not to be sent before this.
    pub submit_at: Option<Timestamp>,
    /// Not to be sent from this on.
    pub expires_at: Option<Timestamp>,
}

/// One order.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Our id, also the key at the venue.
    pub order_id: OrderId,
    /// Whose.
    pub account_id: AccountId,
    /// Of the topic `orders`.
    pub partition: i16,
    /// Ticker; its line.
    pub symbol: Symbol,
    /// `None` only for a tombstone of an order that was withdrawn before it was filed.
    pub terms: Option<Terms>,
    /// The order whose place it is to take; none for most.
    pub replaces: Option<InPlaceOf>,
    /// The request it came from.
    pub request_id: RequestId,
    /// The place in the bus: the order of dispatch.
    pub filed: Position,
    /// How far handing in has come.
    pub state: State,
    /// Calls that may have reached the venue.
    pub attempts: i32,
    /// How far a wish to cancel has come.
    pub cancel: CancelState,
    /// Cancels that may have reached the venue.
    pub cancel_attempts: i32,
    /// The venue's name for it.
    pub venue_order_id: Option<VenueOrderId>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// Why the saga began.
    pub burn_reason: Option<String>,
    /// When there is something to do about it, by the clock.
    pub due: Option<Timestamp>,
    /// When the first call that may have reached the venue was decided.
    pub first_sent_at: Option<Timestamp>,
    /// What only this owner needs to remember.
    pub memory: Memory,
}

/// What is lost with the owner, and safely so.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// A submit, look-up or saga call is out.
    pub busy: bool,
    /// A cancel is out.
    pub cancel_busy: bool,
    /// The trace of the request that asked for the cancel.
    pub cancel_trace: Option<TraceContext>,
    /// Cancels in a row that no usable answer came to.
    pub vain_cancels: u32,
    /// Negative answers in a row.
    pub denials: u32,
    /// Questions in a row that settled nothing.
    pub asks: u32,
    /// A refusal of a later attempt: once the earlier ones are denied, the order is ended by its key.
    pub refused: Option<Refusal>,
    /// Denied twice: it may be sent again.
    pub resend: bool,
    /// Over, and the venue is asked once more what it shows; among the open ones as long as that takes.
    pub asked: bool,
    /// The report that its submission is in doubt was made.
    pub told: bool,
    /// Where the saga stands.
    pub saga: Option<Saga>,
    /// Has a row in the database.
    pub stored: bool,
    /// Has a row among the open ones.
    pub open: bool,
}

impl Submission {
    /// The terms of an order that may be sent.
    pub fn order(&self) -> &VenueOrder {
        &self
            .terms
            .as_ref()
            .expect("only a tombstone has no terms, and it is never sent")
            .order
    }

    /// It is over, and somebody doubts it: the venue is asked what it shows.
    pub fn ask_again(&mut self, now: Timestamp) {
        self.memory.asked = true;
        (self.memory.denials, self.memory.asks) = (0, 0);
        self.due = Some(now);
    }

    /// What there is to do once it is due. Its words are the states and what is remembered, so it never says anything
    /// else about the same submission.
    pub fn task(&self) -> Option<Task> {
        match self.state {
            State::Queued => Some(Task::Join),
            State::InDoubt if self.memory.resend => Some(Task::Call),
            State::InDoubt => Some(Task::Ask),
            State::Ended if self.memory.asked => Some(Task::Ask),
            State::Working if self.cancel == CancelState::Wanted => Some(Task::Cancel),
            State::Burning => Some(match self.memory.saga.as_ref()?.step {
                Step::AwaitEnd => Task::Ask,
                Step::Report => Task::Tell,
                Step::BurnSubmit | Step::BurnCancel => Task::Call,
            }),
            _ => None,
        }
    }

    /// Whether nothing is left to do: it leaves the memory and the table of open ones.
    pub fn is_done(&self) -> bool {
        match self.state {
            State::Ended => !self.memory.asked,
            State::Withdrawn => true,
            State::Working => !matches!(self.cancel, CancelState::Wanted | CancelState::Sending),
            State::Queued | State::Sending | State::InDoubt | State::Burning => false,
        }
    }
}
