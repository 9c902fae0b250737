//! Reads the tree, and tells a file's code, strings and comments apart.

use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// One Rust file.
pub struct Source {
    /// From the root, with forward slashes.
    pub path: String,
    /// The folder of its crate: `executor`.
    pub krate: String,
    /// As it is.
    pub text: String,
    /// Without comments, and with each string literal emptied.
    pub code: String,
    /// The string literals, in order.
    pub strings: Vec<String>,
}

impl Source {
    fn read(root: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        let krate = path
            .split('/')
            .nth(if path.starts_with("load-tests") { 0 } else { 1 })
            .unwrap()
            .to_owned();
        let (code, strings) = split(&text);
        Source {
            path,
            krate,
            text,
            code,
            strings,
        }
    }

    /// True for what ships: not for tests and benchmarks beside it.
    pub fn ships(&self) -> bool {
        self.path.contains("/src/") && self.krate != "testkit"
    }
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Every Rust file of the workspace, except this test itself, whose lists name what is banned.
pub fn rust_sources() -> Vec<Source> {
    let root = root();
    let files = ["services", "shared", "load-tests"]
        .iter()
        .flat_map(|folder| files_below(&root.join(folder), "rs"));
    let sources = files.map(|path| Source::read(&root, &path));
    sources
        .filter(|source| !source.path.starts_with("shared/testkit/tests/tidy"))
        .collect()
}

/// Files with this ending, sorted; build products and hidden folders are left out.
pub fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            found.extend(files_below(&path, ending));
        } else if path.extension().is_some_and(|is| is == ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Code without comments and strings, and the strings. A small reader, not a parser: it knows line and
/// block comments, plain and raw strings, and that `'"'` is a character.
fn split(text: &str) -> (String, Vec<String>) {
    let (mut code, mut strings) = (String::new(), Vec::new());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek().copied()) {
            ('/', Some('/')) => skip_line(&mut rest, &mut code),
            ('/', Some('*')) => skip_block(&mut rest),
            ('"', _) => strings.push(string(&mut rest, &mut code)),
            ('r', Some('"' | '#')) if !code.ends_with(is_word) || code.ends_with('b') => {
                strings.extend(raw_string(&mut rest, &mut code));
            }
            ('\'', _) => character(&mut rest, &mut code),
            _ => code.push(c),
        }
    }
    (code, strings)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn skip_line(rest: &mut Peekable<Chars<'_>>, code: &mut String) {
    rest.by_ref().find(|c| *c == '\n');
    code.push('\n');
}

fn skip_block(rest: &mut Peekable<Chars<'_>>) {
    let mut last = ' ';
    rest.next();
    for c in rest.by_ref() {
        if last == '*' && c == '/' {
            return;
        }
        last = c;
    }
}

fn string(rest: &mut Peekable<Chars<'_>>, code: &mut String) -> String {
    let mut inside = String::new();
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            // An escape is a blank here: nothing that is looked for has one.
            '\\' => {
                rest.next();
                inside.push(' ');
            }
            _ => inside.push(c),
        }
    }
    code.push_str("\"\"");
    inside
}

/// After an `r`: the string up to its quote and hashes, or nothing when it was `r#keyword`.
fn raw_string(rest: &mut Peekable<Chars<'_>>, code: &mut String) -> Option<String> {
    let mut end = "\"".to_owned();
    while rest.next_if_eq(&'#').is_some() {
        end.push('#');
    }
    rest.next_if_eq(&'"')?;
    let mut inside = String::new();
    while !inside.ends_with(&end) {
        inside.push(rest.next()?);
    }
    inside.truncate(inside.len() - end.len());
    code.push_str("\"\"");
    Some(inside)
}

/// `'x'`, `'\''`, or the begin of a lifetime.
fn character(rest: &mut Peekable<Chars<'_>>, code: &mut String) {
    code.push('\'');
    let mut ahead = rest.clone();
    let escaped = ahead.next() == Some('\\');
    if escaped {
        ahead.next();
    }
    if escaped || ahead.next() == Some('\'') {
        rest.find(|c| *c != '\\');
        rest.find(|c| *c == '\'');
        code.push('\'');
    }
}

#[test]
fn code_strings_and_comments_are_told_apart() {
    let text = r###"let a = "now()"; // Utc::now()
        /* b */ let c = r#"update "x""#; let d: &'a str = f('"', '\'', '\n', 'e'); let e = "say \"hi\"";"###;
    let (code, strings) = split(text);
    assert_eq!(strings, ["now()", "update \"x\"", "say  hi "]);
    assert!(
        !code.contains("Utc") && !code.contains("now()") && !code.contains(" b "),
        "{code}"
    );
    assert!(code.contains("let e = \"\";") && code.contains("&'a str"), "{code}");
}
