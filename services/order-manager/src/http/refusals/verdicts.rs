//! Which refusal is which kind, and what helps.

use serde_json::{Value, json};
use strum::EnumMessage;
use wire::rest::Text;

use super::{Kind, Refusal};
use crate::error::{CancelError, CloseError, ConfigureError, PlaceOrderError, ReadError, ReplaceError, StreamError};
use crate::place::Untimely;

impl Refusal for PlaceOrderError {
    fn verdict(&self) -> (Kind, &'static str) {
        use Kind::{Forbidden, Internal, Later, Limited, Parameter, Rule};
        match self {
            Self::Missing(_) => (Parameter, "send it"),
            Self::NoQuantity => (Parameter, "send one of them"),
            Self::QtyAndNotional => (Parameter, "leave one of them out"),
            Self::BadAmount { .. } => (
                Parameter,
                "send a positive number in plain digits, with no more decimals than it may have",
            ),
            Self::Malformed { .. } => (Parameter, "send what the message says"),
            Self::UnknownWord { .. } => (Parameter, "send one of the words"),
            Self::NoLimitPrice => (Parameter, "send `limit_price`, or `type` market"),
            Self::LimitPriceOnMarket => (Parameter, "leave `limit_price` out, or send `type` limit"),
            Self::StopFieldOnLimit(_) => (Parameter, "leave it out"),
            Self::BadClientOrderId(_) => (Parameter, "send a shorter one of visible characters, or none"),
            Self::IntentAgainstSide { .. } => (Parameter, "leave `position_intent` out"),
            Self::DuplicateClientOrderId => (Parameter, "look the order up by it; another order needs another one"),
            Self::NotOffered { .. } => (Rule, "send what the message says"),
            Self::Untimely(untimely) => untimely.verdict(),
            Self::SubPenny(_) => (Rule, "send a price in cents, below a dollar in hundredths of a cent"),
            Self::FractionalNotDay => (Rule, "send `time_in_force` day, or whole shares"),
            Self::FractionalNotSimple => (Rule, "send `order_class` simple, or whole shares"),
            Self::ExtendedHoursAtMarket => (Rule, "leave `extended_hours` out"),
            Self::NoReferencePrice(_) => (Rule, "send a limit order"),
            Self::AssetNotFound(_) => (Rule, "look at `GET /v2/assets`"),
            Self::NotTradable(_) => (Rule, "wait until `tradable` of the asset is true"),
            Self::AccountBlocked | Self::TradingBlocked | Self::AccountNotActive => (Forbidden, "ask the brokerage"),
            Self::SuspendedByUser => (Forbidden, "set `suspend_trade` to false in the configurations"),
            Self::ClosingOnly => (Forbidden, "only sell, or pay a debit"),
            Self::TooManyOpenOrders { .. } | Self::TooManyOpenInSymbol { .. } | Self::TooMuchOpen { .. } => {
                (Forbidden, "cancel open orders")
            }
            Self::Churning { retry_after, .. } => (
                Limited(*retry_after),
                "wait `Retry-After` seconds, and cancel less; cancels go on",
            ),
            Self::Killed(_) => (Forbidden, "wait until trading is let go on; cancels work"),
            Self::OrderTooLarge { .. } | Self::AboveVolumeShare { .. } => (Forbidden, "send smaller orders"),
            Self::FirmTooMuchOpen => (Forbidden, "try again later"),
            Self::BeyondCollar { .. } => (Forbidden, "send a limit nearer to the last price"),
            Self::Duplicate { .. } => (Forbidden, "wait two seconds if it is meant twice"),
            Self::SelfCross { .. } => (
                Forbidden,
                "cancel `existing_order_id`, or send a limit that does not reach it",
            ),
            Self::Restricted(_) => (Forbidden, "trade something else"),
            Self::CostBasisTooSmall => (
                Forbidden,
                "buy for a dollar or more; sell all that is free, or a dollar's worth",
            ),
            Self::NotFractionable(_) => (Forbidden, "send whole shares"),
            Self::FractionalTradingOff => (Forbidden, "send whole shares, or set `fractional_trading` to true"),
            Self::NoShorting => (Forbidden, "sell what is owned"),
            Self::InsufficientBuyingPower { .. } => (Forbidden, "send a cheaper order, cancel open buys, or deposit"),
            Self::InsufficientQty { .. } => (Forbidden, "sell `available`, or cancel `related_orders`"),
            Self::Busy | Self::Unavailable => (Later(1), "send it again under the same `client_order_id`"),
            Self::NotReady(_) => (Later(1), "send it again in a while"),
            Self::Unknown => (
                Later(1),
                "look it up by `client_order_id`, or send it again under the same one",
            ),
            Self::Internal => (Internal, "look it up by `client_order_id`; tell us the `X-Request-ID`"),
        }
    }

    fn when(&self) -> &'static str {
        match self {
            Self::Untimely(untimely) => untimely.when(),
            _ => self.get_documentation().unwrap_or_default(),
        }
    }

    fn context(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Churning { symbol, rule, .. } => {
                let (a_minute, a_fill) = (rule.cancels_per_minute, rule.cancels_per_fill);
                let reason = format!(
                    "more than {a_minute} cancels within a minute in {symbol}, and more than {a_fill} for each fill: no new orders there for a while, cancels go on"
                );
                vec![("reject_reason", reason.into())]
            }
            Self::Duplicate { existing } => vec![("existing_order_id", existing.to_string().into())],
            Self::SelfCross { existing } => vec![
                ("reject_reason", "opposite side limit order exists".into()),
                ("existing_order_id", existing.to_string().into()),
            ],
            Self::InsufficientBuyingPower { available, cost } => vec![
                ("buying_power", json!(Text::from(*available))),
                ("cost_basis", json!(Text::from(*cost))),
            ],
            Self::InsufficientQty {
                symbol,
                available,
                held,
                related,
                ..
            } => vec![
                ("symbol", symbol.as_str().into()),
                (
                    "existing_qty",
                    (available.get() + held.get()).normalize().to_string().into(),
                ),
                ("held_for_orders", held.to_string().into()),
                ("available", available.to_string().into()),
                ("related_orders", related.iter().map(ToString::to_string).collect()),
            ],
            _ => vec![],
        }
    }
}

impl Refusal for Untimely {
    fn verdict(&self) -> (Kind, &'static str) {
        let change = match self {
            Self::SubmitPast => "leave `submit_at` out to send it now",
            Self::SubmitTooFar(_) | Self::ExpiryTooFar(_) => "send an earlier time",
            Self::SubmitWhileClosed(..) => "send a time within the session",
            Self::ExpiryAtOnce => "leave `expires_at` out",
            Self::ExpiryTooSoon(_) => "send a later time",
            Self::ExpiryAfterSession(_) => "send an earlier time, or `time_in_force` gtc",
            Self::NoTimeToTrade { .. } => "send what the message says",
        };
        (Kind::Rule, change)
    }
}

impl Refusal for ReplaceError {
    fn verdict(&self) -> (Kind, &'static str) {
        match self {
            Self::NotFound(_) => (Kind::NotFound, "look at `GET /v2/orders`"),
            Self::Final(_) => (Kind::Rule, "place a new order"),
            Self::NotSent => (Kind::Rule, "wait until its status is `new`, or cancel it"),
            Self::NotOpen => (Kind::Rule, "wait for its end, or for its replacement"),
            Self::NotWhole => (Kind::Rule, "cancel it and place another"),
            Self::Filled { .. } => (Kind::Rule, "send a larger `qty`, or cancel the order"),
            Self::Order(refusal) => refusal.verdict(),
        }
    }

    fn context(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Order(refusal) => refusal.context(),
            _ => vec![],
        }
    }
}

impl Refusal for CancelError {
    fn verdict(&self) -> (Kind, &'static str) {
        match self {
            Self::NotFound(_) => (Kind::NotFound, "look at `GET /v2/orders`"),
            Self::Final(_) => (Kind::Rule, "nothing: it is over"),
            Self::Busy | Self::Unavailable => (Kind::Later(1), "ask again: it is safe"),
            Self::Internal => (Kind::Internal, "ask again; tell us the `X-Request-ID`"),
        }
    }
}

impl Refusal for CloseError {
    fn verdict(&self) -> (Kind, &'static str) {
        match self {
            Self::AssetNotFound(_) => (Kind::NotFound, "look at `GET /v2/assets`"),
            Self::NoPosition => (Kind::NotFound, "nothing: there is nothing to close"),
            Self::QtyAndPercentage => (Kind::Parameter, "leave one of them out"),
            Self::BadAmount { .. } => (Kind::Parameter, "send a positive number in plain digits"),
            Self::PercentageTooLarge => (Kind::Parameter, "send 100 or less"),
            Self::NothingToClose => (Kind::Rule, "send a larger part"),
        }
    }
}

impl Refusal for ConfigureError {
    fn verdict(&self) -> (Kind, &'static str) {
        match self {
            Self::Invalid { .. } => (Kind::Value, "send one of the values, or leave it out"),
        }
    }
}

impl Refusal for ReadError {
    fn verdict(&self) -> (Kind, &'static str) {
        match self {
            Self::UnknownWord { .. } | Self::UnknownActivity(_) => (Kind::Parameter, "send one of the words"),
            Self::NoFlag(_) | Self::NoTime(_) | Self::NoDate(_) | Self::NoNumber { .. } | Self::NoPeriod => {
                (Kind::Parameter, "send what the message says")
            }
            Self::NameMissing => (Kind::Parameter, "send it"),
            Self::NoActivity => (Kind::Parameter, "send the `id` of the last entry of the page before"),
            Self::NoPlace(_) => (Kind::Parameter, "send the id of one of the account's orders"),
            Self::TooFine(_) => (Kind::Parameter, "send a larger `timeframe`, or a shorter period"),
            Self::ThreeEnds => (Kind::Parameter, "leave one of them out"),
            Self::NothingBetween => (Kind::Parameter, "send an earlier `start`"),
            Self::NotOffered(_) => (Kind::Rule, "leave it out"),
            Self::OrderNotFound(_) => (Kind::NotFound, "look at `GET /v2/orders`"),
            Self::AssetNotFound(_) => (Kind::NotFound, "look at `GET /v2/assets`"),
            Self::NoPosition => (Kind::NotFound, "nothing: none of it is owned"),
            Self::CalendarEnds => (Kind::Later(60), "tell us"),
            Self::Unavailable => (Kind::Later(1), "ask again"),
            Self::Internal => (Kind::Internal, "tell us the `X-Request-ID`"),
        }
    }
}

impl Refusal for StreamError {
    fn verdict(&self) -> (Kind, &'static str) {
        match self {
            Self::NoHandshake => (Kind::Value, "connect as a WebSocket, or read `GET /v2/events/trades`"),
            Self::Full | Self::AccountFull => (
                Kind::Later(5),
                "close connections that are not needed, connect again later",
            ),
            Self::AddressFull => (
                Kind::Limited(5),
                "say who you are in the headers of the handshake, or sooner after it",
            ),
            Self::Stopping => (Kind::Later(1), "connect again, with the last event that was received"),
            Self::TimeAndEvent(_) => (Kind::Parameter, "leave one of them out"),
            Self::NoEventId(_) | Self::UnknownEvent(_) => (Kind::Parameter, "send the `event_id` of an update"),
        }
    }

    fn context(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::AddressFull => vec![("reject_reason", self.to_string().into())],
            Self::NoHandshake
            | Self::Full
            | Self::AccountFull
            | Self::Stopping
            | Self::TimeAndEvent(_)
            | Self::NoEventId(_)
            | Self::UnknownEvent(_) => vec![],
        }
    }
}
