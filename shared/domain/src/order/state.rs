//! The order state machine: one table from (state, event) to state, the same picture as docs/order-lifecycle.md.
//!
//! What is stored is what the venue said, as a growing set of facts: acknowledged, the executions, the end and how
//! much had filled by then. The status follows from the set, so reports may come late, twice or in any order
//! (ORD-6). Our own wishes (cancel, replace) are columns of their own and only change what is *shown* (ORD-3).

use super::words::OrderStatus as S;
use crate::amount::{AmountError, Money, Price, Qty};
use rust_decimal::{Decimal, RoundingStrategy};
use strum::{Display, EnumString, IntoStaticStr};
use thiserror::Error;

/// How a venue ends an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum EndKind {
    /// Canceled: asked for, an IOC or FOK remainder, by the venue itself, or its key burnt.
    Canceled,
    /// Its time in force ran out.
    Expired,
    /// The venue refused it.
    Rejected,
    /// Another order took its place (ORD-8).
    Replaced,
}

impl EndKind {
    /// The status an order with this end shows.
    pub const fn status(self) -> S {
        match self {
            Self::Canceled => S::Canceled,
            Self::Expired => S::Expired,
            Self::Rejected => S::Rejected,
            Self::Replaced => S::Replaced,
        }
    }
}

/// One thing heard about an order. Executions are told apart by [`super::absorb`] before they come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderEvent {
    /// The submission's outcome is not known.
    InDoubt,
    /// The venue has the order.
    Acknowledged,
    /// `qty` shares traded at `price`.
    Filled {
        /// Shares of this execution.
        qty: Qty,
        /// Dollars a share.
        price: Price,
    },
    /// An execution of `qty` at `price` is taken back (ORD-12).
    Busted {
        /// Shares of the execution.
        qty: Qty,
        /// Dollars a share.
        price: Price,
    },
    /// A bust overtook its fill, which will now never be booked; its `qty` shares still count as heard of.
    BustedUnseen {
        /// Shares of the execution.
        qty: Qty,
    },
    /// The order is over after `filled` shares in all; fills up to that number may still be on their way.
    Ended {
        /// How it ended.
        why: EndKind,
        /// Shares filled by then, by the venue's count.
        filled: Qty,
    },
    /// The day is over for a multi-day order.
    DoneForDay,
    /// The order's quantity is now `qty` in all (a confirmed replace seen along its chain, ORD-8 and ORD-9).
    QtyReplaced {
        /// The new total quantity.
        qty: Qty,
    },
}

/// The words of the trade-update stream that a change gives rise to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum StreamEvent {
    /// Stored with its hold.
    Accepted,
    /// Submission in doubt.
    PendingNew,
    /// At the venue.
    New,
    /// One execution, more to come.
    PartialFill,
    /// The execution that completes the order.
    Fill,
    /// A cancel is asked for.
    PendingCancel,
    /// Ended `canceled`.
    Canceled,
    /// Ended `expired`.
    Expired,
    /// Ended `rejected`.
    Rejected,
    /// Ended `replaced`.
    Replaced,
    /// Its day is over.
    DoneForDay,
    /// The venue refused the cancel.
    OrderCancelRejected,
    /// An execution was taken back (Daybook's own word).
    TradeBust,
    /// The venue changed the order itself.
    Restated,
}

/// A report that no rule allows. Refuse it, keep the raw report, alert: it is a defect somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IllegalMove {
    /// The table has no cell for it.
    #[error("an order that is {status} cannot take {event:?}")]
    NoSuchMove {
        /// Where the order stands.
        status: S,
        /// What was reported.
        event: OrderEvent,
    },
    /// More shares than were ordered (ORD-2): firm suspense.
    #[error("fills of {filled} would exceed the ordered {ordered}")]
    OverFill {
        /// Shares ordered.
        ordered: Qty,
        /// Shares filled with this report.
        filled: Qty,
    },
    /// The numbers left the exact range.
    #[error(transparent)]
    Amount(#[from] AmountError),
}

/// Everything about an order that reports can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderState {
    /// Where it stands, wishes left aside.
    pub status: S,
    /// Shares asked for.
    pub ordered: Qty,
    /// Shares filled, busted executions left out (ORD-2).
    pub filled: Qty,
    /// Shares of executions the venue took back; with `filled` they make up what its own count at the end held.
    pub busted: Qty,
    /// Exact dollars of the live fills; the average price is this over `filled` (ORD-5).
    pub notional: Money,
    /// The venue's end and its count of filled shares, kept until those fills are here, and for ever after.
    pub end: Option<(EndKind, Qty)>,
    /// Whether the venue is known to have (had) the order.
    pub acknowledged: bool,
}

impl OrderState {
    /// A just accepted order for `ordered` shares.
    pub const fn accepted(ordered: Qty) -> Self {
        Self {
            status: S::Accepted,
            ordered,
            filled: Qty::ZERO,
            busted: Qty::ZERO,
            notional: Money::ZERO,
            end: None,
            acknowledged: false,
        }
    }

    /// Shares that can still trade; none once it is over (ORD-1).
    pub fn leaves(&self) -> Qty {
        if self.status.is_open() {
            self.ordered.minus(self.filled).unwrap_or(Qty::ZERO)
        } else {
            Qty::ZERO
        }
    }

    /// Dollars a share over all live fills, to six decimals half-even for show; `None` before the first (ORD-5).
    pub fn average_price(&self) -> Option<Decimal> {
        let exact = self.notional.get().checked_div(self.filled.get())?;
        Some(
            exact
                .round_dp_with_strategy(6, RoundingStrategy::MidpointNearestEven)
                .normalize(),
        )
    }

    /// The table. Gives the order as it then is, and the stream's words for the change, in order; none for a
    /// report that changes nothing.
    ///
    /// # Errors
    /// [`IllegalMove`]: set the report aside, never guess.
    pub fn after(self, event: OrderEvent) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        use OrderEvent as E;
        match (self.status, event) {
            (S::Accepted, E::InDoubt) => Ok((
                Self {
                    status: S::PendingNew,
                    ..self
                },
                vec![StreamEvent::PendingNew],
            )),
            (_, E::InDoubt) => Ok((self, vec![])),
            (S::Accepted | S::PendingNew, E::Acknowledged) => Ok(self.acknowledged()),
            // A late acknowledgement never moves an order back (ORD-7).
            (_, E::Acknowledged) => Ok((
                Self {
                    acknowledged: true,
                    ..self
                },
                vec![],
            )),
            // A fill on a rejected order is nobody's: firm suspense (REC-4).
            (S::Rejected, E::Filled { .. } | E::Busted { .. }) => Err(IllegalMove::NoSuchMove {
                status: self.status,
                event,
            }),
            (_, E::Filled { qty, price }) => self.with_fill(qty, price),
            (_, E::Busted { qty, price }) => self.without_fill(qty, price),
            (_, E::BustedUnseen { qty }) => self.without_unseen(qty),
            (_, E::Ended { why, filled }) => self.with_end(why, filled),
            (S::New | S::PartiallyFilled, E::DoneForDay) => Ok((
                Self {
                    status: S::DoneForDay,
                    ..self
                },
                vec![StreamEvent::DoneForDay],
            )),
            (S::DoneForDay, E::DoneForDay) => Ok((self, vec![])),
            (status, E::DoneForDay) => Err(IllegalMove::NoSuchMove { status, event }),
            (status, E::QtyReplaced { .. }) if self.end.is_some() => Err(IllegalMove::NoSuchMove { status, event }),
            (_, E::QtyReplaced { qty }) => Ok(self.with_quantity(qty)),
        }
    }

    fn acknowledged(self) -> (Self, Vec<StreamEvent>) {
        (
            Self {
                status: S::New,
                acknowledged: true,
                ..self
            },
            vec![StreamEvent::New],
        )
    }

    fn with_fill(self, qty: Qty, price: Price) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        let filled = self.filled.plus(qty)?;
        if filled > self.ordered {
            return Err(IllegalMove::OverFill {
                ordered: self.ordered,
                filled,
            });
        }
        let notional = self.notional.plus(price.notional(qty)?)?;
        let next = Self {
            filled,
            notional,
            acknowledged: true,
            ..self
        }
        .settled();
        let word = if next.status == S::Filled {
            StreamEvent::Fill
        } else {
            StreamEvent::PartialFill
        };
        let mut words = vec![word];
        words.extend(self.end_reached(&next));
        Ok((next, words))
    }

    fn without_fill(self, qty: Qty, price: Price) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        let filled = self.filled.minus(qty)?;
        let notional = self.notional.minus(price.notional(qty)?)?;
        let next = Self {
            filled,
            notional,
            busted: self.busted.plus(qty)?,
            ..self
        };
        Ok((next.settled(), vec![StreamEvent::TradeBust]))
    }

    fn without_unseen(self, qty: Qty) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        let next = Self {
            busted: self.busted.plus(qty)?,
            ..self
        }
        .settled();
        let words = self.end_reached(&next).into_iter().collect();
        Ok((next, words))
    }

    fn with_end(self, why: EndKind, filled: Qty) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        if self.end.is_some() {
            return Ok((self, vec![]));
        }
        if why == EndKind::Rejected && !self.filled.is_zero() {
            let event = OrderEvent::Ended { why, filled };
            return Err(IllegalMove::NoSuchMove {
                status: self.status,
                event,
            });
        }
        let next = Self {
            end: Some((why, filled)),
            ..self
        }
        .settled();
        let words = self.end_reached(&next).into_iter().collect();
        Ok((next, words))
    }

    fn with_quantity(self, qty: Qty) -> (Self, Vec<StreamEvent>) {
        // Fills overtook the replace: it means "cancel the rest", and filled beats canceled (ORD-9).
        let next = Self {
            ordered: qty.max(self.filled),
            ..self
        }
        .settled();
        (next, vec![StreamEvent::Restated])
    }

    /// The status the facts add up to. Filled beats every end; an end counts once its fills are here.
    fn settled(self) -> Self {
        let status = if self.filled == self.ordered {
            S::Filled
        } else if let Some((why, count)) = self.end
            && self.heard_of() >= count
        {
            why.status()
        } else if !self.filled.is_zero() {
            if self.status == S::DoneForDay {
                S::DoneForDay
            } else {
                S::PartiallyFilled
            }
        } else if self.acknowledged && !matches!(self.status, S::DoneForDay) {
            S::New
        } else {
            self.status
        };
        Self { status, ..self }
    }

    /// Shares of all executions reported so far, those taken back included.
    fn heard_of(&self) -> Qty {
        self.filled.plus(self.busted).unwrap_or(self.filled)
    }

    /// The stream's word for an end that `next` has and `self` had not.
    fn end_reached(&self, next: &Self) -> Option<StreamEvent> {
        if !self.status.is_open() || self.status == next.status {
            return None;
        }
        match next.status {
            S::Canceled => Some(StreamEvent::Canceled),
            S::Expired => Some(StreamEvent::Expired),
            S::Rejected => Some(StreamEvent::Rejected),
            S::Replaced => Some(StreamEvent::Replaced),
            _ => None,
        }
    }
}

/// What the customer or a job asked of an order and the venue has not settled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The customer asked to cancel.
    Cancel,
    /// A job asked to end it because its time is over; not shown as `pending_cancel`.
    Expire,
    /// The customer asked to replace it.
    Replace,
}

/// What readers see of an order's status.
pub struct Shown;

impl Shown {
    /// The status with the highest precedence (ORD-3); an end always wins over a wish.
    pub const fn status(stored: S, wish: Option<Wish>) -> S {
        match wish {
            Some(Wish::Cancel) if stored.is_open() => S::PendingCancel,
            Some(Wish::Replace) if stored.is_open() => S::PendingReplace,
            _ => stored,
        }
    }
}
