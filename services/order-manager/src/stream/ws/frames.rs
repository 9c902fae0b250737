//! What clients say on the WebSocket, and what they are answered. Pure.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::StreamError;
use crate::stream::update::{TRADE_UPDATES, parse_event_id};

/// One frame of a client's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// Who it is, in either dialect.
    Authenticate {
        /// The key's public half.
        key_id: String,
        /// The other half.
        secret: String,
    },
    /// What it wants to hear; replaces what it wanted before.
    Listen {
        /// Whether trade updates are on the list.
        updates: bool,
        /// The event after which to begin; none: with the present.
        since: Option<i64>,
    },
}

#[derive(Deserialize)]
struct Frame {
    action: String,
    #[serde(default)]
    data: Value,
    key: Option<String>,
    secret: Option<String>,
}

/// Reads a frame.
///
/// # Errors
/// What is wrong with it, in words for the client.
pub(super) fn read(bytes: &[u8]) -> Result<Asked, String> {
    let no_frame = || "a frame is a JSON object with an action".to_owned();
    // serde would take `["listen"]` for an object with its fields in order.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(no_frame());
    }
    let frame: Frame = serde_json::from_slice(bytes).map_err(|_| no_frame())?;
    match frame.action.as_str() {
        "authenticate" | "auth" => Ok(authenticate(frame)),
        "listen" => listen(&frame.data),
        other => Err(format!("unknown action {other:.40}")),
    }
}

/// The pair stands inside `data`, or beside the action.
fn authenticate(frame: Frame) -> Asked {
    let inside = |name: &str| frame.data.get(name).and_then(Value::as_str).map(str::to_owned);
    let (key_id, secret) = (inside("key_id"), inside("secret_key"));
    Asked::Authenticate {
        key_id: frame.key.or(key_id).unwrap_or_default(),
        secret: frame.secret.or(secret).unwrap_or_default(),
    }
}

fn listen(data: &Value) -> Result<Asked, String> {
    let streams = data.get("streams").and_then(Value::as_array);
    let streams = streams.ok_or_else(|| "listen needs data with a list of streams".to_owned())?;
    let since = match data.get("since_id") {
        None | Some(Value::Null) => None,
        Some(id) => Some(event(id).ok_or_else(|| StreamError::NoEventId("since_id").to_string())?),
    };
    Ok(Asked::Listen {
        updates: streams.iter().any(|stream| stream == TRADE_UPDATES),
        since,
    })
}

fn event(id: &Value) -> Option<i64> {
    match id {
        Value::String(text) => parse_event_id(text),
        number => number.as_i64().filter(|seq| *seq >= 0),
    }
}

/// Who the client is to us. `action` is what it asked for.
pub(super) fn authorization(authorized: bool, action: &str) -> Value {
    let status = if authorized { "authorized" } else { "unauthorized" };
    json!({ "stream": "authorization", "data": { "status": status, "action": action } })
}

/// What the client hears from now on.
pub(super) fn listening(updates: bool) -> Value {
    let streams: &[&str] = if updates { &[TRADE_UPDATES] } else { &[] };
    json!({ "stream": "listening", "data": { "streams": streams } })
}

/// What is wrong.
pub(super) fn error(message: &str) -> Value {
    json!({ "action": "error", "data": { "error_message": message } })
}

#[cfg(test)]
mod tests {
    //! The frames that SDKs send, and those that nobody should.
    use super::*;

    fn asked(text: &str) -> Asked {
        read(text.as_bytes()).expect(text)
    }

    fn complaint(text: &str) -> String {
        read(text.as_bytes()).expect_err(text)
    }

    #[test]
    fn both_dialects_name_the_same_pair() {
        let pair = Asked::Authenticate {
            key_id: "K".to_owned(),
            secret: "S".to_owned(),
        };
        assert_eq!(
            asked(r#"{"action":"authenticate","data":{"key_id":"K","secret_key":"S"}}"#),
            pair
        );
        assert_eq!(asked(r#"{"action":"auth","key":"K","secret":"S"}"#), pair);
        assert_eq!(
            asked(" {\"secret\":\"S\",\"key\":\"K\",\"action\":\"auth\",\"more\":[1]}"),
            pair
        );
    }

    #[test]
    fn a_list_counts_for_the_streams_there_are() {
        let listen = |updates, since| Asked::Listen { updates, since };
        assert_eq!(
            asked(r#"{"action":"listen","data":{"streams":["trade_updates"]}}"#),
            listen(true, None)
        );
        assert_eq!(
            asked(r#"{"action":"listen","data":{"streams":["T.AAPL", 7, "trade_updates"]}}"#),
            listen(true, None)
        );
        assert_eq!(
            asked(r#"{"action":"listen","data":{"streams":[]}}"#),
            listen(false, None)
        );
        let since = r#"{"action":"listen","data":{"streams":["trade_updates"],"since_id":"#;
        assert_eq!(
            asked(&format!("{since}\"00000000000000000042\"}}}}")),
            listen(true, Some(42))
        );
        assert_eq!(asked(&format!("{since}42}}}}")), listen(true, Some(42)));
        assert_eq!(asked(&format!("{since}null}}}}")), listen(true, None));
        assert_eq!(complaint(&format!("{since}-1}}}}")), "since_id is no event_id");
        assert_eq!(complaint(&format!("{since}\"x\"}}}}")), "since_id is no event_id");
    }

    #[test]
    fn what_is_no_frame_is_told_so() {
        for text in [
            "",
            "hello",
            "[]",
            "[\"listen\",{\"streams\":[]},null,null]",
            "{}",
            "{\"action\":7}",
            "{\"action\":\"listen\"",
            "null",
            "\0\u{1}",
        ] {
            assert_eq!(complaint(text), "a frame is a JSON object with an action", "{text}");
        }
        assert_eq!(complaint(r#"{"action":"dance"}"#), "unknown action dance");
        assert_eq!(
            complaint(r#"{"action":"listen"}"#),
            "listen needs data with a list of streams"
        );
        let long = complaint(&format!(r#"{{"action":"{}"}}"#, "é".repeat(1_000)));
        assert_eq!(long.chars().count(), "unknown action ".len() + 40);
    }
}
