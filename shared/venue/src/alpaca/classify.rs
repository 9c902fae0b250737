//! Status and body of an answer → outcome. Pure: tested on the answers of a misbehaving exchange.
//!
//! Read strictly. A refusal counts only with a status that refuses and an error body that fits it; "not found" only
//! with the dialect's own 404. Everything else may come from a proxy on the way and says nothing about the order.

use super::parse;
use crate::{Canceling, ExecutionView, Fault, Lookup, Refusal, Replacing, Submitted, VenueOrder, VenueOrderView};
use bytes::Bytes;
use domain::{ExecId, OrderId, VenueOrderId};
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::time::Duration;
use wire::rest::{self, ErrorBody};

/// Code of parameter errors: it comes with 422, against the pattern of all other codes.
const PARAMETER: i64 = 40_010_001;

/// A whole answer.
pub(super) struct Answer {
    /// HTTP status.
    pub(super) status: u16,
    /// How long to wait, if the status is 429.
    pub(super) retry_after: Duration,
    /// All of the body.
    pub(super) body: Bytes,
}

/// What came of a call that makes an order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Handed<T> {
    /// This is the outcome.
    Done(T),
    /// The key was used before: success, once looked up.
    Duplicate,
}

/// The answer to a POST.
pub(super) fn handed(answer: &Answer, key: OrderId, asked: &VenueOrder) -> Handed<Submitted> {
    if answer.status == 200 {
        return Handed::Done(
            match read::<rest::Order>(answer).and_then(|order| parse::view(&order)) {
                Ok(view) => as_asked(view, key, asked),
                Err(fault) => Submitted::Unknown(fault),
            },
        );
    }
    match refusal(answer, &[400, 403, 422]) {
        Ok(refusal) if is_duplicate(&refusal) => Handed::Duplicate,
        Ok(refusal) => Handed::Done(Submitted::Refused(refusal)),
        Err(fault) => Handed::Done(Submitted::Unknown(fault)),
    }
}

/// The answer to a PATCH.
pub(super) fn replacing(answer: &Answer, key: OrderId, old: &VenueOrderId, asked: &VenueOrder) -> Handed<Replacing> {
    if answer.status == 200 {
        return Handed::Done(
            match read::<rest::Order>(answer).and_then(|order| parse::view(&order)) {
                Ok(view) => replaced(view, key, old, asked),
                Err(fault) => Replacing::Unknown(fault),
            },
        );
    }
    match refusal(answer, &[400, 403, 404, 422]) {
        Ok(refusal) if is_duplicate(&refusal) => Handed::Duplicate,
        Ok(refusal) => Handed::Done(Replacing::Refused(refusal)),
        Err(fault) => Handed::Done(Replacing::Unknown(fault)),
    }
}

/// An order that is what was asked and replaces what was asked, or the doubt that it is not.
pub(super) fn replaced(view: VenueOrderView, key: OrderId, old: &VenueOrderId, asked: &VenueOrder) -> Replacing {
    let differs = view.differs_from(key, asked);
    let other = || (view.replaces.as_ref() != Some(old)).then(|| "replaces".to_owned());
    match differs.or_else(other) {
        None => Replacing::Replaced(view),
        Some(what) => Replacing::Unknown(Fault::Mismatch(what)),
    }
}

/// An order that is what was asked, or the doubt that it is not.
pub(super) fn as_asked(view: VenueOrderView, key: OrderId, asked: &VenueOrder) -> Submitted {
    match view.differs_from(key, asked) {
        None => Submitted::Acknowledged(view),
        Some(what) => Submitted::Unknown(Fault::Mismatch(what)),
    }
}

/// The answer to a question about one order.
pub(super) fn lookup(answer: &Answer) -> Lookup {
    if answer.status == 200 {
        return match read::<rest::Order>(answer).and_then(|order| parse::view(&order)) {
            Ok(view) => Lookup::Found(view),
            Err(fault) => Lookup::Unknown(fault),
        };
    }
    match refusal(answer, &[404]) {
        Ok(_) => Lookup::NotFound,
        Err(fault) => Lookup::Unknown(fault),
    }
}

/// The answer to a bulk question: an order for some of the keys, none for the others, and nothing else.
pub(super) fn bulk(orders: &[rest::Order], keys: &[OrderId]) -> Result<HashMap<OrderId, Lookup>, Fault> {
    let mut all: HashMap<OrderId, Lookup> = keys.iter().map(|key| (*key, Lookup::NotFound)).collect();
    for order in orders {
        let view = parse::view(order)?;
        let slot = view.key.and_then(|key| all.get_mut(&key));
        // An order nobody asked for: the venue does not know the parameter, so its silence denies nothing.
        *slot.ok_or_else(|| Fault::Mismatch("client_order_ids".to_owned()))? = Lookup::Found(view);
    }
    Ok(all)
}

/// The answer to a DELETE.
pub(super) fn canceling(answer: &Answer) -> Canceling {
    if matches!(answer.status, 200 | 204) {
        return Canceling::Taken;
    }
    match refusal(answer, &[404, 422]) {
        Ok(_) if answer.status == 404 => Canceling::NotFound,
        Ok(refusal) => Canceling::TooLate(refusal),
        Err(fault) => Canceling::Unknown(fault),
    }
}

/// The answer to a question about one execution.
pub(super) fn execution(answer: &Answer, asked: &ExecId) -> Result<Option<ExecutionView>, Fault> {
    if answer.status == 404 {
        return refusal(answer, &[404]).map(|_| None);
    }
    parse::execution_view(&read(answer)?, asked).map(Some)
}

/// The bytes of a trade file; the dialect's own 404 says that it is not written yet.
pub(super) fn trade_file(answer: Answer) -> Result<Vec<u8>, Fault> {
    match answer.status {
        200 => Ok(answer.body.into()),
        404 => Err(Fault::NotYet(refusal(&answer, &[404])?.reason)),
        _ => Err(not_an_answer(&answer)),
    }
}

/// A 200 with a readable body.
pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, Fault> {
    match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(|error| Fault::Garbage(error.to_string())),
        _ => Err(not_an_answer(answer)),
    }
}

fn refusal(answer: &Answer, refusing: &[u16]) -> Result<Refusal, Fault> {
    if !refusing.contains(&answer.status) {
        return Err(not_an_answer(answer));
    }
    let body: ErrorBody = serde_json::from_slice(&answer.body).map_err(|error| Fault::Garbage(error.to_string()))?;
    let fits = body.code / 100_000 == i64::from(answer.status) || (answer.status == 422 && body.code == PARAMETER);
    if !fits || body.message.is_empty() {
        return Err(Fault::Garbage(format!("{} with code {}", answer.status, body.code)));
    }
    Ok(Refusal {
        code: body.code,
        reason: body.message,
    })
}

fn not_an_answer(answer: &Answer) -> Fault {
    match answer.status {
        401 => Fault::Unauthorized,
        429 => Fault::Throttled {
            retry_after: answer.retry_after,
        },
        status => Fault::Status(status),
    }
}

fn is_duplicate(refusal: &Refusal) -> bool {
    let text = refusal.reason.to_ascii_lowercase();
    refusal.code == PARAMETER && text.contains("client_order_id") && text.contains("unique")
}

#[cfg(test)]
mod tests;
