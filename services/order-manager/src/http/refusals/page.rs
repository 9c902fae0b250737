//! `docs/refusals.md`: every refusal in a table.

use std::fmt::Write as _;

use chassis::http::ApiError;

use super::{Refusal, samples, told};

const HEAD: &str = "\
# Every refusal

Made from the code by `cargo run -p daybook -- refusals > docs/refusals.md`; a test fails when it is not as the code has it. What statuses mean in general,
and what an operator does about them, is in [http-status-codes.md](http-status-codes.md). Ids, symbols, numbers and times in messages are examples.
";

const COLUMNS: &str = "\n| when | status | code | message | more keys | what to do |\n|---|---|---|---|---|---|\n";

/// The page, as it is committed.
pub fn refusals() -> String {
    let mut page = HEAD.to_owned();
    section(&mut page, "Any request", "", samples::any().into_iter().map(row));
    section(
        &mut page,
        "Placing an order",
        "`POST /v2/orders`. The closing orders of `DELETE /v2/positions` and replacements have these, too.",
        rows(samples::place()),
    );
    section(
        &mut page,
        "Replacing an order",
        "`PATCH /v2/orders/{order_id}`, besides those of placing one: the old order is as before.",
        rows(samples::replace()),
    );
    section(
        &mut page,
        "Canceling an order",
        "`DELETE /v2/orders/{order_id}`; those of `DELETE /v2/orders` stand in its entries, with status 500.",
        rows(samples::cancel()),
    );
    section(
        &mut page,
        "Closing positions",
        "`DELETE /v2/positions/{symbol_or_asset_id}`, besides those of placing an order; those of `DELETE /v2/positions` stand in its entries.",
        rows(samples::close()),
    );
    section(
        &mut page,
        "Configurations",
        "`PATCH /v2/account/configurations`.",
        rows(samples::configure()),
    );
    section(
        &mut page,
        "Questions",
        "Every `GET`, and `cancel_orders` of `DELETE /v2/positions`.",
        rows(samples::read()),
    );
    section(
        &mut page,
        "Streams",
        "`GET /stream` and `GET /v2/events/trades`. What a WebSocket is told once it stands is in [streams.md](streams.md).",
        rows(samples::stream()),
    );
    page
}

fn section(page: &mut String, title: &str, says: &str, rows: impl Iterator<Item = String>) {
    write!(page, "\n## {title}\n").expect("a string takes everything");
    page.push_str(says);
    page.push_str(if says.is_empty() { "" } else { "\n" });
    page.push_str(COLUMNS);
    rows.for_each(|row| page.push_str(&row));
}

/// A row for each: what its declaration says, and what a client is told.
fn rows<R: Refusal>(samples: Vec<R>) -> impl Iterator<Item = String> {
    samples.into_iter().map(|sample| {
        let (_, change) = sample.verdict();
        row((sample.when(), told(&sample), change))
    })
}

fn row((when, error, change): (&str, ApiError, &str)) -> String {
    let keys: Vec<String> = error.context.keys().map(|key| format!("`{key}`")).collect();
    let (status, code) = (error.status.as_u16(), error.code);
    let message = error.message.replace('|', "\\|");
    format!(
        "| {when} | {status} | {code} | `{message}` | {} | {change} |\n",
        keys.join(", ")
    )
}

#[cfg(test)]
mod tests {
    //! Nothing is missing, and the committed page is this one.

    use std::collections::BTreeSet;

    use strum::VariantNames;

    use super::*;
    use crate::error::{
        CancelError, CloseError, ConfigureError, PlaceOrderError, ReadError, ReplaceError, StreamError,
    };
    use crate::place::Untimely;

    fn whole<R: VariantNames + Into<&'static str>>(samples: Vec<R>, elsewhere: &[&'static str]) {
        let shown = samples.into_iter().map(Into::into).chain(elsewhere.iter().copied());
        let shown: BTreeSet<&str> = shown.collect();
        assert_eq!(
            shown,
            R::VARIANTS.iter().copied().collect(),
            "{}",
            std::any::type_name::<R>()
        );
    }

    #[test]
    fn every_refusal_has_its_row() {
        whole::<PlaceOrderError>(samples::place(), &[]);
        whole::<Untimely>(samples::untimely(), &[]);
        // It has those of placing one.
        whole::<ReplaceError>(samples::replace(), &["order"]);
        whole::<CancelError>(samples::cancel(), &[]);
        whole::<CloseError>(samples::close(), &[]);
        whole::<ConfigureError>(samples::configure(), &[]);
        whole::<ReadError>(samples::read(), &[]);
        whole::<StreamError>(samples::stream(), &[]);
    }

    #[test]
    fn the_committed_page_is_made_of_the_code() {
        let committed = include_str!("../../../../../docs/refusals.md");
        assert!(
            committed == refusals(),
            "write it again: cargo run -p daybook -- refusals > docs/refusals.md"
        );
    }
}
