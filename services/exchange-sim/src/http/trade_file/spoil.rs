//! Trade files that are wrong on request: in a line, so that they still add up, or in themselves.

use chrono::{Days, NaiveDate};
use uuid::Uuid;

use super::format::FileLine;
use crate::core::{Shares, Ticks};
use crate::faults::{Kind, Rule};
use crate::names::Names;

/// Spoils what the file says; trailer and digest will fit.
pub(super) fn lines(lines: &mut Vec<FileLine>, rule: &Rule, names: Names, date: NaiveDate) {
    let wanted = |line: &FileLine| {
        let is = |wanted: &Option<String>, text: &String| wanted.as_ref().is_none_or(|wanted| wanted == text);
        is(&rule.symbol, &line.symbol) && is(&rule.client_order_id, &line.client_order_id)
    };
    let Some(place) = lines.iter().position(wanted) else {
        return;
    };
    match rule.kind {
        Kind::FileMissingLine => {
            lines.remove(place);
        }
        Kind::FileUnknownLine => {
            let line = unknown(&lines[place], lines.last().map_or(0, |last| last.no), names, date);
            lines.push(line);
        }
        Kind::FileWrongQty => lines[place].qty += Shares::whole(1),
        Kind::FileWrongPrice => lines[place].price = Ticks(lines[place].price.0 + lines[place].price.grid()),
        _ => {}
    }
}

/// An execution for an order that nobody sent: the same in every file of the date.
fn unknown(like: &FileLine, last: i64, names: Names, date: NaiveDate) -> FileLine {
    let name = |what: &str| Uuid::new_v5(&names.order(0), format!("{what} {date}").as_bytes());
    FileLine {
        no: last + 1,
        execution_id: name("execution"),
        order_id: name("order"),
        client_order_id: format!("unknown-{date}"),
        busted: false,
        ..like.clone()
    }
}

/// Spoils the file itself: a reader finds out without knowing one trade.
pub(super) fn text(file: String, rule: &Rule, date: NaiveDate) -> String {
    let trailer = file.trim_end().rfind('\n').map_or(0, |end| end + 1);
    match rule.kind {
        Kind::FileCut => file.chars().take(file.chars().count() * 2 / 3).collect(),
        Kind::FileNoTrailer => file[..trailer].to_owned(),
        Kind::FileWrongSum => {
            let mut fields: Vec<String> = file[trailer..].split(',').map(str::to_owned).collect();
            if let Some(shares) = fields.get_mut(2) {
                shares.push('1');
            }
            [&file[..trailer], &fields.join(",")].concat()
        }
        Kind::FileWrongDate => {
            let other = date.checked_sub_days(Days::new(1)).unwrap_or(date);
            file.replacen(&format!("H,{date}"), &format!("H,{other}"), 1)
        }
        _ => file,
    }
}
