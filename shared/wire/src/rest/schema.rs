//! How the client dialect describes itself in the OpenAPI document: words, amounts, and what a request may write in their
//! place.
//!
//! The types here have no values; members and parameters name them as their `value_type`. Those called `…Asked` are
//! wider than what answers hold: SDKs write an absent member as null or `""`, and amounts as numbers or strings.

use super::{Number, Text};
use domain::order::StreamEvent;
use domain::{OrderStatus as Status, OrderType as Kind, Side as Sides, TimeInForce as Lifetime};
use serde_json::{Value, json};
use std::borrow::Cow;
use strum::VariantNames;
use utoipa::openapi::schema::{ObjectBuilder, OneOf, Schema, SchemaType, Type};
use utoipa::openapi::{Components, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// Every activity type of the dialect, most of which do not occur here.
pub const ACTIVITY_TYPES: &[&str] = &[
    "FILL", "TRANS", "MISC", "ACATC", "ACATS", "CFEE", "CSD", "CSW", "DIV", "DIVCGL", "DIVCGS", "DIVFEE", "DIVFT",
    "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX", "FEE", "INT", "INTNRA", "INTTW", "JNL", "JNLC", "JNLS", "MA", "NC",
    "OPASN", "OPEXP", "OPXRC", "PTC", "PTR", "REORG", "SC", "SPIN", "SPLIT", "SSO", "SSP",
];

/// What [`domain::amount::parse_decimal`] reads of what is not below zero.
const PLAIN_NUMBER: &str = r"^([0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)?$";
/// `true` and `false` in any mixture of capitals: Python writes them with one.
const YES_OR_NO: &str = "^([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])?$";
/// No control characters.
const PRINTABLE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// Either spelling of an id.
const UUID: &str = "^([0-9a-fA-F]{32}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$";

macro_rules! schemas {
    ($($(#[doc = $doc:literal])+ $name:ident = $schema:tt;)*) => {$(
        $(#[doc = $doc])+
        pub enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                described(concat!($($doc),+), json!($schema))
            }
        }

        impl ToSchema for $name {}
    )*};
}

schemas! {
    /// The customer's own name for an order.
    ClientOrderId = { "type": "string", "minLength": 1, "maxLength": 128 };
    /// Stocks are all there is.
    AssetClass = { "type": "string", "enum": ["us_equity"] };
    /// There are no compound orders.
    OrderClass = { "type": "string", "enum": ["simple"] };
    /// What the order says about the price.
    OrderType = { "type": "string", "enum": (Kind::VARIANTS) };
    /// Bought or sold.
    Side = { "type": "string", "enum": (Sides::VARIANTS) };
    /// There are no short positions: a buy opens, a sell closes.
    PositionIntent = { "type": "string", "enum": ["buy_to_open", "sell_to_close"] };
    /// How long an order works.
    TimeInForce = { "type": "string", "enum": (Lifetime::VARIANTS) };
    /// Where an order stands.
    OrderStatus = { "type": "string", "enum": (Status::VARIANTS) };
    /// What happened to an order.
    UpdateEvent = { "type": "string", "enum": (StreamEvent::VARIANTS) };
    /// Whether orders are taken at all.
    AssetStatus = { "type": "string", "enum": ["active", "inactive"] };
    /// Nothing is owed.
    PositionSide = { "type": "string", "enum": ["long"] };
    /// Executions.
    FillType = { "type": "string", "enum": ["FILL"] };
    /// Whether the execution completed its order.
    FillKind = { "type": "string", "enum": ["fill", "partial_fill"] };
    /// Money in, money out, fees.
    MovementType = { "type": "string", "enum": ["CSD", "CSW", "FEE", "MISC"] };
    /// Any activity type of the dialect; those that do not occur here match nothing.
    ActivityType = { "type": "string", "enum": (ACTIVITY_TYPES) };
    /// Which orders are confirmed by mail.
    ConfirmEmail = { "type": "string", "enum": ["all", "none"] };
    /// The size of a window of time.
    Timeframe = { "type": "string", "enum": ["1Min", "5Min", "15Min", "1H", "1D"] };

    /// The only value there is.
    Nothing = { "type": "string", "maxLength": 0 };
    /// Nothing, in any of its shapes.
    Empty = { "type": ["string", "object", "array"], "enum": ["", {}, []] };
    /// A positive amount, as a number or as its digits.
    AmountAsked = { "type": ["number", "string"], "exclusiveMinimum": 0, "maxLength": 64, "pattern": (PLAIN_NUMBER) };
    /// A ticker, or an asset's id with or without hyphens.
    AssetAsked = { "type": "string", "minLength": 1 };
    /// The caller's own name for an order, unique in the account for ever. Made up when it is absent.
    ClientOrderIdAsked = { "type": ["number", "string"], "maxLength": 128, "pattern": (PRINTABLE) };
    /// Yes or no.
    FlagAsked = { "type": ["boolean", "string"], "pattern": (YES_OR_NO) };
    /// There are no compound orders.
    OrderClassAsked = { "type": "string", "enum": ["simple", ""] };
    /// Has to agree with the side.
    PositionIntentAsked = { "type": "string", "enum": ["buy_to_open", "sell_to_close", ""] };
    /// How long a replacement works: it has to rest.
    RestingAsked = { "type": "string", "enum": ["day", "gtc", ""] };
    /// A moment, with its offset.
    MomentAsked = { "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "maxLength": 0 }] };
    /// Which orders are confirmed by mail.
    ConfirmEmailAsked = { "type": "string", "enum": ["all", "none", ""] };
    /// Nothing is lent.
    MultiplierAsked = { "type": ["integer", "string"], "enum": [1, "1", ""] };
    /// There are no options.
    OptionsLevelAsked = { "type": ["integer", "string"], "enum": [0, "0", ""] };

    /// An id with or without hyphens; what is none is the id of nothing.
    Id = { "type": "string", "pattern": (UUID) };
    /// `desc`: the newest first.
    Direction = { "type": "string", "enum": ["desc", "asc"] };
    /// Which orders.
    ListStatus = { "type": "string", "enum": ["open", "closed", "all"] };
    /// Classes of assets; all but stocks match nothing.
    AssetClasses = { "type": "string", "enum": ["us_equity", "us_option", "crypto"] };
    /// A moment with its offset; a day is its first moment in UTC.
    Moment = { "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "format": "date" }] };
    /// A day; a moment is the day it is written with.
    Day = { "anyOf": [{ "type": "string", "format": "date" }, { "type": "string", "format": "date-time" }] };
    /// Trades, or everything else.
    ActivityCategory = { "type": "string", "enum": ["trade_activity", "non_trade_activity"] };
    /// The id of an activity.
    ActivityId = { "type": "string", "pattern": (r"^[0-9]{17}::[0-9a-fA-F-]{32,36}$") };
    /// A number and a unit: trading days, weeks, months, years.
    Period = { "type": "string", "pattern": (r"^0*([1-9][0-9]{0,2}|1000)[DWMA]$") };
    /// The only one that is offered.
    IntradayReporting = { "type": "string", "enum": ["market_hours"] };
    /// The only one that is offered.
    PnlReset = { "type": "string", "enum": ["no_reset"] };
    /// The only one that is offered.
    CashflowTypes = { "type": "string", "enum": ["NONE"] };
    /// The id of an event, with or without its leading zeros.
    EventId = { "type": "string", "pattern": "^[0-9]{1,20}$" };
    /// Shares, as a plain number.
    Shares = { "type": "string", "maxLength": 64, "pattern": (PLAIN_NUMBER) };
}

impl PartialSchema for Text {
    fn schema() -> RefOr<Schema> {
        let amount = json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "example": "190.25" });
        described(" An exact amount in plain digits.", amount)
    }
}

impl ToSchema for Text {
    fn name() -> Cow<'static, str> {
        "Amount".into()
    }
}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Number));
        number.description(Some("An exact amount.")).into()
    }
}

impl ToSchema for Number {}

fn described(doc: &str, mut schema: Value) -> RefOr<Schema> {
    schema["description"] = doc.trim().into();
    serde_json::from_value(schema).expect("the schemas of this file are schemas")
}

/// Members that an answer leaves out where they do not apply. All others are always there.
const LEFT_OUT: &[(&str, &[&str])] = &[
    ("Order", &["submit_at"]),
    ("CancelResult", &["body"]),
    ("FillActivity", &["account_id"]),
    ("OtherActivity", &["symbol", "qty", "per_share_amount", "created_at"]),
    ("Asset", &["min_order_size", "min_trade_increment", "price_increment"]),
    (
        "TradeUpdate",
        &[
            "event_id",
            "at",
            "execution_id",
            "price",
            "qty",
            "position_qty",
            "reason",
        ],
    ),
];
/// What requests hold: their members may be absent, unless their own declaration says otherwise.
const REQUESTS: &[&str] = &["PlaceOrder", "ReplaceOrder", "UpdateConfigurations"];

fn never_null(schema: &mut RefOr<Schema>) {
    match schema {
        RefOr::T(Schema::OneOf(OneOf { items, .. })) => {
            let there = items.iter().position(|item| matches!(item, RefOr::Ref(_)));
            if let Some(there) = there {
                *schema = items.swap_remove(there);
            }
        }
        RefOr::T(Schema::Object(object)) => {
            if let SchemaType::Array(types) = &mut object.schema_type {
                types.retain(|of| *of != Type::Null);
            }
        }
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}

/// Makes the derived schemas say what answers are like when they are written: the derived ones tell what may be absent
/// when they are read, which is more (see the module's head).
pub fn as_written(components: &mut Components) {
    let answers = components.schemas.iter_mut();
    for (name, schema) in answers.filter(|(name, _)| !REQUESTS.contains(&name.as_str())) {
        let RefOr::T(Schema::Object(object)) = schema else {
            continue;
        };
        let left_out = LEFT_OUT.iter().find(|(of, _)| of == name);
        let left_out = left_out.map_or(&[] as &[&str], |(_, members)| members);
        for (member, schema) in &mut object.properties {
            if left_out.contains(&member.as_str()) {
                never_null(schema);
            } else if !object.required.contains(member) {
                object.required.push(member.clone());
            }
        }
    }
}
