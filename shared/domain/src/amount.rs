//! Amounts: dollars, prices and share counts as exact decimals.
//!
//! One strict reader for text from outside, private fields, and only checked arithmetic. Rounding is always to
//! the cent and its direction is in the name or the doc comment of the method that does it.

use rust_decimal::{Decimal, RoundingStrategy};
use std::fmt;
use thiserror::Error;

/// Why text or arithmetic did not give an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Not a plain decimal number in ASCII digits.
    #[error("is not a decimal number")]
    NotANumber,
    /// Zero or below where something positive is needed.
    #[error("must be > 0")]
    NotPositive,
    /// More digits than any amount here may carry.
    #[error("has too many digits")]
    TooPrecise,
    /// Larger than the largest amount the product accepts.
    #[error("is too large")]
    TooLarge,
    /// A sum or product left the range of exact decimals.
    #[error("leaves the range of exact amounts")]
    Overflow,
}

/// The most fraction digits any amount may carry ([QTY-2]: quantities have up to nine).
const MAX_SCALE: u32 = 9;
/// Longest text that is looked at; anything longer is refused unread.
const MAX_TEXT: usize = 64;

/// Reads a decimal strictly: ASCII digits, an optional sign, point and exponent (JSON's number grammar, and the
/// same inside strings). No separators, no other scripts' digits, no NaN.
pub fn parse_decimal(text: &str) -> Result<Decimal, AmountError> {
    let (mantissa, exponent) = split_exponent(text)?;
    check_plain(mantissa)?;
    let value = Decimal::from_str_exact(mantissa).map_err(|_| AmountError::TooPrecise)?;
    let value = shift(value, exponent)?.normalize();
    if value.scale() > MAX_SCALE {
        Err(AmountError::TooPrecise)
    } else {
        Ok(value)
    }
}

fn split_exponent(text: &str) -> Result<(&str, i32), AmountError> {
    if text.len() > MAX_TEXT {
        return Err(AmountError::TooPrecise);
    }
    match text.split_once(['e', 'E']) {
        None => Ok((text, 0)),
        Some((mantissa, exponent)) => {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(AmountError::NotANumber);
            }
            let value = exponent.parse::<i32>().map_err(|_| AmountError::TooPrecise)?;
            Ok((mantissa, value))
        }
    }
}

fn check_plain(mantissa: &str) -> Result<(), AmountError> {
    let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if all_digits(whole) && all_digits(fraction) {
        Ok(())
    } else {
        Err(AmountError::NotANumber)
    }
}

fn shift(value: Decimal, exponent: i32) -> Result<Decimal, AmountError> {
    if value.is_zero() || exponent == 0 {
        return Ok(value);
    }
    if !(-28..=28).contains(&exponent) {
        return Err(if exponent > 0 {
            AmountError::TooLarge
        } else {
            AmountError::TooPrecise
        });
    }
    let factor = Decimal::from_i128_with_scale(10_i128.pow(exponent.unsigned_abs()), 0);
    let shifted = if exponent > 0 {
        value.checked_mul(factor)
    } else {
        value.checked_div(factor)
    };
    let shifted = shifted.ok_or(AmountError::TooLarge)?;
    // A division that lost digits does not come back to where it started.
    let back = if exponent > 0 {
        Some(value)
    } else {
        shifted.checked_mul(factor)
    };
    if back == Some(value) {
        Ok(shifted)
    } else {
        Err(AmountError::TooPrecise)
    }
}

/// US dollars. May be negative: balances, differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(Decimal);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Dollars as they come from our own tables or arithmetic; outside text goes through [`Money::parse`].
    pub const fn from_decimal(value: Decimal) -> Self {
        Self(value)
    }

    /// Reads a positive amount of whole cents, as an operator types it.
    ///
    /// # Errors
    /// Not a number, not positive, finer than a cent, or above a trillion dollars.
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        let value = parse_decimal(text)?;
        if value <= Decimal::ZERO {
            return Err(AmountError::NotPositive);
        }
        if value.scale() > 2 {
            return Err(AmountError::TooPrecise);
        }
        if value > Decimal::from(1_000_000_000_000_u64) {
            Err(AmountError::TooLarge)
        } else {
            Ok(Self(value))
        }
    }

    /// The bare number, in dollars.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Sum, or [`AmountError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountError::Overflow)
    }

    /// Difference, or [`AmountError::Overflow`].
    pub fn minus(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_sub(other.0).map(Self).ok_or(AmountError::Overflow)
    }

    /// The same amount with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(-self.0)
    }

    /// Up to the next whole cent: a hold is never short (BP-1).
    #[must_use]
    pub fn ceil_to_cent(self) -> Self {
        Self(self.0.round_dp_with_strategy(2, RoundingStrategy::ToPositiveInfinity))
    }

    /// To the nearest cent, ties to even: neither side is favoured over many fills (LED-I6).
    #[must_use]
    pub fn round_to_cent(self) -> Self {
        Self(self.0.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven))
    }

    /// Nothing where this is below zero.
    #[must_use]
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = self.0.normalize();
        if exact.scale() > 2 {
            write!(f, "{exact}")
        } else {
            write!(f, "{exact:.2}")
        }
    }
}

/// Dollars for one share. Always above zero; up to nine fraction digits, since a fill may be finer than a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(Decimal);

impl Price {
    /// Checks a number: above zero and at most one million dollars.
    ///
    /// # Errors
    /// Not positive, too large, or more than nine fraction digits.
    pub fn new(value: Decimal) -> Result<Self, AmountError> {
        positive(value, 1_000_000).map(Self)
    }

    /// Reads text strictly, then [`Price::new`].
    ///
    /// # Errors
    /// As [`parse_decimal`] and [`Price::new`].
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        Self::new(parse_decimal(text)?)
    }

    /// The bare number, in dollars a share.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Exactly what `qty` costs at this price; nothing is rounded.
    ///
    /// # Errors
    /// [`AmountError::Overflow`] beyond 28 digits.
    pub fn notional(self, qty: Qty) -> Result<Money, AmountError> {
        self.0.checked_mul(qty.0).map(Money).ok_or(AmountError::Overflow)
    }

    /// Whether an order may carry this price: whole cents from 1.00 up, hundredths of a cent below (PX-1).
    pub fn on_tick(self) -> bool {
        let scale = self.0.normalize().scale();
        if self.0 >= Decimal::ONE { scale <= 2 } else { scale <= 4 }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}

/// Shares asked for, filled or owned. Never negative; at most nine decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Qty(Decimal);

impl Qty {
    /// No shares.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Checks a number of shares, zero allowed: at most a billion, nine decimals.
    ///
    /// # Errors
    /// Negative, too large or too fine.
    pub fn new(value: Decimal) -> Result<Self, AmountError> {
        if value.is_zero() {
            Ok(Self::ZERO)
        } else {
            positive(value, 1_000_000_000).map(Self)
        }
    }

    /// Reads a positive number of shares strictly.
    ///
    /// # Errors
    /// As [`parse_decimal`]; zero and below are [`AmountError::NotPositive`].
    pub fn parse(text: &str) -> Result<Self, AmountError> {
        positive(parse_decimal(text)?, 1_000_000_000).map(Self)
    }

    /// The bare number of shares.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Whether there are none.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Whether this is a whole number of shares (QTY-1).
    pub fn is_whole(self) -> bool {
        self.0.fract().is_zero()
    }

    /// Sum, or [`AmountError::Overflow`].
    pub fn plus(self, other: Self) -> Result<Self, AmountError> {
        self.0.checked_add(other.0).map(Self).ok_or(AmountError::Overflow)
    }

    /// Difference; [`AmountError::NotPositive`] where it would be below zero.
    pub fn minus(self, other: Self) -> Result<Self, AmountError> {
        if other > self {
            Err(AmountError::NotPositive)
        } else {
            Ok(Self(self.0 - other.0))
        }
    }
}

impl fmt::Display for Qty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}

fn positive(value: Decimal, most: u64) -> Result<Decimal, AmountError> {
    if value <= Decimal::ZERO {
        return Err(AmountError::NotPositive);
    }
    if value > Decimal::from(most) {
        return Err(AmountError::TooLarge);
    }
    let value = value.normalize();
    if value.scale() > MAX_SCALE {
        Err(AmountError::TooPrecise)
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    //! What the strict reader takes and refuses.
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1", "1")]
    #[case("2.0", "2")]
    #[case("1e2", "100")]
    #[case("1.5E-3", "0.0015")]
    #[case("0.000000001", "0.000000001")]
    fn plain_numbers_are_read_exactly(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(parse_decimal(text).map(|d| d.to_string()), Ok(shown.to_owned()));
    }

    #[rstest]
    #[case("NaN", AmountError::NotANumber)]
    #[case("", AmountError::NotANumber)]
    #[case("1_000", AmountError::NotANumber)]
    #[case("1,000", AmountError::NotANumber)]
    #[case("+1", AmountError::NotANumber)]
    #[case(" 1", AmountError::NotANumber)]
    #[case("１２", AmountError::NotANumber)]
    #[case("٣", AmountError::NotANumber)]
    #[case(".5", AmountError::NotANumber)]
    #[case("5.", AmountError::NotANumber)]
    #[case("0x10", AmountError::NotANumber)]
    #[case("1e", AmountError::NotANumber)]
    #[case("1e400", AmountError::TooLarge)]
    #[case("1e-400", AmountError::TooPrecise)]
    #[case("1e99999999999", AmountError::TooPrecise)]
    #[case("12345678901234567890123456789", AmountError::TooLarge)]
    #[case("0.0000000000000000000000000000000000000001", AmountError::TooPrecise)]
    fn anything_else_is_refused(#[case] text: &str, #[case] why: AmountError) {
        assert!(
            matches!(Qty::parse(text), Err(e) if e == why),
            "{text}: {:?}",
            Qty::parse(text)
        );
    }

    #[rstest]
    #[case("0")]
    #[case("-0")]
    #[case("-1")]
    #[case("0.0")]
    fn zero_and_below_are_no_quantity(#[case] text: &str) {
        assert_eq!(Qty::parse(text), Err(AmountError::NotPositive));
        assert_eq!(Price::parse(text), Err(AmountError::NotPositive));
    }

    #[rstest]
    #[case("290.123", false)]
    #[case("290.12", true)]
    #[case("1.00", true)]
    #[case("1.001", false)]
    #[case("0.9999", true)]
    #[case("0.99999", false)]
    fn px_1_ticks(#[case] price: &str, #[case] on: bool) {
        assert_eq!(Price::parse(price).map(Price::on_tick), Ok(on));
    }

    #[test]
    fn a_hold_rounds_up_and_a_posting_to_even() {
        let exact = Money::from_decimal(Decimal::new(10_005, 3));
        assert_eq!(exact.ceil_to_cent().to_string(), "10.01");
        assert_eq!(exact.round_to_cent().to_string(), "10.00");
    }
}
