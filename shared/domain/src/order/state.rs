//! The order state machine: one table from (state, event) to state, the same picture as docs/order-lifecycle.md.
//!
//! What is stored is what the venue said, as a growing set of facts: acknowledged, the executions, the end and how
//! much had filled by then. The status follows from the set, so reports may come late, twice or in any order
//! (ORD-6). Our own wishes (cancel, replace) are columns of their own and only change what is *shown* (ORD-3).
//! The one thing that needs the caller's memory is a fill that finds no room: see [`IllegalMove::OverFill`].

use super::words::OrderStatus as S;
use crate::amount::{AmountError, Money, Price, Qty};
use rust_decimal::{Decimal, RoundingStrategy};
use strum::{Display, EnumString, IntoStaticStr, VariantNames};
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
    /// An execution was not what it was told to be: `qty` shares at `price`, in place of what was booked (ORD-12).
    Corrected {
        /// Shares as they were booked.
        from_qty: Qty,
        /// Dollars a share as they were booked.
        from_price: Price,
        /// Shares as they are.
        qty: Qty,
        /// Dollars a share as they are.
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
    /// The next session has begun for an order that was done for the day.
    Resumed,
    /// The order's quantity is now `qty` in all (a confirmed replace seen along its chain, ORD-8 and ORD-9).
    QtyReplaced {
        /// The new total quantity.
        qty: Qty,
    },
    /// The order it replaces gave way: this one works the rest (ORD-8).
    TookOver {
        /// Shares that were filled along the chain by then.
        carried: Qty,
    },
}

/// The words of the trade-update stream that a change gives rise to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display, EnumString, IntoStaticStr, VariantNames)]
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
    /// The order is complete: by this execution, or, where fills overtook a replace, by what there is (ORD-9).
    Fill,
    /// A cancel is asked for.
    PendingCancel,
    /// A replace is asked for.
    PendingReplace,
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
    /// The venue refused the replace.
    OrderReplaceRejected,
    /// An execution was taken back (Daybook's own word).
    TradeBust,
    /// An execution's quantity or price was corrected (Daybook's own word).
    TradeCorrect,
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
    /// More shares than were ordered (ORD-2): firm suspense, and the order stays as it was.
    ///
    /// A fill can also come before the bust, or the larger quantity, that makes room for it. So the caller keeps the
    /// execution aside, still unknown to [`super::absorb`], and offers it again after the order's next
    /// [`OrderEvent::Busted`], [`OrderEvent::BustedUnseen`] or [`OrderEvent::QtyReplaced`]; a bust of the execution
    /// itself drops it. Then the order ends the same whatever came first (ORD-6).
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
    /// Shares asked for, those that the orders it replaced had filled included.
    pub ordered: Qty,
    /// Shares that the orders it replaced had filled when it took over (ORD-8); they count towards `ordered`.
    pub carried: Qty,
    /// Shares filled, busted executions left out (ORD-2): its own, executed on this order at the venue.
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
            carried: Qty::ZERO,
            filled: Qty::ZERO,
            busted: Qty::ZERO,
            notional: Money::ZERO,
            end: None,
            acknowledged: false,
        }
    }

    /// A just asked for replacement of `ordered` shares in all; the order it replaces still has its place.
    pub const fn replacement(ordered: Qty) -> Self {
        Self {
            status: S::PendingNew,
            ..Self::accepted(ordered)
        }
    }

    /// Shares that can still trade; none once it is over (ORD-1).
    pub fn leaves(&self) -> Qty {
        if self.status.is_open() { self.room() } else { Qty::ZERO }
    }

    /// Shares filled along its chain: what makes up `ordered` (ORD-1, ORD-8).
    pub fn cumulative(&self) -> Qty {
        self.carried.plus(self.filled).unwrap_or(self.filled)
    }

    /// Shares that neither it nor the orders before it have filled.
    fn room(&self) -> Qty {
        self.ordered.minus(self.cumulative()).unwrap_or(Qty::ZERO)
    }

    /// Dollars a share over all live fills; `None` before the first.
    pub fn average_price(&self) -> Option<Decimal> {
        average_price(self.notional, self.filled)
    }

    /// The table. Gives the order as it then is, and the stream's words for the change, in order; none for a
    /// report that changes nothing.
    ///
    /// # Errors
    /// [`IllegalMove`]: set the report aside, never guess.
    pub fn after(self, event: OrderEvent) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        use OrderEvent as E;
        match (self.status, event) {
            (S::Accepted, E::InDoubt) => Ok(self.moved_to(S::PendingNew, StreamEvent::PendingNew)),
            (_, E::InDoubt) => Ok((self, vec![])),
            (S::Accepted | S::PendingNew, E::Acknowledged) => Ok(self.seen().moved_to(S::New, StreamEvent::New)),
            // A late acknowledgement never moves an order back (ORD-7).
            (_, E::Acknowledged) => Ok((self.seen(), vec![])),
            // A fill on a rejected order is nobody's: firm suspense (REC-4).
            (S::Rejected, E::Filled { .. } | E::Busted { .. } | E::Corrected { .. }) => self.refuse(event),
            (_, E::Filled { qty, price }) => self.with_fill(qty, price),
            (_, E::Busted { qty, price }) => self.without_fill(qty, price),
            (
                _,
                E::Corrected {
                    from_qty,
                    from_price,
                    qty,
                    price,
                },
            ) => self.with_other_fill((from_qty, from_price), (qty, price)),
            (_, E::BustedUnseen { qty }) => self.without_unseen(qty),
            (_, E::Ended { why, filled }) => self.with_end(why, filled),
            (S::New | S::PartiallyFilled, E::DoneForDay) => Ok(self.moved_to(S::DoneForDay, StreamEvent::DoneForDay)),
            (S::Accepted | S::PendingNew | S::Rejected, E::DoneForDay) => self.refuse(event),
            // Said already, or overtaken by the print or the end that came after it.
            (_, E::DoneForDay) => Ok((self, vec![])),
            (S::DoneForDay, E::Resumed) if self.filled.is_zero() => Ok(self.moved_to(S::New, StreamEvent::Restated)),
            (S::DoneForDay, E::Resumed) => Ok(self.moved_to(S::PartiallyFilled, StreamEvent::Restated)),
            (_, E::Resumed) => Ok((self, vec![])),
            (_, E::QtyReplaced { qty }) => self.with_quantity(qty),
            (_, E::TookOver { carried }) => self.in_place_of(carried),
        }
    }

    fn moved_to(self, status: S, word: StreamEvent) -> (Self, Vec<StreamEvent>) {
        (Self { status, ..self }, vec![word])
    }

    fn seen(self) -> Self {
        let acknowledged = true;
        Self { acknowledged, ..self }
    }

    fn refuse<T>(self, event: OrderEvent) -> Result<T, IllegalMove> {
        let status = self.status;
        Err(IllegalMove::NoSuchMove { status, event })
    }

    fn with_fill(self, qty: Qty, price: Price) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        let filled = self.filled.plus(qty)?;
        self.fits(filled)?;
        let notional = self.notional.plus(price.notional(qty)?)?;
        let next = Self {
            filled,
            notional,
            acknowledged: true,
            ..self
        }
        .settled();
        let mut words = vec![if next.is_whole() {
            StreamEvent::Fill
        } else {
            StreamEvent::PartialFill
        }];
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

    /// One change, not a bust and a fill: the shares were never taken back, so nothing counts as busted.
    fn with_other_fill(self, was: (Qty, Price), is: (Qty, Price)) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        let filled = self.filled.minus(was.0)?.plus(is.0)?;
        self.fits(filled)?;
        let notional = self
            .notional
            .minus(was.1.notional(was.0)?)?
            .plus(is.1.notional(is.0)?)?;
        // The venue's count at the end was of the fills as it then told them; it must not wait for shares that never were.
        let fewer = was.0.minus(is.0).unwrap_or(Qty::ZERO);
        let end = self
            .end
            .map(|(why, count)| (why, count.minus(fewer).unwrap_or(Qty::ZERO)));
        let next = Self {
            filled,
            notional,
            end,
            ..self
        }
        .settled();
        Ok((next, vec![StreamEvent::TradeCorrect]))
    }

    fn without_unseen(self, qty: Qty) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        // What traded was at the venue, even if it was taken back since.
        let next = Self {
            busted: self.busted.plus(qty)?,
            acknowledged: true,
            ..self
        }
        .settled();
        let began = self.status != next.status && next.status == S::New;
        let mut words = if began { vec![StreamEvent::New] } else { vec![] };
        words.extend(self.end_reached(&next));
        Ok((next, words))
    }

    fn with_end(self, why: EndKind, filled: Qty) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        if self.end.is_some() {
            return Ok((self, vec![]));
        }
        // What has traded, or has had its day, was not refused.
        let began = !self.filled.is_zero() || !filled.is_zero() || self.status == S::DoneForDay;
        // What has filled leaves nothing to replace (ORD-8).
        let whole = self.carried.plus(filled)? >= self.ordered;
        if (why == EndKind::Rejected && began) || (why == EndKind::Replaced && whole) {
            return self.refuse(OrderEvent::Ended { why, filled });
        }
        // A count that cannot be reached would keep the order open, and its hold, for ever.
        self.fits(filled)?;
        let next = Self {
            end: Some((why, filled)),
            ..self
        }
        .settled();
        let words = self.end_reached(&next).into_iter().collect();
        Ok((next, words))
    }

    fn with_quantity(self, qty: Qty) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        // Fills overtook the replace: it means "cancel the rest", and filled beats canceled (ORD-9).
        let ordered = qty.max(self.cumulative());
        if self.end.is_some() || ordered.is_zero() {
            return self.refuse(OrderEvent::QtyReplaced { qty });
        }
        let next = Self { ordered, ..self }.settled();
        // Filled without a trade: readers wait for the word that says so.
        let word = if next.is_whole() {
            StreamEvent::Fill
        } else {
            StreamEvent::Restated
        };
        Ok((next, vec![word]))
    }

    /// From here on it is in the place of the order it replaces. Fills that overtook the replace leave it nothing to do:
    /// it is filled with what there is (ORD-9).
    fn in_place_of(self, carried: Qty) -> Result<(Self, Vec<StreamEvent>), IllegalMove> {
        // Told again; what was carried over does not change any more.
        if !self.carried.is_zero() {
            return Ok((self, vec![]));
        }
        let ordered = self.ordered.max(carried.plus(self.filled)?);
        let next = Self {
            ordered,
            carried,
            acknowledged: true,
            ..self
        };
        let unannounced = matches!(self.status, S::Accepted | S::PendingNew);
        let next = next.settled();
        let mut words = if unannounced { vec![StreamEvent::New] } else { vec![] };
        if next.is_whole() && self.status.is_open() {
            words.push(StreamEvent::Fill);
        } else {
            words.extend(self.end_reached(&next));
        }
        Ok((next, words))
    }

    /// Whether so many fills of its own find room (ORD-2).
    fn fits(&self, filled: Qty) -> Result<(), IllegalMove> {
        let (ordered, filled) = (self.ordered, self.carried.plus(filled)?);
        if filled > ordered {
            Err(IllegalMove::OverFill { ordered, filled })
        } else {
            Ok(())
        }
    }

    fn is_whole(&self) -> bool {
        self.cumulative() == self.ordered
    }

    /// The status the facts add up to. An end counts once its fills are here; filled beats every end but one: an
    /// order that was replaced stays so when a late fill completes it, since its successor has its place (ORD-8).
    fn settled(self) -> Self {
        let status = if self.end_counts() && matches!(self.end, Some((EndKind::Replaced, _))) {
            S::Replaced
        } else if self.is_whole() {
            S::Filled
        } else if let Some((why, _)) = self.end
            && self.end_counts()
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

    /// Whether every fill that the venue counted at the end is here. Busted shares count as heard of, because the
    /// venue's count may be from before the bust; so an end can come early after a bust, but never waits for ever.
    fn end_counts(&self) -> bool {
        let heard_of = self.filled.plus(self.busted).unwrap_or(self.filled);
        self.end.is_some_and(|(_, count)| heard_of >= count)
    }

    /// The stream's word for an end that `next` has and `self` had not.
    fn end_reached(&self, next: &Self) -> Option<StreamEvent> {
        if self.status == next.status {
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

/// Dollars a share that these fills came to, to six decimals half-even for show; `None` without fills (ORD-5).
pub fn average_price(notional: Money, filled: Qty) -> Option<Decimal> {
    let exact = notional.get().checked_div(filled.get())?;
    Some(
        exact
            .round_dp_with_strategy(6, RoundingStrategy::MidpointNearestEven)
            .normalize(),
    )
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
