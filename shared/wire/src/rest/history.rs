//! What an account was worth, over time.

use super::Word;
use super::schema::Timeframe;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// `GET /v2/account/portfolio/history`: four arrays of one length.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct PortfolioHistory {
    /// Beginnings of the windows, in unix seconds.
    pub timestamp: Vec<i64>,
    /// Dollars at the end of each window.
    pub equity: Vec<Number>,
    /// Dollars earned since the base, deposits and withdrawals left out.
    pub profit_loss: Vec<Number>,
    /// The same as a fraction of the base.
    pub profit_loss_pct: Vec<Number>,
    /// Dollars that profits are measured from.
    pub base_value: Number,
    /// The size of the windows.
    #[schema(value_type = Timeframe)]
    pub timeframe: Word,
}

/// An exact amount that this answer, unlike the others, has as a JSON number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Number(pub Decimal);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A decimal in plain notation is a number of JSON, too: no float in between.
        let raw = RawValue::from_string(self.0.normalize().to_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    //! How numbers are written.

    use super::*;

    #[test]
    fn amounts_of_the_history_are_numbers_digit_for_digit() {
        let numbers = [
            Number(Decimal::new(1_234_567_890_123_456_789, 2)),
            Number(Decimal::new(-50, 2)),
            Number(Decimal::ZERO),
        ];
        let written = serde_json::to_string(&numbers).expect("JSON");
        assert_eq!(written, "[12345678901234567.89,-0.5,0]");
    }
}
