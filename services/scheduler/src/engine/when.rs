//! When a schedule is due, as text: cron in New York's time, an edge of the session with a distance, one moment, or never by
//! itself. Pure.
//!
//! | text                          | due                                                              |
//! |-------------------------------|------------------------------------------------------------------|
//! | `30 3 * * 1-5`                | by the clock on the wall in New York, each time once (DST)        |
//! | `open - 5m`, `close + 10m`    | once a session; half days and special closures included           |
//! | `at 2026-11-23T21:00:00Z`     | once                                                              |
//! | `by hand`                     | when an operator, or another program, says so                     |
//!
//! A session has one tick however its close moves. The close of a session that a special closure took away still comes, at the
//! time it would have had (CAL-4): what waits for the end of that day is not forgotten.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, NaiveDate, TimeDelta};
use chrono_tz::America::New_York;
use croner::Cron;
use domain::Timestamp;
use domain::calendar::{Calendar, OutsideCalendar, SessionDate, to_new_york};

/// The furthest that a tick may be from its session's edge.
const FURTHEST: TimeDelta = TimeDelta::hours(12);
/// Ticks of one look; the rest comes with the next.
const MOST: usize = 1_000;
/// How far ahead a session is looked for, to show the next tick.
const AHEAD: usize = 15;

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Cron text, read by the clock on the wall in New York.
    Cron(Box<Cron>),
    /// At the open or the close of each session, or so much later; earlier if negative.
    Session(Edge, TimeDelta),
    /// Once.
    At(Timestamp),
    /// Never by itself.
    ByHand,
}

/// An edge of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The opening bell.
    Open,
    /// The closing bell.
    Close,
}

/// What a due tick that was not seen in time is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// Each runs, one after the other.
    Each,
    /// Only the last one runs.
    Last,
    /// Too late is too late.
    Skip,
}

/// A moment at which a schedule is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// The moment.
    pub at: Timestamp,
    /// The session it follows.
    pub session_date: Option<NaiveDate>,
}

/// How far a schedule's ticks have been dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dealt {
    /// Ticks up to here are nobody's: the schedule is younger.
    pub since: Timestamp,
    /// The last tick that was dealt with.
    pub to: Timestamp,
    /// The last session that was dealt with.
    pub date: Option<NaiveDate>,
}

/// Text that says no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} says no time: {why}. Write cron text, `open - 5m`, `close + 10m`, `at 2026-11-23T21:00:00Z` or `by hand`"
)]
pub struct BadWhen {
    text: String,
    why: String,
}

/// The ticks cannot be told: the calendar ends, or the cron text never comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unplannable(String);

impl From<OutsideCalendar> for Unplannable {
    fn from(error: OutsideCalendar) -> Self {
        Unplannable(error.to_string())
    }
}

impl When {
    /// The ticks to run now, oldest first: those after `dealt` and up to `now` that `missed` lets through. One is on time when
    /// it is at most `grace` old.
    ///
    /// # Errors
    /// [`Unplannable`] when nobody knows yet whether there is a session.
    pub fn due(
        &self,
        dealt: &Dealt,
        now: Timestamp,
        calendar: &Calendar,
        missed: Missed,
        grace: TimeDelta,
    ) -> Result<Vec<Tick>, Unplannable> {
        let begin = dealt.since.max(dealt.to);
        let mut ticks = match self {
            When::ByHand => vec![],
            When::At(at) => Some(bare(*at))
                .filter(|tick| begin < tick.at && tick.at <= now)
                .into_iter()
                .collect(),
            // The last of very many is found from the other end, those of the last minute from its begin.
            When::Cron(cron) if missed == Missed::Last => last(cron, begin, now)?,
            When::Cron(cron) if missed == Missed::Skip => between(cron, begin.max(now - grace), now)?,
            When::Cron(cron) => between(cron, begin, now)?,
            When::Session(edge, offset) => sessions(*edge, *offset, dealt, now, calendar)?,
        };
        match missed {
            Missed::Each => {}
            Missed::Last => ticks = ticks.last().copied().into_iter().collect(),
            Missed::Skip => ticks.retain(|tick| now - tick.at <= grace),
        }
        Ok(ticks)
    }

    /// The next tick after now, as far as anybody can tell today.
    pub fn next(&self, dealt: &Dealt, now: Timestamp, calendar: &Calendar) -> Option<Timestamp> {
        let after = now.max(dealt.to).max(dealt.since);
        match self {
            When::ByHand => None,
            When::At(at) => Some(*at).filter(|at| *at > after),
            When::Cron(cron) => following(cron, after).ok(),
            When::Session(edge, offset) => first_date(dealt)
                .max(to_new_york(now).date_naive().pred_opt()?)
                .iter_days()
                .take(AHEAD)
                .filter_map(|date| tick_of(*edge, *offset, date, calendar).ok().flatten())
                .find(|tick| *tick > after),
        }
    }
}

fn bare(at: Timestamp) -> Tick {
    Tick { at, session_date: None }
}

fn following(cron: &Cron, after: Timestamp) -> Result<Timestamp, Unplannable> {
    let next = cron.find_next_occurrence(&after.with_timezone(&New_York), false);
    next.map(|next| next.to_utc()).map_err(unplannable)
}

fn between(cron: &Cron, after: Timestamp, now: Timestamp) -> Result<Vec<Tick>, Unplannable> {
    let mut ticks = vec![];
    let mut at = after;
    while ticks.len() < MOST {
        at = following(cron, at)?;
        if at > now {
            break;
        }
        ticks.push(bare(at));
    }
    Ok(ticks)
}

fn last(cron: &Cron, after: Timestamp, now: Timestamp) -> Result<Vec<Tick>, Unplannable> {
    if following(cron, after)? > now {
        return Ok(vec![]);
    }
    let last = cron
        .find_previous_occurrence(&now.with_timezone(&New_York), true)
        .map_err(unplannable)?;
    Ok(vec![bare(last.to_utc())])
}

fn unplannable(error: croner::errors::CronError) -> Unplannable {
    Unplannable(error.to_string())
}

/// The first date whose session has not been dealt with.
fn first_date(dealt: &Dealt) -> NaiveDate {
    let next = dealt.date.and_then(|date| date.succ_opt());
    // A tick may fall on the day after its session.
    let begin = || to_new_york(dealt.since).date_naive() - Days::new(1);
    next.unwrap_or_else(begin)
}

fn sessions(
    edge: Edge,
    offset: TimeDelta,
    dealt: &Dealt,
    now: Timestamp,
    calendar: &Calendar,
) -> Result<Vec<Tick>, Unplannable> {
    let today = to_new_york(now).date_naive();
    let mut ticks = vec![];
    // A tick may fall on the day before its session.
    for date in first_date(dealt)
        .iter_days()
        .take_while(|date| *date <= today + Days::new(1))
    {
        let at = match tick_of(edge, offset, date, calendar) {
            Err(_) if date > today => None,
            other => other?,
        };
        let due = at.filter(|at| dealt.since < *at && *at <= now);
        ticks.extend(due.map(|at| Tick {
            at,
            session_date: Some(date),
        }));
    }
    Ok(ticks)
}

fn tick_of(
    edge: Edge,
    offset: TimeDelta,
    date: NaiveDate,
    calendar: &Calendar,
) -> Result<Option<Timestamp>, OutsideCalendar> {
    let date = SessionDate::new(date);
    let at = match (calendar.session(date)?, edge) {
        (Some(session), Edge::Open) => Some(session.open),
        (Some(session), Edge::Close) => Some(session.close),
        (None, Edge::Open) => None,
        (None, Edge::Close) => calendar.usual().session(date)?.map(|taken_away| taken_away.close),
    };
    Ok(at.map(|at| at + offset))
}

impl FromStr for When {
    type Err = BadWhen;

    fn from_str(text: &str) -> Result<Self, BadWhen> {
        let text = text.trim();
        let bad = |why: String| BadWhen {
            text: text.to_owned(),
            why,
        };
        if text == "by hand" {
            return Ok(When::ByHand);
        }
        if let Some(at) = text.strip_prefix("at ") {
            let at: Timestamp = at.trim().parse().map_err(|error| bad(format!("{error}")))?;
            return Ok(When::At(at));
        }
        for (word, edge) in [("open", Edge::Open), ("close", Edge::Close)] {
            if let Some(rest) = text.strip_prefix(word) {
                return Ok(When::Session(edge, distance(rest).map_err(bad)?));
            }
        }
        let cron = Cron::from_str(text).map_err(|error| bad(error.to_string()))?;
        Ok(When::Cron(Box::new(cron)))
    }
}

/// `""`, `" + 10m"`, `" - 90s"`, `" + 1h"`.
fn distance(text: &str) -> Result<TimeDelta, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(TimeDelta::zero());
    }
    let wrong = || format!("{text:?} is no distance such as `+ 10m` or `- 30s`");
    let (sign, rest) = match text.split_at_checked(1).ok_or_else(wrong)? {
        ("+", rest) => (1, rest.trim()),
        ("-", rest) => (-1, rest.trim()),
        _ => return Err(wrong()),
    };
    let (number, unit) = rest.split_at_checked(rest.len().saturating_sub(1)).ok_or_else(wrong)?;
    let number: i64 = number.parse::<u16>().map_err(|_| wrong())?.into();
    let seconds = match unit {
        "s" => number,
        "m" => number * 60,
        "h" => number * 3_600,
        _ => return Err(wrong()),
    };
    let distance = TimeDelta::seconds(sign * seconds);
    if distance.abs() > FURTHEST {
        return Err(format!("{text:?} is more than {} hours", FURTHEST.num_hours()));
    }
    Ok(distance)
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Cron(cron) => f.write_str(cron.as_str()),
            When::At(at) => write!(f, "at {}", at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
            When::ByHand => f.write_str("by hand"),
            When::Session(edge, offset) => {
                f.write_str(if *edge == Edge::Open { "open" } else { "close" })?;
                write_distance(f, *offset)
            }
        }
    }
}

fn write_distance(f: &mut fmt::Formatter<'_>, distance: TimeDelta) -> fmt::Result {
    let seconds = distance.num_seconds();
    let sign = if seconds < 0 { '-' } else { '+' };
    match seconds.unsigned_abs() {
        0 => Ok(()),
        whole if whole % 3_600 == 0 => write!(f, " {sign} {}h", whole / 3_600),
        whole if whole % 60 == 0 => write!(f, " {sign} {}m", whole / 60),
        rest => write!(f, " {sign} {rest}s"),
    }
}

impl Missed {
    /// As it is stored and typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Missed::Each => "each",
            Missed::Last => "last",
            Missed::Skip => "skip",
        }
    }
}

impl FromStr for Missed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "each" => Ok(Missed::Each),
            "last" => Ok(Missed::Last),
            "skip" => Ok(Missed::Skip),
            other => Err(format!("{other:?} is none of each, last, skip")),
        }
    }
}

#[cfg(test)]
mod tests;
