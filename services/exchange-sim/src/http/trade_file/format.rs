//! How a trade file is written: comma-separated text, a header, one line an execution, a trailer.
//!
//! ```text
//! H,2026-11-23
//! T,17,<execution id>,<order id>,"<client order id>",AAPL,buy,10,100.02,2026-11-23T15:00:00.000000Z,live
//! Z,1,10,1000.2,<SHA-256>
//! ```

use chrono::{NaiveDate, SecondsFormat};
use domain::{Side, Timestamp};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::core::{Shares, Ticks};
use crate::names::Names;
use crate::store::rows::{ExecutionRow, OrderRow};

/// One execution of the file.
#[derive(Debug, Clone)]
pub(super) struct FileLine {
    pub(super) no: i64,
    pub(super) execution_id: Uuid,
    pub(super) order_id: Uuid,
    pub(super) client_order_id: String,
    pub(super) symbol: String,
    pub(super) side: Side,
    pub(super) qty: Shares,
    pub(super) price: Ticks,
    pub(super) at: Timestamp,
    pub(super) busted: bool,
}

impl FileLine {
    pub(super) fn new(names: Names, x: &ExecutionRow, order: &OrderRow) -> Self {
        Self {
            no: x.no,
            execution_id: names.execution(x.no),
            order_id: names.order(order.no),
            client_order_id: order.client_order_id.to_string(),
            symbol: order.symbol.to_string(),
            side: order.side,
            qty: x.qty,
            price: x.price,
            at: x.at,
            busted: x.busted_at.is_some(),
        }
    }

    fn text(&self) -> String {
        format!(
            "T,{},{},{},\"{}\",{},{},{},{},{},{}\n",
            self.no,
            self.execution_id,
            self.order_id,
            self.client_order_id.replace('"', "\"\""),
            self.symbol,
            self.side,
            self.qty,
            self.price.dollars(),
            self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            if self.busted { "busted" } else { "live" },
        )
    }
}

/// The whole file. The trailer counts all lines, adds up the live ones, and has the digest of every byte before it.
pub(super) fn written(date: NaiveDate, lines: &[FileLine]) -> String {
    let live = || lines.iter().filter(|line| !line.busted);
    let shares: Decimal = live().map(|line| line.qty.decimal()).sum();
    let dollars: Decimal = live().map(|line| line.price.dollars() * line.qty.decimal()).sum();
    let mut text: String = std::iter::once(format!("H,{date}\n"))
        .chain(lines.iter().map(FileLine::text))
        .collect();
    let digest: String = Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    text += &format!(
        "Z,{},{},{},{digest}\n",
        lines.len(),
        shares.normalize(),
        dollars.normalize()
    );
    text
}

#[cfg(test)]
mod tests {
    //! A file, byte for byte.
    use super::*;

    #[test]
    fn a_file_counts_all_lines_and_adds_up_those_that_stand() {
        let line = |no, qty, busted| FileLine {
            no,
            execution_id: Uuid::from_u128(no as u128),
            order_id: Uuid::from_u128(9),
            client_order_id: "a \"b\"".to_owned(),
            symbol: "AAPL".to_owned(),
            side: Side::Buy,
            qty: Shares::whole(qty),
            price: Ticks(1_000_200),
            at: "2026-11-23T15:00:00Z".parse().expect("a time"),
            busted,
        };
        let date = "2026-11-23".parse().expect("a date");
        let file = written(date, &[line(1, 10, false), line(2, 5, true)]);
        let lines: Vec<&str> = file.lines().collect();
        assert_eq!(
            lines[1],
            "T,1,00000000-0000-0000-0000-000000000001,00000000-0000-0000-0000-000000000009,\"a \"\"b\"\"\",AAPL,buy,\
             10,100.02,2026-11-23T15:00:00.000000Z,live"
        );
        assert!(lines[2].ends_with(",5,100.02,2026-11-23T15:00:00.000000Z,busted"));
        assert_eq!(
            lines[3],
            "Z,2,10,1000.2,0992e2f229db18be6f9f04792875221a5a70645688d7c9f74ef8096e38f9da4f"
        );
    }
}
