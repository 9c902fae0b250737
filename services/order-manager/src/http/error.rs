//! What each refusal looks like. One match each, without a catch-all: a new variant has to be given its code here.

use axum::http::StatusCode;
use chassis::http::ApiError;
use db::DbError;
use serde_json::Value;
use tracing::{error, warn};
use wire::rest::Text;

use crate::error::{CancelError, CloseError, ConfigureError, PlaceOrderError, ReplaceError, StreamError};

impl From<PlaceOrderError> for ApiError {
    fn from(refusal: PlaceOrderError) -> Self {
        use PlaceOrderError as E;
        let message = refusal.to_string();
        match refusal {
            E::Missing(_)
            | E::NoQuantity
            | E::QtyAndNotional
            | E::BadAmount { .. }
            | E::Malformed { .. }
            | E::UnknownWord { .. }
            | E::NoLimitPrice
            | E::LimitPriceOnMarket
            | E::StopFieldOnLimit(_)
            | E::BadClientOrderId(_)
            | E::IntentAgainstSide { .. }
            | E::DuplicateClientOrderId => ApiError::parameter(message),
            E::NotOffered { .. }
            | E::Untimely(_)
            | E::SubPenny(_)
            | E::FractionalNotDay
            | E::FractionalNotSimple
            | E::ExtendedHoursAtMarket
            | E::NoReferencePrice(_)
            | E::AssetNotFound(_)
            | E::NotTradable(_) => ApiError::rule(message),
            E::AccountBlocked
            | E::TradingBlocked
            | E::AccountNotActive
            | E::SuspendedByUser
            | E::ClosingOnly
            | E::TooManyOpenOrders { .. }
            | E::TooManyOpenInSymbol { .. }
            | E::Killed(_)
            | E::OrderTooLarge { .. }
            | E::TooMuchOpen { .. }
            | E::FirmTooMuchOpen
            | E::BeyondCollar { .. }
            | E::Restricted(_)
            | E::CostBasisTooSmall
            | E::NotFractionable(_)
            | E::FractionalTradingOff
            | E::NoShorting => ApiError::forbidden(message),
            E::Churning {
                symbol,
                rule,
                retry_after,
            } => ApiError::rate_limited(retry_after).with(
                "reject_reason",
                format!(
                    "more than {} cancels within a minute in {symbol}, and more than {} for each fill: no new orders there for a while, cancels go on",
                    rule.cancels_per_minute, rule.cancels_per_fill
                ),
            ),
            E::Duplicate { existing } => ApiError::forbidden(message).with("existing_order_id", existing.to_string()),
            E::SelfCross { existing } => ApiError::forbidden(message)
                .with("reject_reason", "opposite side limit order exists")
                .with("existing_order_id", existing.to_string()),
            E::InsufficientBuyingPower { available, cost } => ApiError::forbidden(message)
                .with("buying_power", Text::from(available).to_string())
                .with("cost_basis", Text::from(cost).to_string()),
            E::InsufficientQty {
                symbol,
                available,
                held,
                related,
                ..
            } => ApiError::forbidden(message)
                .with("symbol", symbol.as_str())
                .with("existing_qty", (available.get() + held.get()).normalize().to_string())
                .with("held_for_orders", held.to_string())
                .with("available", available.to_string())
                .with(
                    "related_orders",
                    related.iter().map(ToString::to_string).collect::<Vec<_>>(),
                ),
            E::Busy | E::NotReady(_) | E::Unavailable | E::Unknown => ApiError::unavailable(message, 1),
            E::Internal => ApiError::internal(),
        }
    }
}

impl From<CloseError> for ApiError {
    fn from(refusal: CloseError) -> Self {
        let message = refusal.to_string();
        match refusal {
            CloseError::AssetNotFound(_) | CloseError::NoPosition => ApiError::not_found(message),
            CloseError::QtyAndPercentage | CloseError::BadAmount { .. } | CloseError::PercentageTooLarge => {
                ApiError::parameter(message)
            }
            CloseError::NothingToClose => ApiError::rule(message),
        }
    }
}

impl From<ReplaceError> for ApiError {
    fn from(refusal: ReplaceError) -> Self {
        use ReplaceError as E;
        let message = refusal.to_string();
        match refusal {
            E::NotFound(_) => ApiError::not_found(message),
            E::Final(_) | E::NotSent | E::NotOpen | E::NotWhole | E::Filled { .. } => ApiError::rule(message),
            E::Order(refusal) => refusal.into(),
        }
    }
}

impl From<ConfigureError> for ApiError {
    fn from(refusal: ConfigureError) -> Self {
        match refusal {
            // Not 422 like elsewhere: clients of these settings know only 400.
            ConfigureError::Invalid { .. } => ApiError::new(StatusCode::BAD_REQUEST, 40_010_000, refusal.to_string()),
        }
    }
}

impl From<CancelError> for ApiError {
    fn from(refusal: CancelError) -> Self {
        let message = refusal.to_string();
        match refusal {
            CancelError::NotFound(_) => ApiError::not_found(message),
            CancelError::Final(_) => ApiError::rule(message),
            CancelError::Busy | CancelError::Unavailable => ApiError::unavailable(message, 1),
            CancelError::Internal => ApiError::internal(),
        }
    }
}

impl From<StreamError> for ApiError {
    fn from(refusal: StreamError) -> Self {
        let message = refusal.to_string();
        match refusal {
            StreamError::NoHandshake => ApiError::new(StatusCode::BAD_REQUEST, 40_010_000, message),
            StreamError::Full | StreamError::AccountFull => ApiError::unavailable(message, 5),
            StreamError::Stopping => ApiError::unavailable(message, 1),
            StreamError::TimeAndEvent(_) | StreamError::NoEventId(_) | StreamError::UnknownEvent(_) => {
                ApiError::parameter(message)
            }
        }
    }
}

/// A read that failed: 503 when it may pass, else 500 with its cause in the log.
pub(crate) fn database_error(cause: DbError) -> ApiError {
    if cause.is_transient() {
        warn!(error = %cause, "a read failed: {cause}");
        return ApiError::unavailable("the database is away, try again", 1);
    }
    error!(error = %cause, "a read failed: {cause}");
    ApiError::internal()
}

/// An error as an entry of a 207 answer.
pub(super) fn entry(error: ApiError) -> wire::rest::ErrorBody {
    let Value::Object(mut context) = error.body() else {
        return no_body(error);
    };
    context.remove("code");
    context.remove("message");
    wire::rest::ErrorBody {
        code: i64::from(error.code),
        message: error.message,
        context,
    }
}

fn no_body(error: ApiError) -> wire::rest::ErrorBody {
    wire::rest::ErrorBody {
        code: i64::from(error.code),
        message: error.message,
        context: serde_json::Map::new(),
    }
}
