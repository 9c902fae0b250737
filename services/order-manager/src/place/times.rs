//! When an order works: when it is sent, the session it belongs to, and when its life ends by itself. Pure.
//!
//! | asked for | taken when |
//! |---|---|
//! | `submit_at` | later than now, at most 90 days ahead; `ioc` and `fok` only within a session |
//! | `expires_at` (TIF-5) | with `day` or `gtc`, later than now + 60 s, at most 90 days ahead; outside a session it means the last close before |
//!
//! Whatever was asked, some trading time has to be left between the two.

use std::fmt;

use chrono::{SecondsFormat, TimeDelta};
use domain::calendar::{Calendar, OutsideCalendar, Session, to_new_york};
use domain::{TimeInForce, Timestamp};
use strum::{EnumMessage, IntoStaticStr, VariantNames};
use thiserror::Error;

use crate::error::PlaceOrderError;

/// No time of an order may be farther ahead.
const FARTHEST: TimeDelta = TimeDelta::days(90);
/// An order that is to end sooner is not worth its messages (TIF-5).
const SHORTEST: TimeDelta = TimeDelta::seconds(60);

/// The times a request names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// Send it then, or at the next open after it.
    pub submit_at: Option<Timestamp>,
    /// End it then.
    pub expires_at: Option<Timestamp>,
}

/// The times of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// The session in which it begins to work.
    pub(super) session: Session,
    /// When its life ends by itself.
    pub(super) expires_at: Timestamp,
}

/// Why an order's times cannot be: what to send instead is in the message. Times are told in New York's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, EnumMessage, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum Untimely {
    /// The time to send it is not ahead.
    #[error("submit_at must be in the future: leave it out to send the order now")]
    SubmitPast,
    /// The time to send it is too far ahead.
    #[error("submit_at must be at most 90 days ahead: {0} at the latest")]
    SubmitTooFar(NewYork),
    /// What works at once cannot be sent to a closed market.
    #[error("submit_at of an ioc or fok order must be while the market is open: the next session is {0} to {1}")]
    SubmitWhileClosed(NewYork, NewYork),
    /// What works at once does not wait for its end.
    #[error("expires_at is only for day and gtc orders: leave it out")]
    ExpiryAtOnce,
    /// The end is not ahead, or hardly.
    #[error("expires_at must be more than 60 seconds ahead: later than {0}")]
    ExpiryTooSoon(NewYork),
    /// The end is too far ahead.
    #[error("expires_at must be at most 90 days ahead: {0} at the latest")]
    ExpiryTooFar(NewYork),
    /// A day order ends with its session.
    #[error("expires_at is after the close of the order's session, {0}: send an earlier one, or time_in_force gtc")]
    ExpiryAfterSession(NewYork),
    /// Nothing could trade between the beginning and the end.
    #[error("the order would have no time to trade: it begins to work at {begins} and ends at {ends}, {change}")]
    NoTimeToTrade {
        /// When it could first trade.
        begins: NewYork,
        /// When it would end.
        ends: NewYork,
        /// What helps.
        change: &'static str,
    },
}

/// A moment as it is told to customers: New York's time, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewYork(pub(crate) Timestamp);

impl fmt::Display for NewYork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_new_york(self.0).to_rfc3339_opts(SecondsFormat::Secs, false))
    }
}

/// The times of an order accepted now.
pub(super) fn times(
    tif: TimeInForce,
    asked: Asked,
    now: Timestamp,
    calendar: &Calendar,
) -> Result<Times, PlaceOrderError> {
    may_be(tif, asked, now)?;
    let sent = asked.submit_at.unwrap_or(now);
    let session = session_of(sent, calendar)?;
    let begins = sent.max(session.open);
    if works_at_once(tif) && asked.submit_at.is_some_and(|at| at < session.open) {
        return Err(Untimely::SubmitWhileClosed(NewYork(session.open), NewYork(session.close)).into());
    }
    let expires_at = match asked.expires_at {
        Some(at) => asked_end(tif, at, session, calendar)?,
        None => usual_end(tif, now, session, calendar)?,
    };
    if expires_at <= begins {
        return Err(no_time(asked, begins, expires_at).into());
    }
    Ok(Times { session, expires_at })
}

/// What no calendar is needed for.
fn may_be(tif: TimeInForce, asked: Asked, now: Timestamp) -> Result<(), Untimely> {
    let farthest = now + FARTHEST;
    if let Some(at) = asked.submit_at {
        if at <= now {
            return Err(Untimely::SubmitPast);
        }
        if at > farthest {
            return Err(Untimely::SubmitTooFar(NewYork(farthest)));
        }
    }
    if let Some(at) = asked.expires_at {
        if works_at_once(tif) {
            return Err(Untimely::ExpiryAtOnce);
        }
        if at <= now + SHORTEST {
            return Err(Untimely::ExpiryTooSoon(NewYork(now + SHORTEST)));
        }
        if at > farthest {
            return Err(Untimely::ExpiryTooFar(NewYork(farthest)));
        }
    }
    Ok(())
}

const fn works_at_once(tif: TimeInForce) -> bool {
    matches!(tif, TimeInForce::Ioc | TimeInForce::Fok)
}

/// The session under way at that time, or the next one.
fn session_of(at: Timestamp, calendar: &Calendar) -> Result<Session, OutsideCalendar> {
    let date = calendar.session_for(at)?;
    calendar.session(date)?.ok_or(OutsideCalendar { date: date.get() })
}

/// TIF-5: within a session to the moment, else with the last close before; never after a day order's own session.
fn asked_end(
    tif: TimeInForce,
    at: Timestamp,
    session: Session,
    calendar: &Calendar,
) -> Result<Timestamp, PlaceOrderError> {
    let ends = if calendar.is_open(at) {
        at
    } else {
        calendar.last_close(at)?
    };
    if tif == TimeInForce::Day && ends > session.close {
        return Err(Untimely::ExpiryAfterSession(NewYork(session.close)).into());
    }
    Ok(ends)
}

fn usual_end(
    tif: TimeInForce,
    now: Timestamp,
    session: Session,
    calendar: &Calendar,
) -> Result<Timestamp, OutsideCalendar> {
    match tif {
        TimeInForce::Gtc => calendar.gtc_ends_at(now),
        TimeInForce::Day | TimeInForce::Ioc | TimeInForce::Fok => Ok(session.close),
    }
}

fn no_time(asked: Asked, begins: Timestamp, ends: Timestamp) -> Untimely {
    let change = match asked {
        Asked { expires_at: None, .. } => "90 days after its acceptance (gtc): send an earlier submit_at",
        Asked { submit_at: None, .. } => "send a later expires_at",
        _ => "send a later expires_at or an earlier submit_at",
    };
    Untimely::NoTimeToTrade {
        begins: NewYork(begins),
        ends: NewYork(ends),
        change,
    }
}
