//! Ticker symbols.

use std::fmt;
use std::sync::Arc;

/// A ticker such as `AAPL` or `BRK.B`: 1 to 12 of `A`–`Z`, `0`–`9`, `.`, `-`, starting with a letter. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(Arc<str>);

impl Symbol {
    /// Reads a symbol as written; lower case is not folded, since `asset "aapl" not found` tells more than a guess.
    pub fn parse(text: &str) -> Option<Self> {
        let ok = (1..=12).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'.' || b == b'-');
        ok.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    //! Which words are symbols.
    use super::*;

    #[test]
    fn only_tickers_are_symbols() {
        for good in ["A", "AAPL", "BRK.B", "BF-B", "X1"] {
            assert!(Symbol::parse(good).is_some(), "{good}");
        }
        for bad in ["", "aapl", "../etc", "1AB", "🚀", "ABCDEFGHIJKLM", "A B", "ＡＡＰＬ"] {
            assert!(Symbol::parse(bad).is_none(), "{bad}");
        }
    }
}
