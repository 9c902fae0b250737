//! An amount on the wire: a JSON string in plain notation.

use domain::{Money, Price, Qty};
use rust_decimal::Decimal;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// An exact amount. Written as a string without exponent; read from a string or a number, never through a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Text(pub Decimal);

impl Text {
    /// Zero, written `"0"`.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// The number.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Reads plain or scientific notation exactly; `None` where that is impossible.
    fn read(text: &str) -> Option<Self> {
        let plain = text.strip_prefix('-').unwrap_or(text);
        if !plain.starts_with(|c: char| c.is_ascii_digit()) || plain.contains('_') {
            return None;
        }
        let exact = if plain.contains(['e', 'E']) {
            Decimal::from_scientific(text)
        } else {
            Decimal::from_str_exact(text)
        };
        exact.ok().map(Self)
    }
}

impl From<Decimal> for Text {
    fn from(value: Decimal) -> Self {
        Self(value)
    }
}

impl From<Money> for Text {
    /// At least cents, as a statement shows dollars.
    fn from(value: Money) -> Self {
        let mut exact = value.get().normalize();
        if exact.scale() < 2 {
            exact.rescale(2);
        }
        Self(exact)
    }
}

impl From<Price> for Text {
    fn from(value: Price) -> Self {
        Self(value.get().normalize())
    }
}

impl From<Qty> for Text {
    fn from(value: Qty) -> Self {
        Self(value.get().normalize())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        present(deserializer)?.ok_or_else(|| D::Error::custom("an amount is missing"))
    }
}

/// For `deserialize_with`: null and the empty string are `None`.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let json = raw.get();
    let owned;
    let text = if json.starts_with('"') {
        owned = serde_json::from_str::<String>(json).map_err(D::Error::custom)?;
        owned.as_str()
    } else {
        json
    };
    match text {
        "null" | "" => Ok(None),
        _ => Text::read(text)
            .map(Some)
            .ok_or_else(|| D::Error::custom(format_args!("not an amount: {json:.40}"))),
    }
}
