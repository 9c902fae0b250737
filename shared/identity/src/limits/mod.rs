//! How much each customer may ask for: by tier, by class of endpoint, and for a customer alone (RSK-7, RSK-8).
//!
//! What decides, first to last: the account's own row, the row of its tier, the settings of the process. The tier
//! `unlimited` has no limits and needs no rows.

mod handle;
mod store;

use std::collections::HashMap;
use std::time::Duration;

use domain::AccountId;
use strum::{Display, EnumIter, EnumString, IntoStaticStr};

use crate::accounts::Tier;

pub use handle::Limits;
pub use store::{
    AccountLimit, ChurnLimit, TierLimit, account_limits, churn_limits, clear_account_limit, load, set_account_limit,
    set_churn_limit, set_tier_limit, tier_limits,
};

/// The tier without limits, for load tests and the like.
pub const UNLIMITED: &str = "unlimited";

/// What kind of request it is: each has a bucket of its own, so that none of them competes with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Display, EnumIter, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Class {
    /// Placing and replacing orders, closing positions.
    OrderEntry,
    /// Canceling orders.
    Cancel,
    /// Looking.
    Read,
    /// Opening a stream.
    Stream,
}

impl Class {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The word, as in tables and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What a bucket holds and how fast it fills: `burst` requests at once, `per_minute` in the long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a minute, at least 1.
    pub per_minute: u32,
    /// Requests at once, at least 1.
    pub burst: u32,
}

impl Rate {
    /// A minute's worth at once: what clients of the dialect expect of "200 a minute".
    pub const fn per_minute(requests: u32) -> Self {
        let requests = if requests == 0 { 1 } else { requests };
        Rate {
            per_minute: requests,
            burst: requests,
        }
    }
}

/// One rate a class; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates([Option<Rate>; Class::COUNT]);

impl Rates {
    /// No limits.
    pub const UNLIMITED: Rates = Rates([None; Class::COUNT]);

    /// So many requests a minute in each class; thirty times as many cancels, since nobody may be kept from canceling.
    pub const fn per_minute(requests: u32) -> Self {
        let usual = Some(Rate::per_minute(requests));
        let cancels = Some(Rate {
            per_minute: requests.saturating_mul(30),
            burst: requests.saturating_mul(5),
        });
        Rates([usual, cancels, usual, usual])
    }

    /// That class's.
    pub const fn of(&self, class: Class) -> Option<Rate> {
        self.0[class as usize]
    }

    /// With another rate for that class.
    #[must_use]
    pub const fn with(mut self, class: Class, rate: Option<Rate>) -> Self {
        self.0[class as usize] = rate;
        self
    }
}

/// When canceling is churn, and what comes of it (RSK-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChurnRule {
    /// More cancels than this in a minute, and
    pub cancels_per_minute: u32,
    /// more than so many for each fill of ten minutes: then no new orders.
    pub cancels_per_fill: u32,
    /// The first cool-off; each further one is twice as long.
    pub cool_off: Duration,
    /// The longest.
    pub cool_off_most: Duration,
}

impl Default for ChurnRule {
    fn default() -> Self {
        ChurnRule {
            cancels_per_minute: 30,
            cancels_per_fill: 20,
            cool_off: Duration::from_secs(60),
            cool_off_most: Duration::from_secs(3_600),
        }
    }
}

/// What holds where no row says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usual {
    /// Requests.
    pub rates: Rates,
    /// Churn; `None` turns the rule off.
    pub churn: Option<ChurnRule>,
}

impl Default for Usual {
    fn default() -> Self {
        Usual {
            rates: Rates::per_minute(200),
            churn: Some(ChurnRule::default()),
        }
    }
}

/// One class's limit of a row: set, or set to none.
pub type Own = [Option<Option<Rate>>; Class::COUNT];

/// Every limit in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitTable {
    /// Where no row says otherwise.
    pub usual: Usual,
    /// Rows of tiers.
    pub tiers: HashMap<String, Own>,
    /// Rows of accounts.
    pub accounts: HashMap<AccountId, Own>,
    /// Churn rules of tiers.
    pub churn: HashMap<String, Option<ChurnRule>>,
}

impl LimitTable {
    /// Only what holds without rows.
    pub fn of(usual: Usual) -> Self {
        LimitTable {
            usual,
            ..LimitTable::default()
        }
    }

    /// How much an account may ask for in a class; `None` is no limit.
    pub fn rate(&self, account: AccountId, tier: &str, class: Class) -> Option<Rate> {
        let own = |rows: Option<&Own>| rows.and_then(|rows| rows[class as usize]);
        let of_tier = || match own(self.tiers.get(tier)) {
            Some(rate) => rate,
            None if tier == UNLIMITED => None,
            None => self.usual.rates.of(class),
        };
        own(self.accounts.get(&account)).unwrap_or_else(of_tier)
    }

    /// A tier's churn rule; `None` when it has none.
    pub fn churn(&self, tier: &str) -> Option<ChurnRule> {
        match self.churn.get(tier) {
            Some(rule) => *rule,
            None if tier == UNLIMITED => None,
            None => self.usual.churn,
        }
    }

    /// Whether anything is said of a tier by that name: one that nobody knows is a slip of the pen.
    pub fn knows(&self, tier: &str) -> bool {
        tier == Tier::STANDARD || tier == UNLIMITED || self.tiers.contains_key(tier) || self.churn.contains_key(tier)
    }

    /// The fewest cancels a minute from which any tier's rule looks closer.
    pub fn churn_from(&self) -> Option<u32> {
        let rules = self.churn.values().copied().chain([self.usual.churn]);
        rules.flatten().map(|rule| rule.cancels_per_minute).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strum::IntoEnumIterator;

    fn account(n: u128) -> AccountId {
        AccountId::new(uuid::Uuid::from_u128(n))
    }

    #[test]
    fn rsk_7_the_accounts_own_row_wins_over_its_tiers_and_that_over_the_settings() {
        let mut table = LimitTable::default();
        let one = |rate| {
            let mut own: Own = [None; Class::COUNT];
            own[Class::Read as usize] = Some(rate);
            own
        };
        let (gold, own) = (Rate::per_minute(1_000), Rate::per_minute(7));
        table.tiers.insert("gold".to_owned(), one(Some(gold)));
        table.accounts.insert(account(1), one(Some(own)));
        let usual = Some(Rate::per_minute(200));
        assert_eq!(table.rate(account(1), "gold", Class::Read), Some(own));
        assert_eq!(table.rate(account(2), "gold", Class::Read), Some(gold));
        assert_eq!(
            table.rate(account(2), "gold", Class::OrderEntry),
            usual,
            "no row says otherwise"
        );
        assert_eq!(table.rate(account(2), "nobody's", Class::Read), usual);
        table.accounts.insert(account(3), one(None));
        assert_eq!(
            table.rate(account(3), Tier::STANDARD, Class::Read),
            None,
            "set to no limit"
        );
    }

    #[test]
    fn the_tier_unlimited_needs_no_rows() {
        let table = LimitTable::default();
        for class in Class::iter() {
            assert_eq!(table.rate(account(1), UNLIMITED, class), None);
            assert!(table.rate(account(1), Tier::STANDARD, class).is_some());
        }
        assert_eq!(
            (table.churn(UNLIMITED), table.churn(Tier::STANDARD)),
            (None, Some(ChurnRule::default()))
        );
        assert!(table.knows(UNLIMITED) && !table.knows("unlimted"));
    }

    #[test]
    fn rsk_8_cancels_have_far_more_room_than_anything_else() {
        let rates = Rates::per_minute(200);
        let (orders, cancels) = (rates.of(Class::OrderEntry), rates.of(Class::Cancel));
        assert_eq!(
            orders,
            Some(Rate {
                per_minute: 200,
                burst: 200
            })
        );
        assert_eq!(
            cancels,
            Some(Rate {
                per_minute: 6_000,
                burst: 1_000
            })
        );
    }
}
