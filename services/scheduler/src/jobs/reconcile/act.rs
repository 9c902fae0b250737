//! What is done about a break (REC-3, REC-4): a question to the venue, a report on the bus, a posting in suspense, or
//! nothing but a note for an operator. Pure; whatever moves an order goes through the bus to the status-updater.

use chrono::TimeDelta;
use domain::Timestamp;
use uuid::Uuid;
use venue::ExecutionView;
use wire::events::v1::{Fact, VenueReport};

use super::breaks::Break;

/// How often the venue has to deny an execution before it is believed, on passes of their own.
pub(super) const ASKS: i32 = 2;
/// A report that was not booked by then is sent again.
const AGAIN: TimeDelta = TimeDelta::minutes(2);
/// Reports about executions of nobody's order get an order id of their own, so that one parks nobody else.
const NAMESPACE: Uuid = Uuid::from_u128(0x5e0b_41c7_88b1_5d36_8a4d_da7b_00c0_5eed);

/// What a break asks for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// This goes to the status-updater.
    Report(Fact, String),
    /// The executor asks the venue about the order.
    LookUp(String),
    /// Nobody knows it at the venue: LED-21.
    Suspend(String),
    /// The venue's record says why both sides differ: it is explained.
    Explain(String),
    /// Nothing more than a note; its state is left as it is.
    Note(String),
}

/// What the venue says about an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// It was not asked.
    Unasked,
    /// It knows it, as this.
    Knows(ExecutionView),
    /// It knows of none.
    Denies,
    /// No usable answer.
    Unclear(String),
}

/// Breaks that only a person can settle, from the beginning.
pub(super) fn is_for_people(kind: &str) -> bool {
    matches!(
        kind,
        "unknown_order" | "suspended" | "identity" | "trade_date" | "open_theirs"
    )
}

/// Whether the venue is to be asked about the execution, now.
pub(super) fn asks(it: &Break, now: Timestamp, between: TimeDelta) -> bool {
    let due = it.asked_at.is_none_or(|at| now >= at + between);
    let kind = matches!(
        it.kind.as_str(),
        "missing_theirs" | "duplicate" | "terms" | "busted_ours"
    );
    kind && due && it.suspense.is_none() && it.state == "open" && !is_set_aside(it)
}

/// Whether it is in suspense already: what the venue says of it changes nothing, people decide.
fn is_set_aside(it: &Break) -> bool {
    it.ours.contains("set aside")
}

/// What to do about a break, given what the venue says. Never ends an order, never takes anything from a customer that the
/// venue did not take.
pub(super) fn act(it: &Break, word: &Word, now: Timestamp) -> Act {
    match it.kind.as_str() {
        "missing_ours" => report(it, filled(it), now, "the venue has it: reported, to be booked"),
        "busted_theirs" => report(
            it,
            busted(it, now),
            now,
            "the venue took it back: reported, to be reversed",
        ),
        "unknown_order" if it.ours == "nothing" => report(
            it,
            unmatched(it),
            now,
            "no order of ours: to suspense (LED-20), assign it or give it to the firm",
        ),
        "terms" => terms(it, word, now),
        "missing_theirs" | "duplicate" => missing_theirs(it, word, now),
        "busted_ours" => busted_ours(it, word, now),
        "open_ours" | "open_theirs" if it.order_id.is_some() && it.acted_at.is_none() => {
            Act::LookUp(for_people(&it.kind).to_owned())
        }
        kind => Act::Note(for_people(kind).to_owned()),
    }
}

fn for_people(kind: &str) -> &'static str {
    match kind {
        "unknown_order" => "in suspense (LED-20): assign it to a customer or give it to the firm",
        "suspended" => "set aside, in suspense: see `daybook admin set-aside`, then assign it or give it to the firm",
        "identity" => "symbol, side or order differ: ask the venue which is right",
        "open_ours" => "the venue does not list it as open: it is asked about",
        "open_theirs" => "the venue lists it as open and it is over here, or unknown: cancel it at the venue",
        "trade_date" => "the days differ: the trade's dates follow the venue's",
        _ => "an operator has to look",
    }
}

fn report(it: &Break, fact: Fact, now: Timestamp, note: &str) -> Act {
    match it.acted_at {
        Some(at) if now < at + AGAIN => Act::Note(it.note.clone()),
        _ => Act::Report(fact, note.to_owned()),
    }
}

fn terms(it: &Break, word: &Word, now: Timestamp) -> Act {
    let Word::Knows(known) = word else {
        return not_confirmed(it, word, "quantity or price differ");
    };
    let theirs = (known.execution.qty.get(), known.execution.price.get());
    if known.busted_at.is_some() {
        return report(
            it,
            busted(it, now),
            now,
            "the venue took it back: reported, to be reversed",
        );
    }
    if theirs == (it.qty, it.price) && it.acted_at.is_some() {
        let note = if it.acted_at.is_some_and(|at| now < at + AGAIN) {
            it.note.clone()
        } else {
            "the correction was not booked: see `daybook admin set-aside`".to_owned()
        };
        return Act::Note(note);
    }
    if theirs == (it.qty, it.price) {
        // The moment of the decision: of two corrections the later one counts.
        let fact = Fact::Corrected {
            exec_id: it.subject.clone(),
            qty: it.qty,
            price: it.price,
            at: now,
        };
        return Act::Report(
            fact,
            "the venue's record says as its file does: corrected (LED-17)".to_owned(),
        );
    }
    let note = format!(
        "the venue's record says {} @ {}, its file something else",
        theirs.0, theirs.1
    );
    Act::Explain(note)
}

fn missing_theirs(it: &Break, word: &Word, now: Timestamp) -> Act {
    match word {
        Word::Knows(known) if known.busted_at.is_some() => report(
            it,
            busted(it, now),
            now,
            "the venue took it back: reported, to be reversed",
        ),
        Word::Knows(known) if (known.execution.qty.get(), known.execution.price.get()) == (it.qty, it.price) => {
            Act::Explain("the venue's record has it, its file leaves it out".to_owned())
        }
        Word::Knows(known) => Act::Note(format!(
            "the venue's record has {} @ {}",
            known.execution.qty, known.execution.price
        )),
        Word::Denies if it.asked + 1 >= ASKS && it.suspense.is_none() => Act::Suspend(
            "the venue knows no such execution: the customer keeps it, the firm owes it (LED-21)".to_owned(),
        ),
        _ => not_confirmed(it, word, "the venue's file does not have it"),
    }
}

fn busted_ours(it: &Break, word: &Word, now: Timestamp) -> Act {
    match word {
        Word::Knows(known) if known.busted_at.is_some() => {
            Act::Explain("taken back after its file was written".to_owned())
        }
        Word::Knows(_) if it.asked + 1 >= ASKS => report(
            it,
            unmatched(it),
            now,
            "it stands at the venue and was taken back here: to suspense (LED-20)",
        ),
        _ => not_confirmed(it, word, "taken back here, not in the venue's file"),
    }
}

fn not_confirmed(it: &Break, word: &Word, what: &str) -> Act {
    match word {
        Word::Unasked => Act::Note(it.note.clone()),
        Word::Denies => Act::Note(format!("{what}; the venue denies it, it is asked again")),
        Word::Unclear(why) => Act::Note(format!("{what}; the venue gives no usable answer: {why}")),
        Word::Knows(_) => Act::Note(format!("{what}; the venue confirms it, it is asked again")),
    }
}

pub(super) fn state_of(it: &Break) -> &'static str {
    match it.state.as_str() {
        "explained" => "explained",
        "adjusted" => "adjusted",
        _ => "open",
    }
}

fn filled(it: &Break) -> Fact {
    Fact::Filled {
        exec_id: it.subject.clone(),
        // The order's name at the venue is known from elsewhere, or not needed any more.
        venue_order_id: String::new(),
        qty: it.qty,
        price: it.price,
        at: it.at,
    }
}

fn busted(it: &Break, now: Timestamp) -> Fact {
    Fact::Busted {
        exec_id: it.subject.clone(),
        qty: it.qty,
        price: it.price,
        at: now,
    }
}

fn unmatched(it: &Break) -> Fact {
    Fact::Unmatched {
        exec_id: it.subject.clone(),
        venue_order_id: String::new(),
        symbol: it.symbol.clone(),
        side: it.side.clone(),
        qty: it.qty,
        price: it.price,
        at: it.at,
    }
}

/// The report for the bus.
pub(super) fn venue_report(it: &Break, fact: Fact, now: Timestamp) -> VenueReport {
    let of_nobody = matches!(fact, Fact::Unmatched { .. });
    let stranger = || Uuid::new_v5(&NAMESPACE, format!("{}:{}", it.venue, it.subject).as_bytes());
    VenueReport {
        venue: it.venue.clone(),
        order_id: it.order_id.filter(|_| !of_nobody).unwrap_or_else(stranger),
        account_id: it.account_id.filter(|_| !of_nobody).unwrap_or_default(),
        fact,
        source: "recon".to_owned(),
        received_at: now,
    }
}
