//! What is known of one execution, and what one more report about it changes (ORD-6, ORD-12).
//!
//! Reports repeat and arrive in any order, so an execution is a small set of facts that only grows: seen, busted.
//! A bust that overtakes its fill wins over it when the fill arrives.

/// What we hold about one execution id before a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecState {
    /// Never heard of.
    Unknown,
    /// Booked and standing.
    Live,
    /// Taken back by the venue; nothing can revive it.
    Busted,
}

/// What a report says about an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecFact {
    /// It happened.
    Fill,
    /// It is taken back.
    Bust,
}

/// What the report changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecEffect {
    /// Book the execution.
    Add,
    /// Reverse what was booked.
    Remove,
    /// Only remember that it is busted, so that the fill to come is not booked.
    RememberBust,
    /// Known already.
    Nothing,
}

/// Takes one report into what is known: the new knowledge and what to do to the order.
pub const fn absorb(known: ExecState, fact: ExecFact) -> (ExecState, ExecEffect) {
    match (known, fact) {
        (ExecState::Unknown, ExecFact::Fill) => (ExecState::Live, ExecEffect::Add),
        (ExecState::Unknown, ExecFact::Bust) => (ExecState::Busted, ExecEffect::RememberBust),
        (ExecState::Live, ExecFact::Bust) => (ExecState::Busted, ExecEffect::Remove),
        (ExecState::Live, ExecFact::Fill) | (ExecState::Busted, _) => (known, ExecEffect::Nothing),
    }
}
