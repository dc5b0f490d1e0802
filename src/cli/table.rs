//! Lists at the command line: columns for a person, `--json` for a program.

use clap::Args;
use comfy_table::{Table, TableStyle};
use serde::Serialize;

use crate::cli::say;
use crate::cli::terminal::{pretty_json, visible};

/// Spaces between two columns.
const GAP: u16 = 2;

/// `--json`, for commands that list something.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

impl Shape {
    /// `items` as a JSON array with a `document` each, or as a table with one `row` each.
    pub(super) fn print<T, J: Serialize>(
        self,
        headers: &[&str],
        items: &[T],
        document: impl Fn(&T) -> J,
        row: impl Fn(&T) -> Vec<String>,
    ) -> anyhow::Result<()> {
        say(self.text(headers, items, document, row)?)
    }

    /// One `value` as JSON, or as `text`.
    pub(super) fn print_one(self, value: &impl Serialize, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        say(if self.json { pretty_json(value)? } else { text() })
    }

    fn text<T, J: Serialize>(
        self,
        headers: &[&str],
        items: &[T],
        document: impl Fn(&T) -> J,
        row: impl Fn(&T) -> Vec<String>,
    ) -> anyhow::Result<String> {
        match self.json {
            true => pretty_json(&items.iter().map(document).collect::<Vec<_>>()),
            false => Ok(columns(headers, items.iter().map(row))),
        }
    }
}

/// Prints `rows` below `headers`, each on one line: nothing is cut or wrapped, so `grep` and `awk` find it whole.
pub(super) fn print(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> anyhow::Result<()> {
    say(columns(headers, rows))
}

/// The table that [`print`] prints.
pub(super) fn columns(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header(headers.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| visible(cell).into_owned()).collect::<Vec<_>>());
    }
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, GAP));
    });
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_one_line_in_aligned_columns() {
        let long = "x".repeat(300);
        let rows = [("anna", "東京"), ("b\u{1b}[2J\nob", long.as_str()), ("", "é")];
        let table = columns(&["USERNAME", "NAME"], rows.map(|(one, other)| vec![one.to_owned(), other.to_owned()]));
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines,
            [
                "USERNAME        NAME",
                "anna            東京",
                &format!("b\\u{{1b}}[2J\\nob  {long}"),
                "                é",
            ]
        );
    }

    #[test]
    fn json_is_chosen_by_its_flag() {
        let text =
            |json| Shape { json }.text(&["N"], &[1, 2], |n| 10 * n, |n| vec![n.to_string()]).expect("it is written");
        assert_eq!(text(true), "[\n  10,\n  20\n]");
        assert_eq!(text(false), "N\n1\n2");
    }
}
