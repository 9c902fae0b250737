//! All books, the market maker and the session: commands in, [`CoreEvent`]s out.
//!
//! The market maker quotes both sides of each symbol around its walk, with a few shares each. Every tick it takes its
//! old quotes away and sets new ones; where a new quote crosses customers' orders it trades with them at its own
//! price, as wholesalers do: an order left at a generous limit pays what the market asks, not what it would have paid
//! at worst. A large order so fills in parts, over several ticks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{Side, TimeInForce, Timestamp};

use super::book::{Book, Level, Match, Owner, RestingId};
use super::{Listing, OrderNo, Shares, SymbolIx, Ticks, Walk};

/// A customer's order as it comes in.
#[derive(Debug, Clone, Copy)]
pub struct NewOrder {
    /// Its number; larger than all before, so that it is its priority too.
    pub no: OrderNo,
    /// What to trade.
    pub symbol: SymbolIx,
    /// Buy or sell.
    pub side: Side,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// The worst price a share may trade at.
    pub limit: Ticks,
    /// Shares to trade; for an order that is restored, or takes another one's place, those that are left.
    pub qty: Shares,
    /// When it ends by itself, if it does.
    pub expires_at: Option<Timestamp>,
}

/// What happened to a customer's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoreEvent {
    /// It works now: `new`.
    Opened(OrderNo),
    /// It waits for the session: `accepted`.
    Parked(OrderNo),
    /// Shares changed hands.
    Traded {
        /// The order.
        order: OrderNo,
        /// At the resting order's price.
        price: Ticks,
        /// How many.
        qty: Shares,
        /// Shares of the order that are left.
        leaves: Shares,
    },
    /// It is over before all of it traded.
    Ended(OrderNo, End),
    /// Another order took its place.
    Replaced {
        /// The order that is over.
        old: OrderNo,
        /// The order that goes on.
        by: OrderNo,
        /// Whether it has the old one's place in the queue, too.
        in_its_place: bool,
    },
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// On wish, or nothing to trade with at once (IOC, FOK).
    Canceled,
    /// Its session is over.
    Expired,
}

/// The order is not open (any more).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotOpen;

/// The best prices of a symbol. Sizes are whole shares: parts of one are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Highest price somebody pays, or would if there were shares left.
    pub bid: Ticks,
    /// Shares wanted at it; 0 until the market maker quotes again.
    pub bid_size: i64,
    /// Lowest price somebody sells at.
    pub ask: Ticks,
    /// Shares offered at it.
    pub ask_size: i64,
    /// Price of the last trade, at first where the walk starts.
    pub last: Ticks,
}

/// A price set by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuoteSetting {
    /// The market maker's bid.
    pub bid: Ticks,
    /// Its ask, above the bid.
    pub ask: Ticks,
    /// Shares at the bid; drawn when absent, none for 0.
    pub bid_size: Option<i64>,
    /// Shares at the ask.
    pub ask_size: Option<i64>,
    /// Whether ticks repeat this quote; else the walk goes on from its middle.
    pub pin: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct OpenOrder {
    pub(super) symbol: SymbolIx,
    pub(super) limit: Ticks,
    pub(super) time_in_force: TimeInForce,
    pub(super) leaves: Shares,
    expires_at: Option<Timestamp>,
    /// Its place on the book; none while it waits for the session.
    pub(super) resting: Option<RestingId>,
}

/// What the market maker shows on one side.
#[derive(Debug, Clone, Copy)]
struct MakerQuote {
    id: RestingId,
    price: Ticks,
    left: Shares,
}

#[derive(Debug)]
pub(super) struct Stall {
    pub(super) book: Book,
    walk: Walk,
    pinned: Option<QuoteSetting>,
    shown: QuoteSetting,
    quotes: [Option<MakerQuote>; 2],
    last: Ticks,
    /// Orders are taken and canceled, nothing trades.
    halted: bool,
}

/// The whole market, in memory.
#[derive(Debug)]
pub struct Market {
    pub(super) stalls: Vec<Stall>,
    pub(super) open: HashMap<OrderNo, OpenOrder>,
    parked: BTreeMap<OrderNo, NewOrder>,
    expiries: BTreeSet<(Timestamp, OrderNo)>,
    largest_quote: i64,
    in_session: bool,
    /// Some of those that waited for the session are still to be released: whoever comes now stands behind them.
    lining_up: bool,
}

impl Market {
    /// Empty books, in session, without quotes until the first tick.
    pub fn new(listings: &[Listing], seed: u64, largest_quote: i64) -> Self {
        let stalls = listings.iter().map(|listing| Stall::new(listing, seed)).collect();
        let largest_quote = largest_quote.max(1);
        Self {
            stalls,
            open: HashMap::new(),
            parked: BTreeMap::new(),
            expiries: BTreeSet::new(),
            largest_quote,
            in_session: true,
            lining_up: false,
        }
    }

    /// Takes an order. `fok` trades all or nothing, `ioc` what it can; the others rest. Without a session, or in a
    /// halt, day and gtc orders wait for it, the immediate ones are canceled. While those that waited are released,
    /// everybody stands behind them.
    pub fn submit(&mut self, order: NewOrder) -> Vec<CoreEvent> {
        let mut events = Vec::new();
        let immediate = matches!(order.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let trades = self.in_session && !self.stalls[order.symbol.0].halted;
        if trades && !self.lining_up {
            events.push(CoreEvent::Opened(order.no));
            self.trade(order, &mut events);
        } else if immediate && !trades {
            events.push(CoreEvent::Ended(order.no, End::Canceled));
        } else {
            events.push(CoreEvent::Parked(order.no));
            self.keep(&order, order.qty, None);
            self.parked.insert(order.no, order);
        }
        events
    }

    /// Puts back an order that was open when the exchange stopped. Call in the order of their priority, before the
    /// first tick: it is kept, and orders that rested before do not cross.
    pub fn restore(&mut self, order: NewOrder, parked: bool) {
        if parked {
            self.keep(&order, order.qty, None);
            self.parked.insert(order.no, order);
        } else {
            self.rest(&order, order.qty);
        }
    }

    /// Takes an order off the book.
    ///
    /// # Errors
    /// [`NotOpen`] when it has ended or never was.
    pub fn cancel(&mut self, no: OrderNo) -> Result<Vec<CoreEvent>, NotOpen> {
        self.forget(no).ok_or(NotOpen)?;
        Ok(vec![CoreEvent::Ended(no, End::Canceled)])
    }

    /// One tick of the market at `now`: ends what is due, opens or closes the session, walks and quotes.
    pub fn tick(&mut self, now: Timestamp, in_session: bool) -> Vec<CoreEvent> {
        self.round(now, in_session, usize::MAX).0
    }

    /// A tick that ends or releases no more than `most` orders; true when there are more to come. Nothing trades
    /// before all that is due has ended, and no quote moves before all that waited are on the book.
    pub fn round(&mut self, due: Timestamp, in_session: bool, most: usize) -> (Vec<CoreEvent>, bool) {
        let mut events = Vec::new();
        let more_due = self.expire(due, most, &mut events);
        self.in_session = in_session && !more_due;
        if !self.in_session {
            return (events, more_due);
        }
        self.lining_up = self.release_parked(most.saturating_sub(events.len()), &mut events);
        if !self.lining_up {
            for symbol in 0..self.stalls.len() {
                self.stalls[symbol].step();
                self.requote(SymbolIx(symbol), &mut events);
            }
        }
        (events, self.lining_up)
    }

    /// Halts a symbol, or lifts its halt.
    pub fn set_halted(&mut self, symbol: SymbolIx, halted: bool) {
        let was = std::mem::replace(&mut self.stalls[symbol.0].halted, halted);
        // Who comes before the next tick releases those that waited stands behind them.
        self.lining_up |= was && !halted && !self.parked.is_empty();
    }

    /// Some shares of an order on the book traded elsewhere, as in a closing auction: `qty` are left, and go behind those
    /// of their price.
    ///
    /// # Errors
    /// [`NotOpen`] when the order is not on the book.
    pub fn shrink(&mut self, order: NewOrder) -> Result<(), NotOpen> {
        if self.parked.contains_key(&order.no) {
            return Err(NotOpen);
        }
        self.forget(order.no).ok_or(NotOpen)?;
        if order.qty > Shares::ZERO {
            self.rest(&order, order.qty);
        }
        Ok(())
    }

    /// Sets a symbol's quote by hand and trades what it crosses.
    pub fn set_quote(&mut self, symbol: SymbolIx, setting: QuoteSetting) -> Vec<CoreEvent> {
        let mut events = Vec::new();
        let stall = &mut self.stalls[symbol.0];
        stall.walk.set_mid(i64::midpoint(setting.bid.0, setting.ask.0));
        stall.pinned = setting.pin.then_some(setting);
        stall.shown = setting;
        if self.in_session {
            self.requote(symbol, &mut events);
        } else {
            self.stalls[symbol.0].withdraw();
        }
        events
    }

    /// Whether the session is on.
    pub fn in_session(&self) -> bool {
        self.in_session
    }

    /// Opens or closes the session without a tick: how a restart finds it.
    pub fn set_session(&mut self, in_session: bool) {
        self.in_session = in_session;
    }

    /// Shares of an open order that are left; `None` when it is not open.
    pub fn leaves(&self, no: OrderNo) -> Option<Shares> {
        self.open.get(&no).map(|order| order.leaves)
    }

    /// The best prices of a symbol, customers' orders included.
    pub fn quote(&self, symbol: SymbolIx) -> Quote {
        let stall = &self.stalls[symbol.0];
        let nothing = |price| Level {
            price,
            qty: Shares::ZERO,
        };
        let bid = stall.book.best(Side::Buy).unwrap_or_else(|| nothing(stall.shown.bid));
        let ask = stall.book.best(Side::Sell).unwrap_or_else(|| nothing(stall.shown.ask));
        Quote {
            bid: bid.price,
            bid_size: bid.qty.floor(),
            ask: ask.price,
            ask_size: ask.qty.floor(),
            last: stall.last,
        }
    }

    /// Every symbol's walk, in the order of the list, to be saved now and then.
    pub fn walks(&self) -> impl Iterator<Item = Walk> + '_ {
        self.stalls.iter().map(|stall| stall.walk)
    }

    /// Goes on where a saved walk stopped.
    pub fn resume_walk(&mut self, symbol: SymbolIx, mid: Ticks, state: u64) {
        let stall = &mut self.stalls[symbol.0];
        stall.walk = stall.walk.resumed(mid, state);
        stall.last = mid;
        stall.shown = around(&stall.walk);
    }

    fn trade(&mut self, order: NewOrder, events: &mut Vec<CoreEvent>) {
        let book = &mut self.stalls[order.symbol.0].book;
        let short =
            order.time_in_force == TimeInForce::Fok && book.available(order.side, order.limit, order.qty) < order.qty;
        let matches = if short {
            Vec::new()
        } else {
            book.take(order.side, order.limit, order.qty)
        };
        let mut leaves = order.qty;
        for found in matches {
            leaves -= found.qty;
            events.push(CoreEvent::Traded {
                order: order.no,
                price: found.price,
                qty: found.qty,
                leaves,
            });
            self.maker_traded(order.symbol, found, events);
        }
        match order.time_in_force {
            _ if leaves == Shares::ZERO => {}
            TimeInForce::Ioc | TimeInForce::Fok => events.push(CoreEvent::Ended(order.no, End::Canceled)),
            TimeInForce::Day | TimeInForce::Gtc => self.rest(&order, leaves),
        }
    }

    fn rest(&mut self, order: &NewOrder, leaves: Shares) {
        let book = &mut self.stalls[order.symbol.0].book;
        let id = book.rest(Owner::Customer(order.no), order.side, order.limit, leaves);
        self.keep(order, leaves, Some(id));
    }

    pub(super) fn keep(&mut self, order: &NewOrder, leaves: Shares, resting: Option<RestingId>) {
        let NewOrder {
            symbol,
            limit,
            time_in_force,
            expires_at,
            ..
        } = *order;
        self.open.insert(
            order.no,
            OpenOrder {
                symbol,
                limit,
                time_in_force,
                leaves,
                expires_at,
                resting,
            },
        );
        if let Some(at) = expires_at {
            self.expiries.insert((at, order.no));
        }
    }

    fn forget(&mut self, no: OrderNo) -> Option<OpenOrder> {
        let order = self.drop_entry(no)?;
        if let Some(id) = order.resting {
            self.stalls[order.symbol.0].book.remove(id);
        }
        Some(order)
    }

    /// Strikes an order from the lists; its place on the book stays.
    pub(super) fn drop_entry(&mut self, no: OrderNo) -> Option<OpenOrder> {
        let order = self.open.remove(&no)?;
        self.parked.remove(&no);
        if let Some(at) = order.expires_at {
            self.expiries.remove(&(at, no));
        }
        Some(order)
    }

    /// The resting side of a match; nothing to tell when that is the market maker.
    fn maker_traded(&mut self, symbol: SymbolIx, found: Match, events: &mut Vec<CoreEvent>) {
        let stall = &mut self.stalls[symbol.0];
        stall.last = found.price;
        let no = match found.maker {
            Owner::Customer(no) => no,
            Owner::Maker(side) => return stall.take_from_quote(side, found.qty),
        };
        events.extend(self.fill(no, found.price, found.qty));
    }

    /// Shares of an open order traded.
    fn fill(&mut self, no: OrderNo, price: Ticks, qty: Shares) -> Option<CoreEvent> {
        let order = self.open.get_mut(&no)?;
        order.leaves -= qty;
        let leaves = order.leaves;
        if leaves == Shares::ZERO {
            self.forget(no);
        }
        Some(CoreEvent::Traded {
            order: no,
            price,
            qty,
            leaves,
        })
    }

    /// Ends what is due, `most` at most; true when more is.
    fn expire(&mut self, due: Timestamp, most: usize, events: &mut Vec<CoreEvent>) -> bool {
        while let Some(&(at, no)) = self.expiries.first()
            && at <= due
        {
            if events.len() >= most {
                return true;
            }
            self.forget(no);
            self.expiries.remove(&(at, no));
            events.push(CoreEvent::Ended(no, End::Expired));
        }
        false
    }

    /// Releases those that waited and may trade, `most` at most; true when there are more.
    fn release_parked(&mut self, most: usize, events: &mut Vec<CoreEvent>) -> bool {
        let may_trade = |order: &&NewOrder| !self.stalls[order.symbol.0].halted;
        let mut first: Vec<NewOrder> = self
            .parked
            .values()
            .filter(may_trade)
            .take(most.saturating_add(1))
            .copied()
            .collect();
        let more = first.len() > most;
        first.truncate(most);
        for order in first {
            self.forget(order.no);
            events.push(CoreEvent::Opened(order.no));
            self.trade(order, events);
        }
        more
    }

    /// Sets the market maker's quotes anew, trading with what they cross. A quote that is to stay as it is keeps its
    /// place in the queue. In a halt there are none.
    fn requote(&mut self, symbol: SymbolIx, events: &mut Vec<CoreEvent>) {
        let stall = &mut self.stalls[symbol.0];
        // Drawn in a halt, too, so that the walk does not depend on it.
        let sizes = stall.sizes(self.largest_quote);
        if stall.halted {
            return stall.withdraw();
        }
        let prices = [stall.shown.bid, stall.shown.ask];
        let changed = [0, 1].map(|place| stall.withdraw_unless(place, prices[place], sizes[place]));
        for (place, side) in [Side::Buy, Side::Sell].into_iter().enumerate() {
            if changed[place] {
                self.quote_side(symbol, side, prices[place], sizes[place], events);
            }
        }
    }

    fn quote_side(&mut self, symbol: SymbolIx, side: Side, price: Ticks, size: Shares, events: &mut Vec<CoreEvent>) {
        let mut left = size;
        for found in self.stalls[symbol.0].book.take(side, price, size) {
            left -= found.qty;
            self.maker_traded(symbol, Match { price, ..found }, events);
        }
        let stall = &mut self.stalls[symbol.0];
        // Shares are left only when nothing crosses any more.
        if left > Shares::ZERO {
            let id = stall.book.rest(Owner::Maker(side), side, price, left);
            stall.quotes[place(side)] = Some(MakerQuote { id, price, left });
        }
    }
}

/// Bids first.
fn place(side: Side) -> usize {
    usize::from(side == Side::Sell)
}

impl Stall {
    fn new(listing: &Listing, seed: u64) -> Self {
        let walk = Walk::new(listing.start, seed, &listing.symbol);
        let shown = around(&walk);
        Self {
            book: Book::new(&listing.symbol),
            walk,
            pinned: None,
            shown,
            quotes: [None, None],
            last: listing.start,
            halted: false,
        }
    }

    fn step(&mut self) {
        self.walk.step();
        self.shown = self.pinned.unwrap_or_else(|| around(&self.walk));
    }

    /// Takes a quote away, unless it stands at this price with this many shares; true when it has to be set anew.
    fn withdraw_unless(&mut self, place: usize, price: Ticks, size: Shares) -> bool {
        let quote = self.quotes[place];
        if quote.is_some_and(|quote| quote.price == price && quote.left == size) {
            return false;
        }
        if let Some(quote) = self.quotes[place].take() {
            self.book.remove(quote.id);
        }
        true
    }

    /// Takes both quotes away.
    fn withdraw(&mut self) {
        for quote in &mut self.quotes {
            if let Some(quote) = quote.take() {
                self.book.remove(quote.id);
            }
        }
    }

    fn take_from_quote(&mut self, side: Side, qty: Shares) {
        if let Some(quote) = &mut self.quotes[place(side)] {
            quote.left -= qty;
        }
    }

    /// Sizes of bid and ask, in whole shares: as set, else drawn. Both are drawn always, so that the walk does not
    /// depend on settings.
    fn sizes(&mut self, largest: i64) -> [Shares; 2] {
        let [bid, ask] =
            std::array::from_fn(|_| 1 + i64::try_from(self.walk.dice.below(largest.unsigned_abs())).unwrap_or(0));
        [self.shown.bid_size.unwrap_or(bid), self.shown.ask_size.unwrap_or(ask)].map(Shares::whole)
    }
}

/// The market maker's prices around a walk's mid.
fn around(walk: &Walk) -> QuoteSetting {
    let half = walk.half_spread();
    let (bid, ask) = (Ticks(walk.mid.0 - half), Ticks(walk.mid.0 + half));
    QuoteSetting {
        bid,
        ask,
        bid_size: None,
        ask_size: None,
        pin: false,
    }
}
