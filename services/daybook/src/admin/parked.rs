//! Messages that could not be handled: what an operator sees of them, has handled again, or throws away. Each act is one
//! transaction with its row in `admin_acts` (V16), from the command line or through the operator's listener.

use bus::parked::{self, Parked};
use bus::{BusError, Topic};
use db::{DbError, PgConnection};
use domain::{OrderId, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Desk;
use super::reason::{NoReason, said};
use super::show::{facts, print};
use super::table::table;
use crate::cli;

/// More than anybody reads; the metric counts the rest.
const LISTED: i64 = 1_000;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// Nothing waits there.
    #[error("no message of order {0} is parked: `daybook admin parked list` shows what is")]
    Nothing(OrderId),
    /// Several groups have messages of it.
    #[error("order {0} is parked by more than one consumer group; say which: {1}")]
    WhichGroup(OrderId, String),
    /// The first one is on its way already.
    #[error("the messages of order {0} are being handled again; look whether they come back")]
    Underway(OrderId),
    /// Thrown away without a word.
    #[error(transparent)]
    Reason(#[from] NoReason),
    /// The bus failed.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for ParkedError {
    fn from(error: sqlx::Error) -> Self {
        DbError::from(error).into()
    }
}

/// A parked message as an operator sees it.
#[derive(Debug, Clone, Serialize)]
pub struct ParkedView {
    /// Whose handler failed.
    pub group: String,
    /// Where from.
    pub topic: String,
    /// The partition of its key.
    pub partition: i16,
    /// The order that waits.
    pub order_id: Uuid,
    /// Name and version of the payload.
    pub kind: String,
    /// Why it is here.
    pub cause: String,
    /// The request that caused it.
    pub request_id: String,
    /// Since when.
    pub parked_at: Timestamp,
    /// When an operator said to handle it again.
    pub requeued_at: Option<Timestamp>,
    /// As it came: it may be what cannot be read.
    pub payload: String,
}

impl From<Parked> for ParkedView {
    fn from(parked: Parked) -> Self {
        ParkedView {
            group: parked.group,
            topic: parked.topic,
            partition: parked.partition,
            order_id: parked.order_id.get(),
            kind: parked.kind,
            cause: parked.cause,
            request_id: parked.request_id.to_string(),
            parked_at: parked.parked_at,
            requeued_at: parked.requeued_at,
            payload: parked.payload,
        }
    }
}

/// Parked messages, oldest first; of one order or of all.
///
/// # Errors
/// What the database says.
pub async fn list(conn: &mut PgConnection, order: Option<OrderId>, limit: i64) -> Result<Vec<ParkedView>, ParkedError> {
    let parked = parked::list(conn, None, order, limit).await?;
    Ok(parked.into_iter().map(ParkedView::from).collect())
}

/// Which messages to throw away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// The one that the order waits for; those behind it are handled.
    First,
    /// All of them.
    All,
}

/// What became of an order's messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Whose they are.
    pub group: String,
    /// How many are to be handled again.
    pub requeued: u64,
    /// How many are gone.
    pub discarded: u64,
}

impl Desk {
    /// Has an order's messages handled again, from the first on.
    ///
    /// # Errors
    /// Nothing is parked, by more than one group, or what the database says.
    pub async fn requeue_parked(&self, order: OrderId, group: Option<&str>) -> Result<Outcome, ParkedError> {
        let mut tx = db::begin(self.pool()).await?;
        let (group, topic) = place(&mut tx, order, group).await?;
        let requeued = parked::requeue(&mut tx, &group, topic, order).await?;
        let detail = format!("{group}: {requeued} messages");
        self.write_down(&mut tx, "requeue_parked", order.to_string(), detail)
            .await?;
        tx.commit().await?;
        Ok(Outcome {
            group,
            requeued,
            discarded: 0,
        })
    }

    /// Throws messages of an order away that nobody can handle.
    ///
    /// # Errors
    /// No reason, nothing parked, by more than one group, handled again already, or what the database says.
    pub async fn discard_parked(
        &self,
        order: OrderId,
        group: Option<&str>,
        which: Discard,
        reason: &str,
    ) -> Result<Outcome, ParkedError> {
        let reason = said(reason)?;
        let mut tx = db::begin(self.pool()).await?;
        let (group, topic) = place(&mut tx, order, group).await?;
        let first = parked::list(&mut tx, Some(&group), Some(order), 1).await?.pop();
        let (discarded, requeued) = match which {
            Discard::All => (parked::discard(&mut tx, &group, topic, order).await?, 0),
            Discard::First => {
                let behind = parked::discard_first(&mut tx, &group, topic, order).await?;
                (1, behind.ok_or(ParkedError::Underway(order))?)
            }
        };
        // The row is gone: what it was stays with the act.
        let cause = first.map(|first| first.cause).unwrap_or_default();
        let detail = format!("{group}: {discarded} messages, the first because {cause:?}; {reason}");
        self.write_down(&mut tx, "discard_parked", order.to_string(), detail)
            .await?;
        tx.commit().await?;
        Ok(Outcome {
            group,
            requeued,
            discarded,
        })
    }
}

/// Which group has messages of the order, and on which topic.
async fn place(conn: &mut PgConnection, order: OrderId, group: Option<&str>) -> Result<(String, Topic), ParkedError> {
    let parked = parked::list(conn, group, Some(order), LISTED).await?;
    let mut places: Vec<(String, Topic)> = parked
        .into_iter()
        .filter_map(|one| Some((one.group, one.topic.parse().ok()?)))
        .collect();
    places.sort();
    places.dedup();
    if places.len() > 1 {
        let names: Vec<String> = places.into_iter().map(|(group, _)| group).collect();
        return Err(ParkedError::WhichGroup(order, names.join(", ")));
    }
    places.pop().ok_or(ParkedError::Nothing(order))
}

/// Does what a command about parked messages says.
pub(super) async fn run(desk: &Desk, command: cli::Parked) -> anyhow::Result<()> {
    match command {
        cli::Parked::List { json } => show_all(desk, json).await?,
        cli::Parked::Show { order, json } => show(desk, OrderId::new(order), json).await?,
        cli::Parked::Requeue { order, group } => {
            let done = desk.requeue_parked(OrderId::new(order), group.as_deref()).await?;
            println!("{}", told(&done));
        }
        cli::Parked::Discard(discard) => {
            let which = if discard.all { Discard::All } else { Discard::First };
            let (order, group) = (OrderId::new(discard.order), discard.group.as_deref());
            let done = desk.discard_parked(order, group, which, &discard.reason).await?;
            println!("{}", told(&done));
        }
    }
    Ok(())
}

fn told(done: &Outcome) -> String {
    let Outcome {
        group,
        requeued,
        discarded,
    } = done;
    format!("{discarded} messages are gone; {group} handles {requeued} again within a few seconds")
}

async fn show_all(desk: &Desk, as_json: bool) -> anyhow::Result<()> {
    let parked = list(&mut *desk.pool().acquire().await?, None, LISTED).await?;
    print(as_json, &json!(parked), || {
        let rows = parked.iter().map(|one| {
            vec![
                one.parked_at.to_string(),
                one.group.clone(),
                one.order_id.to_string(),
                one.kind.clone(),
                if one.requeued_at.is_some() { "again" } else { "waits" }.to_owned(),
                one.cause.clone(),
            ]
        });
        let heads = ["since", "group", "order", "kind", "state", "cause"];
        table(&heads, &rows.collect::<Vec<_>>())
    });
    Ok(())
}

async fn show(desk: &Desk, order: OrderId, as_json: bool) -> anyhow::Result<()> {
    let parked = list(&mut *desk.pool().acquire().await?, Some(order), LISTED).await?;
    if parked.is_empty() {
        return Err(ParkedError::Nothing(order).into());
    }
    let objects: Vec<Value> = parked.iter().map(|one| json!(one)).collect();
    print(as_json, &json!(objects), || {
        objects.iter().map(facts).collect::<Vec<_>>().join("\n\n")
    });
    Ok(())
}
