//! Latencies in whole microseconds, and numbers as they are printed: no float is computed with.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Longest latency that is told apart from longer ones.
const LONGEST_MICROS: u64 = 600_000_000;
/// Significant digits that are kept.
const DIGITS: u8 = 3;

/// How long things took.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Latencies(Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS).expect("constants that fit each other"))
    }
}

impl Latencies {
    /// Counts one.
    pub fn record(&mut self, took: Duration) {
        self.record_micros(u64::try_from(took.as_micros()).unwrap_or(LONGEST_MICROS));
    }

    /// Counts one.
    pub fn record_micros(&mut self, micros: u64) {
        self.0.saturating_record(micros.max(1));
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The three that are looked at.
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| Fixed::millis(self.0.value_at_quantile(quantile));
        Percentiles {
            p50_ms: at(0.50),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
        }
    }
}

/// Three points of a distribution, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half are faster.
    pub p50_ms: Fixed,
    /// One in a hundred is slower.
    pub p99_ms: Fixed,
    /// One in a thousand is slower.
    pub p999_ms: Fixed,
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "p50 {} ms  p99 {} ms  p99.9 {} ms",
            self.p50_ms, self.p99_ms, self.p999_ms
        )
    }
}

/// A number in thousandths, printed with three decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fixed(u64);

impl Fixed {
    /// Microseconds as milliseconds.
    pub fn millis(micros: u64) -> Self {
        Fixed(micros)
    }

    /// `part / whole`; zero where there is no whole.
    pub fn ratio(part: u64, whole: u64) -> Self {
        let thousandths = (u128::from(part) * 1_000).checked_div(u128::from(whole)).unwrap_or(0);
        Fixed(u64::try_from(thousandths).unwrap_or(u64::MAX))
    }

    /// This one to another.
    pub fn over(self, other: Fixed) -> Self {
        Fixed::ratio(self.0, other.0)
    }

    /// So many in so much time, a second.
    pub fn per_second(count: u64, time: Duration) -> Self {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Fixed::ratio(count.saturating_mul(1_000_000), micros)
    }

    /// A time in seconds.
    pub fn seconds(time: Duration) -> Self {
        Fixed(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

/// As a JSON number, digit for digit.
impl Serialize for Fixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

/// The middle of a few; the lower one of two middles.
pub fn median(mut values: Vec<Fixed>) -> Option<Fixed> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    //! Percentiles, and numbers without floats.
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_recorded_times() {
        let mut latencies = Latencies::default();
        for millis in 1..=1_000 {
            latencies.record(Duration::from_millis(millis));
        }
        let found = latencies.percentiles();
        // Three digits are kept: half a thousandth may be off.
        let near = |fixed: Fixed, millis: u64| fixed.0.abs_diff(millis * 1_000) <= millis;
        assert!(
            near(found.p50_ms, 500) && near(found.p99_ms, 990) && near(found.p999_ms, 999),
            "{found}"
        );
        assert_eq!(latencies.count(), 1_000);
    }

    #[test]
    fn what_takes_for_ever_is_counted_too() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_secs(100_000));
        assert_eq!(latencies.count(), 1);
        assert!(latencies.percentiles().p50_ms >= Fixed::millis(599_000_000));
    }

    #[test]
    fn numbers_have_three_decimals_in_text_and_json() {
        assert_eq!(Fixed::millis(1_005).to_string(), "1.005");
        assert_eq!(
            Fixed::per_second(3_001, Duration::from_millis(2_000)).to_string(),
            "1500.500"
        );
        assert_eq!(
            serde_json::to_string(&[Fixed::ratio(1, 3), Fixed::ratio(1, 0)]).expect("a list"),
            "[0.333,0.000]"
        );
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![Fixed(9), Fixed(1), Fixed(5)]), Some(Fixed(5)));
        assert_eq!(median(vec![Fixed(9), Fixed(1)]), Some(Fixed(1)));
    }
}
