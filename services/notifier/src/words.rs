//! Which notice a change makes, and its text in plain words (UX-3, UX-4). Pure.
//!
//! | change of the order | notice | one an |
//! |---|---|---|
//! | filled | `filled` | order |
//! | canceled, expired, rejected | the same word, with what was filled | order |
//! | a fill after its end (ORD-11) | `late_fill` | execution |
//! | a trade taken back (ORD-12) | `bust` | execution |
//! | a trade corrected (LED-17) | `correction` | correction |
//!
//! An order that fills again after a bust has told of its fill already: one notice an order and end (EOD-2).

use domain::Side;
use domain::order::StreamEvent;
use rust_decimal::{Decimal, RoundingStrategy};
use strum::IntoStaticStr;
use uuid::Uuid;

use crate::facts::{Execution, Fact};

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// All of the order is filled.
    Filled,
    /// It was canceled.
    Canceled,
    /// Its time was over.
    Expired,
    /// It was not accepted.
    Rejected,
    /// Shares were filled after its end.
    LateFill,
    /// A trade was taken back.
    Bust,
    /// A trade was corrected.
    Correction,
}

impl Kind {
    /// Its word in the table.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A notice, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The same whenever it is made from the same change.
    pub id: Uuid,
    /// What it is about.
    pub kind: Kind,
    /// The execution it is about; empty when it is about the order.
    pub about: String,
    /// One line.
    pub title: String,
    /// The rest.
    pub body: String,
}

/// The notice of a change, if it makes one: acceptance and partial fills do not yet.
pub fn notice(fact: &Fact) -> Option<Notice> {
    let kind = kind(fact)?;
    let about = about(kind, fact);
    let title = format!(
        "{} of {} {}: {}",
        side(fact),
        plain(fact.qty),
        fact.symbol,
        ending(kind)
    );
    // The name is the kind with the execution, within the order: no two notices share both.
    let id = Uuid::new_v5(&fact.order.get(), format!("{}:{about}", kind.as_str()).as_bytes());
    Some(Notice {
        id,
        kind,
        about,
        title,
        body: body(kind, fact),
    })
}

fn kind(fact: &Fact) -> Option<Kind> {
    match fact.event {
        StreamEvent::Fill | StreamEvent::PartialFill if fact.ended_before => Some(Kind::LateFill),
        StreamEvent::Fill => Some(Kind::Filled),
        StreamEvent::Canceled => Some(Kind::Canceled),
        StreamEvent::Expired => Some(Kind::Expired),
        StreamEvent::Rejected => Some(Kind::Rejected),
        StreamEvent::TradeBust => Some(Kind::Bust),
        StreamEvent::TradeCorrect => Some(Kind::Correction),
        _ => None,
    }
}

fn about(kind: Kind, fact: &Fact) -> String {
    let execution = || fact.execution.as_ref().map_or_else(String::new, |x| x.id.clone());
    match kind {
        Kind::Filled | Kind::Canceled | Kind::Expired | Kind::Rejected => String::new(),
        Kind::LateFill | Kind::Bust => execution(),
        // A trade can be corrected more than once.
        Kind::Correction => format!("{}/{}", execution(), fact.seq),
    }
}

fn ending(kind: Kind) -> &'static str {
    match kind {
        Kind::Filled => "filled",
        Kind::Canceled => "canceled",
        Kind::Expired => "expired",
        Kind::Rejected => "not accepted",
        Kind::LateFill => "filled after its end",
        Kind::Bust => "a trade was taken back",
        Kind::Correction => "a trade was corrected",
    }
}

fn body(kind: Kind, fact: &Fact) -> String {
    let rest = plain(fact.qty - fact.filled_qty);
    let so_far = so_far(fact);
    match kind {
        Kind::Filled => sentence(&format!("{so_far}.")),
        Kind::Canceled => with_reason(sentence(&format!("{so_far}, {rest} canceled.")), fact),
        Kind::Expired => sentence(&format!("{so_far}, {rest} expired.")),
        Kind::Rejected => match reason(&fact.cause) {
            Some(reason) => format!("The order was not accepted: {reason}. {}.", sentence(&so_far)),
            None => format!(
                "The order was not accepted, and no reason was given. {}.",
                sentence(&so_far)
            ),
        },
        Kind::LateFill => format!(
            "{} more, after the order had ended. Now {so_far}.",
            traded(fact.execution.as_ref())
        ),
        Kind::Bust => format!(
            "The exchange took back a trade of {}. Now {so_far}.",
            traded(fact.execution.as_ref())
        ),
        Kind::Correction => format!(
            "The exchange corrected a trade, it is {}. Now {so_far}.",
            traded(fact.execution.as_ref())
        ),
    }
}

/// `6 of 10 filled, average 99.93`.
fn so_far(fact: &Fact) -> String {
    let Some(average) = fact.filled_notional.checked_div(fact.filled_qty) else {
        return format!("none of {} filled", plain(fact.qty));
    };
    // To be read, not to be booked: nobody gains by the side it falls on.
    let average = average.round_dp_with_strategy(4, RoundingStrategy::MidpointNearestEven);
    format!(
        "{} of {} filled, average {}",
        plain(fact.filled_qty),
        plain(fact.qty),
        dollars(average)
    )
}

fn traded(execution: Option<&Execution>) -> String {
    execution.map_or_else(
        || "some shares".to_owned(),
        |x| format!("{} at {}", plain(x.qty), dollars(x.price)),
    )
}

fn with_reason(text: String, fact: &Fact) -> String {
    match reason(&fact.cause) {
        Some(reason) => format!("{text} Reason: {reason}."),
        None => text,
    }
}

/// With a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A cause is who spoke, and perhaps why: `venue: no such symbol`.
fn reason(cause: &str) -> Option<&str> {
    let (_, reason) = cause.split_once(": ")?;
    Some(reason.trim().trim_end_matches('.')).filter(|reason| !reason.is_empty())
}

const fn side(fact: &Fact) -> &'static str {
    match fact.side {
        Side::Buy => "Buy",
        Side::Sell => "Sale",
    }
}

fn plain(shares: Decimal) -> String {
    shares.normalize().to_string()
}

/// With cents at least.
fn dollars(amount: Decimal) -> String {
    let mut amount = amount.normalize();
    if amount.scale() < 2 {
        amount.rescale(2);
    }
    amount.to_string()
}

#[cfg(test)]
mod tests {
    //! The texts, change by change.
    use super::*;
    use domain::{AccountId, OrderId};

    fn fact(event: StreamEvent, filled: i64, notional: &str, cause: &str) -> Fact {
        Fact {
            account: AccountId::new(Uuid::from_u128(1)),
            seq: 7,
            order: OrderId::new(Uuid::from_u128(2)),
            event,
            at: "2026-11-23T21:00:00Z".parse().expect("a time"),
            symbol: "AAPL".to_owned(),
            side: Side::Buy,
            qty: Decimal::new(100, 1),
            filled_qty: filled.into(),
            filled_notional: notional.parse().expect("an amount"),
            execution: Some(Execution {
                id: "x-1".to_owned(),
                qty: 4.into(),
                price: Decimal::new(999, 1),
            }),
            cause: cause.to_owned(),
            ended_before: false,
        }
    }

    fn told(fact: &Fact) -> String {
        notice(fact).map_or_else(|| "nothing".to_owned(), |n| format!("{} | {}", n.title, n.body))
    }

    /// ORD-9: what filled so far is all that is wanted, so it is filled without one more trade.
    #[test]
    fn ord_9_an_order_that_is_filled_with_what_there_is_is_told_like_any_other() {
        let fact = Fact {
            execution: None,
            qty: 6.into(),
            ..fact(StreamEvent::Fill, 6, "599.40", "venue")
        };
        assert_eq!(told(&fact), "Buy of 6 AAPL: filled | 6 of 6 filled, average 99.90.");
    }

    #[test]
    fn ux_3_each_end_says_in_plain_words_what_was_filled_and_at_what_price() {
        use StreamEvent::{Canceled, Expired, Fill, PartialFill, Rejected, TradeBust, TradeCorrect};
        let ended = |event| Fact {
            ended_before: true,
            ..fact(event, 9, "899.1", "venue")
        };
        let cases = [
            (
                fact(Fill, 10, "999.30", "venue"),
                "filled | 10 of 10 filled, average 99.93.",
            ),
            (
                fact(Canceled, 6, "599.6", "venue"),
                "canceled | 6 of 10 filled, average 99.9333, 4 canceled.",
            ),
            (
                fact(Canceled, 0, "0", "executor: could not be sent in time"),
                "canceled | None of 10 filled, 10 canceled. Reason: could not be sent in time.",
            ),
            (
                fact(Expired, 6, "600", "end_of_day"),
                "expired | 6 of 10 filled, average 100.00, 4 expired.",
            ),
            (
                fact(Rejected, 0, "0", "venue: the symbol is not traded."),
                "not accepted | The order was not accepted: the symbol is not traded. None of 10 filled.",
            ),
            (
                fact(Rejected, 0, "0", "venue"),
                "not accepted | The order was not accepted, and no reason was given. None of 10 filled.",
            ),
            (
                ended(PartialFill),
                "filled after its end | 4 at 99.90 more, after the order had ended. Now 9 of 10 filled, average 99.90.",
            ),
            (
                fact(TradeBust, 0, "0", "venue"),
                "a trade was taken back | The exchange took back a trade of 4 at 99.90. Now none of 10 filled.",
            ),
            (
                fact(TradeCorrect, 4, "399.6", "venue"),
                "a trade was corrected | The exchange corrected a trade, it is 4 at 99.90. Now 4 of 10 filled, average 99.90.",
            ),
        ];
        for (fact, text) in cases {
            assert_eq!(told(&fact), format!("Buy of 10 AAPL: {text}"));
        }
    }

    #[test]
    fn ux_4_acceptance_and_fills_of_a_working_order_make_no_notice_yet() {
        for event in [
            StreamEvent::Accepted,
            StreamEvent::New,
            StreamEvent::PartialFill,
            StreamEvent::DoneForDay,
        ] {
            assert_eq!(told(&fact(event, 6, "600", "venue")), "nothing");
        }
    }

    #[test]
    fn eod_2_the_id_is_that_of_order_and_end_and_of_the_execution_where_there_can_be_more() {
        let id = |fact: &Fact| notice(fact).expect("a notice").id;
        let filled = fact(StreamEvent::Fill, 10, "1000", "venue");
        let again = Fact {
            seq: 9,
            ..filled.clone()
        };
        assert_eq!(
            id(&filled),
            id(&again),
            "filled, busted, filled again: one order, one end"
        );
        let bust = fact(StreamEvent::TradeBust, 6, "600", "venue");
        let mut other = bust.clone();
        other.execution.as_mut().expect("one").id = "x-2".to_owned();
        assert_ne!(id(&bust), id(&other));
        let corrected = fact(StreamEvent::TradeCorrect, 6, "600", "venue");
        let twice = Fact {
            seq: 9,
            ..corrected.clone()
        };
        assert_ne!(id(&corrected), id(&twice));
    }
}
