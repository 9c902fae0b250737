//! The end-of-day trade file: what a clearing firm says was traded in a session. Pure, and strict: a file that is cut,
//! does not add up, or is about another day is refused whole, since half a file would make breaks of its other half.
//!
//! ```text
//! H,2026-11-23
//! T,17,<execution id>,<order id>,"<client order id>",AAPL,buy,10,100.02,2026-11-23T15:00:00.000000Z,live
//! T,18,<execution id>,<order id>,"<client order id>",AAPL,buy,5,100.02,2026-11-23T15:00:00.000000Z,busted
//! Z,2,10,1000.2,<SHA-256>
//! ```
//!
//! The trailer counts all lines, adds up shares and dollars of the live ones, and has the digest of every byte before it.

use chrono::NaiveDate;
use domain::{ExecId, OrderId, Price, Qty, Side, Symbol, Timestamp, VenueOrderId};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::str::FromStr;
use thiserror::Error;

/// A whole file, every line of it read and added up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeFile {
    /// The session.
    pub date: NaiveDate,
    /// Its executions that stand, in the file's order.
    pub lines: Vec<TradeLine>,
    /// Those that were taken back.
    pub busted: Vec<TradeLine>,
    /// Shares of all that stand together.
    pub shares: Decimal,
    /// What they cost together, in dollars.
    pub dollars: Decimal,
}

/// One execution of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeLine {
    /// The venue's number of it, growing through the file.
    pub number: i64,
    /// The venue's name for it, the same as in its stream.
    pub exec_id: ExecId,
    /// The order's name at the venue.
    pub venue_order_id: VenueOrderId,
    /// What the sender called the order; our order id, if the order is ours.
    pub client_order_id: String,
    /// Ticker.
    pub symbol: Symbol,
    /// Buy or sell.
    pub side: Side,
    /// Shares.
    pub qty: Qty,
    /// Dollars a share.
    pub price: Price,
    /// When it happened.
    pub at: Timestamp,
}

impl TradeLine {
    /// Our order, if the name it carries is one of ours in form.
    pub fn key(&self) -> Option<OrderId> {
        crate::order::key_of(&self.client_order_id)
    }
}

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TradeFileError {
    /// Not text at all.
    #[error("it is no text")]
    NotText,
    /// Nothing in it, or something else than a header first.
    #[error("it does not begin with a header")]
    NoHeader,
    /// About another session.
    #[error("it is of {is}, {asked} was asked for")]
    WrongDate {
        /// The session asked for.
        asked: NaiveDate,
        /// The session it says.
        is: String,
    },
    /// It ends before its trailer: it was cut.
    #[error("it has no trailer: it was cut")]
    NoTrailer,
    /// Something follows the trailer.
    #[error("line {0} follows the trailer")]
    AfterTrailer(usize),
    /// A line that is none.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from one.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// What was read is not what was written.
    #[error("its digest does not fit")]
    Digest,
    /// Lines and trailer differ.
    #[error("its trailer counts {said} {what}, its lines have {are}")]
    Sum {
        /// What is counted.
        what: &'static str,
        /// By the trailer.
        said: String,
        /// By the lines.
        are: String,
    },
}

/// Reads a file of the session on `date`.
///
/// # Errors
/// [`TradeFileError`]: nothing of the file may be used.
pub fn read(bytes: &[u8], date: NaiveDate) -> Result<TradeFile, TradeFileError> {
    let text = std::str::from_utf8(bytes).map_err(|_| TradeFileError::NotText)?;
    // A last line without its end is half a line, whatever it looks like.
    let whole = text.strip_suffix('\n').ok_or(TradeFileError::NoTrailer)?;
    let mut rows = whole.split('\n').zip(1_usize..);
    header(rows.next().map(|(row, _)| row), date)?;
    let mut file = TradeFile::empty(date);
    let (mut seen, mut last) = (HashSet::new(), None);
    while let Some((row, number)) = rows.next() {
        let fields = fields(row).map_err(|what| bad(number, what))?;
        if fields.first().is_some_and(|kind| kind == "Z") {
            return match rows.next() {
                Some((_, more)) => Err(TradeFileError::AfterTrailer(more)),
                None => {
                    let before = &text[..text.len() - row.len() - 1];
                    file.check(&fields, before, number).map(|()| file)
                }
            };
        }
        let (line, live) = trade(&fields).map_err(|what| bad(number, what))?;
        if last >= Some(line.number) {
            return Err(bad(number, format!("number {} does not grow", line.number)));
        }
        last = Some(line.number);
        if !seen.insert(line.exec_id.clone()) {
            return Err(bad(number, format!("execution {} stands in it twice", line.exec_id)));
        }
        file.add(line, live)
            .ok_or_else(|| bad(number, "more than can be added up".to_owned()))?;
    }
    Err(TradeFileError::NoTrailer)
}

/// The digest that the trailer of a file has to show: of every byte before the trailer.
pub fn digest(before: &str) -> String {
    Sha256::digest(before.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl TradeFile {
    fn empty(date: NaiveDate) -> Self {
        let (lines, busted) = (Vec::new(), Vec::new());
        let (shares, dollars) = (Decimal::ZERO, Decimal::ZERO);
        Self {
            date,
            lines,
            busted,
            shares,
            dollars,
        }
    }

    /// Takes a line in; `None` when the sums are beyond all numbers.
    fn add(&mut self, line: TradeLine, live: bool) -> Option<()> {
        if !live {
            self.busted.push(line);
            return Some(());
        }
        let cost = line.price.get().checked_mul(line.qty.get())?;
        self.shares = self.shares.checked_add(line.qty.get())?;
        self.dollars = self.dollars.checked_add(cost)?;
        self.lines.push(line);
        Some(())
    }

    /// Compares the lines with the trailer.
    fn check(&self, fields: &[String], before: &str, number: usize) -> Result<(), TradeFileError> {
        let [_, count, shares, dollars, sum] = fields else {
            return Err(bad(number, format!("{} fields instead of 5", fields.len())));
        };
        let amount = |name, text| parsed::<Decimal>(name, text).map_err(|what| bad(number, what));
        let count: usize = parsed("executions", count).map_err(|what| bad(number, what))?;
        same("executions", count, self.lines.len() + self.busted.len())?;
        same("shares", amount("shares", shares)?, self.shares)?;
        same(
            "dollars",
            amount("dollars", dollars)?.normalize(),
            self.dollars.normalize(),
        )?;
        if *sum != digest(before) {
            return Err(TradeFileError::Digest);
        }
        Ok(())
    }
}

fn same<T: PartialEq + ToString>(what: &'static str, said: T, are: T) -> Result<(), TradeFileError> {
    if said == are {
        return Ok(());
    }
    let (said, are) = (said.to_string(), are.to_string());
    Err(TradeFileError::Sum { what, said, are })
}

fn header(row: Option<&str>, date: NaiveDate) -> Result<(), TradeFileError> {
    let is = row
        .and_then(|row| row.strip_prefix("H,"))
        .ok_or(TradeFileError::NoHeader)?;
    if is == date.to_string() {
        return Ok(());
    }
    Err(TradeFileError::WrongDate {
        asked: date,
        is: is.chars().take(40).collect(),
    })
}

/// One line, and whether it stands.
fn trade(fields: &[String]) -> Result<(TradeLine, bool), String> {
    let [kind, number, exec, order, client, symbol, side, qty, price, at, state] = fields else {
        return Err(format!("{} fields instead of 11", fields.len()));
    };
    if kind != "T" {
        return Err(format!("a line of kind {kind:.20?}"));
    }
    let live = match state.as_str() {
        "live" => true,
        "busted" => false,
        other => return Err(format!("state {other:.20?}")),
    };
    let line = TradeLine {
        number: parsed("number", number)?,
        exec_id: ExecId::new(exec).map_err(|error| format!("execution {exec:.40?}: {error}"))?,
        venue_order_id: VenueOrderId::new(order).map_err(|error| format!("order {order:.40?}: {error}"))?,
        client_order_id: client.clone(),
        symbol: Symbol::parse(symbol).ok_or_else(|| format!("symbol {symbol:.40?}"))?,
        side: parsed("side", side)?,
        qty: Qty::parse(qty).map_err(|error| format!("shares {qty:.40?}: {error}"))?,
        price: Price::parse(price).map_err(|error| format!("price {price:.40?}: {error}"))?,
        at: parsed("time", at)?,
    };
    Ok((line, live))
}

fn parsed<T: FromStr>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{name} {text:.40?}"))
}

/// A row's fields; one may stand in quotation marks, doubled where they are meant.
fn fields(row: &str) -> Result<Vec<String>, String> {
    let mut fields = vec![String::new()];
    let mut letters = row.chars().peekable();
    while let Some(letter) = letters.next() {
        let field = fields.last_mut().expect("one is there from the beginning");
        match letter {
            ',' => fields.push(String::new()),
            '"' if field.is_empty() => loop {
                match letters.next() {
                    Some('"') if letters.peek() == Some(&'"') => field.extend(letters.next()),
                    Some('"') if matches!(letters.peek(), None | Some(',')) => break,
                    Some('"') | None => return Err("a quotation mark too many".to_owned()),
                    Some(letter) => field.push(letter),
                }
            },
            '"' => return Err("a quotation mark too many".to_owned()),
            letter => field.push(letter),
        }
    }
    Ok(fields)
}

const fn bad(line: usize, what: String) -> TradeFileError {
    TradeFileError::Line { line, what }
}

#[cfg(test)]
mod tests {
    //! `recon::file_partial`: what is refused, and that nothing of it is used.
    use super::*;

    const ORDER: &str = "018f0000-0000-7000-8000-000000000001";

    fn day() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 23).expect("a date")
    }

    fn line(number: i64, client: &str, qty: &str) -> String {
        format!("T,{number},x-{number},o-1,{client},AAPL,buy,{qty},100.02,2026-11-23T15:00:00.000000Z,live\n")
    }

    /// With the digest that fits.
    fn signed(before: &str, trailer: &str) -> String {
        format!("{before}{trailer},{}\n", digest(before))
    }

    fn file() -> String {
        let first = line(3, &format!("\"{ORDER}\""), "10");
        let second = line(9, "\"by, \"\"hand\"\"\"", "5");
        let third = line(10, "\"\"", "7").replace("live", "busted");
        signed(&format!("H,2026-11-23\n{first}{second}{third}"), "Z,3,15,1500.3")
    }

    fn refused(file: &str) -> String {
        read(file.as_bytes(), day()).expect_err("refused").to_string()
    }

    #[test]
    fn a_whole_file_is_read_with_its_sums() {
        let read = read(file().as_bytes(), day()).expect("whole");
        assert_eq!(
            (read.lines.len(), read.busted.len(), read.shares),
            (2, 1, Decimal::from(15))
        );
        assert_eq!(read.dollars.normalize().to_string(), "1500.3");
        assert_eq!(read.lines[0].key().map(|key| key.to_string()).as_deref(), Some(ORDER));
        let second = &read.lines[1];
        assert_eq!((second.client_order_id.as_str(), second.key()), ("by, \"hand\"", None));
        assert_eq!((second.number, second.price.to_string().as_str()), (9, "100.02"));
    }

    #[test]
    fn a_day_without_trades_has_a_file_too() {
        let empty = read(signed("H,2026-11-23\n", "Z,0,0,0").as_bytes(), day()).expect("whole");
        assert_eq!(empty.lines, []);
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let file = file();
        for end in 0..file.len() {
            assert!(read(&file.as_bytes()[..end], day()).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_file_that_does_not_add_up_is_refused() {
        let wrong = [
            ("Z,3,15", "Z,2,15", "its trailer counts 2 executions, its lines have 3"),
            ("Z,3,15", "Z,3,16", "its trailer counts 16 shares, its lines have 15"),
            (
                "1500.3,",
                "1500.4,",
                "its trailer counts 1500.4 dollars, its lines have 1500.3",
            ),
            (
                "T15:00:00.000000Z,live",
                "T15:00:01.000000Z,live",
                "its digest does not fit",
            ),
            (
                "buy,5,100.02",
                "buy,5,100.03",
                "its trailer counts 1500.3 dollars, its lines have 1500.35",
            ),
            ("Z,busted", "Z,boosted", "line 4: state \"boosted\""),
            ("Z,3,15,1500.3", "Z,3,15", "line 5: 4 fields instead of 5"),
            (
                "H,2026-11-23\n",
                "H,2026-11-23\r\n",
                "it is of 2026-11-23\r, 2026-11-23 was asked for",
            ),
            (
                "H,2026-11-23",
                "H,2026-11-20",
                "it is of 2026-11-20, 2026-11-23 was asked for",
            ),
            ("H,2026-11-23\n", "", "it does not begin with a header"),
            ("T,9,x-9", "T,3,x-9", "line 3: number 3 does not grow"),
            ("x-9", "x-3", "line 3: execution x-3 stands in it twice"),
            ("buy,5", "borrow,5", "line 3: side \"borrow\""),
            ("buy,5", "buy,0", "line 3: shares \"0\": must be > 0"),
            ("\"\"hand", "\"hand", "line 3: a quotation mark too many"),
            (
                "100.02,2026-11-23T15:00:00.000000Z,busted",
                "100.02,busted",
                "line 4: 10 fields instead of 11",
            ),
        ];
        for (is, instead, why) in wrong {
            let spoiled = file().replacen(is, instead, 1);
            assert_ne!(spoiled, file(), "{is}");
            assert_eq!(refused(&spoiled), why);
        }
        assert_eq!(
            refused(&[file(), "T\n".to_owned()].concat()),
            "line 6 follows the trailer"
        );
    }
}
