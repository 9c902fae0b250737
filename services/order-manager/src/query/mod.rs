//! Reads. They see what is committed, one's own orders included; none of them takes a lock.

mod account;
mod activities;
mod history;
mod market;
mod orders;
mod positions;

pub(crate) use account::account;
use activities::new_york_day;
pub(crate) use activities::{ActivityQuery, activities};
pub(crate) use history::{HistoryQuery, history};
pub(crate) use market::{AssetQuery, CalendarQuery, asset, assets, calendar, clock, find_asset};
pub(crate) use orders::{OrdersQuery, by_client_id, by_id, list, open_ids};
pub(crate) use positions::{Market, position, positions};

use chassis::http::ApiError;
use chrono::NaiveDate;
use domain::Timestamp;
use uuid::Uuid;

use crate::error::ReadError;

/// A UUID with or without hyphens, as the SDKs write it; no other spelling.
pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    matches!(text.len(), 32 | 36)
        .then(|| Uuid::try_parse(text).ok())
        .flatten()
}

/// A parameter that is there: an empty one is absent.
pub(crate) fn given(value: Option<&String>) -> Option<&str> {
    value.map(String::as_str).filter(|text| !text.is_empty())
}

/// A comma-separated list; nothing is an empty one.
fn words(value: Option<&String>) -> Vec<&str> {
    given(value).map_or_else(Vec::new, |text| {
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
    })
}

/// A moment: RFC 3339, or a date, which means its first moment in UTC.
pub(crate) fn moment(field: &'static str, value: Option<&String>) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = given(value) else { return Ok(None) };
    // A `+` that was not percent-encoded arrives as a space.
    let read = chrono::DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
        .ok()
        .map(|at| at.to_utc());
    let read = read.or_else(|| Some(text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc()));
    // Postgres keeps years up to 294276; nobody asks for them.
    read.filter(|at| (1..=9999).contains(&chrono::Datelike::year(at)))
        .ok_or_else(|| ReadError::NoTime(field).into())
        .map(Some)
}

/// A day: `YYYY-MM-DD`, or the day that a full timestamp writes.
fn day(field: &'static str, value: Option<&String>) -> Result<Option<NaiveDate>, ApiError> {
    let Some(text) = given(value) else { return Ok(None) };
    let date = text.parse::<NaiveDate>().ok();
    let full = || {
        chrono::DateTime::parse_from_rfc3339(&text.replace(' ', "+"))
            .ok()
            .map(|at| at.date_naive())
    };
    date.or_else(full)
        .ok_or_else(|| ReadError::NoDate(field).into())
        .map(Some)
}

/// A whole number from `least` to `most`.
fn number(field: &'static str, value: Option<&String>, least: i64, most: i64) -> Result<Option<i64>, ApiError> {
    let Some(text) = given(value) else { return Ok(None) };
    let read = text.parse::<i64>().ok().filter(|n| (least..=most).contains(n));
    read.ok_or_else(|| ReadError::NoNumber { field, least, most }.into())
        .map(Some)
}

/// One word of a few.
fn choice<T: Copy>(field: &'static str, value: Option<&String>, words: &[(&str, T)]) -> Result<Option<T>, ApiError> {
    let Some(text) = given(value) else { return Ok(None) };
    let known = words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, meaning)| *meaning);
    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    known
        .ok_or_else(|| {
            let words = all.join(" or ");
            ReadError::UnknownWord { field, words }.into()
        })
        .map(Some)
}

/// A yes or no; Python writes them with a capital.
pub(crate) fn flag(field: &'static str, value: Option<&String>) -> Result<bool, ApiError> {
    match given(value).map(str::to_ascii_lowercase).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ReadError::NoFlag(field).into()),
    }
}

#[cfg(test)]
mod tests {
    //! How parameters are read.
    use super::*;

    #[test]
    fn times_are_taken_as_the_sdks_write_them() {
        let same = [
            "2026-11-22T03:21:01.113090Z",
            "2026-11-22T03:21:01.113090+00:00",
            "2026-11-22T03:21:01.113090 00:00",
        ];
        for text in same {
            let read = moment("after", Some(&text.to_owned())).expect(text).expect(text);
            assert_eq!(read.timestamp_micros(), 1_795_317_661_113_090, "{text}");
        }
        for bad in ["yesterday", "1795317661", "2026-13-01", "+12026-01-01T00:00:00Z"] {
            assert!(moment("after", Some(&bad.to_owned())).is_err(), "{bad}");
        }
        assert_eq!(moment("after", Some(&String::new())), Ok(None));
    }

    #[test]
    fn days_come_as_dates_and_as_timestamps() {
        for text in ["2026-07-01", "2026-07-01T00:00:00.000Z"] {
            assert_eq!(
                day("start", Some(&text.to_owned())).map(|d| d.map(|d| d.to_string())),
                Ok(Some("2026-07-01".into()))
            );
        }
        assert!(day("start", Some(&"July".to_owned())).is_err());
    }

    #[test]
    fn ids_come_with_and_without_hyphens_and_in_no_other_way() {
        let plain = parse_uuid("786ba1f2557a41f68b9d0299e11fdb69");
        assert_eq!(plain, parse_uuid("786ba1f2-557a-41f6-8b9d-0299e11fdb69"));
        assert!(plain.is_some());
        assert_eq!(parse_uuid("{786ba1f2-557a-41f6-8b9d-0299e11fdb69}"), None);
        assert_eq!(parse_uuid("../../../../../../../../../etc/passwd"), None);
    }

    #[test]
    fn python_writes_booleans_with_a_capital() {
        assert_eq!(flag("nested", Some(&"True".to_owned())), Ok(true));
        assert!(flag("nested", Some(&"yes".to_owned())).is_err());
    }
}
