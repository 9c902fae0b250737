//! The OpenAPI document's examples of refusals: they are the rows of `docs/refusals.md`, all of them and no others, and
//! each is an answer that the document promises.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Value, json};

use crate::promised::{DOCUMENT, paths, resolved};

/// When, status, code, message, names of further keys, what to do: the columns of the page.
type Row = (String, u64, u64, String, BTreeSet<String>, String);

/// Every example of an answer that refuses: its operation and status, the answer, the name and the example.
fn examples() -> Vec<(String, &'static Value, &'static String, &'static Value)> {
    let operations = paths().flat_map(|(_, item)| item.as_object().unwrap().values());
    let answers = operations.flat_map(|operation| {
        let name = operation["operationId"].as_str().unwrap();
        let all = operation["responses"].as_object().unwrap().iter();
        all.map(move |(status, answer)| (format!("{name} {status}"), resolved(answer)))
    });
    let refusals = answers.filter(|(here, _)| here.split(' ').nth(1).unwrap() >= "400");
    let shown = refusals.flat_map(|(here, answer)| {
        let content = &answer["content"]["application/json"];
        let all = content["examples"]
            .as_object()
            .unwrap_or_else(|| panic!("{here} has none"));
        all.iter()
            .map(move |(name, example)| (here.clone(), content, name, resolved(example)))
    });
    shown.collect()
}

fn row_of(example: &Value, status: u64) -> Row {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (summary, value) = (text(&example["summary"]), &example["value"]);
    let message = text(&value["message"]);
    let when = match summary.strip_suffix(&format!(" ({message})")) {
        Some(when) => format!("{when}."),
        None => summary,
    };
    let keys = value.as_object().unwrap().keys().cloned();
    let further = keys.filter(|key| key != "code" && key != "message").collect();
    let change = text(&example["description"]);
    let change = change.trim_start_matches("What to do: ").trim_end_matches('.');
    let code = value["code"].as_u64().unwrap();
    (when, status, code, message, further, change.to_owned())
}

fn rows_of_the_page() -> BTreeSet<Row> {
    let page = order_manager::refusals();
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect();
        let [when, status, code, message, keys, change] = cells.as_slice() else {
            return None;
        };
        Some((
            (*when).to_owned(),
            status.parse().ok()?,
            code.parse().ok()?,
            message.trim_matches('`').to_owned(),
            keys.split(", ")
                .filter(|key| !key.is_empty())
                .map(|key| key.trim_matches('`').to_owned())
                .collect(),
            (*change).to_owned(),
        ))
    });
    rows.collect()
}

#[test]
fn every_refusal_is_an_example_of_an_operation_and_every_example_is_a_refusal() {
    let status = |here: &str| here.split(' ').nth(1).unwrap().parse().unwrap();
    let shown: BTreeSet<Row> = examples()
        .iter()
        .map(|(here, _, _, example)| row_of(example, status(here)))
        .collect();
    let rows = rows_of_the_page();
    assert!(rows.len() > 100, "{rows:?}");
    let missing: Vec<&Row> = rows.difference(&shown).collect();
    let foreign: Vec<&Row> = shown.difference(&rows).collect();
    assert!(
        missing.is_empty() && foreign.is_empty(),
        "missing {missing:#?}, foreign {foreign:#?}"
    );
    let used: BTreeSet<&String> = examples().iter().map(|(_, _, name, _)| *name).collect();
    let there: BTreeSet<&String> = DOCUMENT["components"]["examples"].as_object().unwrap().keys().collect();
    assert_eq!(used, there);
}

#[test]
fn every_example_is_what_its_answer_promises() {
    for (here, content, name, example) in examples() {
        let rooted = json!({ "allOf": [content["schema"]], "components": DOCUMENT["components"] });
        let promised: Validator = jsonschema::draft202012::new(&rooted).unwrap();
        assert!(promised.is_valid(&example["value"]), "{here} {name}: {example}");
        let other = json!({ "code": 1, "message": "of no answer" });
        assert!(!promised.is_valid(&other), "{here} takes everything");
    }
}

#[test]
fn a_refusal_is_at_the_operations_that_can_meet_it() {
    let met: BTreeSet<(String, &str)> = examples()
        .into_iter()
        .map(|(here, _, name, _)| (here, name.as_str()))
        .collect();
    let is_met = |here: &str, name| met.contains(&(here.to_owned(), name));
    for (here, name) in [
        ("place_order 422", "place.no_quantity"),
        ("close_position 403", "place.insufficient_qty"),
        ("replace_order 403", "place.insufficient_buying_power"),
        ("get_position 404", "read.no_position"),
        ("close_positions 422", "read.no_flag"),
        ("trade_updates 429", "stream.address_full"),
        ("get_clock 503", "read.calendar_ends"),
    ] {
        assert!(is_met(here, name), "{here} {name}");
    }
    for (here, name) in [
        ("replace_order 422", "place.no_quantity"),
        ("list_orders 401", "any.no_json"),
        ("openapi 401", "any.unauthorized"),
        ("list_assets 422", "read.no_time"),
    ] {
        assert!(!is_met(here, name), "{here} {name}");
    }
}
