//! Answers that refuse: each operation has the statuses of the refusals that it can meet, and they are its examples there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use axum::http::StatusCode;
use serde_json::json;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{AllOfBuilder, Components, Content, ObjectBuilder, Ref, RefOr, Response, Type};

use super::headers;
use crate::http::refusals::{At, Sample, all};

static REFUSALS: LazyLock<Vec<Sample>> = LazyLock::new(|| all().collect());

/// All refusals by name, for the document's components.
pub(super) fn examples() -> BTreeMap<String, RefOr<Example>> {
    let shown = |sample: &Sample| (sample.name.clone(), example(sample).into());
    REFUSALS.iter().map(shown).collect()
}

fn example(sample: &Sample) -> Example {
    ExampleBuilder::new()
        .summary(summary(sample))
        .description(format!("What to do: {}.", sample.change))
        .value(Some(sample.told.body()))
        .build()
}

/// When it happens; the message tells those of one cause from each other.
fn summary(sample: &Sample) -> String {
    let alike = |other: &&Sample| other.when == sample.when && section(other) == section(sample);
    if REFUSALS.iter().filter(alike).count() == 1 {
        return sample.when.to_owned();
    }
    format!("{} ({})", sample.when.trim_end_matches('.'), sample.told.message)
}

fn section(sample: &Sample) -> &str {
    sample.name.split('.').next().unwrap_or_default()
}

/// Adds to an operation every answer that refuses. What is the same everywhere is written once, among the components.
pub(super) fn told_with(operation: &mut Operation, components: &mut Components) {
    let met: Vec<&Sample> = REFUSALS
        .iter()
        .filter(|sample| is_met(sample.met_at, operation))
        .collect();
    let statuses: BTreeSet<StatusCode> = met.iter().map(|sample| sample.told.status).collect();
    for status in statuses {
        let here = different(met.iter().copied().filter(|sample| sample.told.status == status));
        let is_own = here.iter().any(|sample| matches!(sample.met_at, At::These(_)));
        // What is malformed differs with what is read.
        let answer = if is_own || status == StatusCode::UNPROCESSABLE_ENTITY {
            refusal(status, &here).into()
        } else {
            shared(status, &here, components)
        };
        operation.responses.responses.insert(status.as_str().to_owned(), answer);
    }
}

fn is_met(at: At, operation: &Operation) -> bool {
    let takes = |there: ParameterIn| {
        let mut all = operation.parameters.iter().flatten();
        all.any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == there))
    };
    match at {
        At::Every => true,
        At::WithKey => !is_open(operation),
        At::WithBody => operation.request_body.is_some(),
        At::WithQuery => takes(ParameterIn::Query),
        At::WithPath => takes(ParameterIn::Path),
        At::These(names) => operation
            .operation_id
            .as_deref()
            .is_some_and(|name| names.contains(&name)),
    }
}

/// Nobody has to say who is calling.
fn is_open(operation: &Operation) -> bool {
    let security = operation.security.as_ref();
    security.is_some_and(|of| *of == [SecurityRequirement::default()])
}

/// Without those that a client cannot tell from one before.
fn different<'a>(samples: impl Iterator<Item = &'a Sample>) -> Vec<&'a Sample> {
    samples.fold(vec![], |mut before: Vec<&Sample>, sample| {
        if before.iter().all(|other| other.told != sample.told) {
            before.push(sample);
        }
        before
    })
}

/// A reference to the answer that all have at this status.
fn shared(status: StatusCode, samples: &[&Sample], components: &mut Components) -> RefOr<Response> {
    let name = status.canonical_reason().unwrap_or_default().replace(' ', "");
    let there = RefOr::Ref(Ref::new(format!("#/components/responses/{name}")));
    let answer = || refusal(status, samples).into();
    components.responses.entry(name).or_insert_with(answer);
    there
}

fn refusal(status: StatusCode, samples: &[&Sample]) -> Response {
    let codes: BTreeSet<u32> = samples.iter().map(|sample| sample.told.code).collect();
    let code = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .enum_values(Some(codes.into_iter().map(|code| json!(code))));
    let body = AllOfBuilder::new()
        .item(Ref::from_schema_name("Error"))
        .item(ObjectBuilder::new().property("code", code));
    let mut content = Content::new(Some(body));
    content.examples = samples
        .iter()
        .map(|sample| (sample.name.clone(), named(sample)))
        .collect();
    let mut answer = Response::new(says(status));
    answer.content.insert("application/json".to_owned(), content.into());
    headers::told_with(&mut answer);
    if samples.iter().any(|sample| sample.told.retry_after.is_some()) {
        headers::tell(&mut answer, headers::RETRY_AFTER);
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers::tell(&mut answer, headers::ALLOW);
    }
    answer
}

/// A reference to an example.
fn named(sample: &Sample) -> RefOr<Example> {
    RefOr::Ref(Ref::new(format!("#/components/examples/{}", sample.name)))
}

/// What a status means wherever it is told.
fn says(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "Not of the form that is read here.",
        401 => "No key, an unknown or revoked one, or a wrong secret: nobody is told which.",
        403 => "Understood, and not allowed for this account now: money, shares, limits, blocks.",
        404 => "There is no such thing, or it is another account's.",
        405 => "The path has other methods.",
        413 => "The body is larger than any request needs.",
        422 => "A parameter is malformed, missing or contradicts another (40010001), or a rule says no (42210000).",
        429 => {
            "Too many requests, too many cancels in a symbol for what trades there, or too many sockets that say not who they are."
        }
        503 => "Not now: starting, stopping, full, or the database is away. An order may exist if the message says so.",
        _ => "A defect of ours. An order may exist: look it up by its client_order_id.",
    }
}

#[cfg(test)]
mod tests {
    //! Where refusals are met.

    use super::*;

    #[test]
    fn every_refusal_has_a_name_of_its_own() {
        assert_eq!(examples().len(), REFUSALS.len());
    }

    #[test]
    fn refusals_are_met_at_operations_that_there_are() {
        let document = crate::http::openapi();
        let named = REFUSALS.iter().filter_map(|sample| match sample.met_at {
            At::These(names) => Some(names),
            _ => None,
        });
        for name in named.flatten() {
            assert!(document.contains(&format!("\"operationId\": \"{name}\"")), "{name}");
        }
    }
}
