//! The kinds of jobs, a file or folder each.

use domain::Timestamp;

/// What came of a part of a job that may have to wait for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepOutcome {
    /// It is done; in words an operator can read.
    Done(String),
    /// Nothing failed, but it cannot be done yet.
    Wait {
        /// When to come back.
        until: Timestamp,
        /// What is waited for.
        why: String,
    },
}
