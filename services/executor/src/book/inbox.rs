//! What the bus asks for: orders to send, in another one's place or not, and wishes to end them.

use std::collections::HashMap;

use bus::Event;
use domain::{AccountId, OrderId, Price, Qty, RequestId, Symbol, VenueOrderId};
use uuid::Uuid;
use venue::VenueOrder;
use wire::events::v1::{CancelRequested, End, Fact, LookUpRequested, OrderAccepted, RejectRequested, ReplaceRequested};

use super::changes::ended;
use super::submission::{CancelState, Memory, State, Submission, Terms};
use super::{Book, Context};

/// A message of the topic `orders`, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Send this order.
    Send(OrderAccepted),
    /// Put this order in another one's place.
    Replace(ReplaceRequested),
    /// End this order.
    End(CancelRequested),
    /// Never send this order.
    Reject(RejectRequested),
    /// Ask the venue about this order.
    LookUp(LookUpRequested),
}

impl Wish {
    /// Reads a message.
    ///
    /// # Errors
    /// Why it can never be handled: it is parked then, with its order.
    pub fn read(event: &Event) -> Result<Self, String> {
        let wish = match event.kind.as_str() {
            OrderAccepted::KIND => event.decode().map(Self::Send),
            ReplaceRequested::KIND => event.decode().map(Self::Replace),
            CancelRequested::KIND => event.decode().map(Self::End),
            RejectRequested::KIND => event.decode().map(Self::Reject),
            LookUpRequested::KIND => event.decode().map(Self::LookUp),
            other => return Err(format!("{other} is no message of this topic")),
        };
        let wish = wish.map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })?;
        wish.check(event)?;
        Ok(wish)
    }

    fn check(&self, event: &Event) -> Result<(), String> {
        let (order_id, symbol) = match self {
            Self::Send(accepted) => (accepted.order_id, &accepted.symbol),
            Self::Replace(requested) => (requested.order.order_id, &requested.order.symbol),
            Self::End(cancel) => (cancel.order_id, &cancel.symbol),
            Self::Reject(reject) => (reject.order_id, &reject.symbol),
            Self::LookUp(look_up) => (look_up.order_id, &look_up.symbol),
        };
        if order_id != event.order_id.get() {
            return Err(format!("its payload is about {order_id}"));
        }
        Symbol::parse(symbol).ok_or_else(|| format!("symbol {symbol:.20}"))?;
        match self {
            Self::Send(accepted) => terms(accepted).map(|_| ()),
            Self::Replace(requested) => terms(&requested.order).map(|_| ()),
            Self::End(_) | Self::Reject(_) | Self::LookUp(_) => Ok(()),
        }
    }
}

impl Book {
    /// Files an order, or ends one, as an event says. `known` are the stored rows of orders that are not in memory.
    pub fn wish(&mut self, context: &Context<'_>, event: &Event, wish: Wish, known: &HashMap<OrderId, Submission>) {
        if let Some(known) = known.get(&event.order_id)
            && !self.orders.contains_key(&event.order_id)
        {
            self.put(known.clone());
        }
        let is_known = self.orders.contains_key(&event.order_id);
        match wish {
            Wish::Send(accepted) if !is_known => self.file(event, &accepted),
            Wish::Replace(requested) if !is_known => {
                let id = OrderId::new(requested.replaces);
                let old = self.get(id).or_else(|| known.get(&id));
                let heard = old.and_then(|old| old.venue_order_id.clone());
                // The venue's stream may have named it before its own answer is recorded here.
                let told = || VenueOrderId::new(requested.at_venue.as_deref()?).ok();
                self.file_replacement(context, event, &requested, heard.or_else(told));
            }
            // Delivered again, or withdrawn before it came: the first word stands.
            Wish::Send(_) | Wish::Replace(_) => {}
            Wish::End(cancel) if !is_known => {
                self.bury(context, event, cancel.account_id, &cancel.symbol, End::Canceled, None);
            }
            Wish::End(_) => self.end(context, event),
            Wish::Reject(reject) if !is_known => {
                let (symbol, reason) = (&reject.symbol, Some(reject.reason));
                self.bury(context, event, reject.account_id, symbol, End::Rejected, reason);
            }
            Wish::Reject(reject) => self.reject_unsent(context, event.order_id, reject.reason),
            // What was never filed cannot be asked about.
            Wish::LookUp(_) => self.ask_about(context, event.order_id),
        }
        self.let_go_of_untouched(event.order_id);
    }

    /// A stored order that was only looked at does not stay in memory.
    fn let_go_of_untouched(&mut self, order_id: OrderId) {
        let over = self.get(order_id).is_some_and(Submission::is_done);
        if over && !self.changes.touched.contains(&order_id) {
            self.take(order_id);
        }
    }

    fn file(&mut self, event: &Event, accepted: &OrderAccepted) {
        let terms = terms(accepted).expect("checked when it was read");
        let blank = blank(event, AccountId::new(accepted.account_id), terms.order.symbol.clone());
        let submission = Submission {
            terms: Some(terms),
            ..blank
        };
        self.lines
            .join(&submission.symbol, submission.filed, submission.order_id);
        self.changes.touched.insert(submission.order_id);
        self.put(submission);
    }

    /// The end of an order that was never filed: its tombstone sees to it that it never will be sent.
    fn bury(
        &mut self,
        context: &Context<'_>,
        event: &Event,
        account_id: Uuid,
        symbol: &str,
        end: End,
        reason: Option<String>,
    ) {
        let symbol = Symbol::parse(symbol).expect("checked when it was read");
        let mut submission = blank(event, AccountId::new(account_id), symbol);
        self.never_send(context, &mut submission, end, reason);
        self.changes.touched.insert(submission.order_id);
        self.put(submission);
    }

    /// TIF-7: an order that still waits may not go any more. One that went is at the venue, which decides.
    fn reject_unsent(&mut self, context: &Context<'_>, order_id: OrderId, reason: String) {
        if self
            .get(order_id)
            .is_some_and(|submission| submission.state == State::Queued)
        {
            self.withdraw(context, order_id, End::Rejected, Some(reason));
        }
    }

    fn end(&mut self, context: &Context<'_>, event: &Event) {
        let (order_id, trace) = (event.order_id, event.request_id.trace());
        let Some(state) = self.get(order_id).map(|submission| submission.state) else {
            return;
        };
        match state {
            State::Queued => self.withdraw(context, order_id, End::Canceled, None),
            // In doubt, the wish waits until the order is known (domain rules 9, row 17).
            State::Sending | State::InDoubt | State::Working => self.edit(order_id, true, |_, submission| {
                if !submission.memory.cancel_busy {
                    submission.cancel = CancelState::Wanted;
                    submission.cancel_attempts = 0;
                    submission.memory.cancel_trace = trace;
                    submission.memory.vain_cancels = 0;
                }
                if submission.state == State::Working && !submission.memory.cancel_busy {
                    submission.due = Some(context.now);
                }
            }),
            State::Ended => self.end_afterwards(context, order_id),
            // It is being ended already; if it was filled before, the saga's last step says so.
            State::Burning => self.edit(order_id, true, |_, submission| submission.cancel = CancelState::Wanted),
            State::Withdrawn => {}
        }
    }

    /// A cancel of an order that is over. Whoever asked may not have heard that yet, and waits for an answer: the venue
    /// says whether it was filled, which refuses the wish, or ended, which is told again. A refused order is told.
    fn end_afterwards(&mut self, context: &Context<'_>, order_id: OrderId) {
        if self.get(order_id).is_some_and(|s| s.venue_order_id.is_some()) {
            self.edit(order_id, true, |_, submission| {
                submission.cancel = CancelState::Wanted;
                if !submission.memory.asked {
                    submission.ask_again(context.now);
                }
            });
        }
    }

    /// Somebody doubts what is known of an order: the venue is asked under its key. What is in doubt already asks by
    /// itself; what was never sent, or was refused, has nothing to be asked about. An order that is over stays over:
    /// what the venue shows is told again, and nothing is put in motion.
    fn ask_about(&mut self, context: &Context<'_>, order_id: OrderId) {
        let Some(submission) = self.get(order_id) else {
            return;
        };
        let at_venue = submission.venue_order_id.is_some();
        match submission.state {
            State::Working if !submission.memory.cancel_busy => self.edit(order_id, true, |_, submission| {
                submission.state = State::InDoubt;
                submission.due = Some(context.now);
                (submission.memory.denials, submission.memory.asks) = (0, 0);
                // Its readers know that the venue has had it.
                submission.memory.told = true;
            }),
            State::Ended if at_venue && !submission.memory.asked => {
                self.edit(order_id, true, |_, submission| submission.ask_again(context.now));
            }
            _ => {}
        }
    }

    /// Takes an order that was never sent out of the line, for ever.
    pub(super) fn withdraw(&mut self, context: &Context<'_>, order_id: OrderId, end: End, reason: Option<String>) {
        fail::fail_point!("cancel::before_submit_race");
        self.edit(order_id, true, |book, submission| {
            book.never_send(context, submission, end, reason);
        });
    }

    pub(super) fn never_send(
        &mut self,
        context: &Context<'_>,
        submission: &mut Submission,
        end: End,
        reason: Option<String>,
    ) {
        self.leave_line(submission);
        submission.state = State::Withdrawn;
        submission.due = None;
        let fact: Fact = ended(end, Qty::ZERO, reason, context.now);
        self.changes
            .report(context.venue, submission, fact, "never_sent", context.now);
    }
}

pub(super) fn blank(event: &Event, account_id: AccountId, symbol: Symbol) -> Submission {
    Submission {
        order_id: event.order_id,
        account_id,
        partition: event.partition,
        symbol,
        terms: None,
        replaces: None,
        request_id: RequestId::clone(&event.request_id),
        filed: event.position,
        state: State::Queued,
        attempts: 0,
        cancel: CancelState::None,
        cancel_attempts: 0,
        venue_order_id: None,
        last_error: None,
        burn_reason: None,
        due: None,
        first_sent_at: None,
        memory: Memory::default(),
    }
}

pub(super) fn terms(accepted: &OrderAccepted) -> Result<Terms, String> {
    let symbol = Symbol::parse(&accepted.symbol).ok_or_else(|| format!("symbol {:.20}", accepted.symbol))?;
    let order = VenueOrder {
        symbol,
        side: accepted
            .side
            .parse()
            .map_err(|_| format!("side {:.20}", accepted.side))?,
        qty: Qty::new(accepted.qty).map_err(|error| format!("qty {error}"))?,
        limit_price: Price::new(accepted.limit_price).map_err(|error| format!("limit_price {error}"))?,
        time_in_force: accepted
            .time_in_force
            .parse()
            .map_err(|_| format!("time_in_force {}", accepted.time_in_force))?,
    };
    Ok(Terms {
        order,
        session_date: accepted.session_date,
        submit_at: accepted.submit_at,
        expires_at: accepted.expires_at,
    })
}
