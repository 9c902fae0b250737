//! Settings from the environment, with an error that names the bad key as the user wrote it.

use std::ffi::OsString;

use figment::Figment;
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

/// A setting is missing or wrong.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {why}")]
pub struct ConfigError {
    /// The variable, as `DAYBOOK_PORT`; the prefix alone when no single one is to blame.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

/// Reads `T` from the variables that begin with `prefix` (`DAYBOOK_`): `DAYBOOK_BATCH_MAX` is the field
/// `batch_max`. Fields with a default may be absent; an empty variable counts as absent.
pub fn load<T: DeserializeOwned>(prefix: &str) -> Result<T, ConfigError> {
    load_from(prefix, std::env::vars_os())
}

/// As [`load`], from given pairs.
pub fn load_from<T: DeserializeOwned>(
    prefix: &str,
    pairs: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<T, ConfigError> {
    let mut values = Dict::new();
    for (key, text) in pairs {
        let Some(name) = key.to_str().and_then(|key| key.strip_prefix(prefix)) else {
            continue;
        };
        let text = text.into_string().map_err(|_| blame(prefix, name, "is not text"))?;
        if !text.is_empty() {
            values.insert(name.to_lowercase(), read_value(&text));
        }
    }
    Figment::from(Serialized::defaults(values))
        .extract()
        .map_err(|error| explain(prefix, error))
}

/// `true`, `false` and numbers by their look; all else is the text itself. (figment's own reading
/// of a variable also knows lists and maps, which would tear a password apart that begins with `[`.)
fn read_value(text: &str) -> Value {
    if let Ok(truth) = text.parse::<bool>() {
        return Value::from(truth);
    }
    match text.parse::<i64>() {
        Ok(number) => Value::from(number),
        Err(_) => Value::from(text),
    }
}

fn explain(prefix: &str, error: figment::Error) -> ConfigError {
    let path = match &error.kind {
        figment::error::Kind::MissingField(field) => field.to_string(),
        _ => error.path.join("__"),
    };
    blame(prefix, &path, &error.kind.to_string())
}

fn blame(prefix: &str, name: &str, why: &str) -> ConfigError {
    ConfigError {
        key: format!("{prefix}{}", name.to_uppercase()),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Settings {
        database_url: String,
        #[serde(default)]
        port: Option<u16>,
    }

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
        load_from("DAYBOOK_", pairs.iter().map(|(key, text)| (key.into(), text.into())))
    }

    #[test]
    fn fields_come_from_their_variables_and_other_variables_are_left_alone() {
        let settings = read(&[
            ("DAYBOOK_DATABASE_URL", "postgres://x"),
            ("DAYBOOK_PORT", "8080"),
            ("HOME", "/"),
        ]);
        let expected = Settings {
            database_url: "postgres://x".to_owned(),
            port: Some(8080),
        };
        assert_eq!(settings.expect("both are right"), expected);
    }

    #[test]
    fn an_empty_variable_is_absent() {
        let settings = read(&[("DAYBOOK_DATABASE_URL", "postgres://x"), ("DAYBOOK_PORT", "")]);
        assert_eq!(settings.expect("the port has a default").port, None);
    }

    #[test]
    fn the_bad_key_is_named_as_the_user_wrote_it() {
        let error =
            read(&[("DAYBOOK_DATABASE_URL", "postgres://x"), ("DAYBOOK_PORT", "http")]).expect_err("http is no port");
        assert!(error.to_string().starts_with("DAYBOOK_PORT: "), "{error}");
        let error = read(&[]).expect_err("the URL is required");
        assert!(error.to_string().starts_with("DAYBOOK_DATABASE_URL: "), "{error}");
    }

    #[test]
    fn a_number_too_large_is_named_too() {
        let error = read(&[("DAYBOOK_DATABASE_URL", "x"), ("DAYBOOK_PORT", "70000")]).expect_err("no such port");
        assert!(error.to_string().starts_with("DAYBOOK_PORT: "), "{error}");
    }
}
