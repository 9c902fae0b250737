//! Risk limits (RSK-3 to RSK-5, PX-5), restricted symbols, and what surveillance should see. Each act is one
//! transaction with its row in `admin_acts` (V16).

use ::risk::desk::{self, Restriction};
use ::risk::flags::{self, Flag};
use ::risk::{BadSetting, Overrides, Scope, Settings};
use anyhow::{Context, bail};
use db::PgConnection;
use domain::{AccountId, Symbol};
use identity::{Tier, accounts};
use serde_json::{Map, Value, json};

use super::show::print;
use super::table::table;
use super::{Desk, find_account};
use crate::cli::{Restrict, Risk, Who};

impl Desk {
    /// Sets limits by their names, or takes them back.
    ///
    /// # Errors
    /// No such limit, a value that does not fit, or what the database says.
    pub async fn set_risk(&self, scope: &Scope, settings: &[(String, String)]) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        desk::lock(&mut tx).await?;
        let mut row = desk::overrides(&mut tx, scope).await?;
        for (name, value) in settings {
            row.set(name, value)?;
        }
        if *scope != Scope::Firm && row.max_firm_open_value.is_some() {
            let name = "max-firm-open-value";
            return Err(BadSetting::FirmOnly { name }.into());
        }
        let now = db::database_time(&mut tx).await?;
        desk::put_overrides(&mut tx, scope, &row, &self.actor, now).await?;
        let said: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.write_down(&mut tx, "set_risk", scope.to_string(), said.join(" "))
            .await?;
        Ok(tx.commit().await?)
    }

    /// Puts a symbol on the restricted list, for everybody or for one account.
    ///
    /// # Errors
    /// It is no symbol, it is on the list already, or what the database says.
    pub async fn restrict(&self, symbol: &str, account: Option<&str>, reason: &str) -> anyhow::Result<()> {
        let symbol = parsed(symbol)?;
        let mut tx = self.begin().await?;
        let new = Restriction {
            symbol: symbol.clone(),
            account: named(&mut tx, account).await?,
            reason: reason.to_owned(),
            added_by: self.actor.clone(),
            added_at: db::database_time(&mut tx).await?,
        };
        if !desk::restrict(&mut tx, &new).await? {
            bail!("{symbol} is on the list already");
        }
        let detail = format!("{}: {reason}", whose(new.account));
        self.write_down(&mut tx, "restrict_symbol", symbol.to_string(), detail)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Takes a symbol off the restricted list.
    ///
    /// # Errors
    /// It is not on the list, or what the database says.
    pub async fn unrestrict(&self, symbol: &str, account: Option<&str>) -> anyhow::Result<()> {
        let symbol = parsed(symbol)?;
        let mut tx = self.begin().await?;
        let account = named(&mut tx, account).await?;
        if !desk::unrestrict(&mut tx, &symbol, account).await? {
            bail!("{symbol} is not on the list {}", whose(account));
        }
        self.write_down(&mut tx, "unrestrict_symbol", symbol.to_string(), whose(account))
            .await?;
        Ok(tx.commit().await?)
    }
}

fn parsed(symbol: &str) -> anyhow::Result<Symbol> {
    Symbol::parse(&symbol.to_uppercase()).with_context(|| format!("{symbol:?} is no symbol"))
}

async fn named(conn: &mut PgConnection, account: Option<&str>) -> anyhow::Result<Option<AccountId>> {
    match account {
        Some(named) => Ok(Some(find_account(conn, named).await?)),
        None => Ok(None),
    }
}

fn whose(account: Option<AccountId>) -> String {
    account.map_or_else(|| "for everybody".to_owned(), |id| format!("for account {id}"))
}

/// Does what a command about risk limits says.
pub(super) async fn run(desk: &Desk, defaults: Settings, command: Risk) -> anyhow::Result<()> {
    match command {
        Risk::Show { who, json } => show(desk, defaults, who, json).await?,
        Risk::Set { who, settings } => {
            let mut conn = desk.pool().acquire().await?;
            let scope = scope(&mut conn, who).await?;
            drop(conn);
            let scope = scope.context("say for whom: --firm, --tier NAME or --account ACCOUNT")?;
            desk.set_risk(&scope, &pairs(&settings)?).await?;
            println!("{scope}: set; felt within a second");
        }
        Risk::Restrict(command) => restrict(desk, command).await?,
        Risk::Flags { account, limit, json } => show_flags(desk, account.as_deref(), limit, json).await?,
    }
    Ok(())
}

fn pairs(settings: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let pair = |text: &String| {
        let (name, value) = text
            .split_once('=')
            .with_context(|| format!("{text:?} is no NAME=VALUE"))?;
        Ok((name.trim().to_owned(), value.trim().to_owned()))
    };
    settings.iter().map(pair).collect()
}

async fn scope(conn: &mut PgConnection, who: Who) -> anyhow::Result<Option<Scope>> {
    Ok(match (who.firm, who.tier, who.account) {
        (true, ..) => Some(Scope::Firm),
        (_, Some(tier), _) => Some(Scope::Tier(Tier::new(&tier)?.to_string())),
        (.., Some(account)) => Some(Scope::Account(find_account(conn, &account).await?)),
        _ => None,
    })
}

/// Each limit, what it is, and who says so.
async fn show(desk: &Desk, defaults: Settings, who: Who, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let scope = scope(&mut conn, who).await?;
    let mut layers = vec![("installation".to_owned(), Overrides::from(defaults))];
    for scope in layers_of(&mut conn, scope).await? {
        layers.push((scope.to_string(), desk::overrides(&mut conn, &scope).await?));
    }
    let last_word = |name: &str| {
        let said = layers.iter().rev().find_map(|(who, row)| {
            let (_, value) = row.made().into_iter().find(|(made, _)| *made == name)?;
            Some((value, who.clone()))
        });
        said.unwrap_or_default()
    };
    let rows: Vec<(&str, (String, String))> = Overrides::NAMES.iter().map(|name| (*name, last_word(name))).collect();
    let object: Map<String, Value> = rows
        .iter()
        .map(|(name, (value, who))| ((*name).to_owned(), json!({"value": value, "said_by": who})))
        .collect();
    print(as_json, &Value::Object(object), || {
        let cells = rows
            .iter()
            .map(|(name, (value, who))| vec![(*name).to_owned(), value.clone(), who.clone()]);
        table(&["limit", "value", "said by"], &cells.collect::<Vec<_>>())
    });
    Ok(())
}

/// Whose rows count, from wide to narrow.
async fn layers_of(conn: &mut PgConnection, scope: Option<Scope>) -> anyhow::Result<Vec<Scope>> {
    Ok(match scope {
        None | Some(Scope::Firm) => vec![Scope::Firm],
        Some(tier @ Scope::Tier(_)) => vec![Scope::Firm, tier],
        Some(Scope::Account(id)) => {
            let account = accounts::get(conn, id).await?.context("the account is gone")?;
            let tier = Scope::Tier(account.tier.to_string());
            vec![Scope::Firm, tier, Scope::Account(id)]
        }
    })
}

async fn restrict(desk: &Desk, command: Restrict) -> anyhow::Result<()> {
    match command {
        Restrict::Add {
            symbol,
            account,
            reason,
        } => {
            desk.restrict(&symbol, account.as_deref(), &reason).await?;
            println!("{symbol} is restricted within a second");
        }
        Restrict::Remove { symbol, account } => {
            desk.unrestrict(&symbol, account.as_deref()).await?;
            println!("{symbol} is off the list");
        }
        Restrict::List { json } => list(desk, json).await?,
    }
    Ok(())
}

async fn list(desk: &Desk, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let rows = desk::restrictions(&mut conn).await?;
    let object = |row: &Restriction| {
        json!({
            "symbol": row.symbol.as_str(), "account": row.account.map(|id| id.to_string()), "reason": row.reason,
            "added_by": row.added_by, "added_at": row.added_at,
        })
    };
    let objects: Vec<Value> = rows.iter().map(object).collect();
    print(as_json, &json!(objects), || {
        let cells = rows.iter().map(|row| {
            let whose = row.account.map(|id| id.to_string()).unwrap_or_default();
            vec![row.symbol.to_string(), whose, row.reason.clone(), row.added_by.clone()]
        });
        table(&["symbol", "account", "reason", "added by"], &cells.collect::<Vec<_>>())
    });
    Ok(())
}

async fn show_flags(desk: &Desk, account: Option<&str>, limit: i64, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let account = named(&mut conn, account).await?;
    let rows = flags::newest(&mut conn, account, limit).await?;
    let object = |flag: &Flag| {
        json!({
            "order": flag.order.get(), "rule": flag.rule, "account": flag.account.get(), "symbol": flag.symbol.as_str(),
            "detail": flag.detail, "at": flag.at,
        })
    };
    let objects: Vec<Value> = rows.iter().map(object).collect();
    print(as_json, &json!(objects), || {
        let cells = rows.iter().map(|flag| {
            let at = flag.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            let order = flag.order.to_string();
            vec![
                at,
                flag.rule.clone(),
                flag.symbol.to_string(),
                order,
                flag.detail.clone(),
            ]
        });
        table(&["at", "rule", "symbol", "order", "detail"], &cells.collect::<Vec<_>>())
    });
    Ok(())
}
