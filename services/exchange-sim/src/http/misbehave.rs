//! Spoiled calls: what a rule does to a call and its answer.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::{Html, IntoResponse, Response};
use chassis::http::ApiError;
use futures::{StreamExt, stream};
use serde_json::Value;

use super::Shared;
use super::line::Line;
use crate::faults::{Kind, Rule};

/// Most of an answer that is read to be spoiled.
const ANSWER_LIMIT: usize = 4 << 20;
/// How long a cut answer's first half has a connection.
const FIRST_HALF_GOES_OUT: Duration = Duration::from_millis(50);

/// Does `work` and answers, as `rule` spoils it; without a rule just so.
pub(super) async fn call<F>(rule: Option<Rule>, app: &Shared, line: &Line, work: F) -> Response
where
    F: Future<Output = Response> + Send + 'static,
{
    let Some(rule) = rule else { return work.await };
    let delay = Duration::from_millis(rule.delay_ms);
    match rule.kind {
        Kind::LostBeforeAccepting => line.cut(),
        Kind::AnswerLostAfterAccepting => {
            work.await;
            line.cut()
        }
        Kind::Status500 | Kind::Status502Html | Kind::Status503 | Kind::Status429 => {
            if rule.applied {
                work.await;
            }
            status(rule.kind)
        }
        // A task of its own: it goes on when the caller hangs up, as a slow network would.
        Kind::Slow => late(delay, work).await,
        Kind::ReportBeforeAck => {
            let answer = work.await;
            tokio::time::sleep(delay).await;
            answer
        }
        Kind::DuplicateKey => ApiError::parameter("client_order_id must be unique").into_response(),
        Kind::NotFound => ApiError::not_found("order not found").into_response(),
        Kind::Reject => ApiError::rule("order refused by request").into_response(),
        Kind::SlowBody => trickling(delay, work.await).await,
        Kind::BodyCut | Kind::BrokenJson | Kind::WrongOrderId | Kind::WrongQty => {
            garbled(rule.kind, app, work.await).await
        }
        // The engine, the stream and the trade file see to these.
        _ => work.await,
    }
}

async fn late<F: Future<Output = Response> + Send + 'static>(delay: Duration, work: F) -> Response {
    let task = tokio::spawn(async move {
        tokio::time::sleep(delay).await;
        work.await
    });
    task.await.unwrap_or_else(|_| ApiError::internal().into_response())
}

fn status(kind: Kind) -> Response {
    match kind {
        Kind::Status502Html => {
            let page = Html("<html><body><h1>502 Bad Gateway</h1></body></html>");
            (StatusCode::BAD_GATEWAY, page).into_response()
        }
        Kind::Status503 => ApiError::unavailable("the exchange is busy", 1).into_response(),
        Kind::Status429 => ApiError::rate_limited(1).into_response(),
        _ => ApiError::internal().into_response(),
    }
}

async fn garbled(kind: Kind, app: &Shared, answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, ANSWER_LIMIT).await.unwrap_or_default();
    let half = body.slice(..body.len() / 2);
    let spoiled = match kind {
        Kind::BodyCut => return cut_short(parts.status, half, body.len()),
        Kind::BrokenJson => half,
        Kind::WrongOrderId => with_member(&body, "id", |_| app.ids.uuid().to_string()),
        _ => with_member(&body, "qty", |qty| format!("{qty}1")),
    };
    (parts.status, [(CONTENT_TYPE, "application/json")], spoiled).into_response()
}

/// The head at once, the body in so many bits.
async fn trickling(delay: Duration, answer: Response) -> Response {
    const BITS: u32 = 5;
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, ANSWER_LIMIT).await.unwrap_or_default();
    let size = body.len().div_ceil(BITS as usize).max(1);
    let bits: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
    let bits = stream::iter(bits).then(move |bit| async move {
        tokio::time::sleep(delay / BITS).await;
        Ok::<_, std::io::Error>(bit)
    });
    Response::from_parts(parts, Body::from_stream(bits))
}

/// Promises the whole length and ends half-way.
fn cut_short(status: StatusCode, half: Bytes, whole: usize) -> Response {
    let end = async {
        // Time for the first half to go out: an error at once would take it along.
        tokio::time::sleep(FIRST_HALF_GOES_OUT).await;
        Err(std::io::Error::other("cut on request"))
    };
    let body = Body::from_stream(stream::once(async { Ok(half) }).chain(stream::once(end)));
    (
        status,
        [
            (CONTENT_TYPE, "application/json".to_owned()),
            (CONTENT_LENGTH, whole.to_string()),
        ],
        body,
    )
        .into_response()
}

fn with_member(body: &Bytes, name: &str, change: impl Fn(&str) -> String) -> Bytes {
    let Ok(mut json) = serde_json::from_slice::<Value>(body) else {
        return body.clone();
    };
    if let Some(member) = json.get_mut(name) {
        *member = Value::String(change(member.as_str().unwrap_or_default()));
    }
    json.to_string().into()
}
