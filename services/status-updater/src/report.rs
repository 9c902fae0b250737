//! A venue report as it comes off the bus, turned into the domain's words once; nothing after it re-validates.

use domain::order::EndKind;
use domain::{AccountId, AmountError, ExecId, OrderId, Price, Qty, Side, Symbol, Timestamp, VenueOrderId};
use thiserror::Error;
use uuid::Uuid;
use wire::events::v1::{End, Fact, VenueReport};

/// Names reports that were set aside and fills: v5 ids are drawn under it, so a repeat meets itself.
const NAMESPACE: Uuid = Uuid::from_u128(0x2f6e_5b1c_77d2_5a40_8c8f_da7b_00c0_4e70);

/// A report with its numbers and names checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which venue.
    pub venue: String,
    /// The order it is about; nil when the venue's key is none of ours.
    pub order: OrderId,
    /// Whose order, as far as the sender knew.
    pub account: Option<AccountId>,
    /// What was heard.
    pub heard: Heard,
    /// When we heard it.
    pub received_at: Timestamp,
    /// Who says so, for the event's cause: `venue`, `executor`, `scheduler` or `reconciliation`.
    pub speaker: &'static str,
    /// The report as it came, should it have to be set aside.
    pub raw: String,
}

/// What was heard, in the domain's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Whether the venue has the order is not known.
    InDoubt,
    /// The venue has it.
    Acknowledged {
        /// Its name there.
        venue_order: Option<VenueOrderId>,
        /// When the venue took it.
        at: Timestamp,
    },
    /// An execution.
    Filled(Execution),
    /// An execution taken back.
    Busted(Execution),
    /// An execution that was for another quantity or price than it was told; told as it really was.
    Corrected(Execution),
    /// An execution for an order that is none of ours (LED-20).
    Unmatched {
        /// The execution.
        execution: Execution,
        /// Ticker.
        symbol: Symbol,
        /// Bought or sold.
        side: Side,
    },
    /// The order is over.
    Ended {
        /// How.
        why: EndKind,
        /// Shares filled by then, by the venue's count.
        filled: Qty,
        /// Why, for the customer.
        reason: Option<String>,
        /// When.
        at: Timestamp,
        /// The venue's name for the order that took its place, where it was replaced and that is known.
        replaced_by: Option<VenueOrderId>,
    },
    /// The venue shows it filled and works it no more.
    Completed {
        /// Shares filled by then, its own, by the venue's count.
        filled: Qty,
        /// When.
        at: Timestamp,
    },
    /// The venue refused the cancel.
    CancelRefused {
        /// Why.
        reason: String,
    },
    /// The venue will not put a replacement in the order's place.
    ReplaceRefused {
        /// The replacement.
        replacement: OrderId,
        /// Why.
        reason: String,
        /// Shares of the order that were filled by then, by the venue's count, where it is known.
        filled: Option<Qty>,
    },
    /// Its day is over, it trades again next session.
    DoneForDay,
    /// The next session began for it.
    Resumed,
}

impl Heard {
    /// Its name, for metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::InDoubt => "in_doubt",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Filled(_) => "filled",
            Self::Busted(_) => "busted",
            Self::Corrected(_) => "corrected",
            Self::Unmatched { .. } => "unmatched",
            Self::Ended { .. } => "ended",
            Self::Completed { .. } => "completed",
            Self::CancelRefused { .. } => "cancel_refused",
            Self::ReplaceRefused { .. } => "replace_refused",
            Self::DoneForDay => "done_for_day",
            Self::Resumed => "resumed",
        }
    }
}

/// One execution as the venue tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The venue's name for it; with the venue it identifies a fill (ORD-6).
    pub id: ExecId,
    /// The order's name at the venue, when it was told.
    pub venue_order: Option<VenueOrderId>,
    /// Shares.
    pub qty: Qty,
    /// Dollars a share.
    pub price: Price,
    /// When it happened, or was taken back.
    pub at: Timestamp,
}

/// A report whose numbers or names cannot be: set aside as it came.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unreadable {
    /// Not version 1 of a report: it may be a later version's, so it is no bad report.
    #[error("not a report of version 1: {0}")]
    Payload(String),
    /// A quantity or price that cannot be.
    #[error("{field} {value} {why}")]
    Number {
        /// Which.
        field: &'static str,
        /// What was there.
        value: String,
        /// What is wrong with it.
        why: AmountError,
    },
    /// A name that cannot be.
    #[error("{field} {value:?} is not a name")]
    Name {
        /// Which.
        field: &'static str,
        /// What was there.
        value: String,
    },
}

impl Report {
    /// Reads a payload of the bus.
    ///
    /// # Errors
    /// Not version 1 of a report, or [`Unreadable`].
    pub fn parse(raw: &str) -> Result<Self, Unreadable> {
        let wire: VenueReport = serde_json::from_str(raw).map_err(|e| Unreadable::Payload(e.to_string()))?;
        Self::read(&wire, raw)
    }

    /// Checks a report's numbers and names.
    ///
    /// # Errors
    /// [`Unreadable`]: the report cannot be booked, whatever else is known.
    pub fn read(wire: &VenueReport, raw: &str) -> Result<Self, Unreadable> {
        Ok(Self {
            venue: wire.venue.clone(),
            order: OrderId::new(wire.order_id),
            account: (!wire.account_id.is_nil()).then(|| AccountId::new(wire.account_id)),
            heard: heard(&wire.fact)?,
            received_at: wire.received_at,
            speaker: speaker(&wire.source),
            raw: raw.to_owned(),
        })
    }

    /// The same of the execution as if it had been told as a fill.
    #[must_use]
    pub fn as_fill(&self, execution: &Execution) -> Self {
        let told = serde_json::from_str(&self.raw).and_then(|wire: VenueReport| {
            let fact = Fact::Filled {
                exec_id: execution.id.to_string(),
                venue_order_id: String::new(),
                qty: execution.qty.get(),
                price: execution.price.get(),
                at: execution.at,
            };
            serde_json::to_string(&VenueReport { fact, ..wire })
        });
        Self {
            heard: Heard::Filled(execution.clone()),
            raw: told.unwrap_or_else(|_| self.raw.clone()),
            ..self.clone()
        }
    }

    /// The same occasion, of another order of the chain.
    #[must_use]
    pub fn about(&self, order: OrderId) -> Self {
        let (venue_order, at) = (None, self.received_at);
        Self {
            order,
            heard: Heard::Acknowledged { venue_order, at },
            ..self.clone()
        }
    }

    /// The order it ends and the venue's name for the one that took its place, if it tells of that.
    pub fn successor(&self) -> Option<(OrderId, VenueOrderId)> {
        match &self.heard {
            Heard::Ended {
                replaced_by: Some(name),
                ..
            } => Some((self.order, name.clone())),
            _ => None,
        }
    }

    /// The execution it tells of, if any.
    pub const fn execution(&self) -> Option<&Execution> {
        match &self.heard {
            Heard::Filled(execution)
            | Heard::Busted(execution)
            | Heard::Corrected(execution)
            | Heard::Unmatched { execution, .. } => Some(execution),
            _ => None,
        }
    }
}

/// The id a fill has in activities, always the same for one execution.
pub fn fill_id(venue: &str, exec: &ExecId) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("fill:{venue}:{exec}").as_bytes())
}

/// The id under which an execution (`fill`) or its bust (`bust`) is set aside.
pub fn aside_id(kind: &str, venue: &str, exec: &ExecId) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("aside:{kind}:{venue}:{exec}").as_bytes())
}

/// The id under which any other report is set aside: the same fact heard again, from anywhere, is the same report.
pub fn aside_id_of(report: &Report) -> Uuid {
    let Report {
        venue, order, heard, ..
    } = report;
    Uuid::new_v5(&NAMESPACE, format!("aside:report:{venue}:{order}:{heard:?}").as_bytes())
}

/// The id under which a report that cannot even be read is set aside.
pub fn aside_id_raw(raw: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("aside:raw:{raw}").as_bytes())
}

fn speaker(source: &str) -> &'static str {
    match source {
        "saga" | "never_sent" => "executor",
        "end_of_day" => "scheduler",
        "recon" => "reconciliation",
        _ => "venue",
    }
}

fn heard(fact: &Fact) -> Result<Heard, Unreadable> {
    Ok(match fact {
        Fact::InDoubt => Heard::InDoubt,
        Fact::Acknowledged { venue_order_id, at } => Heard::Acknowledged {
            venue_order: venue_order(venue_order_id),
            at: *at,
        },
        Fact::Filled {
            exec_id,
            venue_order_id,
            qty,
            price,
            at,
        } => Heard::Filled(execution(exec_id, venue_order_id, *qty, *price, *at)?),
        Fact::Busted {
            exec_id,
            qty,
            price,
            at,
        } => Heard::Busted(execution(exec_id, "", *qty, *price, *at)?),
        Fact::Corrected {
            exec_id,
            qty,
            price,
            at,
        } => Heard::Corrected(execution(exec_id, "", *qty, *price, *at)?),
        Fact::Unmatched {
            exec_id,
            venue_order_id,
            symbol,
            side,
            qty,
            price,
            at,
        } => Heard::Unmatched {
            execution: execution(exec_id, venue_order_id, *qty, *price, *at)?,
            symbol: Symbol::parse(symbol).ok_or_else(|| name("symbol", symbol))?,
            side: side.parse().map_err(|_| name("side", side))?,
        },
        Fact::Ended {
            end,
            filled_qty,
            reason,
            at,
            replaced_by,
        } => Heard::Ended {
            why: end_kind(*end),
            filled: count(*filled_qty)?,
            reason: reason.clone(),
            at: *at,
            replaced_by: replaced_by.as_deref().and_then(venue_order),
        },
        Fact::Completed { filled_qty, at } => Heard::Completed {
            filled: count(*filled_qty)?,
            at: *at,
        },
        Fact::CancelRefused { reason } => Heard::CancelRefused { reason: reason.clone() },
        Fact::ReplaceRefused {
            replacement_id,
            reason,
            filled_qty,
        } => Heard::ReplaceRefused {
            replacement: OrderId::new(*replacement_id),
            reason: reason.clone(),
            filled: filled_qty.map(count).transpose()?,
        },
        Fact::DoneForDay => Heard::DoneForDay,
        Fact::Resumed => Heard::Resumed,
    })
}

fn execution(
    id: &str,
    order_there: &str,
    qty: rust_decimal::Decimal,
    price: rust_decimal::Decimal,
    at: Timestamp,
) -> Result<Execution, Unreadable> {
    let shares = Qty::new(qty).map_err(|why| number("qty", &qty, why))?;
    if shares.is_zero() {
        return Err(number("qty", &qty, AmountError::NotPositive));
    }
    Ok(Execution {
        id: ExecId::new(id).map_err(|_| name("exec_id", id))?,
        venue_order: venue_order(order_there),
        qty: shares,
        price: Price::new(price).map_err(|why| number("price", &price, why))?,
        at,
    })
}

/// Shares filled, by the venue's count.
fn count(shares: rust_decimal::Decimal) -> Result<Qty, Unreadable> {
    Qty::new(shares).map_err(|why| number("filled_qty", &shares, why))
}

/// The order's name at the venue is a convenience, so one that cannot be read is left out.
fn venue_order(text: &str) -> Option<VenueOrderId> {
    VenueOrderId::new(text).ok()
}

const fn end_kind(end: End) -> EndKind {
    match end {
        End::Canceled => EndKind::Canceled,
        End::Expired => EndKind::Expired,
        End::Rejected => EndKind::Rejected,
        End::Replaced => EndKind::Replaced,
    }
}

fn number(field: &'static str, value: &impl ToString, why: AmountError) -> Unreadable {
    Unreadable::Number {
        field,
        value: value.to_string(),
        why,
    }
}

fn name(field: &'static str, value: &str) -> Unreadable {
    Unreadable::Name {
        field,
        value: value.chars().take(40).collect(),
    }
}
