//! Code on the pages for client authors is code that the SDKs' suites run: each block names a passage and equals it.
//!
//! In a suite a passage stands between `docs:begin NAME` and `docs:end NAME`; on a page the block stands beneath
//! `<!-- from FILE NAME -->`. Common indentation and blank lines at the ends are removed, and the JavaScript package has its published name.

use std::collections::BTreeMap;
use std::fs;

use crate::assert_none;
use crate::source::{files_below, root};

const SUITES: &str = "services/daybook/tests/sdk";
const PAGES: [&str; 2] = ["README.md", "docs/alpaca-clients.md"];

/// Blocks that are no SDK's: commands and settings of a shell, drawings.
const NO_CODE: [&str; 2] = ["sh", "text"];

/// The suites install two versions of one package side by side, each under a name of its own.
const SIDE_BY_SIDE: [&str; 2] = ["\"alpaca-3\"", "\"alpaca-4\""];
const PUBLISHED: &str = "\"@alpacahq/alpaca-trade-api\"";

/// A fenced block: where it is, what it says it is from (`FILE NAME`, or nothing), and its text.
struct Block {
    place: String,
    from: String,
    text: String,
}

/// Each marked passage of the suites, as it is to stand on a page, by `FILE NAME`.
fn passages() -> BTreeMap<String, String> {
    let root = root();
    let mut found = BTreeMap::new();
    for path in ["py", "mjs", "go", "rs"]
        .iter()
        .flat_map(|ending| files_below(&root.join(SUITES), ending))
    {
        let text = fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        let mut open: Option<(&str, Vec<&str>)> = None;
        for line in text.lines() {
            if let Some((_, name)) = line.split_once("docs:begin ") {
                assert!(open.is_none(), "{file}: {name} begins within another passage");
                open = Some((name, Vec::new()));
            } else if let Some((_, name)) = line.split_once("docs:end ") {
                let (begun, lines) = open.take().unwrap_or_default();
                assert_eq!(name, begun, "{file}: a passage ends that did not begin");
                let twice = found.insert(format!("{file} {name}"), on_a_page(&lines));
                assert!(twice.is_none(), "{file}: two passages are named {name}");
            } else if let Some((_, lines)) = &mut open {
                lines.push(line);
            }
        }
        assert!(open.is_none(), "{file}: a passage has no end");
    }
    found
}

/// Without the indentation that all lines share and blank lines at the ends, and with the published name of a package.
fn on_a_page(lines: &[&str]) -> String {
    let filled = lines.iter().filter(|line| !line.trim().is_empty());
    let indentation = filled
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let lines: Vec<&str> = lines.iter().map(|line| line.get(indentation..).unwrap_or("")).collect();
    let text = lines.join("\n").trim_matches('\n').to_owned();
    SIDE_BY_SIDE
        .iter()
        .fold(text, |text, name| text.replace(name, PUBLISHED))
}

/// The blocks of a page that are code.
fn blocks(page: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let (mut found, mut above) = (Vec::new(), "");
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside: Vec<&str> = lines
                .by_ref()
                .map(|(_, line)| line)
                .take_while(|line| *line != "```")
                .collect();
            let from = above
                .strip_prefix("<!-- from ")
                .and_then(|rest| rest.strip_suffix(" -->"));
            if !NO_CODE.contains(&language) {
                found.push(Block {
                    place: format!("{page}:{}", at + 1),
                    from: from.unwrap_or_default().to_owned(),
                    text: inside.join("\n"),
                });
            }
        }
        above = line;
    }
    found
}

#[test]
fn each_block_of_code_is_a_passage_of_a_suite() {
    let passages = passages();
    let differs = |block: Block| match passages.get(&block.from) {
        _ if block.from.is_empty() => Some(format!("{}: names no passage", block.place)),
        None => Some(format!("{}: there is no passage {}", block.place, block.from)),
        Some(text) if *text != block.text => Some(format!("{}: {} is\n{text}\n", block.place, block.from)),
        Some(_) => None,
    };
    let offences: Vec<String> = PAGES.into_iter().flat_map(blocks).filter_map(differs).collect();
    assert_none("a block of code is what a suite runs", &offences);
}

#[test]
fn each_passage_is_on_a_page() {
    let shown: Vec<String> = PAGES.into_iter().flat_map(blocks).map(|block| block.from).collect();
    let unseen: Vec<String> = passages().into_keys().filter(|name| !shown.contains(name)).collect();
    assert!(!shown.is_empty(), "the reader finds blocks");
    assert_none("a marked passage is on a page", &unseen);
}
