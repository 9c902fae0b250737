//! Each kind of alert has its page in `docs/runbooks`.

use std::collections::{BTreeMap, BTreeSet};

use crate::assert_none;
use crate::source::{Source, root, rust_sources};

const PAGES: &str = "docs/runbooks";

/// Names of constants and the text that they stand for.
fn constants(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains(": &str = \"")) {
        let name = line
            .split("const ")
            .nth(1)
            .and_then(|rest| rest.split(':').next())
            .unwrap_or_default();
        let value = line.split('"').nth(1).unwrap_or_default();
        found.insert(name.to_owned(), value.to_owned());
    }
    found
}

/// What a file raises: each `kind:` of a `NewAlert`, as text or by the constant that stands for it, of the same file or of all.
fn kinds(file: &Source, all: &BTreeMap<String, String>) -> BTreeSet<String> {
    let own = constants(&file.text);
    let raised = file.text.split("NewAlert {").skip(1).filter_map(|rest| {
        let kind = rest.split('}').next()?.split("kind: ").nth(1)?;
        kind.split(',').next().map(str::trim)
    });
    let named = |kind: &str| {
        if let Some(text) = kind.strip_prefix('"') {
            return Some(text.trim_end_matches('"').to_owned());
        }
        let name = kind.rsplit("::").next()?;
        own.get(name).or_else(|| all.get(name)).cloned()
    };
    raised.filter_map(named).collect()
}

#[test]
fn each_kind_of_alert_has_a_runbook() {
    let files: Vec<Source> = rust_sources().into_iter().filter(Source::ships).collect();
    let all: BTreeMap<String, String> = files.iter().flat_map(|file| constants(&file.text)).collect();
    let raised: BTreeSet<String> = files.iter().flat_map(|file| kinds(file, &all)).collect();
    assert!(
        raised.contains("job_dead"),
        "the reader finds what is raised: {raised:?}"
    );
    let pages = root().join(PAGES);
    let missing: Vec<String> = raised
        .into_iter()
        .filter(|kind| !pages.join(format!("{kind}.md")).is_file())
        .collect();
    assert_none(
        &format!("an operator finds a page in {PAGES} for each kind of alert"),
        &missing,
    );
}
