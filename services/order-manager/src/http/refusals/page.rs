//! `docs/refusals.md`: every refusal in a table.

use std::fmt::Write as _;

use super::sections::{Sample, Section, sections};

const HEAD: &str = "\
# Every refusal

Made from the code by `cargo run -p daybook -- refusals > docs/refusals.md`; a test fails when it is not as the code has it. What statuses mean in general,
and what an operator does about them, is in [http-status-codes.md](http-status-codes.md). Ids, symbols, numbers and times in messages are examples.
";

const COLUMNS: &str = "\n| when | status | code | message | more keys | what to do |\n|---|---|---|---|---|---|\n";

/// The page, as it is committed.
pub fn refusals() -> String {
    let mut page = HEAD.to_owned();
    sections().iter().for_each(|of| section(&mut page, of));
    page
}

fn section(page: &mut String, of: &Section) {
    write!(page, "\n## {}\n", of.title).expect("a string takes everything");
    page.push_str(of.says);
    page.push_str(if of.says.is_empty() { "" } else { "\n" });
    page.push_str(COLUMNS);
    of.samples.iter().for_each(|sample| page.push_str(&row(sample)));
}

fn row(sample: &Sample) -> String {
    let Sample { when, told, change, .. } = sample;
    let keys: Vec<String> = told.context.keys().map(|key| format!("`{key}`")).collect();
    let (status, code) = (told.status.as_u16(), told.code);
    let message = told.message.replace('|', "\\|");
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
    use crate::http::refusals::samples;
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
