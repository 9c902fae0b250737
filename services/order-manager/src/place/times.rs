//! When an order works: its session, and when its life ends by itself. Pure.

use domain::calendar::{Calendar, OutsideCalendar, SessionDate};
use domain::{TimeInForce, Timestamp};

/// The times of one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// The session it belongs to.
    pub(super) session: SessionDate,
    /// When its life ends by itself.
    pub(super) expires_at: Timestamp,
}

/// The times of an order accepted now.
pub(super) fn times(tif: TimeInForce, now: Timestamp, calendar: &Calendar) -> Result<Times, OutsideCalendar> {
    let session = calendar.session_for(now)?;
    let close = calendar
        .ends_at(session)
        .ok_or(OutsideCalendar { date: session.get() })?;
    let expires_at = match tif {
        TimeInForce::Gtc => calendar.gtc_ends_at(now)?,
        TimeInForce::Day | TimeInForce::Ioc | TimeInForce::Fok => close,
    };
    Ok(Times { session, expires_at })
}
