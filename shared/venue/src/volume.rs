//! How much of a symbol trades: the average of its last sessions. Pure.

use crate::VenueVolume;
use chrono::NaiveDate;
use domain::Symbol;
use rust_decimal::{Decimal, RoundingStrategy};
use std::collections::{BTreeMap, BTreeSet};

/// Sessions that are averaged: about a month.
pub const SESSIONS: usize = 20;

/// Shares of each session that a symbol traded in.
pub(crate) type Traded = BTreeMap<Symbol, BTreeMap<NaiveDate, Decimal>>;

/// The averages of the last [`SESSIONS`] sessions before a date, in whole shares, rounded down: what is measured by them
/// is never too wide.
///
/// Every day on which any of the symbols traded was a session, and one that did not trade then traded nothing. So a thin
/// symbol's average is not that of its busy days alone. A symbol that traded in none of them is left out.
pub(crate) fn averages(traded: &Traded, before: NaiveDate) -> Vec<VenueVolume> {
    let days: BTreeSet<NaiveDate> = traded.values().flat_map(|days| days.keys().copied()).collect();
    let sessions: Vec<NaiveDate> = days.range(..before).rev().take(SESSIONS).copied().collect();
    let (Some(through), Some(first)) = (sessions.first(), sessions.last()) else {
        return Vec::new();
    };
    let count = Decimal::from(sessions.len());
    let of = |(symbol, days): (&Symbol, &BTreeMap<NaiveDate, Decimal>)| {
        let mut shares = days.range(*first..=*through).map(|(_, shares)| *shares).peekable();
        shares.peek()?;
        // More than fits is more than any order asks a part of.
        let sum = shares.try_fold(Decimal::ZERO, |sum, shares| sum.checked_add(shares));
        let exact = sum.and_then(|sum| sum.checked_div(count)).unwrap_or(Decimal::MAX);
        let whole = exact.round_dp_with_strategy(0, RoundingStrategy::ToZero);
        Some(VenueVolume {
            symbol: symbol.clone(),
            average: u64::try_from(whole).unwrap_or(u64::MAX),
            sessions: sessions.len(),
            through: *through,
        })
    };
    traded.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    //! What the average is.

    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn day(n: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 10, n).unwrap()
    }

    fn traded(symbols: &[(&str, &[(u32, i64)])]) -> Traded {
        let days = |days: &[(u32, i64)]| {
            days.iter()
                .map(|(n, shares)| (day(*n), Decimal::from(*shares)))
                .collect()
        };
        let of = |(symbol, traded): &(&str, &[(u32, i64)])| (Symbol::parse(symbol).unwrap(), days(traded));
        symbols.iter().map(of).collect()
    }

    fn told(traded: &Traded, before: u32) -> Vec<(String, u64, usize, NaiveDate)> {
        let averages = averages(traded, day(before)).into_iter();
        averages
            .map(|one| (one.symbol.to_string(), one.average, one.sessions, one.through))
            .collect()
    }

    #[test]
    fn rsk_3_the_average_is_rounded_down_to_whole_shares() {
        let traded = traded(&[("AAPL", &[(1, 100), (2, 101), (5, 101)])]);
        assert_eq!(told(&traded, 6), [("AAPL".to_owned(), 100, 3, day(5))]);
    }

    #[test]
    fn rsk_3_only_the_last_twenty_sessions_before_today_count() {
        let days: Vec<(u32, i64)> = (1..=25)
            .map(|n| (n, if n <= 4 || n == 25 { 1_000_000 } else { i64::from(n) }))
            .collect();
        let average = (5..=24_u64).sum::<u64>() / 20;
        assert_eq!(
            told(&traded(&[("AAPL", &days)]), 25),
            [("AAPL".to_owned(), average, 20, day(24))]
        );
    }

    #[test]
    fn rsk_3_a_session_without_a_trade_counts_with_none() {
        let traded = traded(&[("AAPL", &[(1, 10), (2, 10), (5, 10), (6, 10)]), ("THIN", &[(2, 10)])]);
        let expected = [("AAPL".to_owned(), 10, 4, day(6)), ("THIN".to_owned(), 2, 4, day(6))];
        assert_eq!(told(&traded, 7), expected);
    }

    #[test]
    fn a_symbol_that_never_traded_has_no_average() {
        let none = traded(&[("AAPL", &[(9, 10)]), ("NONE", &[])]);
        assert_eq!(told(&none, 10).len(), 1);
        assert_eq!(told(&none, 9), []);
        assert_eq!(told(&Traded::new(), 9), []);
    }

    #[test]
    fn what_no_number_holds_is_the_largest_there_is() {
        let huge = [(day(1), Decimal::MAX), (day(2), Decimal::MAX)];
        let traded = Traded::from([(Symbol::parse("AAPL").unwrap(), huge.into())]);
        assert_eq!(averages(&traded, day(3))[0].average, u64::MAX);
    }
}
