//! Why an operator does something: kept with the act, so it has to say something.

/// The longest reason, in characters.
const REASON_MAX: usize = 200;

/// No reason, one that is too long, or one that would break a line of the trail.
#[derive(Debug, thiserror::Error)]
#[error("a reason says why, in 1 to {REASON_MAX} printable characters")]
pub struct NoReason;

/// The reason without the space around it.
///
/// # Errors
/// It is empty, too long, or has control characters.
pub fn said(reason: &str) -> Result<&str, NoReason> {
    let reason = reason.trim();
    let fits = !reason.is_empty() && reason.chars().count() <= REASON_MAX && !reason.chars().any(char::is_control);
    fits.then_some(reason).ok_or(NoReason)
}
