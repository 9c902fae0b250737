//! From what is known to points and profits. Pure.

use chrono::NaiveDate;
use domain::calendar::{Calendar, SessionDate};
use domain::{Money, Timestamp};
use rust_decimal::{Decimal, RoundingStrategy};

use super::opens;
use super::window::Window;

/// What an account was worth at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) at: Timestamp,
    pub(super) equity: Money,
}

/// What is known of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The equity at the end of business dates, in their order; the first may be from before the window.
    pub(super) closes: Vec<(NaiveDate, Point)>,
    /// What was paid in and out, in the order of time.
    pub(super) paid_in: Vec<(Timestamp, Money)>,
    /// The equity of now.
    pub(super) now: Point,
    /// The New York date of now.
    pub(super) today: NaiveDate,
}

/// What is shown: a profit for each point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Series {
    /// Beginning of each window, and the equity at its end.
    pub(super) points: Vec<Point>,
    /// What was earned since the base, by the end of each window.
    pub(super) profits: Vec<Money>,
    /// What profits are measured from: the close before the window, or else what was paid in by its first point.
    pub(super) base: Money,
}

/// A window with the time at which its equity was measured.
struct Measured {
    begins: Timestamp,
    end: Point,
}

/// The points of the window, and the profits.
pub(super) fn series(window: &Window, known: &Known, calendar: &Calendar) -> Series {
    let measured = match window.step.length() {
        None => by_day(window, known, calendar),
        Some(_) => within_days(window, known, calendar),
    };
    let before = known.last_close(window.first_date());
    let (base, base_paid_in) = match (before, measured.first()) {
        (Some(close), _) => (close.equity, known.paid_in_by(close.at)),
        (None, Some(first)) => {
            let paid = known.paid_in_by(first.end.at);
            (paid, paid)
        }
        (None, None) => (Money::ZERO, Money::ZERO),
    };
    let profit = |end: Point| end.equity.get() - known.paid_in_by(end.at).get() - base.get() + base_paid_in.get();
    Series {
        profits: measured
            .iter()
            .map(|one| Money::from_decimal(profit(one.end)))
            .collect(),
        points: measured.iter().map(Measured::shown).collect(),
        base,
    }
}

impl Measured {
    fn shown(&self) -> Point {
        Point {
            at: self.begins,
            equity: self.end.equity,
        }
    }
}

impl Series {
    /// A profit as a fraction of the base, to six decimals, half to even for show; of nothing there is none.
    pub(super) fn part(&self, profit: Money) -> Decimal {
        let part = profit.get().checked_div(self.base.get()).unwrap_or_default();
        part.round_dp_with_strategy(6, RoundingStrategy::MidpointNearestEven)
    }
}

impl Known {
    /// The close of the last date before this one.
    fn last_close(&self, date: NaiveDate) -> Option<Point> {
        let before = self.closes.iter().rev().find(|(of, _)| *of < date);
        before.map(|(_, close)| *close)
    }

    /// What was paid in by then, what was paid out taken off.
    fn paid_in_by(&self, at: Timestamp) -> Money {
        let until = self.paid_in.iter().take_while(|(paid_at, _)| *paid_at <= at);
        Money::from_decimal(until.map(|(_, amount)| amount.get()).sum())
    }

    /// The equity as far as it is known for a time within a date: the close before it, and what was paid in since.
    fn within(&self, date: NaiveDate, at: Timestamp) -> Point {
        let (equity, since) = match self.last_close(date) {
            Some(close) => (close.equity, self.paid_in_by(close.at)),
            None => (Money::ZERO, Money::ZERO),
        };
        let equity = Money::from_decimal(equity.get() + self.paid_in_by(at).get() - since.get());
        Point { at, equity }
    }
}

/// A point for each close within the window, and one for today, as long as it has none and its session has begun.
fn by_day(window: &Window, known: &Known, calendar: &Calendar) -> Vec<Measured> {
    let dates = window.first_date()..=window.last_date();
    let closes = known.closes.iter().filter(|(date, _)| dates.contains(date)).copied();
    let is_closed = known.closes.last().is_some_and(|(date, _)| *date >= known.today);
    let has_begun = opens_in_force(known.today, calendar).is_some_and(|open| open <= known.now.at);
    let today = (!is_closed && has_begun && window.end >= known.now.at).then_some((known.today, known.now));
    closes
        .chain(today)
        .filter_map(|(date, end)| {
            let begins = opens(date, calendar)?;
            Some(Measured { begins, end })
        })
        .collect()
}

/// Steps of every session within the window.
fn within_days(window: &Window, known: &Known, calendar: &Calendar) -> Vec<Measured> {
    let last = window.last_date();
    let dates = window.first_date().iter_days().take_while(|date| *date <= last);
    dates.flat_map(|date| steps_of(date, window, known, calendar)).collect()
}

fn steps_of(date: NaiveDate, window: &Window, known: &Known, calendar: &Calendar) -> Vec<Measured> {
    let bounds = calendar.session_bounds(SessionDate::new(date));
    let (Some(length), Some((open, close))) = (window.step.length(), bounds) else {
        return vec![];
    };
    let closed = known.closes.iter().find(|(of, _)| *of == date).map(|(_, close)| *close);
    let steps = std::iter::successors(Some(open), |begins| Some(*begins + length));
    let steps = steps.take_while(|begins| *begins < close && *begins < window.end);
    steps
        .filter(|begins| *begins >= window.start)
        .map(|begins| {
            let ends = (begins + length).min(close);
            let end = match closed {
                Some(at_close) if ends == close => at_close,
                // What the last step of today came to is not kept yet: it is what the account is worth now.
                None if ends == close && date == known.today && ends <= known.now.at => known.now,
                _ if begins <= known.now.at && known.now.at < ends => known.now,
                _ => known.within(date, ends),
            };
            Measured { begins, end }
        })
        .collect()
}

fn opens_in_force(date: NaiveDate, calendar: &Calendar) -> Option<Timestamp> {
    calendar.session_bounds(SessionDate::new(date)).map(|(open, _)| open)
}

#[cfg(test)]
mod tests {
    //! What is shown of what is known.

    use super::super::window::Step;
    use super::*;
    use domain::calendar::to_new_york;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn dollars(amount: i64) -> Money {
        Money::from_decimal(amount.into())
    }

    fn point(time: &str, equity: i64) -> Point {
        Point {
            at: at(time),
            equity: dollars(equity),
        }
    }

    /// 1,000 dollars paid in on Thursday, 500 on Monday; it is Monday noon, and 30 dollars were earned in all.
    fn known() -> Known {
        let close = |date: &str, time: &str, equity| (date.parse().expect("a date"), point(time, equity));
        Known {
            closes: vec![
                close("2026-11-19", "2026-11-19T21:45:00Z", 1_000),
                close("2026-11-20", "2026-11-20T21:45:00Z", 1_010),
            ],
            paid_in: vec![
                (at("2026-11-19T15:00:00Z"), dollars(1_000)),
                (at("2026-11-23T15:00:00Z"), dollars(500)),
            ],
            now: point("2026-11-23T17:00:00Z", 1_530),
            today: "2026-11-23".parse().expect("a date"),
        }
    }

    fn shown(start: &str, end: &str, step: Step) -> (Vec<(String, i64, i64)>, Money) {
        shown_of(&known(), start, end, step)
    }

    fn shown_of(known: &Known, start: &str, end: &str, step: Step) -> (Vec<(String, i64, i64)>, Money) {
        let window = Window {
            start: at(start),
            end: at(end),
            step,
        };
        let series = series(&window, known, &Calendar::nyse());
        let whole =
            |amount: Money| i64::try_from(amount.get().mantissa() / 10_i128.pow(amount.get().scale())).expect("small");
        let points = series.points.iter().zip(&series.profits);
        let points = points.map(|(point, profit)| {
            let at = to_new_york(point.at).format("%d %H:%M").to_string();
            (at, whole(point.equity), whole(*profit))
        });
        (points.collect(), series.base)
    }

    fn row(at: &str, equity: i64, profit: i64) -> (String, i64, i64) {
        (at.to_owned(), equity, profit)
    }

    #[test]
    fn days_end_with_their_closes_and_today_with_now() {
        let (points, base) = shown("2026-11-20T05:00:00Z", "2026-11-23T17:00:00Z", Step::Day);
        assert_eq!(points, [row("20 09:30", 1_010, 10), row("23 09:30", 1_530, 30)]);
        assert_eq!(base, dollars(1_000), "the close before the window");
    }

    #[test]
    fn without_an_earlier_close_profits_are_measured_from_what_was_paid_in() {
        let (points, base) = shown("2026-10-23T04:00:00Z", "2026-11-23T17:00:00Z", Step::Day);
        assert_eq!(points[0], row("19 09:30", 1_000, 0));
        assert_eq!(points[2], row("23 09:30", 1_530, 30));
        assert_eq!(base, dollars(1_000));
    }

    #[test]
    fn a_window_that_ends_earlier_does_not_show_today() {
        let (points, _) = shown("2026-11-20T05:00:00Z", "2026-11-21T05:00:00Z", Step::Day);
        assert_eq!(points, [row("20 09:30", 1_010, 10)]);
    }

    #[test]
    fn a_window_that_ends_at_midnight_shows_nothing_of_the_day_that_begins() {
        let (start, midnight) = ("2026-11-19T05:00:00Z", "2026-11-20T05:00:00Z");
        let (points, _) = shown(start, midnight, Step::Day);
        assert_eq!(points, [row("19 09:30", 1_000, 0)]);
    }

    #[test]
    fn the_last_step_of_today_shows_now_until_its_close_is_kept() {
        let after_the_close = Known {
            now: point("2026-11-23T21:05:00Z", 1_530),
            ..known()
        };
        let (points, _) = shown_of(
            &after_the_close,
            "2026-11-23T20:00:00Z",
            "2026-11-23T21:05:00Z",
            Step::Hour,
        );
        assert_eq!(points, [row("23 15:30", 1_530, 20)]);
    }

    #[test]
    fn within_a_day_the_last_close_stands_until_now() {
        let (points, _) = shown("2026-11-20T20:00:00Z", "2026-11-23T17:00:00Z", Step::Hour);
        let expected = [
            row("20 15:30", 1_010, 10),
            row("23 09:30", 1_510, 10),
            row("23 10:30", 1_510, 10),
            row("23 11:30", 1_530, 30),
        ];
        assert_eq!(points, expected);
    }

    #[test]
    fn of_nothing_there_is_no_part() {
        let series = Series {
            points: vec![],
            profits: vec![],
            base: Money::ZERO,
        };
        assert_eq!(series.part(dollars(5)), Decimal::ZERO);
    }
}
