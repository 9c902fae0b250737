//! Tables have one owner, and the time in SQL is `daybook_now()`.

use std::collections::BTreeMap;
use std::fs;

use crate::source::{files_below, root, rust_sources};
use crate::{assert_none, offences};

/// Where the real clock is right, by the end of the path: the one function itself, and the age of running
/// transactions, whose begin Postgres stamps with the real clock.
const REAL_CLOCK: [(&str, &str); 2] = [("_time.sql", "clock_timestamp()"), ("_bus.sql", "clock_timestamp()")];

/// Every way SQL knows to ask for the time.
const CLOCKS: [&str; 7] = [
    "now()",
    "clock_timestamp()",
    "statement_timestamp()",
    "transaction_timestamp()",
    "current_timestamp",
    "localtimestamp",
    "current_date",
];

struct Migration {
    /// From the root.
    path: String,
    /// Without comments, in lower case, one blank between words.
    sql: String,
    /// The crate of the head comment.
    owner: Option<String>,
}

/// The product's list, or the exchange's own.
fn migrations(folder: &str) -> Vec<Migration> {
    let files = files_below(&root().join(folder), "sql");
    let read = |path: std::path::PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let owner = text
            .lines()
            .next()
            .and_then(|head| head.strip_prefix("-- owner: "))
            .map(|name| name.trim().to_owned());
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        Migration {
            path,
            sql: plain(&text),
            owner,
        }
    };
    files.into_iter().map(read).collect()
}

const LISTS: [&str; 2] = ["migrations", "services/exchange-sim/migrations"];

fn plain(sql: &str) -> String {
    let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default());
    code.flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// Each table of a list with its owner.
fn owners(list: &str) -> BTreeMap<String, String> {
    let mut owners = BTreeMap::new();
    for migration in migrations(list) {
        let Some(owner) = migration.owner else { continue };
        let after = |words: &str| names_after(&migration.sql, words);
        for table in after("create table if not exists ")
            .into_iter()
            .chain(after("create table "))
        {
            owners.entry(table).or_insert_with(|| owner.clone());
        }
    }
    owners
}

/// The names that follow these words, wherever they stand.
fn names_after(sql: &str, words: &str) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let places = sql
        .match_indices(words)
        .filter(|(at, _)| !sql[..*at].ends_with(is_name));
    let tail = places.map(|(at, _)| {
        sql[at + words.len()..]
            .trim_start_matches("only ")
            .trim_start_matches("public.")
    });
    tail.map(|tail| tail.chars().take_while(|c| is_name(*c)).collect())
        .collect()
}

/// The tables that a statement writes.
fn written(sql: &str) -> Vec<String> {
    let writes = [
        "insert into ",
        "update ",
        "delete from ",
        "merge into ",
        "copy ",
        "truncate table ",
        "truncate ",
    ];
    writes.iter().flat_map(|words| names_after(sql, words)).collect()
}

/// Every clock that a statement reads, but for `daybook_now()`.
fn clocks_in(sql: &str) -> Vec<&'static str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let bare = |clock: &&str| sql.match_indices(*clock).any(|(at, _)| !sql[..at].ends_with(is_word));
    CLOCKS.into_iter().filter(bare).collect()
}

fn is_sql(text: &str) -> bool {
    ["select ", " set ", "insert into ", "delete from "]
        .iter()
        .any(|words| text.contains(words))
}

#[test]
fn each_migration_names_the_crate_that_owns_its_tables() {
    let crates = rust_sources()
        .into_iter()
        .map(|source| source.krate)
        .collect::<Vec<_>>();
    let all = LISTS.iter().flat_map(|list| migrations(list));
    let nameless = all.filter(|migration| !migration.owner.as_ref().is_some_and(|owner| crates.contains(owner)));
    let nameless: Vec<String> = nameless
        .map(|migration| format!("{}: {:?}", migration.path, migration.owner))
        .collect();
    assert_none("a migration's first line is `-- owner: <crate>`", &nameless);
}

#[test]
fn only_its_owner_writes_a_table() {
    let (product, exchange) = (owners(LISTS[0]), owners(LISTS[1]));
    let foreign = |file: &crate::source::Source| {
        let owners = if file.krate == "exchange-sim" {
            &exchange
        } else {
            &product
        };
        let tables = file.strings.iter().flat_map(|string| written(&plain(string)));
        let foreign = tables.filter(|table| owners.get(table).is_some_and(|owner| *owner != file.krate));
        let foreign: Vec<String> = foreign
            .map(|table| format!("{table} belongs to {}", owners[&table]))
            .collect();
        // A benchmark of a million orders writes them rather than placing each, into a database of its own.
        let is_benchmark = file.krate == "load-tests";
        (file.ships() && !is_benchmark && !foreign.is_empty()).then(|| foreign.join(", "))
    };
    assert_none(
        "a table is written by its owner only",
        &offences(&rust_sources(), foreign),
    );
}

#[test]
fn sql_asks_daybook_now_for_the_time() {
    let in_strings = |file: &crate::source::Source| {
        let statements = file
            .strings
            .iter()
            .map(|string| plain(string))
            .filter(|text| is_sql(text));
        let clocks: Vec<&str> = statements.flat_map(|sql| clocks_in(&sql)).collect();
        (!clocks.is_empty()).then(|| clocks.join(", "))
    };
    let mut wrong = offences(&rust_sources(), in_strings);
    for migration in LISTS.iter().flat_map(|list| migrations(list)) {
        let allowed = |clock: &str| {
            REAL_CLOCK
                .iter()
                .any(|(path, real)| migration.path.ends_with(path) && clock == *real)
        };
        let clocks = clocks_in(&migration.sql).into_iter().filter(|clock| !allowed(clock));
        wrong.extend(clocks.map(|clock| format!("{}: {clock}", migration.path)));
    }
    assert_none("the time in SQL is daybook_now()", &wrong);
}

/// A migration is one transaction: with both, whoever writes the table waits until all of it is read.
#[test]
fn what_is_added_not_valid_is_validated_by_a_migration_of_its_own() {
    let both = |migration: &Migration| {
        [" not valid", " validate constraint "]
            .iter()
            .all(|w| migration.sql.contains(w))
    };
    let all = LISTS.iter().flat_map(|list| migrations(list));
    let wrong: Vec<String> = all.filter(both).map(|migration| migration.path).collect();
    assert_none("`not valid` and `validate constraint` are two migrations", &wrong);
}

#[test]
fn writes_are_found_and_reads_are_not() {
    let sql = plain(
        "with moved as (update orders set a = 1 returning *) -- update fills\n insert into  outbox select * from moved for update of accounts",
    );
    let mut tables = written(&sql);
    tables.sort();
    assert_eq!(tables, ["of", "orders", "outbox"]);
    assert!(written("insert into t values (1) on conflict do update set a = 1").contains(&"t".to_owned()));
    assert!(!written("select last_update orders").contains(&"orders".to_owned()));
}

#[test]
fn a_bare_clock_is_found() {
    assert_eq!(
        clocks_in("select now(), a from b where at < current_timestamp"),
        ["now()", "current_timestamp"]
    );
    assert!(clocks_in("select daybook_now()").is_empty());
}
