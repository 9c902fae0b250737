//! Which symbols trade, where their prices start, and how many shares change hands.

use super::{TICKS_PER_DOLLAR, Ticks};

/// One symbol of the exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The ticker.
    pub symbol: String,
    /// The company's name.
    pub name: String,
    /// The listing exchange's word, as assets show it.
    pub exchange: &'static str,
    /// The price its walk starts from.
    pub start: Ticks,
    /// Shares of a usual session.
    pub volume: u64,
    /// Whether parts of a share are traded.
    pub fractionable: bool,
}

/// A name everybody knows: symbol, company, listing exchange, and of the right size: dollars a share, thousands of shares a
/// session.
type Known = (&'static str, &'static str, &'static str, i64, u64);

/// Twenty of them.
const KNOWN: [Known; 20] = [
    ("AAPL", "Apple Inc.", "NASDAQ", 230, 48_000),
    ("MSFT", "Microsoft Corporation", "NASDAQ", 420, 22_000),
    ("AMZN", "Amazon.com, Inc.", "NASDAQ", 205, 42_000),
    ("NVDA", "NVIDIA Corporation", "NASDAQ", 140, 180_000),
    ("GOOGL", "Alphabet Inc. Class A", "NASDAQ", 175, 28_000),
    ("META", "Meta Platforms, Inc.", "NASDAQ", 560, 13_000),
    ("TSLA", "Tesla, Inc.", "NASDAQ", 320, 90_000),
    ("BRK.B", "Berkshire Hathaway Inc. Class B", "NYSE", 470, 4_000),
    ("JPM", "JPMorgan Chase & Co.", "NYSE", 245, 9_000),
    ("V", "Visa Inc.", "NYSE", 310, 6_500),
    ("UNH", "UnitedHealth Group Incorporated", "NYSE", 590, 8_000),
    ("XOM", "Exxon Mobil Corporation", "NYSE", 120, 15_000),
    ("LLY", "Eli Lilly and Company", "NYSE", 800, 4_000),
    ("JNJ", "Johnson & Johnson", "NYSE", 155, 8_000),
    ("WMT", "Walmart Inc.", "NYSE", 88, 17_000),
    ("MA", "Mastercard Incorporated", "NYSE", 520, 3_000),
    ("PG", "The Procter & Gamble Company", "NYSE", 170, 7_500),
    ("HD", "The Home Depot, Inc.", "NYSE", 410, 4_000),
    ("KO", "The Coca-Cola Company", "NYSE", 63, 16_000),
    ("F", "Ford Motor Company", "NYSE", 11, 60_000),
];

/// Of these only whole shares are traded (one is among the first few, for exchanges with no more); of the generated
/// ones, of every fiftieth.
const WHOLE_ONLY: [&str; 3] = ["AMZN", "BRK.B", "F"];

/// Most symbols an exchange can have; the generated names would run out of letters later than that.
const MOST: usize = 10_000;

/// The first `count` symbols: the known ones, then generated ones (`ZAAA`, `ZAAB`, …).
pub fn listings(count: usize) -> Vec<Listing> {
    (0..count.clamp(1, MOST))
        .map(|n| KNOWN.get(n).map_or_else(|| generated(n), known))
        .collect()
}

fn known(&(symbol, name, exchange, dollars, thousands): &Known) -> Listing {
    Listing {
        symbol: symbol.to_owned(),
        name: name.to_owned(),
        exchange,
        start: Ticks(dollars * TICKS_PER_DOLLAR),
        volume: thousands * 1_000,
        fractionable: !WHOLE_ONLY.contains(&symbol),
    }
}

fn generated(n: usize) -> Listing {
    let nth = n - KNOWN.len();
    let letter = |place: usize| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[nth / place % 26]);
    let spread = u64::try_from(nth).unwrap_or(0) * 7_919;
    let cents = 500 + i64::try_from(spread % 40_000).unwrap_or(0);
    Listing {
        symbol: [
            "Z".to_owned(),
            letter(676).to_string(),
            letter(26).to_string(),
            letter(1).to_string(),
        ]
        .concat(),
        name: format!("Generated Company {n}"),
        exchange: "NYSE",
        start: Ticks(cents * 100),
        volume: (4_000 + spread % 8_000) * 1_000,
        fractionable: nth % 50 != 49,
    }
}

#[cfg(test)]
mod tests {
    //! What is listed.
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_thousand_symbols_have_a_thousand_well_formed_names() {
        let all = listings(1_000);
        let names: HashSet<_> = all.iter().map(|l| l.symbol.as_str()).collect();
        assert_eq!(names.len(), 1_000);
        assert!(names.iter().all(|name| domain::Symbol::parse(name).is_some()));
        assert!(all.iter().all(|l| l.start.0 >= 50_000));
        assert!(all.iter().all(|l| l.volume >= 3_000_000));
    }

    #[test]
    fn twenty_known_names_come_first() {
        assert_eq!(listings(20).last().map(|l| l.symbol.clone()), Some("F".to_owned()));
    }
    #[test]
    fn all_but_a_few_are_traded_in_parts_of_a_share() {
        let whole = |count| listings(count).iter().filter(|listing| !listing.fractionable).count();
        assert_eq!((whole(3), whole(20), whole(1_000)), (1, 3, 3 + 19));
    }
}
