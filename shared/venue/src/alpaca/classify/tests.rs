//! Each misbehaviour of an exchange, as an answer, and what we make of it.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::VenueStatus;
use domain::order::EndKind;
use domain::{Price, Qty, Side, Symbol, TimeInForce};
use serde_json::{Value, json};
use uuid::Uuid;

fn key() -> OrderId {
    OrderId::new(Uuid::from_u128(7))
}

fn asked() -> VenueOrder {
    VenueOrder {
        symbol: Symbol::parse("AAPL").unwrap(),
        side: Side::Buy,
        qty: Qty::parse("10").unwrap(),
        limit_price: Price::parse("190.5").unwrap(),
        time_in_force: TimeInForce::Day,
    }
}

fn shown() -> Value {
    json!({
        "id": Uuid::from_u128(70), "client_order_id": key().to_string(), "symbol": "AAPL", "side": "buy", "qty": "10",
        "filled_qty": "0", "type": "limit", "limit_price": "190.50", "time_in_force": "day", "status": "new",
        "created_at": "2026-11-23T15:00:00Z", "updated_at": "2026-11-23T15:00:00Z", "submitted_at": "2026-11-23T15:00:00Z",
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut order = shown();
    order[name] = value.into();
    order
}

fn answer(status: u16, body: impl ToString) -> Answer {
    Answer {
        status,
        retry_after: Duration::from_secs(3),
        body: body.to_string().into(),
    }
}

fn hand(status: u16, body: impl ToString) -> Handed<Submitted> {
    handed(&answer(status, body), key(), &asked())
}

fn error(code: i64, message: &str) -> Value {
    json!({"code": code, "message": message})
}

#[test]
fn an_order_as_asked_is_acknowledged() {
    let Handed::Done(Submitted::Acknowledged(view)) = hand(200, shown()) else {
        panic!("{:?}", hand(200, shown()))
    };
    assert_eq!(view.status, VenueStatus::Working);
    assert_eq!(view.venue_order_id.as_str(), Uuid::from_u128(70).to_string());
}

#[test]
fn numbers_in_place_of_strings_are_read_exactly() {
    let body = shown()
        .to_string()
        .replace("\"190.50\"", "190.50")
        .replace("\"10\"", "10");
    assert!(matches!(hand(200, body), Handed::Done(Submitted::Acknowledged(_))));
}

#[test]
fn an_order_the_venue_took_and_rejected_is_acknowledged_with_its_end() {
    let Handed::Done(Submitted::Acknowledged(view)) = hand(200, with("status", "rejected")) else {
        panic!()
    };
    assert_eq!(view.status, VenueStatus::Ended(EndKind::Rejected));
}

/// executor::answer_garbage: wrong order id, wrong quantity and the like are about another order.
#[test]
fn an_answer_that_differs_from_what_was_asked_is_a_doubt() {
    let other = Uuid::from_u128(8).to_string();
    for (name, value) in [
        ("client_order_id", other.as_str()),
        ("symbol", "MSFT"),
        ("side", "sell"),
        ("qty", "11"),
        ("limit_price", "190.51"),
        ("time_in_force", "gtc"),
    ] {
        let got = hand(200, with(name, value));
        assert_eq!(
            got,
            Handed::Done(Submitted::Unknown(Fault::Mismatch(name.to_owned()))),
            "{name}"
        );
    }
}

#[test]
fn an_unreadable_answer_is_a_doubt() {
    let cut = &shown().to_string()[..120];
    let half = with("qty", Value::Null).to_string();
    let unknown_word = with("status", "sleeping").to_string();
    for body in ["", "<html>", "{}", "[]", "null", cut, &half, &unknown_word] {
        assert!(
            matches!(hand(200, body), Handed::Done(Submitted::Unknown(Fault::Garbage(_)))),
            "{body}"
        );
    }
}

/// executor::answer_5xx, and statuses that no dialect knows.
#[test]
fn a_status_that_says_nothing_is_a_doubt() {
    for status in [201, 204, 302, 404, 405, 408, 409, 413, 425, 500, 502, 503, 504] {
        let got = hand(status, error(i64::from(status) * 100_000 + 10_000, "x"));
        assert_eq!(got, Handed::Done(Submitted::Unknown(Fault::Status(status))));
    }
}

/// executor::answer_429: nothing was done, and we are told how long to wait.
#[test]
fn too_many_calls_are_no_attempt() {
    let wait = Fault::Throttled {
        retry_after: Duration::from_secs(3),
    };
    assert_eq!(hand(429, "slow down"), Handed::Done(Submitted::Unknown(wait.clone())));
    assert_eq!(lookup(&answer(429, "")), Lookup::Unknown(wait.clone()));
    assert_eq!(canceling(&answer(429, "")), Canceling::Unknown(wait.clone()));
    assert!(wait.not_applied());
}

#[test]
fn a_wrong_key_pair_is_no_refusal_of_the_order() {
    assert_eq!(
        hand(401, error(40_110_000, "x")),
        Handed::Done(Submitted::Unknown(Fault::Unauthorized))
    );
}

/// executor::answer_reject
#[test]
fn a_refusal_needs_a_status_that_refuses_and_an_error_body_that_fits() {
    for (status, code) in [
        (403, 40_310_000),
        (422, 42_210_000),
        (422, 40_010_001),
        (400, 40_010_000),
    ] {
        let got = hand(status, error(code, "no"));
        assert_eq!(
            got,
            Handed::Done(Submitted::Refused(Refusal {
                code,
                reason: "no".to_owned()
            }))
        );
    }
    for (status, body) in [
        (403, "<html>Forbidden by proxy</html>".to_owned()),
        (422, error(40_310_000, "another status' code").to_string()),
        (422, error(42_210_000, "").to_string()),
        (400, "{}".to_owned()),
    ] {
        assert!(
            matches!(hand(status, &body), Handed::Done(Submitted::Unknown(Fault::Garbage(_)))),
            "{status} {body}"
        );
    }
}

/// executor::answer_duplicate_key: counts as success, once it is looked up.
#[test]
fn a_repeated_key_is_no_refusal() {
    assert_eq!(
        hand(422, error(40_010_001, "client_order_id must be unique")),
        Handed::Duplicate
    );
}

#[test]
fn only_the_dialects_own_404_denies_an_order() {
    assert_eq!(
        lookup(&answer(404, error(40_410_000, "order not found"))),
        Lookup::NotFound
    );
    for body in [
        "",
        "<html>404</html>",
        "{\"message\":\"no route\"}",
        "{\"code\":50010000,\"message\":\"x\"}",
    ] {
        assert!(
            matches!(lookup(&answer(404, body)), Lookup::Unknown(Fault::Garbage(_))),
            "{body}"
        );
    }
}

#[test]
fn a_cancel_is_taken_too_late_or_of_nothing() {
    assert_eq!(canceling(&answer(204, "")), Canceling::Taken);
    let late = error(42_210_000, "order is already in \"filled\" state");
    assert!(matches!(canceling(&answer(422, late)), Canceling::TooLate(_)));
    assert_eq!(canceling(&answer(404, error(40_410_000, "x"))), Canceling::NotFound);
    assert_eq!(
        canceling(&answer(404, "")),
        Canceling::Unknown(Fault::Garbage(
            "EOF while parsing a value at line 1 column 0".to_owned()
        ))
    );
    assert_eq!(canceling(&answer(500, "")), Canceling::Unknown(Fault::Status(500)));
}

#[test]
fn a_venue_that_ignores_the_list_of_keys_denies_none_of_them() {
    let mine: rest::Order = serde_json::from_value(shown()).unwrap();
    let absent = OrderId::new(Uuid::from_u128(9));
    let both = bulk(std::slice::from_ref(&mine), &[key(), absent]).unwrap();
    assert!(matches!(both[&key()], Lookup::Found(_)));
    assert_eq!(both[&absent], Lookup::NotFound);
    assert!(bulk(&[mine], &[absent]).is_err(), "an order nobody asked for");
}

/// replace::sent_no_answer: the answer to a PATCH is read as strictly as the one to a POST.
mod of_replacements {
    use super::*;

    fn old() -> VenueOrderId {
        VenueOrderId::new(&Uuid::from_u128(69).to_string()).unwrap()
    }

    fn patch(status: u16, body: impl ToString) -> Handed<Replacing> {
        replacing(&answer(status, body), key(), &old(), &asked())
    }

    fn replacement() -> Value {
        with("replaces", Uuid::from_u128(69).to_string())
    }

    #[test]
    fn a_replacement_as_asked_is_taken_and_says_where_it_stands() {
        let mut pending = replacement();
        pending["status"] = "pending_new".into();
        for (body, status) in [
            (replacement(), VenueStatus::Working),
            (pending, VenueStatus::PendingReplace),
        ] {
            let Handed::Done(Replacing::Replaced(view)) = patch(200, &body) else {
                panic!("{body}")
            };
            assert_eq!((view.status, view.replaces), (status, Some(old())));
        }
    }

    #[test]
    fn a_replacement_of_another_order_or_with_other_terms_is_a_doubt() {
        let mut other = replacement();
        other["qty"] = "11".into();
        for (body, what) in [
            (other, "qty"),
            (shown(), "replaces"),
            (with("replaces", Uuid::from_u128(68).to_string()), "replaces"),
        ] {
            let doubt = Replacing::Unknown(Fault::Mismatch(what.to_owned()));
            assert_eq!(patch(200, body), Handed::Done(doubt));
        }
    }

    #[test]
    fn a_refusal_of_a_replacement_needs_a_status_that_refuses_and_an_error_body_that_fits() {
        for (status, code) in [
            (403, 40_310_000),
            (404, 40_410_000),
            (422, 42_210_000),
            (422, 40_010_001),
        ] {
            let refused = patch(status, error(code, "unable to replace order, order is not open"));
            assert!(
                matches!(refused, Handed::Done(Replacing::Refused(Refusal { code: said, .. })) if said == code),
                "{status}"
            );
        }
        for (status, body) in [(404, "<html>no such page</html>"), (422, "{}"), (200, "{}"), (200, "")] {
            let doubt = patch(status, body);
            assert!(
                matches!(doubt, Handed::Done(Replacing::Unknown(Fault::Garbage(_)))),
                "{status} {body}"
            );
        }
        for status in [201, 204, 302, 405, 409, 500, 502, 503, 504] {
            let doubt = Handed::Done(Replacing::Unknown(Fault::Status(status)));
            assert_eq!(patch(status, error(i64::from(status) * 100_000, "x")), doubt);
        }
    }

    #[test]
    fn a_used_key_is_looked_up_and_too_many_calls_are_no_attempt() {
        assert_eq!(
            patch(422, error(40_010_001, "client_order_id must be unique")),
            Handed::Duplicate
        );
        let wait = Fault::Throttled {
            retry_after: Duration::from_secs(3),
        };
        assert_eq!(patch(429, ""), Handed::Done(Replacing::Unknown(wait)));
    }

    #[test]
    fn an_order_that_was_replaced_is_over_and_one_that_is_to_be_replaced_is_not() {
        let by = Uuid::from_u128(71).to_string();
        let mut replaced = with("status", "replaced");
        replaced["replaced_by"] = by.clone().into();
        replaced["replaced_at"] = "2026-11-23T15:00:01Z".into();
        let Lookup::Found(view) = lookup(&answer(200, replaced)) else {
            panic!()
        };
        assert_eq!(view.status, VenueStatus::Ended(EndKind::Replaced));
        assert_eq!(view.replaced_by.map(|id| id.to_string()), Some(by));
        assert_eq!(view.updated_at.to_rfc3339(), "2026-11-23T15:00:01+00:00");
        let Lookup::Found(view) = lookup(&answer(200, with("status", "pending_replace"))) else {
            panic!()
        };
        assert_eq!(view.status, VenueStatus::PendingReplace);
    }
}
