//! What the OpenAPI document promises, for answers to be held against: every answer that a test gets through
//! [`crate::house::House::answer`] is.

use std::sync::LazyLock;

use axum::http::{Method, StatusCode};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::house::Answer;

/// The document.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&order_manager::openapi()).unwrap());

/// Holds an answer against the document, and the body that was taken for it.
#[track_caller]
pub fn hold(method: &Method, path: &str, body: &[u8], answer: &Answer) {
    let Some((_, item)) = paths().find(|(template, _)| fits(template, path)) else {
        return assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path} is not in the document");
    };
    let operation = &item[method.as_str().to_lowercase()];
    if operation.is_null() {
        return assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
    }
    let here = format!("{method} {path}: {}", answer.status);
    let told = resolved(&operation["responses"][answer.status.as_str()]);
    assert!(told.is_object(), "{here} is not in the document");
    for name in told["headers"]
        .as_object()
        .into_iter()
        .flat_map(|headers| headers.keys())
    {
        // That one the layers around the router add, which not every test has.
        assert!(
            answer.headers.contains_key(name) || name == "X-Request-ID",
            "{here} has no {name}"
        );
    }
    match told.pointer("/content/application~1json/schema") {
        Some(schema) => valid(schema, &answer.body, &here),
        None => assert_eq!(answer.body, Value::Null, "{here}"),
    }
    if answer.status.is_success()
        && let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema")
    {
        valid(
            schema,
            &serde_json::from_slice(body).unwrap(),
            &format!("{here}, but its request"),
        );
    }
}

/// Holds an update, of either stream, against the document.
#[track_caller]
pub fn hold_update(update: &Value) {
    static UPDATE: LazyLock<Validator> =
        LazyLock::new(|| validator(&json!({ "$ref": "#/components/schemas/TradeUpdate" })));
    keeps_to(&UPDATE, update, "an update");
}

#[track_caller]
fn valid(schema: &Value, value: &Value, here: &str) {
    keeps_to(&validator(schema), value, here);
}

fn validator(schema: &Value) -> Validator {
    // References are from the document's root.
    let rooted = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
    jsonschema::draft202012::new(&rooted).unwrap()
}

#[track_caller]
fn keeps_to(validator: &Validator, value: &Value, here: &str) {
    let faults: Vec<String> = validator
        .iter_errors(value)
        .map(|fault| format!("{fault} at {}", fault.instance_path()))
        .collect();
    assert!(
        faults.is_empty(),
        "{here} is not as the document says: {faults:#?}\n{value}"
    );
}

/// Every path with its operations.
pub fn paths() -> impl Iterator<Item = (&'static String, &'static Value)> {
    DOCUMENT["paths"].as_object().unwrap().iter()
}

/// Whether a path is one of a template's.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    let same = |(part, is): (&&str, &&str)| part == is || (part.starts_with('{') && !is.is_empty());
    template.len() == path.len() && template.iter().zip(&path).all(same)
}

/// What a reference leads to; anything else is itself.
pub fn resolved(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(there) => DOCUMENT.pointer(there.trim_start_matches('#')).unwrap(),
        None => value,
    }
}
