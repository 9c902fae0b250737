//! A request field as the caller wrote it.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// One value of a request body, not interpreted yet: SDKs send the same field as a number, a string or null.
///
/// Numbers keep their decimal text, so nothing passes through a binary float and `1e400` can be refused in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loose {
    /// A string, unescaped.
    Text(String),
    /// A number, digit for digit as written.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// An array or object, as JSON text.
    Nested(String),
}

impl Loose {
    /// The text of a string or number; `None` for anything else.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Number(text) => Some(text),
            Self::Bool(_) | Self::Nested(_) => None,
        }
    }

    /// The value as a yes or no; `"true"` and `"False"` count, as Python writes them.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            Self::Text(_) | Self::Number(_) | Self::Nested(_) => None,
        }
    }

    /// What the caller meant by this JSON; `None` for null and `""`, which mean absent.
    fn read(json: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(match json.as_bytes().first() {
            Some(b'n') | None => None,
            Some(b't') => Some(Self::Bool(true)),
            Some(b'f') => Some(Self::Bool(false)),
            Some(b'[' | b'{') => Some(Self::Nested(json.to_owned())),
            Some(b'"') => Some(serde_json::from_str::<String>(json)?)
                .filter(|text| !text.is_empty())
                .map(Self::Text),
            Some(_) => Some(Self::Number(json.to_owned())),
        })
    }
}

/// For `deserialize_with`: absent, null and `""` are all `None`.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Loose>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Loose::read(raw.get()).map_err(serde::de::Error::custom)
}
