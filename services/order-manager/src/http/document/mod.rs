//! The description of the client dialect: an OpenAPI 3.1 document made from the handlers, and a page to read it with.
//!
//! A handler's own annotation has its path, parameters, bodies and the answer it gives; here is what they share, and what
//! each can be refused with. The document says what is served: `docs/openapi.json` is a copy of it, and tests hold every
//! answer of theirs against it.

mod headers;
mod refused;

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::path::{Operation, Parameter};
use utoipa::openapi::schema::{AnyOfBuilder, Object, Schema, SchemaType, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, OpenApi as Document, RefOr, Required};
use utoipa::{OpenApi, PartialSchema};
use utoipa_swagger_ui::{Config, SwaggerUi};
use wire::rest::{ErrorBody, TradeUpdate, schema};

/// The same for every operation: who calls, and what is told about every one.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Daybook",
        description = "Limit orders, positions and an account over the wire of Alpaca's Trading API v2.\n\n\
            A parameter that is empty is one that is absent, as is a member of a body that is null or empty. Members that are \
            not known are ignored. Amounts of answers are strings in plain digits, those of requests strings or numbers. \
            Bodies are read as JSON whatever their `Content-Type` says.\n\n\
            A request may carry an `X-Request-ID` of up to 128 visible characters; without one it gets one.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(TradeUpdate, ErrorBody)),
    security(("KeyId" = [], "SecretKey" = []), ("Basic" = [])),
    tags(
        (name = ORDERS, description = "Placing, replacing, canceling and finding orders."),
        (name = POSITIONS, description = "What is owned, and selling it."),
        (name = ACCOUNT, description = "Cash, buying power, settings and the past."),
        (name = MARKET, description = "What can be traded, and when."),
        (name = UPDATES, description = "What happens to orders, as it happens."),
        (name = DOCUMENT, description = "This document."),
    ),
)]
struct Frame;

pub(crate) const ORDERS: &str = "Orders";
pub(crate) const POSITIONS: &str = "Positions";
pub(crate) const ACCOUNT: &str = "Account";
pub(crate) const MARKET: &str = "Market";
pub(crate) const UPDATES: &str = "Trade updates";
const DOCUMENT: &str = "Document";

/// The document before any route is in it.
pub(super) fn frame() -> Document {
    Frame::openapi()
}

/// The document with all routes in it: adds what they have in common.
pub(super) fn finished(mut document: Document) -> Document {
    let components = document.components.get_or_insert_with(Components::new);
    schema::as_written(components);
    keys(components);
    components.headers = headers::all();
    components.examples = refused::examples();
    for item in document.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            shared(operation);
            refused::told_with(operation, components);
        }
    }
    document
}

/// The two headers, or the same pair as HTTP Basic.
fn keys(components: &mut Components) {
    let header = |name: &str| SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new(name)));
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
    components.add_security_scheme("KeyId", header("APCA-API-KEY-ID"));
    components.add_security_scheme("SecretKey", header("APCA-API-SECRET-KEY"));
    components.add_security_scheme("Basic", SecurityScheme::Http(basic));
}

/// What every operation takes, and tells with its answer.
fn shared(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(Parameter {
            required: Required::False,
            schema: Some(schema),
            ..
        }) = parameter
        {
            or_empty(schema);
        }
    }
    for answer in operation.responses.responses.values_mut() {
        if let RefOr::T(answer) = answer {
            headers::told_with(answer);
        }
    }
}

/// A parameter that is empty is one that is absent: where that is no text of its schema, it is added.
fn or_empty(schema: &mut RefOr<Schema>) {
    let empty = schema::Nothing::schema();
    match schema {
        RefOr::T(Schema::AnyOf(any)) => any.items.push(empty),
        RefOr::T(Schema::Object(object)) if !is_any_text(object) => {
            *schema = AnyOfBuilder::new().item(schema.clone()).item(empty).into();
        }
        RefOr::T(_) | RefOr::Ref(_) => {}
    }
}

fn is_any_text(object: &Object) -> bool {
    object.schema_type == SchemaType::Type(Type::String) && object.enum_values.is_none() && object.pattern.is_none()
}

/// The document as it is served and committed.
pub(crate) fn text(document: &Document) -> String {
    document.to_pretty_json().expect("names and texts only") + "\n"
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = DOCUMENT, security(()),
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(super) async fn openapi() -> impl IntoResponse {
    static TEXT: LazyLock<String> = LazyLock::new(super::openapi);
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// The page that shows it. Everything it loads is in the program.
pub(super) fn page() -> Router {
    // Without the last one the page would have a stranger's server look at the document.
    let config = Config::from("/openapi.json").validator_url("none");
    SwaggerUi::new("/docs").config(config).into()
}
