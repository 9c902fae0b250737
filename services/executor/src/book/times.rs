//! When an order may go out, and when it is too late for that: by the calendar in force now, which an operator may have
//! changed since the order was accepted.

use chrono::TimeDelta;
use domain::calendar::{Calendar, SessionDate};
use domain::{TimeInForce, Timestamp};

use super::line::Turn;
use super::submission::Terms;

/// How soon a calendar that does not know a session is asked again.
const UNKNOWN_SESSION: TimeDelta = TimeDelta::seconds(60);

/// What an order that was never sent may do now. A replacement goes at once: the order it replaces is at the venue, in its
/// session or between two.
pub fn turn(calendar: &Calendar, terms: &Terms, replaces: bool, now: Timestamp) -> Turn {
    if let Some(reason) = over(calendar, terms, now) {
        return Turn::Drop(reason);
    }
    if replaces {
        return Turn::Send;
    }
    let ready = ready_at(calendar, terms, now);
    if ready <= now {
        Turn::Send
    } else {
        Turn::Wait(too_late_at(calendar, terms).map_or(ready, |end| end.min(ready)))
    }
}

/// Why it is too late to send it, if it is.
pub fn over(calendar: &Calendar, terms: &Terms, now: Timestamp) -> Option<&'static str> {
    if terms.expires_at.is_some_and(|at| at <= now) {
        Some("it expired before the exchange had it")
    } else if session_end(calendar, terms).is_some_and(|end| end <= now) {
        Some("its session ended before the exchange had it")
    } else {
        None
    }
}

/// The first moment at which it may go out: its session is open, and its own time has come. A `gtc` order has further
/// sessions after its first.
fn ready_at(calendar: &Calendar, terms: &Terms, now: Timestamp) -> Timestamp {
    let bounds = calendar.session_bounds(SessionDate::new(terms.session_date));
    let wished = terms.submit_at.map_or(now, |at| at.max(now));
    let opened = bounds.map(|(open, _)| open.max(wished));
    if terms.order.time_in_force != TimeInForce::Gtc {
        // Without its session it waits for its end.
        return opened
            .or_else(|| session_end(calendar, terms))
            .unwrap_or(now + UNKNOWN_SESSION);
    }
    let earliest = opened.unwrap_or(wished);
    if calendar.is_open(earliest) {
        earliest
    } else {
        calendar.next_open(earliest).unwrap_or(now + UNKNOWN_SESSION)
    }
}

fn too_late_at(calendar: &Calendar, terms: &Terms) -> Option<Timestamp> {
    let ends = [terms.expires_at, session_end(calendar, terms)];
    ends.into_iter().flatten().min()
}

/// When the session it is for is over; a `gtc` order has further ones.
fn session_end(calendar: &Calendar, terms: &Terms) -> Option<Timestamp> {
    let is_gtc = terms.order.time_in_force == TimeInForce::Gtc;
    let end = calendar.ends_at(SessionDate::new(terms.session_date));
    end.filter(|_| !is_gtc)
}
