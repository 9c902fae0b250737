//! Shares, counted in billionths.
//!
//! A billionth is the finest part of a share that can be ordered (QTY-2), so every quantity is a whole number of them
//! and matching stays integer arithmetic: exact, whatever is left over. The book's 64 bits hold 184 orders of the
//! largest size at one price.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use rust_decimal::Decimal;

/// Billionths that make a share.
const PARTS: i64 = 1_000_000_000;

/// A number of shares, in billionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Shares(pub i64);

impl Shares {
    /// None.
    pub const ZERO: Self = Self(0);

    /// So many whole shares; no more than an order can have.
    pub const fn whole(count: i64) -> Self {
        Self(count.saturating_mul(PARTS))
    }

    /// Reads a number of shares; `None` when it is finer than a billionth or too large.
    pub fn from_decimal(shares: Decimal) -> Option<Self> {
        let parts = shares.checked_mul(Decimal::from(PARTS))?;
        if parts.fract().is_zero() {
            i64::try_from(parts).ok().map(Self)
        } else {
            None
        }
    }

    /// The number, without trailing zeros.
    pub fn decimal(self) -> Decimal {
        Decimal::new(self.0, 9).normalize()
    }

    /// Whether no part of a share is in it.
    pub const fn is_whole(self) -> bool {
        self.0 % PARTS == 0
    }

    /// The whole shares in it, as quotes show them.
    pub const fn floor(self) -> i64 {
        self.0.div_euclid(PARTS)
    }

    /// Half of it, rounded up; of whole shares a whole number.
    pub const fn half(self) -> Self {
        if self.is_whole() {
            Self::whole((self.floor() + 1) / 2)
        } else {
            Self((self.0 + 1) / 2)
        }
    }
}

impl Add for Shares {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Shares {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Shares {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Shares {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Shares {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

impl std::fmt::Display for Shares {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.decimal())
    }
}

#[cfg(test)]
mod tests {
    //! Whole shares and parts of them.
    use super::*;
    use rust_decimal::dec;

    #[test]
    fn qty_2_a_number_of_shares_comes_back_as_it_went_in_to_the_last_billionth() {
        for text in ["0.000000001", "1", "0.5", "12.345678901", "100000000"] {
            let shares = Shares::from_decimal(text.parse().expect("a number")).expect("it fits");
            assert_eq!(shares.to_string(), text);
        }
        assert_eq!(Shares::from_decimal(dec!(0.0000000001)), None, "finer than a billionth");
        assert_eq!(Shares::from_decimal(dec!(10000000000)), None, "more than all shares");
    }

    #[test]
    fn half_of_whole_shares_is_whole_and_half_of_a_part_is_not_lost() {
        let half = |text: &str| Shares::from_decimal(text.parse().expect("a number")).map(|s| s.half().to_string());
        assert_eq!(half("5").as_deref(), Some("3"));
        assert_eq!(half("1").as_deref(), Some("1"));
        assert_eq!(half("0.000000001").as_deref(), Some("0.000000001"));
        assert_eq!(half("2.5").as_deref(), Some("1.25"));
    }
}
