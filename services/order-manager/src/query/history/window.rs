//! From the query to a stretch of time and the size of its steps.

use chassis::http::ApiError;
use chrono::{Days, Months, NaiveDate, TimeDelta};
use domain::Timestamp;
use domain::calendar::{Calendar, to_new_york};
use serde::Deserialize;
use utoipa::IntoParams;
use wire::rest::schema;

use crate::error::ReadError;

use super::super::{choice, day, flag, given, moment, new_york_day};

/// The finest step of a week and more.
const MINUTES_UNDER: TimeDelta = TimeDelta::days(7);
/// The finest step of a month and more is a day.
const QUARTERS_UNDER: TimeDelta = TimeDelta::days(30);

/// The query of `GET /v2/account/portfolio/history`, as sent.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct HistoryQuery {
    /// How long; a month unless asked otherwise.
    #[param(value_type = Option<schema::Period>, inline)]
    pub(super) period: Option<String>,
    /// The size of the windows; by default the finest that the period allows.
    #[param(value_type = Option<schema::Timeframe>, inline)]
    pub(super) timeframe: Option<String>,
    /// The last day.
    #[param(value_type = Option<schema::Day>, inline)]
    pub(super) date_end: Option<String>,
    /// The beginning. Of `start`, `end` and `period` two at most.
    #[param(value_type = Option<schema::Moment>, inline)]
    pub(super) start: Option<String>,
    /// The end; now, if it is later.
    #[param(value_type = Option<schema::Moment>, inline)]
    pub(super) end: Option<String>,
    /// No effect: only the regular session trades.
    #[param(value_type = Option<bool>)]
    pub(super) extended_hours: Option<String>,
    /// Which hours count.
    #[param(value_type = Option<schema::IntradayReporting>, inline)]
    pub(super) intraday_reporting: Option<String>,
    /// Whether profits begin anew each day.
    #[param(value_type = Option<schema::PnlReset>, inline)]
    pub(super) pnl_reset: Option<String>,
    /// Which movements of money are shown.
    #[param(value_type = Option<schema::CashflowTypes>, inline)]
    pub(super) cashflow_types: Option<String>,
}

/// The size of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Minute,
    FiveMinutes,
    Quarter,
    Hour,
    Day,
}

impl Step {
    const ALL: [(&'static str, Step); 5] = [
        ("1Min", Step::Minute),
        ("5Min", Step::FiveMinutes),
        ("15Min", Step::Quarter),
        ("1H", Step::Hour),
        ("1D", Step::Day),
    ];

    /// The word of the dialect.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "1Min",
            Self::FiveMinutes => "5Min",
            Self::Quarter => "15Min",
            Self::Hour => "1H",
            Self::Day => "1D",
        }
    }

    /// How long a window within a day is; none for a day, which is a session long.
    pub(super) const fn length(self) -> Option<TimeDelta> {
        match self {
            Self::Minute => Some(TimeDelta::minutes(1)),
            Self::FiveMinutes => Some(TimeDelta::minutes(5)),
            Self::Quarter => Some(TimeDelta::minutes(15)),
            Self::Hour => Some(TimeDelta::hours(1)),
            Self::Day => None,
        }
    }

    /// What is usual for a stretch of this length, and the finest that is served.
    fn usual(stretch: TimeDelta) -> Self {
        if stretch < MINUTES_UNDER {
            Self::Minute
        } else if stretch < QUARTERS_UNDER {
            Self::Quarter
        } else {
            Self::Day
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// From then on.
    pub(super) start: Timestamp,
    /// Up to and without that moment.
    pub(super) end: Timestamp,
    /// In steps of this.
    pub(super) step: Step,
}

impl Window {
    /// The New York date of its beginning.
    pub(super) fn first_date(&self) -> NaiveDate {
        to_new_york(self.start).date_naive()
    }

    /// The New York date of its last moment: what ends at midnight has nothing of the day that begins.
    pub(super) fn last_date(&self) -> NaiveDate {
        last_date_before(self.end)
    }
}

impl HistoryQuery {
    /// The stretch of time, and its steps.
    pub(super) fn window(&self, now: Timestamp, calendar: &Calendar) -> Result<Window, ApiError> {
        self.is_offered()?;
        let period = period(self.period.as_ref())?;
        let start = moment("start", self.start.as_ref())?;
        let end = moment("end", self.end.as_ref())?;
        let day_end = day("date_end", self.date_end.as_ref())?.map(|date| new_york_day(date).1);
        if start.is_some() && (end.is_some() || day_end.is_some()) && period.is_some() {
            return Err(ReadError::ThreeEnds.into());
        }
        let end = match (start, period) {
            (Some(start), Some(period)) => period.after(start),
            _ => end.or(day_end).unwrap_or(now),
        };
        let end = end.min(now);
        let start = start.unwrap_or_else(|| period.unwrap_or(Period(1, Unit::Month)).before(end, calendar));
        if start >= end {
            return Err(ReadError::NothingBetween.into());
        }
        let step = step(self.timeframe.as_ref(), end - start)?;
        Ok(Window { start, end, step })
    }

    /// What is well-formed and not served is said, and never taken for something else.
    fn is_offered(&self) -> Result<(), ApiError> {
        // There is no other session than the regular one, so with or without others is the same.
        flag("extended_hours", self.extended_hours.as_ref())?;
        let reports = [("market_hours", true), ("extended_hours", false), ("continuous", false)];
        let resets = [("no_reset", true), ("per_day", false)];
        let offered = [
            (
                "intraday_reporting",
                choice("intraday_reporting", self.intraday_reporting.as_ref(), &reports)?,
            ),
            ("pnl_reset", choice("pnl_reset", self.pnl_reset.as_ref(), &resets)?),
            (
                "cashflow_types",
                given(self.cashflow_types.as_ref()).map(|word| word == "NONE"),
            ),
        ];
        match offered.iter().find(|(_, served)| *served == Some(false)) {
            None => Ok(()),
            Some((field, _)) => Err(ReadError::NotOffered(field).into()),
        }
    }
}

fn step(word: Option<&String>, stretch: TimeDelta) -> Result<Step, ApiError> {
    let usual = Step::usual(stretch);
    let step = choice("timeframe", word, &Step::ALL)?.unwrap_or(usual);
    let finest = |least| Err(ReadError::TooFine(least).into());
    match (usual, step) {
        (Step::Quarter, Step::Minute | Step::FiveMinutes) => finest("15Min"),
        (Step::Day, Step::Minute | Step::FiveMinutes | Step::Quarter | Step::Hour) => finest("1D"),
        _ => Ok(step),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

/// So many of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Period(u32, Unit);

fn period(word: Option<&String>) -> Result<Option<Period>, ApiError> {
    let Some(text) = given(word) else { return Ok(None) };
    let read = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = match unit {
            "D" => Unit::Day,
            "W" => Unit::Week,
            "M" => Unit::Month,
            "A" => Unit::Year,
            _ => return None,
        };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse().ok().filter(|n| digits && (1..=1_000).contains(n))?;
        Some(Period(number, unit))
    };
    read().ok_or_else(|| ReadError::NoPeriod.into()).map(Some)
}

impl Period {
    /// When a period begins that ends then: days are trading days, and begin with the day.
    fn before(self, end: Timestamp, calendar: &Calendar) -> Timestamp {
        let last = last_date_before(end);
        let first = match self {
            Period(n, Unit::Day) => trading_days_back(last, n, calendar),
            Period(n, Unit::Week) => last.checked_sub_days(Days::new(7 * u64::from(n))),
            Period(n, Unit::Month) => last.checked_sub_months(Months::new(n)),
            Period(n, Unit::Year) => last.checked_sub_months(Months::new(12 * n)),
        };
        new_york_day(first.unwrap_or(NaiveDate::MIN.max(last - Days::new(36_500)))).0
    }

    fn after(self, start: Timestamp) -> Timestamp {
        let end = match self {
            Period(n, Unit::Day) => start.checked_add_days(Days::new(u64::from(n))),
            Period(n, Unit::Week) => start.checked_add_days(Days::new(7 * u64::from(n))),
            Period(n, Unit::Month) => start.checked_add_months(Months::new(n)),
            Period(n, Unit::Year) => start.checked_add_months(Months::new(12 * n)),
        };
        end.unwrap_or(Timestamp::MAX_UTC)
    }
}

/// The New York date of the moment before this one.
fn last_date_before(end: Timestamp) -> NaiveDate {
    to_new_york(end - TimeDelta::microseconds(1)).date_naive()
}

/// The first of so many trading days up to this date.
fn trading_days_back(last: NaiveDate, days: u32, calendar: &Calendar) -> Option<NaiveDate> {
    // Three days in two, and ten for holidays: always enough.
    let from = last.checked_sub_days(Days::new(u64::from(days) * 3 / 2 + 10))?;
    let listed = calendar.nyse_days(from, last);
    let skip = listed.len().checked_sub(usize::try_from(days).ok()?)?;
    listed.get(skip).map(|day| day.date)
}

#[cfg(test)]
mod tests {
    //! Which stretch of time is meant.

    use super::*;
    use rstest::rstest;

    /// A Monday, at ten.
    const NOW: &str = "2026-11-23T15:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn query(pairs: &[(&str, &str)]) -> HistoryQuery {
        let object = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).into()));
        serde_json::from_value(serde_json::Value::Object(object.collect())).expect("a query")
    }

    #[rstest]
    #[case::a_month(&[], "2026-10-23T04:00:00Z", NOW, "1D")]
    #[case::today(&[("period", "1D")], "2026-11-23T05:00:00Z", NOW, "1Min")]
    #[case::five_trading_days(&[("period", "5D"), ("timeframe", "1H")], "2026-11-17T05:00:00Z", NOW, "1H")]
    #[case::two_weeks(&[("period", "2W")], "2026-11-09T05:00:00Z", NOW, "15Min")]
    #[case::a_year_to_a_date(&[("period", "1A"), ("date_end", "2026-06-30")], "2025-06-30T04:00:00Z", "2026-07-01T04:00:00Z", "1D")]
    #[case::from_then(&[("start", "2026-11-20T14:30:00Z")], "2026-11-20T14:30:00Z", NOW, "1Min")]
    #[case::a_week_from_then(&[("start", "2026-11-02T14:30:00Z"), ("period", "1W")], "2026-11-02T14:30:00Z", "2026-11-09T14:30:00Z", "15Min")]
    #[case::never_beyond_now(&[("start", "2026-11-20T14:30:00Z"), ("end", "2027-01-01")], "2026-11-20T14:30:00Z", NOW, "1Min")]
    fn a_query_names_a_stretch_of_time(
        #[case] pairs: &[(&str, &str)],
        #[case] start: &str,
        #[case] end: &str,
        #[case] step: &str,
    ) {
        let window = query(pairs).window(at(NOW), &Calendar::nyse()).expect("a window");
        assert_eq!(
            (window.start, window.end, window.step.as_str()),
            (at(start), at(end), step)
        );
    }

    #[rstest]
    #[case(&[("period", "1Y")], "period must be a number and a unit")]
    #[case(&[("period", "M")], "period must be a number and a unit")]
    #[case(&[("period", "0D")], "period must be a number and a unit")]
    #[case(&[("period", "+1D")], "period must be a number and a unit")]
    #[case(&[("period", "🚀")], "period must be a number and a unit")]
    #[case(&[("period", "99999999999D")], "period must be a number and a unit")]
    #[case(&[("timeframe", "2D")], "invalid timeframe: use 1Min or 5Min or 15Min or 1H or 1D")]
    #[case(&[("timeframe", "1Min"), ("period", "1M")], "timeframe must be at least 1D for this period")]
    #[case(&[("timeframe", "5Min"), ("period", "2W")], "timeframe must be at least 15Min for this period")]
    #[case(&[("start", "2026-11-24")], "start must be before the end, and not in the future")]
    #[case(&[("start", "2026-11-20"), ("end", "2026-11-21"), ("period", "1D")], "only two of start, end and period are accepted")]
    #[case(&[("pnl_reset", "per_day")], "this pnl_reset is not offered yet: leave it out")]
    #[case(&[("intraday_reporting", "never")], "invalid intraday_reporting")]
    #[case(&[("cashflow_types", "DIV")], "this cashflow_types is not offered yet")]
    fn what_names_none_is_told_what_to_change(#[case] pairs: &[(&str, &str)], #[case] message: &str) {
        let refusal = query(pairs).window(at(NOW), &Calendar::nyse()).expect_err("a refusal");
        assert!(refusal.message.starts_with(message), "{}", refusal.message);
    }
}
