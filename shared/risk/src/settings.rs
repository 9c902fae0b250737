//! Limits: what the installation starts with, and what the firm, a tier and an account say instead. Pure.

use domain::{AccountId, Money};
use rust_decimal::Decimal;
use std::fmt;
use thiserror::Error;

/// Every limit, as it counts for one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// The most that one order may be worth at its limit (RSK-3).
    pub max_order_value: Money,
    /// The largest part of a symbol's average daily volume that one order may ask for, of 1 (RSK-3).
    pub max_volume_share: Decimal,
    /// The most that all open orders of an account may be worth, buys and sells together (RSK-3).
    pub max_open_value: Money,
    /// The most that all open orders of the firm may be worth (RSK-3).
    pub max_firm_open_value: Money,
    /// The most open orders of an account (RSK-3).
    pub max_open_orders: i32,
    /// The most open orders of an account in one symbol (RSK-3).
    pub max_open_orders_per_symbol: i32,
    /// How far beyond the last price a limit may reach, of 1 (PX-5).
    pub collar: Decimal,
    /// The same where the last price is below a dollar.
    pub collar_below_dollar: Decimal,
    /// Whether an order equal to one of the last two seconds is refused rather than counted (RSK-4).
    pub refuse_duplicates: bool,
    /// Whether an order that could trade against the account's own is refused (RSK-5).
    pub refuse_self_cross: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let dollars = |n: i64| Money::from_decimal(n.into());
        Settings {
            max_order_value: dollars(200_000),
            max_volume_share: Decimal::new(5, 2),
            max_open_value: dollars(2_000_000),
            max_firm_open_value: dollars(1_000_000_000),
            max_open_orders: 500,
            max_open_orders_per_symbol: 50,
            collar: Decimal::new(10, 2),
            collar_below_dollar: Decimal::new(50, 2),
            refuse_duplicates: false,
            refuse_self_cross: true,
        }
    }
}

/// Whom a row of settings is for, from wide to narrow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Everybody.
    Firm,
    /// The accounts of a tier.
    Tier(String),
    /// One account.
    Account(AccountId),
}

impl Scope {
    /// Its two words in the table.
    pub fn words(&self) -> (&'static str, String) {
        match self {
            Scope::Firm => ("firm", String::new()),
            Scope::Tier(name) => ("tier", name.clone()),
            Scope::Account(id) => ("account", id.to_string()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scope::Firm => f.write_str("firm"),
            Scope::Tier(name) => write!(f, "tier {name}"),
            Scope::Account(id) => write!(f, "account {id}"),
        }
    }
}

/// What one scope says instead of the wider ones; `None`: nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overrides {
    /// See [`Settings::max_order_value`].
    pub max_order_value: Option<Money>,
    /// See [`Settings::max_volume_share`].
    pub max_volume_share: Option<Decimal>,
    /// See [`Settings::max_open_value`].
    pub max_open_value: Option<Money>,
    /// See [`Settings::max_firm_open_value`]; the firm's only.
    pub max_firm_open_value: Option<Money>,
    /// See [`Settings::max_open_orders`].
    pub max_open_orders: Option<i32>,
    /// See [`Settings::max_open_orders_per_symbol`].
    pub max_open_orders_per_symbol: Option<i32>,
    /// See [`Settings::collar`].
    pub collar: Option<Decimal>,
    /// See [`Settings::collar_below_dollar`].
    pub collar_below_dollar: Option<Decimal>,
    /// See [`Settings::refuse_duplicates`].
    pub refuse_duplicates: Option<bool>,
    /// See [`Settings::refuse_self_cross`].
    pub refuse_self_cross: Option<bool>,
}

/// Why a setting cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSetting {
    /// No setting is called so.
    #[error("no setting is called {name:?}: there are {}", Overrides::NAMES.join(", "))]
    Unknown {
        /// As given.
        name: String,
    },
    /// The value does not fit the setting.
    #[error("{name} must be {expected}, or `default`")]
    Value {
        /// Which.
        name: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// Only the firm has it.
    #[error("{name} is the firm's: set it with --firm")]
    FirmOnly {
        /// Which.
        name: &'static str,
    },
}

impl Overrides {
    /// The names operators know the settings by.
    pub const NAMES: [&str; 10] = [
        "max-order-value",
        "max-volume-share",
        "max-open-value",
        "max-firm-open-value",
        "max-open-orders",
        "max-open-orders-per-symbol",
        "collar",
        "collar-below-dollar",
        "refuse-duplicates",
        "refuse-self-cross",
    ];

    /// Sets one of them by its name; `default` takes it back.
    ///
    /// # Errors
    /// No such setting, or a value that does not fit it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), BadSetting> {
        match name {
            "max-order-value" => self.max_order_value = dollars("max-order-value", value)?,
            "max-volume-share" => self.max_volume_share = fraction("max-volume-share", value)?,
            "max-open-value" => self.max_open_value = dollars("max-open-value", value)?,
            "max-firm-open-value" => self.max_firm_open_value = dollars("max-firm-open-value", value)?,
            "max-open-orders" => self.max_open_orders = count("max-open-orders", value)?,
            "max-open-orders-per-symbol" => {
                self.max_open_orders_per_symbol = count("max-open-orders-per-symbol", value)?;
            }
            "collar" => self.collar = fraction("collar", value)?,
            "collar-below-dollar" => self.collar_below_dollar = fraction("collar-below-dollar", value)?,
            "refuse-duplicates" => self.refuse_duplicates = yes_or_no("refuse-duplicates", value)?,
            "refuse-self-cross" => self.refuse_self_cross = yes_or_no("refuse-self-cross", value)?,
            other => {
                let name = other.chars().take(40).collect();
                return Err(BadSetting::Unknown { name });
            }
        }
        Ok(())
    }

    /// Each setting that is made, by its name.
    pub fn made(&self) -> Vec<(&'static str, String)> {
        let values = [
            self.max_order_value.map(|value| value.to_string()),
            self.max_volume_share.map(|value| value.normalize().to_string()),
            self.max_open_value.map(|value| value.to_string()),
            self.max_firm_open_value.map(|value| value.to_string()),
            self.max_open_orders.map(|value| value.to_string()),
            self.max_open_orders_per_symbol.map(|value| value.to_string()),
            self.collar.map(|value| value.normalize().to_string()),
            self.collar_below_dollar.map(|value| value.normalize().to_string()),
            self.refuse_duplicates.map(|value| value.to_string()),
            self.refuse_self_cross.map(|value| value.to_string()),
        ];
        let named = Self::NAMES.into_iter().zip(values);
        named.filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

impl From<Settings> for Overrides {
    fn from(all: Settings) -> Self {
        Overrides {
            max_order_value: Some(all.max_order_value),
            max_volume_share: Some(all.max_volume_share),
            max_open_value: Some(all.max_open_value),
            max_firm_open_value: Some(all.max_firm_open_value),
            max_open_orders: Some(all.max_open_orders),
            max_open_orders_per_symbol: Some(all.max_open_orders_per_symbol),
            collar: Some(all.collar),
            collar_below_dollar: Some(all.collar_below_dollar),
            refuse_duplicates: Some(all.refuse_duplicates),
            refuse_self_cross: Some(all.refuse_self_cross),
        }
    }
}

impl Settings {
    /// These settings, where a narrower scope says nothing else.
    #[must_use]
    pub fn with(self, narrower: &Overrides) -> Self {
        Settings {
            max_order_value: narrower.max_order_value.unwrap_or(self.max_order_value),
            max_volume_share: narrower.max_volume_share.unwrap_or(self.max_volume_share),
            max_open_value: narrower.max_open_value.unwrap_or(self.max_open_value),
            max_firm_open_value: narrower.max_firm_open_value.unwrap_or(self.max_firm_open_value),
            max_open_orders: narrower.max_open_orders.unwrap_or(self.max_open_orders),
            max_open_orders_per_symbol: narrower
                .max_open_orders_per_symbol
                .unwrap_or(self.max_open_orders_per_symbol),
            collar: narrower.collar.unwrap_or(self.collar),
            collar_below_dollar: narrower.collar_below_dollar.unwrap_or(self.collar_below_dollar),
            refuse_duplicates: narrower.refuse_duplicates.unwrap_or(self.refuse_duplicates),
            refuse_self_cross: narrower.refuse_self_cross.unwrap_or(self.refuse_self_cross),
        }
    }
}

/// The word that takes a setting back.
const DEFAULT: &str = "default";

fn dollars(name: &'static str, value: &str) -> Result<Option<Money>, BadSetting> {
    let expected = "dollars above zero, like 250000";
    let read = || Money::parse(value).ok().filter(|money| *money > Money::ZERO);
    if value == DEFAULT {
        return Ok(None);
    }
    read().map(Some).ok_or(BadSetting::Value { name, expected })
}

fn count(name: &'static str, value: &str) -> Result<Option<i32>, BadSetting> {
    let expected = "a whole number of at least 1";
    if value == DEFAULT {
        return Ok(None);
    }
    let read = value.parse().ok().filter(|count| *count >= 1);
    read.map(Some).ok_or(BadSetting::Value { name, expected })
}

fn fraction(name: &'static str, value: &str) -> Result<Option<Decimal>, BadSetting> {
    let expected = "a fraction of 1 above zero: ten percent is 0.1";
    if value == DEFAULT {
        return Ok(None);
    }
    let read = domain::amount::parse_decimal(value)
        .ok()
        .filter(|fraction| *fraction > Decimal::ZERO && *fraction <= Decimal::from(100));
    read.map(Some).ok_or(BadSetting::Value { name, expected })
}

fn yes_or_no(name: &'static str, value: &str) -> Result<Option<bool>, BadSetting> {
    match value {
        DEFAULT => Ok(None),
        "true" => Ok(Some(true)),
        "false" => Ok(Some(false)),
        _ => Err(BadSetting::Value {
            name,
            expected: "true or false",
        }),
    }
}

#[cfg(test)]
mod tests {
    //! Who has the last word, and what a setting takes.

    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use rstest::rstest;

    #[test]
    fn rsk_3_the_narrower_scope_has_the_last_word_on_what_it_names() {
        let (mut tier, mut account) = (Overrides::default(), Overrides::default());
        tier.set("max-order-value", "500000").unwrap();
        tier.set("max-open-orders", "9").unwrap();
        account.set("max-open-orders", "3").unwrap();
        let all = Settings::default().with(&tier).with(&account);
        assert_eq!(
            (all.max_order_value.to_string().as_str(), all.max_open_orders),
            ("500000.00", 3)
        );
        assert_eq!(all.collar, Settings::default().collar);
        account.set("max-open-orders", "default").unwrap();
        assert_eq!(account, Overrides::default());
    }

    #[test]
    fn every_setting_can_be_set_shown_and_taken_back_by_its_name() {
        let mut all = Overrides::default();
        let values = Overrides::from(Settings::default()).made();
        assert_eq!(values.len(), Overrides::NAMES.len());
        for (name, value) in &values {
            all.set(name, value).unwrap();
        }
        assert_eq!(Settings::default().with(&all), Settings::default());
        assert_eq!(all.made(), values);
        for name in Overrides::NAMES {
            all.set(name, "default").unwrap();
        }
        assert_eq!(all, Overrides::default());
    }

    #[rstest]
    #[case("max-order-value", "0")]
    #[case("max-order-value", "1e")]
    #[case("max-open-orders", "0")]
    #[case("max-open-orders", "1.5")]
    #[case("collar", "-0.1")]
    #[case("collar", "101")]
    #[case("max-volume-share", "0")]
    #[case("max-volume-share", "5%")]
    #[case("max-volume-share", "101")]
    #[case("refuse-self-cross", "yes")]
    #[case("max-ordervalue", "1")]
    fn a_value_that_does_not_fit_is_refused_and_changes_nothing(#[case] name: &str, #[case] value: &str) {
        let mut all = Overrides::default();
        assert!(all.set(name, value).is_err());
        assert_eq!(all, Overrides::default());
    }
}
