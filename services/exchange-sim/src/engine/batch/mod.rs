//! One batch: look up, match in memory, write in one transaction, show.

mod commit;
mod effects;
mod prints;
mod replace;

pub(super) use replace::Pending;

use std::collections::{BTreeSet, HashMap, HashSet};

use chassis::clock::Clock;
use chrono::TimeDelta;
use db::DbError;
use domain::order::StreamEvent;
use domain::{OrderStatus, TimeInForce, Timestamp};
use rust_decimal::Decimal;

use super::Parts;
use super::command::{Answer, Command, Refusal, Reply, Ticket};
use super::live::{Live, core_order};
use crate::core::{OrderNo, Shares, SymbolIx};
use crate::faults::{About, Kind};
use crate::settings::Setting;
use crate::store::read;
use crate::store::rows::{EventRow, ExecutionRow, OrderRow};
use crate::store::state::WalkRow;

/// How much of the walks a crash may lose.
const SAVE_WALKS_EVERY: TimeDelta = TimeDelta::seconds(5);

/// Does the commands in their order and commits them together.
pub(super) async fn run(parts: &Parts, live: &mut Live, commands: &[Command]) -> Result<Vec<Reply>, DbError> {
    let now = parts.settings.now();
    live.heed_halts(parts, now);
    let mut batch = Batch::prepare(parts, live, commands, now).await?;
    let replies = commands.iter().map(|command| batch.apply(command)).collect();
    batch.commit().await?;
    Ok(replies)
}

struct Batch<'a> {
    parts: &'a Parts,
    live: &'a mut Live,
    now: Timestamp,
    /// Orders with larger numbers are new in this batch.
    last_old: i64,
    /// Client order ids that are used, by earlier batches or by this one.
    taken: HashSet<String>,
    /// Orders that are over: ended in this batch, or looked up for it.
    ended: HashMap<i64, OrderRow>,
    /// Executions of earlier batches that somebody asks about.
    looked_up: HashMap<i64, ExecutionRow>,
    changes: Changes,
}

/// What the batch does to the tables.
#[derive(Default)]
struct Changes {
    touched: BTreeSet<i64>,
    quoted: BTreeSet<SymbolIx>,
    closed: Vec<i64>,
    /// Open orders of earlier batches that took another one's place in the queue.
    reprioritized: Vec<(i64, i64)>,
    executions: Vec<ExecutionRow>,
    busts: Vec<(i64, Timestamp)>,
    events: Vec<EventRow>,
    walks: Vec<WalkRow>,
    settings: Vec<Setting>,
    /// New orders whose names are forgotten.
    forgotten: HashSet<i64>,
}

impl<'a> Batch<'a> {
    /// Looks up what the commands refer to and memory does not hold.
    async fn prepare(
        parts: &'a Parts,
        live: &'a mut Live,
        commands: &[Command],
        now: Timestamp,
    ) -> Result<Self, DbError> {
        let (mut keys, mut orders, mut executions) = (Vec::new(), Vec::new(), Vec::new());
        for command in commands {
            match command {
                Command::Submit(ticket) => keys.push(ticket.client_order_id.to_string()),
                Command::Replace(change) => {
                    keys.push(change.client_order_id.to_string());
                    orders.extend(parts.names.order_no(change.id).filter(|no| !live.open.contains_key(no)));
                }
                Command::Cancel(id) => {
                    orders.extend(parts.names.order_no(*id).filter(|no| !live.open.contains_key(no)))
                }
                Command::Bust(id) => executions.extend(parts.names.execution_no(*id)),
                Command::Print(print) => orders.push(print.order_no),
                Command::Tick => orders.extend(live.prints.iter().map(|(_, print)| print.order_no)),
                Command::SetQuote(..) | Command::Set(_) | Command::Await => {}
            }
        }
        let taken = if keys.is_empty() {
            HashSet::new()
        } else {
            read::taken(&mut live.connection, &keys).await?
        };
        let mut looked_up = HashMap::new();
        for no in executions {
            if let Some(execution) = read::execution(&mut live.connection, no).await? {
                orders.extend(Some(execution.order_no).filter(|no| !live.open.contains_key(no)));
                looked_up.insert(no, execution);
            }
        }
        let found = if orders.is_empty() {
            Vec::new()
        } else {
            read::by_numbers(&mut live.connection, &orders).await?
        };
        let found = found.into_iter().filter(|order| !live.open.contains_key(&order.no));
        let ended = found.map(|order| (order.no, order)).collect();
        Ok(Self {
            parts,
            last_old: live.last.order,
            live,
            now,
            taken,
            ended,
            looked_up,
            changes: Changes::default(),
        })
    }

    fn apply(&mut self, command: &Command) -> Reply {
        let before = self.changes.events.len();
        let mut more = false;
        match command {
            Command::Submit(ticket) => return self.submit(ticket),
            Command::Replace(change) => return self.replace(change),
            Command::Cancel(id) => self.cancel(self.parts.names.order_no(*id).ok_or(Refusal::NoSuchOrder(*id))?)?,
            Command::Tick => more = self.tick(),
            Command::Print(print) => self.print(print)?,
            Command::SetQuote(symbol, setting) => {
                let events = self.live.market.set_quote(*symbol, *setting);
                self.changes.quoted.insert(*symbol);
                self.absorb(events);
            }
            Command::Bust(id) => {
                let no = self.parts.names.execution_no(*id).filter(|no| self.bust(*no));
                no.ok_or(Refusal::NoSuchExecution(*id))?;
            }
            Command::Await => {}
            Command::Set(setting) => self.changes.settings.push(setting.clone()),
        }
        Ok(Answer::Done {
            reports: self.changes.events.len() - before,
            more,
        })
    }

    fn submit(&mut self, ticket: &Ticket) -> Reply {
        if !self.taken.insert(ticket.client_order_id.to_string()) {
            return Err(Refusal::DuplicateKey);
        }
        let order = self.new_order(ticket)?;
        let no = order.no;
        let strikes = |kind| self.parts.faults.strikes(kind, about(&order));
        if strikes(Kind::AcceptedThenLost) {
            self.taken.remove(&*ticket.client_order_id);
            return Ok(Answer::Order(Box::new(lost(order))));
        }
        if strikes(Kind::KeyForgotten) {
            self.taken.remove(&*ticket.client_order_id);
            self.changes.forgotten.insert(no);
        }
        let rejected = self.parts.faults.strikes(Kind::RejectLater, about(&order));
        let core = core_order(&order, ticket.symbol, order.qty);
        self.changes.touched.insert(no);
        self.changes.quoted.insert(ticket.symbol);
        self.live.open.insert(no, order);
        if rejected {
            self.report(no, StreamEvent::Accepted, None, None);
            self.end(
                no,
                OrderStatus::Rejected,
                StreamEvent::Rejected,
                Some("rejected by request"),
            );
        } else {
            let events = self.live.market.submit(core);
            self.absorb(events);
        }
        let order = self.row(no).cloned().ok_or(Refusal::Storage)?;
        Ok(Answer::Order(Box::new(order)))
    }

    fn new_order(&mut self, ticket: &Ticket) -> Result<OrderRow, Refusal> {
        let calendar = self.parts.settings.calendar();
        let expires_at = match ticket.time_in_force {
            TimeInForce::Day => Some(calendar.next_close(self.now).map_err(|_| Refusal::NoSession)?),
            TimeInForce::Gtc => calendar.gtc_ends_at(self.now).ok(),
            TimeInForce::Ioc | TimeInForce::Fok => None,
        };
        self.live.last.order += 1;
        let submitted_at = self.live.next_time(self.now);
        Ok(OrderRow {
            no: self.live.last.order,
            client_order_id: ticket.client_order_id.clone(),
            symbol: self.parts.listings[ticket.symbol.0].symbol.as_str().into(),
            side: ticket.side,
            time_in_force: ticket.time_in_force,
            limit: ticket.limit,
            qty: ticket.qty,
            filled_qty: Shares::ZERO,
            filled_amount: Decimal::ZERO,
            busted_qty: Shares::ZERO,
            status: OrderStatus::Accepted,
            submitted_at,
            updated_at: submitted_at,
            ended_at: None,
            expires_at,
            carried_qty: Shares::ZERO,
            replaces: None,
            replaced_by: None,
        })
    }

    fn cancel(&mut self, no: i64) -> Result<(), Refusal> {
        if self.live.pending.contains_key(&no) {
            self.turn_down(no, OrderStatus::Canceled, "the replacement was canceled");
            return Ok(());
        }
        match self.live.market.cancel(OrderNo(no)) {
            Ok(events) => {
                let leaves = self.row(no).map_or(Shares::ZERO, |order| order.leaves());
                self.absorb(events);
                self.fill_late(no, leaves);
                Ok(())
            }
            Err(_) => Err(match self.row(no) {
                Some(order) => Refusal::NotOpen(order.status),
                None => Refusal::NoSuchOrder(self.parts.names.order(no)),
            }),
        }
    }

    /// One round; true when it left some for the next one.
    fn tick(&mut self) -> bool {
        self.print_what_is_due();
        self.decide_replacements();
        let settings = &self.parts.settings;
        let in_session = settings.calendar().is_open(self.now);
        let due = settings.due(self.now);
        let (events, more) = self.live.market.round(due, in_session, self.parts.round_max);
        self.absorb(events);
        self.changes.quoted.extend((0..self.parts.listings.len()).map(SymbolIx));
        // Either way: the clock may have been put back.
        if (self.now - self.live.walks_saved_at).abs() >= SAVE_WALKS_EVERY {
            self.live.walks_saved_at = self.now;
            self.changes.walks = self.walk_rows();
        }
        more
    }

    fn walk_rows(&self) -> Vec<WalkRow> {
        let names = self.parts.listings.iter().map(|listing| listing.symbol.clone());
        let row = |(symbol, walk): (String, crate::core::Walk)| WalkRow {
            symbol,
            mid_ticks: walk.mid.0,
            generator: walk.dice.state.cast_signed(),
        };
        names.zip(self.live.market.walks()).map(row).collect()
    }
}

/// An order that was acknowledged and is unknown from then on: under a number that nobody will have again, since its
/// time is its own.
fn lost(order: OrderRow) -> OrderRow {
    const LOST: i64 = 1 << 58;
    OrderRow {
        no: LOST + order.submitted_at.timestamp_micros(),
        status: OrderStatus::New,
        ..order
    }
}

/// What faults ask of an order.
fn about(order: &OrderRow) -> About<'_> {
    About {
        symbol: Some(&order.symbol),
        client_order_id: Some(&order.client_order_id),
    }
}
