//! Aligned columns of text.

use unicode_width::UnicodeWidthStr;

/// A table; columns are as wide as their widest cell.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    right: Vec<usize>,
}

impl Table {
    /// A table with these headings; `right` are the columns aligned to the right.
    pub fn new(headings: &[&str], right: &[usize]) -> Self {
        Self { rows: vec![headings.iter().map(|text| (*text).to_owned()).collect()], right: right.to_vec() }
    }

    /// Adds a row. No cell can end its line.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| crate::model::human::inert(&cell)).collect());
    }

    /// The table's lines.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(column, cell)| {
                    let room = " ".repeat(widths[column] - cell.width());
                    if self.right.contains(&column) { room + cell } else { cell.clone() + &room }
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_the_room_that_characters_take() {
        let mut table = Table::new(&["Name", "Rows"], &[1]);
        table.row(["表e\u{301}".to_owned(), "7".to_owned()]);
        assert_eq!(table.lines(), ["Name  Rows", "表e\u{301}      7"]);
    }
}
