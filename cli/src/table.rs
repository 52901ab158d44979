//! Tables and numbers for people.

use comfy_table::{CellAlignment, Table, presets};

/// A table whose first column is text and whose other columns are numbers.
pub(crate) fn numbers(headers: &[&str], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_FULL_CONDENSED)
        .set_header(headers.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Puts a comma between thousands.
pub(crate) fn grouped(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Atoms of a mint with 6 decimals, to the atom.
pub(crate) fn money(atoms: impl Into<i128>) -> String {
    let atoms = atoms.into();
    let sign = if atoms < 0 { "-" } else { "" };
    let size = atoms.unsigned_abs();
    let whole = grouped((size / 1_000_000) as i128);
    format!("{sign}{whole}.{:06}", size % 1_000_000)
}

/// A price in ticks as a decimal number of quote units per lot.
pub(crate) fn price(ticks: u32, atoms_per_tick: u32) -> String {
    let text = money(u64::from(ticks) * u64::from(atoms_per_tick));
    let cut = text.trim_end_matches('0');
    let decimals = cut
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    text[..text.len() - 6 + decimals.max(2)].to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(-123), "-123");
        assert_eq!(money(-1_500_000_001_i64), "-1,500.000001");
        assert_eq!(price(10_005, 10_000), "100.05");
        assert_eq!(price(19_240, 250_000), "4,810.00");
        assert_eq!(price(3, 1_250), "0.00375");
    }
}
