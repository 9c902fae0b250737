//! What an operator may change about a day, and what that does. Pure: the calendar in force and the time are passed in.

use chrono::{NaiveDate, NaiveTime};
use domain::Timestamp;
use domain::calendar::{Calendar, Exception, Session, SessionDate, to_new_york};
use std::fmt;
use thiserror::Error;

/// A wish to change one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The day.
    pub day: NaiveDate,
    /// What shall be different about it; `None`: nothing any more.
    pub to: Option<Exception>,
}

/// Why a day stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A day before today.
    #[error("{0} is past: what happened on it stays as it is")]
    Past(NaiveDate),
    /// Nobody has set the holidays of that year yet.
    #[error("{day} is outside the days that the calendar knows, which end with {last}")]
    Unknown {
        /// The day.
        day: NaiveDate,
        /// The last one known.
        last: NaiveDate,
    },
    /// A weekend or a holiday.
    #[error("{0} has no session anyway: it is a weekend or a holiday of the calendar in force")]
    NoSession(NaiveDate),
    /// Its day orders may be expiring already.
    #[error("the session of {0} is over, and the end of its day may have begun: it stays as it is")]
    Over(NaiveDate),
    /// No early close.
    #[error("{time} is not within the session of {day}, which is from {opens} to {closes} in New York")]
    NotWithin {
        /// The time.
        time: NaiveTime,
        /// The day.
        day: NaiveDate,
        /// Its usual open.
        opens: NaiveTime,
        /// Its usual close.
        closes: NaiveTime,
    },
    /// Orders cannot end before now.
    #[error("{0} in New York is past: name a time to come, or close the day")]
    TimePast(NaiveTime),
    /// Nothing to take back.
    #[error("{0} is as usual already")]
    AsUsual(NaiveDate),
}

/// What a change does; its `Display` tells the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// What is changed.
    pub change: Change,
    /// False when the day is so already.
    pub is_new: bool,
    /// The session of that day is under way.
    pub under_way: bool,
    /// The session as it will be.
    pub session: Option<Session>,
    /// When the day orders of that day are over.
    pub ends_at: Option<Timestamp>,
    /// The first session after that day.
    pub next: Option<SessionDate>,
}

/// Whether the change may be made now, and what it does.
///
/// # Errors
/// Why not.
pub fn judge(in_force: &Calendar, change: Change, now: Timestamp) -> Result<Effect, Refusal> {
    let (day, date) = (change.day, SessionDate::new(change.day));
    let usual = usual_session(in_force, day, now)?;
    if in_force.ends_at(date).is_some_and(|end| end <= now) {
        return Err(Refusal::Over(day));
    }
    if let Some(Exception::ClosesAt(time)) = change.to {
        within(&usual, time)?;
    }
    let exception = in_force.exception(day);
    if change.to.is_none() && exception.is_none() {
        return Err(Refusal::AsUsual(day));
    }
    let after = in_force.clone().without_exception(day);
    let after = after.with_exceptions(change.to.map(|exception| (day, exception)));
    let ends_at = after.ends_at(date);
    match change.to {
        Some(Exception::ClosesAt(time)) if ends_at.is_some_and(|end| end <= now) => Err(Refusal::TimePast(time)),
        _ => Ok(Effect {
            change,
            is_new: exception != change.to,
            under_way: usual.open <= now,
            session: after.session(date).ok().flatten(),
            ends_at,
            next: after.session_for(usual.close).ok(),
        }),
    }
}

/// The session of a day of today or later, without exceptions.
fn usual_session(in_force: &Calendar, day: NaiveDate, now: Timestamp) -> Result<Session, Refusal> {
    let last = *Calendar::known_days().end();
    if day < to_new_york(now).date_naive() {
        return Err(Refusal::Past(day));
    }
    if day > last {
        return Err(Refusal::Unknown { day, last });
    }
    let usual = in_force.usual().session(SessionDate::new(day));
    usual.ok().flatten().ok_or(Refusal::NoSession(day))
}

fn within(usual: &Session, time: NaiveTime) -> Result<(), Refusal> {
    let (opens, closes) = (to_new_york(usual.open).time(), to_new_york(usual.close).time());
    if opens < time && time < closes {
        return Ok(());
    }
    Err(Refusal::NotWithin {
        time,
        day: usual.date.get(),
        opens,
        closes,
    })
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = self.change.day;
        if !self.is_new {
            write!(f, "{day} was so already, nothing changed: ")?;
        }
        let ends = self.ends_at.map(to_new_york).map(|end| end.time()).unwrap_or_default();
        let next = self
            .next
            .map_or_else(|| "the next session".to_owned(), |next| next.to_string());
        match (self.change.to, self.under_way) {
            (Some(Exception::Closed), false) => write!(
                f,
                "{day} has no session. Day orders queued for it end at its usual close, {ends} New York; the next \
                 session is {next}."
            ),
            (Some(Exception::Closed), true) => write!(
                f,
                "the session of {day} is over from now on: nothing more goes to the exchange, and new orders belong to \
                 {next}. Its day orders end at its usual close, {ends} New York; until then those at the exchange can \
                 still be filled, should it trade."
            ),
            (Some(Exception::ClosesAt(_)), _) => write!(
                f,
                "{day} closes at {ends} New York, and its day orders end then; the next session is {next}."
            ),
            (None, _) => write!(f, "{day} is as usual again, until {ends} New York."),
        }
    }
}

#[cfg(test)]
mod tests {
    //! What may be changed when.
    use super::*;
    use rstest::rstest;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a literal of this file")
    }

    fn at(text: &str) -> Timestamp {
        format!("{}Z", text.replace(' ', "T"))
            .parse()
            .expect("a literal of this file")
    }

    fn close(date: &str) -> Change {
        Change {
            day: day(date),
            to: Some(Exception::Closed),
        }
    }

    fn close_at(date: &str, time: &str) -> Change {
        let time = NaiveTime::parse_from_str(time, "%H:%M").expect("a literal of this file");
        Change {
            day: day(date),
            to: Some(Exception::ClosesAt(time)),
        }
    }

    fn reopen(date: &str) -> Change {
        Change {
            day: day(date),
            to: None,
        }
    }

    /// The NYSE with a closed Tuesday, and a Wednesday that closes at 14:00.
    fn changed() -> Calendar {
        let days = [close("2026-12-01"), close_at("2026-12-02", "14:00")];
        Calendar::nyse().with_exceptions(days.map(|change| (change.day, change.to.expect("set above"))))
    }

    #[rstest]
    #[case("yesterday", close("2026-11-20"), "is past")]
    #[case("beyond the table", close("2029-01-02"), "end with 2028-12-31")]
    #[case("a Sunday", close("2026-11-29"), "no session anyway")]
    #[case("Thanksgiving", close_at("2026-11-26", "12:00"), "no session anyway")]
    #[case("with the open", close_at("2026-11-24", "09:30"), "from 09:30:00 to 16:00:00")]
    #[case("with the usual close", close_at("2026-11-24", "16:00"), "not within")]
    #[case("after a half day's close", close_at("2026-11-27", "13:30"), "to 13:00:00")]
    #[case("a time that is past today", close_at("2026-11-23", "10:00"), "is past")]
    #[case("a usual day", reopen("2026-11-24"), "as usual already")]
    fn what_makes_no_sense_is_refused_with_its_reason(#[case] what: &str, #[case] change: Change, #[case] said: &str) {
        let refusal = judge(&changed(), change, at("2026-11-23 15:00:00")).expect_err(what);
        assert!(refusal.to_string().contains(said), "{what}: {refusal}");
    }

    #[rstest]
    #[case("its usual close is past", close("2026-11-30"), "2026-11-30 21:00:00", false)]
    #[case("one second before it", close("2026-11-30"), "2026-11-30 20:59:59", true)]
    #[case(
        "a closed day past its usual close",
        reopen("2026-12-01"),
        "2026-12-01 21:00:00",
        false
    )]
    #[case("a closed day before it", reopen("2026-12-01"), "2026-12-01 20:59:59", true)]
    #[case("an early close is past", reopen("2026-12-02"), "2026-12-02 19:00:00", false)]
    #[case("or to come", close_at("2026-12-02", "13:45"), "2026-12-02 18:44:00", true)]
    fn cal_4_a_day_can_be_changed_until_its_orders_end(
        #[case] why: &str,
        #[case] change: Change,
        #[case] now: &str,
        #[case] allowed: bool,
    ) {
        let judged = judge(&changed(), change, at(now));
        assert_eq!(judged.err(), (!allowed).then_some(Refusal::Over(change.day)), "{why}");
    }

    #[test]
    fn cal_4_a_close_while_the_session_is_under_way_says_what_it_does() {
        let effect = judge(&Calendar::nyse(), close("2026-11-23"), at("2026-11-23 15:00:00")).expect("allowed");
        assert!(effect.is_new && effect.under_way && effect.session.is_none());
        assert_eq!(effect.ends_at, Some(at("2026-11-23 21:00:00")));
        assert_eq!(effect.next, Some(SessionDate::new(day("2026-11-24"))));
        let told = effect.to_string();
        for part in [
            "over from now on",
            "belong to 2026-11-24",
            "usual close, 16:00:00 New York",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn the_session_after_two_closed_days_is_named() {
        let effect = judge(&changed(), close("2026-11-30"), at("2026-11-23 15:00:00")).expect("allowed");
        assert_eq!(effect.next, Some(SessionDate::new(day("2026-12-02"))));
        assert!(!effect.under_way);
    }

    #[test]
    fn a_repeat_is_no_change_and_another_exception_replaces_the_first() {
        let now = at("2026-11-23 15:00:00");
        assert!(!judge(&changed(), close("2026-12-01"), now).expect("allowed").is_new);
        let replaced = judge(&changed(), close_at("2026-12-01", "12:00"), now).expect("allowed");
        assert!(replaced.is_new);
        assert_eq!(replaced.ends_at, Some(at("2026-12-01 17:00:00")));
        let again = judge(&changed(), reopen("2026-12-02"), now).expect("allowed");
        assert_eq!(again.ends_at, Some(at("2026-12-02 21:00:00")));
    }

    #[test]
    fn on_the_calendar_that_never_rests_a_sunday_can_be_closed() {
        let effect = judge(&Calendar::always_open(), close("2026-11-29"), at("2026-11-23 15:00:00")).expect("allowed");
        assert_eq!(effect.ends_at, Some(at("2026-11-30 04:59:59")));
        assert_eq!(effect.next, Some(SessionDate::new(day("2026-11-30"))));
    }
}
