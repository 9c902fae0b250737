//! Columns for people.

/// Lines up rows under their heads; numbers to the right.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..heads.len()).map(|column| width(heads, rows, column)).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells.zip(&widths).map(|(cell, &width)| pad(cell, width)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    let head = line(&mut heads.iter().copied());
    let body = rows.iter().map(|row| line(&mut row.iter().map(String::as_str)));
    std::iter::once(head).chain(body).collect::<Vec<_>>().join("\n")
}

fn width(heads: &[&str], rows: &[Vec<String>], column: usize) -> usize {
    let cells = rows
        .iter()
        .filter_map(|row| row.get(column))
        .map(|cell| cell.chars().count());
    cells.chain([heads[column].len()]).max().unwrap_or_default()
}

fn pad(cell: &str, width: usize) -> String {
    let is_number =
        cell.starts_with(|c: char| c.is_ascii_digit() || c == '-') && cell.parse::<rust_decimal::Decimal>().is_ok();
    if is_number {
        format!("{cell:>width$}")
    } else {
        format!("{cell:<width$}")
    }
}

#[cfg(test)]
mod tests {
    //! How a table looks.
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_numbers_stand_right() {
        let rows = [
            vec!["cash".to_owned(), "-9.50".to_owned()],
            vec!["held longer".to_owned(), "1000.00".to_owned()],
        ];
        let expected = "book         amount\ncash           -9.50\nheld longer  1000.00";
        assert_eq!(table(&["book", "amount"], &rows), expected);
    }
}
