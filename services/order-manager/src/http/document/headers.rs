//! The headers of answers.

use std::collections::BTreeMap;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::{Header, ObjectBuilder, Ref, RefOr, Response, Type};

/// On every answer.
const ALWAYS: &[(&str, Type, &str)] = &[
    (
        "X-Request-ID",
        Type::String,
        "The request's id: the client's own, or a new one. It is in our log, too.",
    ),
    (
        "X-Ratelimit-Limit",
        Type::Integer,
        "Requests of this kind that are allowed in a minute.",
    ),
    ("X-Ratelimit-Remaining", Type::Integer, "How many of them are left."),
    (
        "X-Ratelimit-Reset",
        Type::Integer,
        "When all of them are there again, in unix seconds.",
    ),
];
/// On answers that say so.
pub(super) const RETRY_AFTER: &str = "Retry-After";
/// On 405.
pub(super) const ALLOW: &str = "Allow";
const SOMETIMES: &[(&str, Type, &str)] = &[
    (RETRY_AFTER, Type::Integer, "Seconds to wait before the next try."),
    (ALLOW, Type::String, "The methods that the path has."),
];

/// All of them by name, for the document's components.
pub(super) fn all() -> BTreeMap<String, RefOr<Header>> {
    let described = |(name, of, says): &(&str, Type, &str)| {
        let schema = ObjectBuilder::new().schema_type(of.clone());
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(*says));
        ((*name).to_owned(), header.build().into())
    };
    ALWAYS.iter().chain(SOMETIMES).map(described).collect()
}

/// Adds those that every answer has.
pub(super) fn told_with(answer: &mut Response) {
    for (name, _, _) in ALWAYS {
        tell(answer, name);
    }
}

/// Adds one.
pub(super) fn tell(answer: &mut Response, name: &str) {
    let there = RefOr::Ref(Ref::new(format!("#/components/headers/{name}")));
    answer.headers.insert(name.to_owned(), there);
}
