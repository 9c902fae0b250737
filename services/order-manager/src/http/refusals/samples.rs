//! Every refusal with the words it is told in, for the page and the document.

use chassis::http::ApiError;
use domain::ids::IdError;
use domain::{AmountError, Money, OrderId, OrderStatus, Price, Qty, Side, Symbol, Timestamp};
use identity::limits::ChurnRule;
use risk::Level;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::operations::At;
use super::sections::Sample;
use crate::error::{CancelError, CloseError, ConfigureError, PlaceOrderError, ReadError, ReplaceError, StreamError};
use crate::http::auth::DENIED;
use crate::place::{NewYork, Untimely};

/// What any request can meet, before a handler looks at it.
pub(super) fn any() -> Vec<Sample> {
    let mut samples = at_the_door();
    samples.extend(unread());
    let (when, change) = ("More requests than the limit.", "wait `Retry-After` seconds");
    let limited = sample("rate_limited", when, ApiError::rate_limited(1), change, At::Every);
    samples.push(limited);
    samples
}

fn at_the_door() -> Vec<Sample> {
    let (stranger, nobody) = (
        "No key, an unknown or revoked one, or a wrong secret.",
        ApiError::unauthorized(DENIED),
    );
    let nothing = ApiError::not_found("there is nothing at /v3/orders");
    let (other, method) = ("send one of the header `Allow`", ApiError::method_not_allowed());
    vec![
        sample("unauthorized", stranger, nobody, "check the key pair", At::WithKey),
        // It is no operation's, unless a part of the path that is empty, or has a slash in it, made it so.
        sample(
            "nothing_here",
            "Nothing is at this path.",
            nothing,
            "look at `/docs`",
            At::WithPath,
        ),
        sample(
            "method_not_allowed",
            "The path has other methods.",
            method,
            other,
            At::Every,
        ),
    ]
}

fn unread() -> Vec<Sample> {
    let (too_large, large) = ("The body is larger than any request needs.", ApiError::body_too_large());
    let (no_json, other) = (ApiError::bad_json(), "The body is JSON of another kind.");
    let no_object = ApiError::parameter("request body must be a JSON object");
    let twice = ApiError::parameter("query parameter status is given more than once");
    let no_text = ApiError::parameter("invalid path: …");
    vec![
        sample("body_too_large", too_large, large, "send less", At::WithBody),
        sample("no_json", "The body is no JSON.", no_json, "send JSON", At::WithBody),
        sample("no_object", other, no_object, "send an object", At::WithBody),
        sample(
            "given_twice",
            "A parameter comes twice.",
            twice,
            "send it once",
            At::WithQuery,
        ),
        sample(
            "no_text",
            "A path is no text.",
            no_text,
            "encode it as UTF-8",
            At::WithPath,
        ),
    ]
}

fn sample(name: &str, when: &'static str, told: ApiError, change: &'static str, met_at: At) -> Sample {
    Sample {
        name: format!("any.{name}"),
        when,
        told,
        change,
        met_at,
    }
}

pub(super) fn place() -> Vec<PlaceOrderError> {
    use PlaceOrderError as E;
    let mut samples = malformed();
    samples.extend(against_rules());
    samples.extend(not_allowed());
    samples.extend([
        E::Busy,
        E::NotReady("instruments are not loaded yet"),
        E::Unavailable,
        E::Unknown,
        E::Internal,
    ]);
    samples
}

/// Of the request alone.
fn malformed() -> Vec<PlaceOrderError> {
    use PlaceOrderError as E;
    let (field, of_time) = ("qty", "expires_at");
    let (number, time) = (
        "a number, or a number in quotes",
        "a time with its offset, like 2026-11-24T15:30:00-05:00",
    );
    vec![
        E::Missing("symbol"),
        E::NoQuantity,
        E::QtyAndNotional,
        E::BadAmount {
            field,
            why: AmountError::NotPositive,
        },
        E::BadAmount {
            field,
            why: AmountError::NotANumber,
        },
        E::BadAmount {
            field,
            why: AmountError::TooPrecise,
        },
        E::BadAmount {
            field: "notional",
            why: AmountError::TooPrecise,
        },
        E::BadAmount {
            field,
            why: AmountError::TooLarge,
        },
        E::Malformed {
            field,
            expected: number,
        },
        E::Malformed {
            field: of_time,
            expected: time,
        },
        E::UnknownWord {
            field: "time_in_force",
            words: "day, gtc, ioc or fok",
        },
        E::NoLimitPrice,
        E::LimitPriceOnMarket,
        E::StopFieldOnLimit("stop_price"),
        E::BadClientOrderId(IdError::TooLong { most: 128 }),
        E::BadClientOrderId(IdError::Control),
        E::IntentAgainstSide {
            intent: "sell_to_close",
            side: "buy",
        },
    ]
}

/// Of the day, the asset and the product.
fn against_rules() -> Vec<PlaceOrderError> {
    use PlaceOrderError as E;
    let offered = |what: &'static str, instead| E::NotOffered {
        what: what.into(),
        instead,
    };
    let mut samples = vec![
        offered("order type stop", "use type limit with a limit_price"),
        offered("order_class bracket", "use order_class simple"),
        offered(
            "extended_hours",
            "send it as false, the order works in the regular session",
        ),
        E::FractionalNotDay,
        E::FractionalNotSimple,
        E::ExtendedHoursAtMarket,
        E::SubPenny(price("290.123")),
        E::AssetNotFound("XXXX".to_owned()),
        E::NotTradable(symbol()),
        E::NoReferencePrice(symbol()),
        E::DuplicateClientOrderId,
    ];
    samples.extend(untimely().into_iter().map(E::Untimely));
    samples
}

/// Of the account and the firm.
fn not_allowed() -> Vec<PlaceOrderError> {
    use PlaceOrderError as E;
    let (symbol, existing) = (symbol(), OrderId::new(Uuid::nil()));
    let rule = ChurnRule::default();
    vec![
        E::Killed(Level::Symbol),
        E::Killed(Level::Account),
        E::Killed(Level::Venue),
        E::Killed(Level::Firm),
        E::AccountNotActive,
        E::AccountBlocked,
        E::TradingBlocked,
        E::SuspendedByUser,
        E::ClosingOnly,
        E::FractionalTradingOff,
        E::NotFractionable(symbol.clone()),
        E::OrderTooLarge {
            value: money(250_000),
            most: money(200_000),
        },
        E::AboveVolumeShare {
            qty: qty("20000"),
            most: qty("18000"),
            average: 360_000,
            percent: Decimal::new(5, 0),
        },
        E::TooManyOpenOrders { most: 500 },
        E::TooManyOpenInSymbol {
            symbol: symbol.clone(),
            most: 50,
        },
        E::TooMuchOpen { most: money(2_000_000) },
        E::FirmTooMuchOpen,
        E::Churning {
            symbol: symbol.clone(),
            rule,
            retry_after: 60,
        },
        E::BeyondCollar {
            side: Side::Buy,
            limit: price("110.01"),
            reference: price("100"),
            percent: Decimal::TEN,
        },
        E::Duplicate { existing },
        E::SelfCross { existing },
        E::Restricted(symbol.clone()),
        E::CostBasisTooSmall,
        E::InsufficientBuyingPower {
            available: money(100),
            cost: money(190),
        },
        E::NoShorting,
        E::InsufficientQty {
            symbol,
            requested: qty("4"),
            available: qty("3"),
            held: qty("1"),
            related: vec![existing],
        },
    ]
}

pub(super) fn untimely() -> Vec<Untimely> {
    let (open, close) = (new_york("2026-11-24T14:30:00Z"), new_york("2026-11-24T21:00:00Z"));
    vec![
        Untimely::SubmitPast,
        Untimely::SubmitTooFar(close),
        Untimely::SubmitWhileClosed(open, close),
        Untimely::ExpiryAtOnce,
        Untimely::ExpiryTooSoon(open),
        Untimely::ExpiryTooFar(close),
        Untimely::ExpiryAfterSession(close),
        Untimely::NoTimeToTrade {
            begins: close,
            ends: open,
            change: "send a later expires_at",
        },
    ]
}

pub(super) fn replace() -> Vec<ReplaceError> {
    vec![
        ReplaceError::NotFound(id()),
        ReplaceError::Final(OrderStatus::Filled),
        ReplaceError::NotSent,
        ReplaceError::NotOpen,
        ReplaceError::NotWhole,
        ReplaceError::Filled { filled: qty("3") },
    ]
}

pub(super) fn cancel() -> Vec<CancelError> {
    vec![
        CancelError::NotFound(id()),
        CancelError::Final(OrderStatus::Filled),
        CancelError::Busy,
        CancelError::Unavailable,
        CancelError::Internal,
    ]
}

pub(super) fn close() -> Vec<CloseError> {
    let field = "percentage";
    vec![
        CloseError::AssetNotFound("XXXX".to_owned()),
        CloseError::NoPosition,
        CloseError::QtyAndPercentage,
        CloseError::BadAmount {
            field,
            why: AmountError::NotPositive,
        },
        CloseError::PercentageTooLarge,
        CloseError::NothingToClose,
    ]
}

pub(super) fn configure() -> Vec<ConfigureError> {
    let (flag, email) = ("suspend_trade", "trade_confirm_email");
    vec![
        ConfigureError::Invalid {
            field: flag,
            expected: "true or false",
        },
        ConfigureError::Invalid {
            field: email,
            expected: "all or none",
        },
    ]
}

pub(super) fn read() -> Vec<ReadError> {
    use ReadError as E;
    vec![
        E::UnknownWord {
            field: "status",
            words: "open or closed or all".to_owned(),
        },
        E::UnknownActivity("GIFT".to_owned()),
        E::NoFlag("nested"),
        E::NoTime("after"),
        E::NoDate("start"),
        E::NoNumber {
            field: "limit",
            least: 1,
            most: 500,
        },
        E::NoPeriod,
        E::NameMissing,
        E::NoActivity,
        E::NoPlace("before_order_id"),
        E::TooFine("15Min"),
        E::ThreeEnds,
        E::NothingBetween,
        E::NotOffered("pnl_reset"),
        E::OrderNotFound(id()),
        E::AssetNotFound("XXXX".to_owned()),
        E::NoPosition,
        E::CalendarEnds,
        E::Unavailable,
        E::Internal,
    ]
}

pub(super) fn stream() -> Vec<StreamError> {
    vec![
        StreamError::NoHandshake,
        StreamError::TimeAndEvent("since"),
        StreamError::NoEventId("since_id"),
        StreamError::UnknownEvent("since_id"),
        StreamError::Full,
        StreamError::AccountFull,
        StreamError::AddressFull,
        StreamError::Stopping,
    ]
}

fn id() -> String {
    Uuid::nil().to_string()
}

fn symbol() -> Symbol {
    Symbol::parse("AAPL").expect("a symbol")
}

fn price(text: &str) -> Price {
    Price::parse(text).expect("a price of this file")
}

fn qty(text: &str) -> Qty {
    Qty::parse(text).expect("a quantity of this file")
}

fn money(dollars: i64) -> Money {
    Money::from_decimal(Decimal::new(dollars * 100, 2))
}

fn new_york(text: &str) -> NewYork {
    NewYork(text.parse::<Timestamp>().expect("a time of this file"))
}
