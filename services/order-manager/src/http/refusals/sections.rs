//! Every refusal in its section: what the page and the document of the wire are both made of.

use std::collections::BTreeMap;

use chassis::http::ApiError;

use super::operations::{At, Met};
use super::{Refusal, samples, told};

/// Refusals that belong together.
pub(super) struct Section {
    /// Its heading.
    pub(super) title: &'static str,
    /// Who has them.
    pub(super) says: &'static str,
    /// They.
    pub(super) samples: Vec<Sample>,
}

/// One refusal, as it is told and explained.
pub(crate) struct Sample {
    /// The section's word and the variant's, with a number from the second of a variant on.
    pub(crate) name: String,
    /// When it happens.
    pub(crate) when: &'static str,
    /// What a client is told.
    pub(crate) told: ApiError,
    /// What a client can do.
    pub(crate) change: &'static str,
    /// Where it happens.
    pub(crate) met_at: At,
}

/// All sections.
pub(super) fn sections() -> [Section; 8] {
    [
        Section {
            title: "Any request",
            says: "",
            samples: samples::any(),
        },
        section(
            "Placing an order",
            "`POST /v2/orders`. The closing orders of `DELETE /v2/positions` and replacements have these, too.",
            "place",
            samples::place(),
        ),
        section(
            "Replacing an order",
            "`PATCH /v2/orders/{order_id}`, besides those of placing one: the old order is as before.",
            "replace",
            samples::replace(),
        ),
        section(
            "Canceling an order",
            "`DELETE /v2/orders/{order_id}`; those of `DELETE /v2/orders` stand in its entries, with status 500.",
            "cancel",
            samples::cancel(),
        ),
        section(
            "Closing positions",
            "`DELETE /v2/positions/{symbol_or_asset_id}`, besides those of placing an order; those of `DELETE /v2/positions` stand in its entries.",
            "close",
            samples::close(),
        ),
        section(
            "Configurations",
            "`PATCH /v2/account/configurations`.",
            "configure",
            samples::configure(),
        ),
        section(
            "Questions",
            "Every `GET`, and `cancel_orders` of `DELETE /v2/positions`.",
            "read",
            samples::read(),
        ),
        section(
            "Streams",
            "`GET /stream` and `GET /v2/events/trades`. What a WebSocket is told once it stands is in [streams.md](streams.md).",
            "stream",
            samples::stream(),
        ),
    ]
}

fn section<R>(title: &'static str, says: &'static str, word: &str, errors: Vec<R>) -> Section
where
    R: Refusal + Met,
    for<'a> &'a R: Into<&'static str>,
{
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    let samples = errors.iter().map(|error| {
        let variant: &'static str = error.into();
        let nth = seen.entry(variant).or_default();
        *nth += 1;
        let number = if *nth > 1 { format!("_{nth}") } else { String::new() };
        Sample {
            name: format!("{word}.{variant}{number}"),
            when: error.when(),
            told: told(error),
            change: error.verdict().1,
            met_at: error.met_at(),
        }
    });
    Section {
        title,
        says,
        samples: samples.collect(),
    }
}
