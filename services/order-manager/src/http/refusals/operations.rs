//! At which operations of the document each refusal can be met: one match for each kind of error, without a catch-all, as
//! for the verdicts.

use domain::AmountError;

use crate::error::{CancelError, CloseError, ConfigureError, PlaceOrderError, ReadError, ReplaceError, StreamError};

/// The operations at which a refusal can be met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// All.
    Every,
    /// Those that ask who is calling.
    WithKey,
    /// Those that read a body.
    WithBody,
    /// Those with parameters in the query.
    WithQuery,
    /// Those with parameters in the path.
    WithPath,
    /// Those with these ids.
    These(&'static [&'static str]),
}

/// An error that is met at some operations.
pub(super) trait Met {
    /// At which.
    fn met_at(&self) -> At;
}

const PLACE: At = At::These(&["place_order"]);
const PLACE_OR_REPLACE: At = At::These(&["place_order", "replace_order"]);
const PLACE_OR_CLOSE: At = At::These(&["place_order", "close_position"]);
const TAKE: At = At::These(&["place_order", "replace_order", "close_position"]);

impl Met for PlaceOrderError {
    fn met_at(&self) -> At {
        match self {
            // Of members that only a new order has.
            Self::Missing(_) | Self::NoQuantity | Self::QtyAndNotional | Self::NoLimitPrice => PLACE,
            Self::LimitPriceOnMarket | Self::IntentAgainstSide { .. } | Self::NotOffered { .. } => PLACE,
            Self::FractionalNotDay | Self::FractionalNotSimple | Self::ExtendedHoursAtMarket => PLACE,
            Self::BadAmount { field: "notional", .. }
            | Self::Malformed {
                field: "expires_at", ..
            } => PLACE,
            Self::Untimely(_) | Self::AssetNotFound(_) => PLACE,
            // Of members that replacements have, too. A closing order has none, and is a sell under a name of ours.
            Self::BadAmount { why, .. } if *why != AmountError::TooLarge => PLACE_OR_REPLACE,
            Self::Malformed { .. } | Self::UnknownWord { .. } | Self::StopFieldOnLimit(_) => PLACE_OR_REPLACE,
            Self::BadClientOrderId(_) | Self::DuplicateClientOrderId | Self::SubPenny(_) => PLACE_OR_REPLACE,
            Self::ClosingOnly | Self::InsufficientBuyingPower { .. } => PLACE_OR_REPLACE,
            // A replacement is one order as before it, for whole shares at a limit, in the symbol that it is in.
            Self::NoReferencePrice(_) | Self::NotTradable(_) | Self::Duplicate { .. } => PLACE_OR_CLOSE,
            Self::FractionalTradingOff | Self::NotFractionable(_) | Self::NoShorting => PLACE_OR_CLOSE,
            Self::TooManyOpenOrders { .. } | Self::TooManyOpenInSymbol { .. } => PLACE_OR_CLOSE,
            Self::BadAmount { .. } | Self::CostBasisTooSmall | Self::InsufficientQty { .. } => TAKE,
            Self::AccountBlocked | Self::TradingBlocked | Self::AccountNotActive | Self::SuspendedByUser => TAKE,
            Self::TooMuchOpen { .. } | Self::FirmTooMuchOpen | Self::OrderTooLarge { .. } => TAKE,
            Self::AboveVolumeShare { .. } | Self::BeyondCollar { .. } => TAKE,
            Self::Churning { .. } | Self::Killed(_) => TAKE,
            Self::SelfCross { .. } | Self::Restricted(_) => TAKE,
            Self::Busy | Self::NotReady(_) | Self::Unavailable | Self::Unknown | Self::Internal => TAKE,
        }
    }
}

impl Met for ReplaceError {
    fn met_at(&self) -> At {
        match self {
            Self::NotFound(_) | Self::Final(_) | Self::NotSent | Self::NotOpen => At::These(&["replace_order"]),
            Self::NotWhole | Self::Filled { .. } | Self::Order(_) => At::These(&["replace_order"]),
        }
    }
}

impl Met for CancelError {
    fn met_at(&self) -> At {
        match self {
            // Where many are canceled, these are in the entries.
            Self::NotFound(_) | Self::Final(_) => At::These(&["cancel_order"]),
            Self::Busy | Self::Unavailable | Self::Internal => {
                At::These(&["cancel_order", "cancel_orders", "close_positions"])
            }
        }
    }
}

impl Met for CloseError {
    fn met_at(&self) -> At {
        match self {
            Self::AssetNotFound(_) | Self::NoPosition | Self::QtyAndPercentage => At::These(&["close_position"]),
            Self::BadAmount { .. } | Self::PercentageTooLarge | Self::NothingToClose => At::These(&["close_position"]),
        }
    }
}

impl Met for ConfigureError {
    fn met_at(&self) -> At {
        match self {
            Self::Invalid { .. } => At::These(&["change_configurations"]),
        }
    }
}

const ACTIVITIES: At = At::These(&["list_activities", "list_activities_of_type"]);
const HISTORY: At = At::These(&["get_portfolio_history"]);

impl Met for ReadError {
    fn met_at(&self) -> At {
        match self {
            Self::UnknownWord { .. } => At::These(&[
                "list_orders",
                "list_activities",
                "list_activities_of_type",
                "list_assets",
                "get_portfolio_history",
            ]),
            Self::NoFlag(_) => At::These(&["list_orders", "close_positions", "get_portfolio_history"]),
            Self::NoTime(_) => At::These(&[
                "list_orders",
                "list_activities",
                "list_activities_of_type",
                "get_portfolio_history",
                "stream_trade_updates",
            ]),
            Self::NoDate(_) => At::These(&[
                "list_activities",
                "list_activities_of_type",
                "get_portfolio_history",
                "list_trading_days",
            ]),
            Self::NoNumber { .. } => At::These(&["list_orders", "list_activities", "list_activities_of_type"]),
            Self::NoPlace(_) => At::These(&["list_orders"]),
            Self::NameMissing => At::These(&["get_order_by_client_order_id"]),
            Self::OrderNotFound(_) => At::These(&["get_order", "get_order_by_client_order_id"]),
            Self::UnknownActivity(_) | Self::NoActivity => ACTIVITIES,
            Self::NoPeriod | Self::TooFine(_) | Self::ThreeEnds | Self::NothingBetween | Self::NotOffered(_) => HISTORY,
            Self::AssetNotFound(_) => At::These(&["get_asset", "get_position"]),
            Self::NoPosition => At::These(&["get_position"]),
            Self::CalendarEnds => At::These(&["get_clock"]),
            // Who is calling is read, too.
            Self::Unavailable | Self::Internal => At::WithKey,
        }
    }
}

impl Met for StreamError {
    fn met_at(&self) -> At {
        match self {
            Self::NoHandshake | Self::AddressFull => At::These(&["trade_updates"]),
            Self::Full | Self::AccountFull => At::These(&["trade_updates", "stream_trade_updates"]),
            // A socket stands by the time it is asked for a place.
            Self::TimeAndEvent(_) | Self::NoEventId(_) | Self::UnknownEvent(_) | Self::Stopping => {
                At::These(&["stream_trade_updates"])
            }
        }
    }
}
