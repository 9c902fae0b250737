//! The sessions before today. Nothing traded here then: what is told of them is made up from the seed, the same for a
//! symbol and a date each time it is asked for, whatever happened since.

use chrono::{Datelike, NaiveDate};

use super::walk::spread;
use super::{Dice, Listing, Ticks};

/// A session of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// The first price.
    pub open: Ticks,
    /// The highest.
    pub high: Ticks,
    /// The lowest.
    pub low: Ticks,
    /// The last.
    pub close: Ticks,
    /// Shares that changed hands.
    pub volume: u64,
    /// In how many trades.
    pub trades: u64,
    /// What a share cost on average.
    pub average: Ticks,
}

/// The session of this date: prices within two per cent of where the symbol's walk starts, seven to thirteen tenths of its
/// usual shares.
pub fn bar(listing: &Listing, seed: u64, date: NaiveDate) -> Bar {
    let day = u64::from(date.num_days_from_ce().unsigned_abs());
    let mut dice = Dice::new(seed ^ spread(&listing.symbol) ^ day.wrapping_mul(0x9e37_79b9));
    let per_mille = 700 + dice.below(601);
    let volume = listing.volume / 1_000 * per_mille;
    let (open, close) = (near(listing.start, &mut dice, 100), near(listing.start, &mut dice, 100));
    let (above, below) = (beyond(open.max(close), &mut dice), beyond(open.min(close), &mut dice));
    let (high, low) = (on_grid(open.max(close).0 + above), on_grid(open.min(close).0 - below));
    Bar {
        open,
        high,
        low,
        close,
        volume,
        trades: (volume / 100).max(1),
        average: Ticks((open.0 + high.0 + low.0 + close.0) / 4),
    }
}

/// Up to one part in `parts` above the price, or below it.
fn near(price: Ticks, dice: &mut Dice, parts: i64) -> Ticks {
    let reach = price.0 / parts;
    let away = i64::try_from(dice.below(reach.unsigned_abs() * 2 + 1)).unwrap_or(reach) - reach;
    on_grid(price.0 + away)
}

/// How far a session went beyond its first and last price: up to one part in two hundred.
fn beyond(price: Ticks, dice: &mut Dice) -> i64 {
    i64::try_from(dice.below((price.0 / 200).unsigned_abs() + 1)).unwrap_or(0)
}

fn on_grid(ticks: i64) -> Ticks {
    let grid = Ticks(ticks).grid();
    Ticks((ticks - ticks.rem_euclid(grid)).max(grid))
}

#[cfg(test)]
mod tests {
    //! What the past looks like.

    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::core::listings;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_session_is_the_same_each_time_and_differs_by_date_symbol_and_seed() {
        let all = listings(2);
        let (aapl, msft, friday) = (&all[0], &all[1], day("2026-11-20"));
        let told = bar(aapl, 1, friday);
        assert_eq!(told, bar(aapl, 1, friday));
        let others = [
            bar(aapl, 1, day("2026-11-19")),
            bar(msft, 1, friday),
            bar(aapl, 2, friday),
        ];
        assert!(
            others.iter().all(|other| other.volume != told.volume),
            "{told:?} {others:?}"
        );
    }

    #[test]
    fn every_session_is_of_the_size_of_its_symbol() {
        for listing in listings(1_000) {
            for date in day("2026-10-01").iter_days().take(40) {
                let bar = bar(&listing, 1, date);
                let context = || format!("{} {date}: {bar:?}", listing.symbol);
                assert!(
                    (listing.volume * 7 / 10..=listing.volume * 13 / 10).contains(&bar.volume),
                    "{}",
                    context()
                );
                assert!(
                    bar.low <= bar.open.min(bar.close) && bar.open.max(bar.close) <= bar.high,
                    "{}",
                    context()
                );
                assert!(bar.low <= bar.average && bar.average <= bar.high, "{}", context());
                assert!(
                    (bar.high.0 - listing.start.0).abs() * 50 <= listing.start.0,
                    "{}",
                    context()
                );
                assert!(
                    (bar.low.0 - listing.start.0).abs() * 50 <= listing.start.0,
                    "{}",
                    context()
                );
            }
        }
    }
}
