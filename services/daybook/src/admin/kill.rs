//! Kill switches (RSK-6): set by one person, lifted by two. Each act is one transaction with its row in `admin_acts` (V16).

use anyhow::Context;
use db::PgConnection;
use domain::Symbol;
use risk::desk::{self, NewSwitch, Setting};
use risk::{Level, Lifting, Mode, Switch, Target};
use serde_json::{Value, json};

use super::reason::said;
use super::show::print;
use super::table::table;
use super::{Desk, find_account};
use crate::cli::{Kill, KillLevel, KillMode, Lift, NewKill};

impl From<KillLevel> for Level {
    fn from(level: KillLevel) -> Self {
        match level {
            KillLevel::Symbol => Level::Symbol,
            KillLevel::Account => Level::Account,
            KillLevel::Venue => Level::Venue,
            KillLevel::Firm => Level::Firm,
        }
    }
}

impl From<KillMode> for Mode {
    fn from(mode: KillMode) -> Self {
        match mode {
            KillMode::BlockNew => Mode::BlockNew,
            KillMode::BlockNewAndCancelAll => Mode::BlockNewAndCancelAll,
        }
    }
}

impl Desk {
    /// Stops new orders, and with the stronger mode ends the open ones.
    ///
    /// # Errors
    /// Nothing is called so, or what the database says.
    pub async fn kill(
        &self,
        level: Level,
        subject: Option<&str>,
        mode: Mode,
        reason: &str,
    ) -> anyhow::Result<(Setting, Switch)> {
        let reason = said(reason)?;
        let mut tx = self.begin().await?;
        let target = target(&mut tx, level, subject).await?;
        let new = NewSwitch {
            target,
            mode,
            reason: reason.to_owned(),
            by: self.actor.clone(),
        };
        let now = db::database_time(&mut tx).await?;
        let set = desk::set(&mut tx, &*self.ids, &new, now).await?;
        self.write_down(
            &mut tx,
            "set_kill_switch",
            new.target.to_string(),
            format!("{mode}: {reason}"),
        )
        .await?;
        tx.commit().await?;
        Ok(set)
    }

    /// Proposes to lift a switch, or lifts one that somebody else proposed to lift.
    ///
    /// # Errors
    /// Nothing to lift, the same person again, or what the database says.
    pub async fn lift_kill(
        &self,
        level: Level,
        subject: Option<&str>,
        reason: &str,
    ) -> anyhow::Result<(Lifting, Switch)> {
        let reason = said(reason)?;
        let mut tx = self.begin().await?;
        let target = target(&mut tx, level, subject).await?;
        let now = db::database_time(&mut tx).await?;
        let (lifting, switch) = desk::lift(&mut tx, &target, &self.actor, reason, now).await?;
        let (act, detail) = match lifting {
            Lifting::Proposed => ("propose_lift_kill_switch", reason.to_owned()),
            Lifting::Lifted => {
                let first = switch.lift_proposed_by.as_deref().unwrap_or_default();
                ("lift_kill_switch", format!("proposed by {first}: {reason}"))
            }
        };
        self.write_down(&mut tx, act, target.to_string(), detail).await?;
        tx.commit().await?;
        Ok((lifting, switch))
    }
}

/// What the words of a command name.
async fn target(conn: &mut PgConnection, level: Level, subject: Option<&str>) -> anyhow::Result<Target> {
    let named = || subject.with_context(|| format!("say which {level}"));
    Ok(match level {
        Level::Account => Target::Account(find_account(conn, named()?).await?),
        Level::Symbol => {
            let symbol = named()?.to_uppercase();
            Target::Symbol(Symbol::parse(&symbol).with_context(|| format!("{symbol:?} is no symbol"))?)
        }
        Level::Venue | Level::Firm => Target::read(level, subject.unwrap_or_default())?,
    })
}

/// Does what a command about kill switches says.
pub(super) async fn run(desk: &Desk, command: Kill) -> anyhow::Result<()> {
    match command {
        Kill::Set(new) => set(desk, new).await,
        Kill::Lift(lift) => lift_one(desk, lift).await,
        Kill::List { all, json } => list(desk, all, json).await,
    }
}

async fn set(desk: &Desk, new: NewKill) -> anyhow::Result<()> {
    let desk = new.by.map_or_else(|| desk.clone(), |name| desk.seat(name));
    let outcome = desk.kill(new.level.into(), new.subject.as_deref(), new.mode.into(), &new.reason);
    let (setting, switch) = outcome.await?;
    let told = match setting {
        Setting::New => "is in force within a second",
        Setting::Stronger => "was in force, and ends open orders too from now on",
        Setting::Already => "was in force as strong as this; what was proposed to lift it is void",
    };
    println!("{}: the kill switch {told} ({})", switch.target, switch.mode);
    Ok(())
}

async fn lift_one(desk: &Desk, lift: Lift) -> anyhow::Result<()> {
    let desk = lift.by.map_or_else(|| desk.clone(), |name| desk.seat(name));
    let outcome = desk.lift_kill(lift.level.into(), lift.subject.as_deref(), &lift.reason);
    match outcome.await? {
        (Lifting::Proposed, switch) => println!(
            "{}: lifting it is proposed; the kill switch stays in force until somebody else gives the same command",
            switch.target
        ),
        (Lifting::Lifted, switch) => println!("{}: the kill switch is lifted", switch.target),
    }
    Ok(())
}

async fn list(desk: &Desk, all: bool, as_json: bool) -> anyhow::Result<()> {
    let mut conn = desk.pool().acquire().await?;
    let switches = desk::switches(&mut conn, all).await?;
    let objects: Vec<Value> = switches.iter().map(object).collect();
    print(as_json, &json!(objects), || {
        let heads = ["what", "mode", "since", "set by", "reason", "lifting"];
        table(&heads, &switches.iter().map(cells).collect::<Vec<_>>())
    });
    Ok(())
}

fn object(switch: &Switch) -> Value {
    json!({
        "level": switch.target.level().to_string(), "subject": switch.target.subject(), "mode": switch.mode.to_string(),
        "reason": switch.reason, "set_by": switch.set_by, "set_at": switch.set_at,
        "lift_proposed_by": switch.lift_proposed_by, "lift_reason": switch.lift_reason,
        "lifted_by": switch.lifted_by, "lifted_at": switch.lifted_at,
    })
}

fn cells(switch: &Switch) -> Vec<String> {
    let lifting = match (&switch.lift_proposed_by, &switch.lifted_by) {
        (Some(first), Some(second)) => format!("lifted by {first} and {second}"),
        (Some(first), None) => format!("proposed by {first}"),
        _ => String::new(),
    };
    vec![
        switch.target.to_string(),
        switch.mode.to_string(),
        switch.set_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        switch.set_by.clone(),
        switch.reason.clone(),
        lifting,
    ]
}
