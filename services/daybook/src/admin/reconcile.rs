//! What operators do about breaks and reports set aside. Each act is one transaction with its row in `admin_acts` (V16).

use anyhow::{Context, bail};
use bus::{Bus, BusSettings};
use db::PgConnection;
use domain::calendar::Calendar;
use scheduler::jobs::reconcile::breaks::Break;
use scheduler::jobs::reconcile::desk::{self, Decision};
use serde_json::{Map, json};
use status_updater::aside;
use uuid::Uuid;

use super::{Desk, find_account, show_reconcile};
use crate::cli::{Adjust, Reconcile, SetAside};

impl Desk {
    /// The first of two persons proposes what becomes of what is in suspense (REC-3).
    ///
    /// # Errors
    /// It does not fit the break, or what the database says.
    pub async fn propose(
        &self,
        number: i64,
        decision: Decision,
        assign_to: Option<&str>,
        reason: &str,
    ) -> anyhow::Result<Break> {
        let mut tx = self.begin().await?;
        let account = match assign_to {
            Some(named) => Some(find_account(&mut tx, named).await?),
            None => None,
        };
        let it = desk::propose(&mut tx, number, decision, account, (reason, &self.actor)).await?;
        let to = account.map(|account| format!(" to {account}")).unwrap_or_default();
        self.write_break(
            &mut tx,
            "propose_adjustment",
            number,
            format!("{decision}{to}: {reason}"),
        )
        .await?;
        tx.commit().await?;
        Ok(it)
    }

    /// The second person approves: what was proposed is booked, and the report behind it settled.
    ///
    /// # Errors
    /// The same person proposed it, or what the database says.
    pub async fn approve(&self, number: i64, calendar: &Calendar) -> anyhow::Result<desk::Approved> {
        let bus = Bus::new(self.pool().clone(), self.ids.clone(), BusSettings::default());
        let mut tx = self.begin().await?;
        let approved = desk::approve(&mut tx, &bus, calendar, number, &self.actor)
            .await
            .context("nothing was booked")?;
        if let Some(report) = approved.settles {
            aside::resolve(&mut tx, &[report], self.now()).await?;
        }
        let by = approved.it.proposed_by.clone().unwrap_or_default();
        let detail = format!("{}, proposed by {by}", approved.decision);
        self.write_break(&mut tx, "approve_adjustment", number, detail).await?;
        tx.commit().await?;
        Ok(approved)
    }

    /// Says whose work a break is.
    ///
    /// # Errors
    /// It is closed, or what the database says.
    pub async fn own_break(&self, number: i64, name: &str) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        desk::own(&mut tx, number, name).await?;
        self.write_break(&mut tx, "own_break", number, name.to_owned()).await?;
        Ok(tx.commit().await?)
    }

    /// Says what a break is about.
    ///
    /// # Errors
    /// It is closed, or what the database says.
    pub async fn explain_break(&self, number: i64, text: &str) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        desk::explain(&mut tx, number, text).await?;
        self.write_break(&mut tx, "explain_break", number, text.to_owned())
            .await?;
        Ok(tx.commit().await?)
    }

    /// Closes a break that has nothing in suspense.
    ///
    /// # Errors
    /// Something is in suspense for it, or what the database says.
    pub async fn close_break(&self, number: i64, reason: &str) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        desk::close(&mut tx, number, reason).await?;
        self.write_break(&mut tx, "close_break", number, reason.to_owned())
            .await?;
        Ok(tx.commit().await?)
    }

    /// Nothing more is to be done about a report that was set aside.
    ///
    /// # Errors
    /// No such report, or its execution is in suspense.
    pub async fn settle_report(&self, report: Uuid, reason: &str) -> anyhow::Result<()> {
        let mut tx = self.begin().await?;
        let it = aside::get(&mut tx, report).await?;
        let it =
            it.with_context(|| format!("no report {report} was set aside: `daybook admin set-aside list --all`"))?;
        if it.resolved_at.is_some() {
            bail!("report {report} is settled already");
        }
        if aside::in_suspense(&mut tx, report).await? {
            bail!(
                "the execution of report {report} is in suspense: decide its break with `daybook admin reconcile adjust`"
            );
        }
        aside::resolve(&mut tx, &[report], self.now()).await?;
        self.write_down(&mut tx, "settle_report", report.to_string(), reason.to_owned())
            .await?;
        Ok(tx.commit().await?)
    }

    async fn write_break(&self, conn: &mut PgConnection, act: &str, number: i64, detail: String) -> anyhow::Result<()> {
        Ok(self.write_down(conn, act, format!("break {number}"), detail).await?)
    }
}

/// Does what a command about reconciliation says.
pub(super) async fn run(desk: &Desk, rule: &Calendar, command: Reconcile) -> anyhow::Result<()> {
    match command {
        Reconcile::Show { date, all, json } => show_reconcile::day(desk, date, all, json).await?,
        Reconcile::Suspense { json } => show_reconcile::suspense(desk, json).await?,
        Reconcile::Run { date } => {
            let given = Map::from_iter([("date".to_owned(), json!(date))]);
            let run = desk.run_job("reconcile", &given).await?;
            println!("run {} is due; `daybook admin jobs logs {}`", run.run_id, run.run_id);
        }
        Reconcile::Own { number, name } => {
            desk.own_break(number, &name).await?;
            println!("break {number} is {name}'s");
        }
        Reconcile::Explain { number, text } => {
            desk.explain_break(number, &text).await?;
            println!("break {number} is explained");
        }
        Reconcile::Close { number, reason } => {
            desk.close_break(number, &reason).await?;
            println!("break {number} is closed");
        }
        Reconcile::Adjust(adjust) => propose(desk, adjust).await?,
        Reconcile::Approve { number, by } => {
            let approved = seat(desk, by).approve(number, rule).await?;
            println!("break {number}: {} is done", approved.decision);
        }
    }
    Ok(())
}

async fn propose(desk: &Desk, adjust: Adjust) -> anyhow::Result<()> {
    let decision = match (&adjust.assign, adjust.firm_error, adjust.bust) {
        (Some(_), false, false) => Decision::Assign,
        (None, true, false) => Decision::FirmError,
        (None, false, true) => Decision::Bust,
        _ => bail!("say what becomes of it: --assign ACCOUNT, --firm-error or --bust"),
    };
    let number = adjust.number;
    seat(desk, adjust.by)
        .propose(number, decision, adjust.assign.as_deref(), &adjust.reason)
        .await?;
    println!(
        "break {number}: {decision} is proposed; somebody else approves with `daybook admin reconcile approve {number}`"
    );
    Ok(())
}

fn seat(desk: &Desk, by: Option<String>) -> Desk {
    by.map_or_else(|| desk.clone(), |name| desk.seat(name))
}

/// Does what a command about reports set aside says.
pub(super) async fn set_aside(desk: &Desk, command: SetAside) -> anyhow::Result<()> {
    match command {
        SetAside::List { all, json } => show_reconcile::set_aside(desk, all, json).await,
        SetAside::Show { report } => show_reconcile::report(desk, report).await,
        SetAside::Settle { report, reason } => {
            desk.settle_report(report, &reason).await?;
            println!("settled");
            Ok(())
        }
    }
}
