//! Everything in force, in memory.
//!
//! Asked for by whoever is about to decide, on the connection of that decision: what is known is at most a quarter of a
//! second old, else one look at the revision tells whether anything changed. So a switch is felt everywhere well within a
//! second, and where nobody can read it the asker is told so and takes nothing new (RSK-6).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use db::{DbError, PgConnection};
use domain::{AccountId, Money, Symbol};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::desk;
use crate::settings::{Overrides, Scope, Settings};
use crate::switch::Switch;

/// How old may be what is decided by.
const MAX_AGE: Duration = Duration::from_millis(250);
// RSK-6: a switch is felt within a second; half of it is for the read and the decision. Held here, since a test that
// measures it would have to wait for a busy machine.
const _: () = assert!(MAX_AGE.as_millis() <= 500);

/// The settings, lists and switches at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InForce {
    /// Counted up with every change.
    pub revision: i64,
    /// What differs from the installation's defaults.
    pub overrides: HashMap<Scope, Overrides>,
    /// Symbols in which nobody may place orders.
    pub restricted: HashSet<Symbol>,
    /// Symbols in which one account may not.
    pub restricted_for: HashSet<(AccountId, Symbol)>,
    /// Switches, strongest first.
    pub switches: Vec<Switch>,
}

impl InForce {
    /// The limits of an account: the defaults, then firm, tier and account, each where it says something.
    pub fn settings(&self, defaults: Settings, tier: &str, account: AccountId) -> Settings {
        if self.overrides.is_empty() {
            return defaults;
        }
        let scopes = [Scope::Firm, Scope::Tier(tier.to_owned()), Scope::Account(account)];
        let said = scopes.iter().filter_map(|scope| self.overrides.get(scope));
        said.fold(defaults, |wider, narrower| wider.with(narrower))
    }

    /// The firm's own limits.
    pub fn firm(&self, defaults: Settings) -> Settings {
        self.overrides
            .get(&Scope::Firm)
            .map_or(defaults, |narrower| defaults.with(narrower))
    }

    /// The least limit of open orders in a symbol that any account has: whoever has fewer open orders need not count.
    pub fn least_open_per_symbol(&self, defaults: Settings) -> i32 {
        let said = self.overrides.values().filter_map(|one| one.max_open_orders_per_symbol);
        said.chain([defaults.max_open_orders_per_symbol])
            .min()
            .unwrap_or_default()
    }

    /// The switch that stops a new order, if one does.
    pub fn stops(&self, symbol: &Symbol, account: AccountId, venue: &str) -> Option<&Switch> {
        self.switches
            .iter()
            .find(|switch| switch.target.covers(symbol, account, venue))
    }

    /// Whether the account may not place orders in the symbol.
    pub fn is_restricted(&self, symbol: &Symbol, account: AccountId) -> bool {
        self.restricted.contains(symbol)
            || (!self.restricted_for.is_empty() && self.restricted_for.contains(&(account, symbol.clone())))
    }
}

/// What is in force; clones share what they know.
#[derive(Clone, Default)]
pub struct Risk(Arc<ArcSwapOption<Known>>);

struct Known {
    /// When the read began, so that a change that commits meanwhile is not missed for longer.
    read_at: Instant,
    in_force: Arc<InForce>,
}

impl Risk {
    /// Nothing is known yet: the first asker reads.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is known and young enough to decide by.
    pub fn fresh(&self) -> Option<Arc<InForce>> {
        let known = self.0.load();
        let known = known.as_ref()?;
        (known.read_at.elapsed() < MAX_AGE).then(|| Arc::clone(&known.in_force))
    }

    /// What is in force, read again on this connection if it is not fresh.
    ///
    /// # Errors
    /// Nobody can tell: nothing new may be taken.
    pub async fn current(&self, conn: &mut PgConnection) -> Result<Arc<InForce>, DbError> {
        if let Some(fresh) = self.fresh() {
            return Ok(fresh);
        }
        let read_at = Instant::now();
        let revision = desk::revision(conn).await?;
        let before = self.0.load_full().filter(|known| known.in_force.revision == revision);
        let in_force = match before {
            Some(known) => Arc::clone(&known.in_force),
            None => Arc::new(load(conn, revision).await?),
        };
        self.0.store(Some(Arc::new(Known {
            read_at,
            in_force: Arc::clone(&in_force),
        })));
        Ok(in_force)
    }
}

async fn load(conn: &mut PgConnection, revision: i64) -> Result<InForce, DbError> {
    let overrides = desk::all_overrides(conn).await?.into_iter().collect();
    let mut switches = desk::switches(conn, false).await?;
    switches.sort_by_key(|switch| std::cmp::Reverse(switch.mode));
    let (mut restricted, mut restricted_for) = (HashSet::new(), HashSet::new());
    for row in desk::restrictions(conn).await? {
        match row.account {
            Some(account) => restricted_for.insert((account, row.symbol)),
            None => restricted.insert(row.symbol),
        };
    }
    Ok(InForce {
        revision,
        overrides,
        restricted,
        restricted_for,
        switches,
    })
}

/// A row of settings as the table has it.
pub(crate) struct Row {
    pub(crate) scope: String,
    pub(crate) subject: String,
    pub(crate) max_order_value: Option<Decimal>,
    pub(crate) max_volume_share: Option<Decimal>,
    pub(crate) max_open_value: Option<Decimal>,
    pub(crate) max_firm_open_value: Option<Decimal>,
    pub(crate) max_open_orders: Option<i32>,
    pub(crate) max_open_orders_per_symbol: Option<i32>,
    pub(crate) collar: Option<Decimal>,
    pub(crate) collar_below_dollar: Option<Decimal>,
    pub(crate) refuse_duplicates: Option<bool>,
    pub(crate) refuse_self_cross: Option<bool>,
}

impl TryFrom<Row> for (Scope, Overrides) {
    type Error = DbError;

    fn try_from(row: Row) -> Result<Self, DbError> {
        let account = || row.subject.parse::<Uuid>().ok().map(AccountId::new);
        let scope = match row.scope.as_str() {
            "firm" => Some(Scope::Firm),
            "tier" => Some(Scope::Tier(row.subject.clone())),
            _ => account().map(Scope::Account),
        };
        let scope = scope.ok_or_else(|| DbError::Inconsistent {
            table: "risk_settings",
            what: format!("{} {:?}", row.scope, row.subject),
        })?;
        let overrides = Overrides {
            max_order_value: row.max_order_value.map(Money::from_decimal),
            max_volume_share: row.max_volume_share,
            max_open_value: row.max_open_value.map(Money::from_decimal),
            max_firm_open_value: row.max_firm_open_value.map(Money::from_decimal),
            max_open_orders: row.max_open_orders,
            max_open_orders_per_symbol: row.max_open_orders_per_symbol,
            collar: row.collar,
            collar_below_dollar: row.collar_below_dollar,
            refuse_duplicates: row.refuse_duplicates,
            refuse_self_cross: row.refuse_self_cross,
        };
        Ok((scope, overrides))
    }
}

#[cfg(test)]
mod tests {
    //! What counts for one account.

    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn account(n: u128) -> AccountId {
        AccountId::new(Uuid::from_u128(n))
    }

    fn most(n: i32) -> Overrides {
        Overrides {
            max_open_orders_per_symbol: Some(n),
            ..Overrides::default()
        }
    }

    #[test]
    fn rsk_3_firm_then_tier_then_account_have_a_say() {
        let overrides = [
            (Scope::Firm, most(40)),
            (Scope::Tier("pro".to_owned()), most(400)),
            (Scope::Account(account(1)), most(4)),
        ];
        let in_force = InForce {
            overrides: overrides.into(),
            ..InForce::default()
        };
        let limit = |tier, n| {
            in_force
                .settings(Settings::default(), tier, account(n))
                .max_open_orders_per_symbol
        };
        assert_eq!(limit("standard", 2), 40);
        assert_eq!(limit("pro", 2), 400);
        assert_eq!(limit("pro", 1), 4);
        assert_eq!(in_force.least_open_per_symbol(Settings::default()), 4);
    }

    #[test]
    fn rsk_6_what_is_older_than_allowed_is_not_decided_by() {
        let risk = Risk::new();
        let known = Known {
            read_at: Instant::now().checked_sub(MAX_AGE).unwrap(),
            in_force: Arc::default(),
        };
        risk.0.store(Some(Arc::new(known)));
        assert!(risk.fresh().is_none());
    }

    #[test]
    fn a_symbol_is_restricted_for_everybody_or_for_one() {
        let symbol = |text| Symbol::parse(text).unwrap();
        let in_force = InForce {
            restricted: [symbol("HALT")].into(),
            restricted_for: [(account(1), symbol("AAPL"))].into(),
            ..InForce::default()
        };
        assert!(in_force.is_restricted(&symbol("HALT"), account(2)));
        assert!(in_force.is_restricted(&symbol("AAPL"), account(1)));
        assert!(!in_force.is_restricted(&symbol("AAPL"), account(2)));
    }
}
