//! How much customers may ask for: tiers, limits of their own, the churn rule (RSK-7, RSK-8).

use std::time::Duration;

use anyhow::{Context, bail};
use domain::{AccountId, Symbol};
use identity::accounts::Tier;
use identity::limits::{self, AccountLimit, ChurnLimit, ChurnRule, Class, LimitTable, Rate, TierLimit};
use orders::churn::{self, Activity};
use serde_json::{Value, json};
use strum::IntoEnumIterator;

use super::show::print;
use super::table::table;
use super::{Desk, find_account};
use crate::cli::{Limits, SetChurn, SetLimit};
use crate::config::Settings;

pub(super) async fn run(desk: &Desk, settings: &Settings, command: Limits) -> anyhow::Result<()> {
    match command {
        Limits::Show { account, json } => {
            let usual = crate::limits::of(settings)?.usual;
            let table = limits::load(&mut *desk.pool().acquire().await?, usual).await?;
            match account {
                Some(account) => show_account(desk, &table, &account, json).await?,
                None => show_all(&table, json),
            }
        }
        Limits::Tier { account, tier } => {
            let account = desk.set_tier(&account, &tier).await?;
            println!("account {account} is {tier}");
        }
        Limits::Set(new) => desk.set_limit(&new).await?,
        Limits::Clear { account, class } => desk.clear_limit(&account, class.into()).await?,
        Limits::Churn(new) => desk.set_churn(&new).await?,
        Limits::Forgive {
            account,
            symbol,
            reason,
        } => {
            let symbols = desk.forgive_churn(&account, symbol.as_deref(), &reason).await?;
            println!("{symbols} symbols forgiven");
        }
    }
    Ok(())
}

impl Desk {
    /// Puts an account into a tier.
    ///
    /// # Errors
    /// No such account or tier, or what the database says.
    pub async fn set_tier(&self, named: &str, tier: &str) -> anyhow::Result<AccountId> {
        let name = Tier::new(tier)?;
        let mut tx = self.begin().await?;
        let account = find_account(&mut tx, named).await?;
        let known = limits::load(&mut tx, limits::Usual::default()).await?;
        let scope = risk::Scope::Tier(tier.to_owned());
        let is_measured = risk::desk::overrides(&mut tx, &scope).await? != risk::Overrides::default();
        if !known.knows(tier) && !is_measured {
            bail!(
                "nothing is set for a tier {tier}: `daybook admin limits set --tier {tier} …` makes it, or `risk set`"
            );
        }
        identity::accounts::set_tier(&mut tx, account, &name).await?;
        self.write_down(&mut tx, "set_tier", account.to_string(), tier.to_owned())
            .await?;
        tx.commit().await?;
        Ok(account)
    }

    /// Sets how many requests a tier or an account may make.
    ///
    /// # Errors
    /// No such account, a name that no tier has, or what the database says.
    pub async fn set_limit(&self, new: &SetLimit) -> anyhow::Result<()> {
        let class = Class::from(new.class);
        let rate = new.per_minute.map(|per_minute| Rate {
            per_minute,
            burst: new.burst.unwrap_or(per_minute),
        });
        let mut tx = self.begin().await?;
        let subject = match (&new.account, &new.tier) {
            (Some(named), _) => {
                let account = find_account(&mut tx, named).await?;
                limits::set_account_limit(&mut tx, AccountLimit { account, class, rate }).await?;
                account.to_string()
            }
            (None, Some(tier)) => {
                let tier = Tier::new(tier)?.to_string();
                let row = TierLimit { tier, class, rate };
                limits::set_tier_limit(&mut tx, &row).await?;
                row.tier
            }
            (None, None) => bail!("say whose limit it is: --account or --tier"),
        };
        let detail = format!("{class} {}", words(rate));
        self.write_down(&mut tx, "set_limit", subject, detail).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Lets an account follow its tier again.
    ///
    /// # Errors
    /// No such account, one without a limit of its own, or what the database says.
    pub async fn clear_limit(&self, named: &str, class: Class) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let account = find_account(&mut tx, named).await?;
        if !limits::clear_account_limit(&mut tx, account, class).await? {
            bail!("account {account} has no {class} limit of its own");
        }
        self.write_down(&mut tx, "clear_limit", account.to_string(), class.to_string())
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Sets a tier's churn rule.
    ///
    /// # Errors
    /// A name that no tier has, a longest cool-off that is shorter than the first, or what the database says.
    pub async fn set_churn(&self, new: &SetChurn) -> anyhow::Result<()> {
        let tier = Tier::new(&new.tier)?.to_string();
        if new.cool_off_most < new.cool_off {
            bail!("--cool-off-most is shorter than --cool-off");
        }
        let seconds = |n: u32| Duration::from_secs(n.into());
        let rule = (!new.off).then(|| ChurnRule {
            cancels_per_minute: new.cancels_per_minute,
            cancels_per_fill: new.cancels_per_fill,
            cool_off: seconds(new.cool_off),
            cool_off_most: seconds(new.cool_off_most),
        });
        let mut tx = self.begin().await?;
        let limit = ChurnLimit { tier, rule };
        limits::set_churn_limit(&mut tx, &limit).await?;
        self.write_down(&mut tx, "set_churn_limit", limit.tier, rule_words(rule))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends cool-offs of an account; in how many symbols.
    ///
    /// # Errors
    /// No reason, no such account or symbol, or what the database says.
    pub async fn forgive_churn(&self, named: &str, symbol: Option<&str>, reason: &str) -> anyhow::Result<u64> {
        if reason.trim().is_empty() {
            bail!("say why with --reason: it is kept with the act");
        }
        let symbol = symbol.map(|text| Symbol::parse(text).with_context(|| format!("{text} is no symbol")));
        let symbol = symbol.transpose()?;
        let mut tx = self.begin().await?;
        let account = find_account(&mut tx, named).await?;
        // The lock that placing takes: it may be about to strike.
        ledger::lock(&mut tx, &[account]).await?;
        let forgiven = churn::forgive(&mut tx, account, symbol.as_ref()).await?;
        let of = symbol.map_or_else(|| "all symbols".to_owned(), |symbol| symbol.to_string());
        self.write_down(&mut tx, "forgive_churn", account.to_string(), format!("{of}: {reason}"))
            .await?;
        tx.commit().await?;
        Ok(forgiven)
    }
}

fn words(rate: Option<Rate>) -> String {
    rate.map_or_else(
        || "unlimited".to_owned(),
        |rate| format!("{} a minute, {} at once", rate.per_minute, rate.burst),
    )
}

fn rule_words(rule: Option<ChurnRule>) -> String {
    rule.map_or_else(
        || "off".to_owned(),
        |rule| {
            format!(
                "more than {} cancels a minute and {} a fill; cool-off {} s, at most {} s",
                rule.cancels_per_minute,
                rule.cancels_per_fill,
                rule.cool_off.as_secs(),
                rule.cool_off_most.as_secs()
            )
        },
    )
}

fn show_all(limits: &LimitTable, as_json: bool) {
    let own = |name: &str, own: &limits::Own| -> Vec<[String; 3]> {
        let set = Class::iter().filter_map(|class| Some((class, own[class as usize]?)));
        set.map(|(class, rate)| [name.to_owned(), class.to_string(), words(rate)])
            .collect()
    };
    let usual = Class::iter().map(|class| {
        [
            "(settings)".to_owned(),
            class.to_string(),
            words(limits.usual.rates.of(class)),
        ]
    });
    let tiers = limits.tiers.iter().flat_map(|(tier, rows)| own(tier, rows));
    let accounts = limits.accounts.iter().flat_map(|(id, rows)| own(&id.to_string(), rows));
    let churn = limits.churn.iter();
    let churn = churn.map(|(tier, rule)| [tier.clone(), "churn".to_owned(), rule_words(*rule)]);
    let usual_churn = [
        "(settings)".to_owned(),
        "churn".to_owned(),
        rule_words(limits.usual.churn),
    ];
    let mut rows: Vec<[String; 3]> = tiers.chain(accounts).chain(churn).collect();
    rows.sort();
    let rows: Vec<[String; 3]> = usual.chain([usual_churn]).chain(rows).collect();
    let objects: Vec<Value> = rows
        .iter()
        .map(|[whose, what, limit]| json!({ "whose": whose, "class": what, "limit": limit }))
        .collect();
    print(as_json, &json!(objects), || {
        table(
            &["whose", "class", "limit"],
            &rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>(),
        )
    });
}

async fn show_account(desk: &Desk, limits: &LimitTable, named: &str, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let id = find_account(&mut conn, named).await?;
    let account = identity::accounts::get(&mut conn, id).await?.context("it was there")?;
    let tier = account.tier.as_str();
    let seen = churn::activity(&mut conn, id, desk.now()).await?;
    let rates: Vec<(Class, Option<Rate>)> = Class::iter()
        .map(|class| (class, limits.rate(id, tier, class)))
        .collect();
    let rate_json = |rate: Option<Rate>| rate.map(|rate| json!({ "per_minute": rate.per_minute, "burst": rate.burst }));
    let object = json!({
        "account_id": id.get(), "tier": tier, "churn_rule": rule_words(limits.churn(tier)),
        "limits": rates.iter().map(|(class, rate)| (class.to_string(), rate_json(*rate).into())).collect::<serde_json::Map<_, _>>(),
        "activity": seen.iter().map(activity_json).collect::<Vec<_>>(),
    });
    print(as_json, &object, || {
        let rates: Vec<Vec<String>> = rates
            .iter()
            .map(|(class, rate)| vec![class.to_string(), words(*rate)])
            .collect();
        let heads = [
            "symbol",
            "orders 1m/10m",
            "cancels",
            "replaces",
            "fills",
            "strikes",
            "cool-off until",
        ];
        let seen: Vec<Vec<String>> = seen.iter().map(activity_row).collect();
        format!(
            "tier {tier}\nchurn: {}\n\n{}\n\n{}",
            rule_words(limits.churn(tier)),
            table(&["class", "limit"], &rates),
            table(&heads, &seen)
        )
    });
    Ok(())
}

fn activity_json(seen: &Activity) -> Value {
    json!({
        "symbol": seen.symbol, "orders": seen.orders, "cancels": seen.cancels, "replaces": seen.replaces, "fills": seen.fills,
        "strikes": seen.strikes, "cool_off_until": seen.cool_off_until,
    })
}

fn activity_row(seen: &Activity) -> Vec<String> {
    let both = |[one, ten]: [i64; 2]| format!("{one}/{ten}");
    vec![
        seen.symbol.clone(),
        both(seen.orders),
        both(seen.cancels),
        both(seen.replaces),
        both(seen.fills),
        seen.strikes.to_string(),
        seen.cool_off_until.map(|at| at.to_string()).unwrap_or_default(),
    ]
}
