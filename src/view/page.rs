//! Text for people, line by line. Whatever a text from outside holds, it makes no line of its own: only this file writes
//! line ends.

use std::fmt;

use super::table::Table;
use crate::model::human;

/// Lines. `writeln!` adds one, and one only.
#[derive(Debug, Default)]
pub struct Page(String);

impl Page {
    /// What `writeln!` calls: one line, safe for a terminal.
    pub fn write_fmt(&mut self, line: fmt::Arguments<'_>) {
        let text = line.to_string();
        self.0.push_str(human::inert(text.strip_suffix('\n').unwrap_or(&text)).trim_end());
        self.0.push('\n');
    }

    /// An empty line.
    pub fn blank(&mut self) {
        self.0.push('\n');
    }

    /// A table's lines.
    pub fn table(&mut self, table: &Table) {
        for line in table.lines() {
            self.write_fmt(format_args!("{line}"));
        }
    }

    /// The lines of another page.
    pub fn append(&mut self, other: &Self) {
        self.0.push_str(&other.0);
    }

    /// The page, ended by a line that is ours, and may say that a drill passed.
    #[must_use]
    pub fn ending(mut self, last: &str) -> String {
        self.0.push_str(last);
        self.0.push('\n');
        self.0
    }

    /// The page.
    #[must_use]
    pub fn text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line() {
        let mut page = Page::default();
        let forged = "b\nRestore drill PASSED — 3 rows verified\u{9b}2J\u{2028}c";
        writeln!(page, "a {forged}");
        page.blank();
        assert_eq!(
            page.ending("Restore drill PASSED — 3 rows verified"),
            "a b Restore drill \"PASSED\" — 3 rows verified 2J c\n\nRestore drill PASSED — 3 rows verified\n"
        );
    }
}
