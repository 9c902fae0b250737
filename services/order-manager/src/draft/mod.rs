//! From a request body as written to an order that makes sense by itself.
//!
//! Pure: what needs the asset, the account or the money comes later. First everything malformed or contradictory
//! is refused (422, parameter), then everything that is well-formed and not offered (422, rule).

mod change;
mod fields;
mod words;

use domain::{ClientOrderId, Money, Price, Qty, Side, TimeInForce};
use wire::rest::PlaceOrder;

use crate::error::PlaceOrderError;
use crate::place::Asked;
pub use change::Change;
use words::{Intent, Lifetime, OrderClass, OrderType};

/// A simple order, not yet anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftOrder {
    /// Symbol or asset id, as sent.
    pub instrument: String,
    /// Bought or sold.
    pub side: Side,
    /// How long it works.
    pub time_in_force: TimeInForce,
    /// The times it asks for.
    pub asked: Asked,
    /// How much.
    pub size: Size,
    /// Dollars a share, on the tick (PX-1); none: at the market (PX-7).
    pub limit_price: Option<Price>,
    /// The caller's own name for it; absent means that one is given to it.
    pub client_order_id: Option<ClientOrderId>,
}

/// How much an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Shares, or parts of them (QTY-2).
    Shares(Qty),
    /// Dollars, in whole cents (QTY-3).
    Dollars(Money),
}

impl Size {
    /// Whether parts of a share may be traded.
    pub fn is_fractional(self) -> bool {
        match self {
            Self::Shares(qty) => !qty.is_whole(),
            Self::Dollars(_) => true,
        }
    }
}

impl TryFrom<&PlaceOrder> for DraftOrder {
    type Error = PlaceOrderError;

    fn try_from(body: &PlaceOrder) -> Result<Self, PlaceOrderError> {
        let request = Request::read(body)?;
        request.agrees()?;
        request.is_offered(body)?;
        // `is_offered` has said no to everything else.
        let time_in_force = request.lifetime.offered().ok_or(PlaceOrderError::Internal)?;
        Ok(DraftOrder {
            instrument: request.instrument,
            side: request.side,
            time_in_force,
            asked: request.asked,
            size: request.size,
            limit_price: request.limit_price,
            client_order_id: request.client_order_id,
        })
    }
}

/// All fields with their meaning, offered or not.
struct Request {
    instrument: String,
    size: Size,
    side: Side,
    kind: OrderType,
    lifetime: Lifetime,
    asked: Asked,
    limit_price: Option<Price>,
    client_order_id: Option<ClientOrderId>,
    class: OrderClass,
    intent: Option<Intent>,
    extended_hours: bool,
    stop_field: Option<&'static str>,
}

impl Request {
    fn read(body: &PlaceOrder) -> Result<Self, PlaceOrderError> {
        Ok(Request {
            instrument: fields::text("symbol", body.symbol.as_ref())?
                .ok_or(PlaceOrderError::Missing("symbol"))?
                .to_owned(),
            size: fields::size(body)?,
            side: words::side(body.side.as_ref())?,
            kind: words::order_type(body.kind.as_ref())?,
            lifetime: words::lifetime(body.time_in_force.as_ref())?,
            asked: Asked {
                submit_at: fields::time("submit_at", body.submit_at.as_ref())?,
                expires_at: fields::time("expires_at", body.expires_at.as_ref())?,
            },
            limit_price: fields::price("limit_price", body.limit_price.as_ref())?,
            client_order_id: fields::client_order_id(body.client_order_id.as_ref())?,
            class: words::class(body.order_class.as_ref())?,
            intent: words::intent(body.position_intent.as_ref())?,
            extended_hours: fields::flag("extended_hours", body.extended_hours.as_ref())?,
            stop_field: fields::stop_field(body)?,
        })
    }

    /// Fields that contradict each other.
    fn agrees(&self) -> Result<(), PlaceOrderError> {
        if let Some(intent) = self.intent
            && intent.side() != self.side
        {
            let (intent, side) = (intent.into(), self.side.as_str());
            return Err(PlaceOrderError::IntentAgainstSide { intent, side });
        }
        match (self.kind, self.limit_price, self.stop_field) {
            (OrderType::Limit, None, _) => Err(PlaceOrderError::NoLimitPrice),
            (OrderType::Market, Some(_), _) => Err(PlaceOrderError::LimitPriceOnMarket),
            (OrderType::Limit | OrderType::Market, _, Some(field)) => Err(PlaceOrderError::StopFieldOnLimit(field)),
            _ => Ok(()),
        }
    }

    /// Well-formed wishes that are not served yet. Never silently accepted as something else.
    fn is_offered(&self, body: &PlaceOrder) -> Result<(), PlaceOrderError> {
        words::offered_kind(self.kind)?;
        if self.size.is_fractional() {
            self.may_be_fractional()?;
        }
        words::offered_class(self.class)?;
        words::offered_lifetime(self.lifetime)?;
        fields::no_extras(body)?;
        if self.kind == OrderType::Market {
            self.may_be_market()?;
        }
        if self.extended_hours {
            return Err(words::not_offered(
                "extended_hours",
                "send it as false, the order works in the regular session",
            ));
        }
        if let Some(intent) = self.intent {
            words::offered_intent(intent)?;
        }
        match self.limit_price {
            Some(price) if !price.on_tick() => Err(PlaceOrderError::SubPenny(price)),
            _ => Ok(()),
        }
    }

    /// QTY-2, QTY-3. Of a sell for dollars with a limit nobody could tell how many shares it holds.
    fn may_be_fractional(&self) -> Result<(), PlaceOrderError> {
        let in_dollars = matches!(self.size, Size::Dollars(_));
        if self.class != OrderClass::Simple {
            Err(PlaceOrderError::FractionalNotSimple)
        } else if self.lifetime != Lifetime::Day {
            Err(PlaceOrderError::FractionalNotDay)
        } else if in_dollars && self.kind == OrderType::Limit && self.side == Side::Sell {
            Err(words::not_offered(
                "a limit sell for notional",
                "send qty, or type market",
            ))
        } else {
            Ok(())
        }
    }

    /// PX-7: its limit is made of the price of now, so it is not for later.
    fn may_be_market(&self) -> Result<(), PlaceOrderError> {
        if self.extended_hours {
            Err(PlaceOrderError::ExtendedHoursAtMarket)
        } else if self.asked.submit_at.is_some() {
            Err(words::not_offered(
                "submit_at of a market order",
                "leave it out, or use type limit with a limit_price",
            ))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
