//! What the doctor saw, for people.

use super::page::Page;
use super::table::Table;
use crate::doctor::{Examination, ItemStatus};
use crate::model::human;

/// The items, with what to do below those that need it, and the last line.
pub fn doctor_text(examination: &Examination) -> (String, String) {
    let mut table = Table::new(&["", "Looked at", "Seen"], &[]);
    for item in &examination.items {
        let mark = match item.status {
            ItemStatus::Ok => "ok",
            ItemStatus::Unknown => "?",
            ItemStatus::Warning => "warning",
            ItemStatus::Failed => "FAILED",
        };
        table.row([mark.to_owned(), item.what.clone(), item.seen.clone()]);
    }
    let mut out = Page::default();
    out.table(&table);
    let advised: Vec<_> =
        examination.items.iter().filter_map(|item| Some((item, item.advice.as_ref()?))).collect();
    if !advised.is_empty() {
        out.blank();
        writeln!(out, "What to do");
        for (item, advice) in advised {
            writeln!(out, "  {}: {advice}", item.what);
        }
    }
    let last = last_line(examination);
    out.blank();
    (out.ending(&last), last)
}

fn last_line(examination: &Examination) -> String {
    let count = |status| examination.items.iter().filter(|item| item.status == status).count() as u64;
    let warnings = match count(ItemStatus::Warning) {
        0 => String::new(),
        n => format!(", {}", human::things(n, "warning")),
    };
    match count(ItemStatus::Failed) {
        0 => format!("A drill of {} would find what it needs{warnings}", examination.template),
        n => format!(
            "A drill of {} would NOT find what it needs: {}{warnings}",
            examination.template,
            human::things(n, "failure")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::testing::troubled;

    #[test]
    fn an_examination_for_people_is_this() {
        insta::assert_snapshot!(doctor_text(&troubled()).0, @"
                 Looked at                                 Seen
        ok       age identities                            age1shop
        FAILED   header of shop_20260517T033111Z.dump.age  no identity opens it
        warning  memory                                    512 MiB on the engine
        ?        disk                                      about 2 GiB needed

        What to do
          header of shop_20260517T033111Z.dump.age: look for the key
          memory: give the engine more

        A drill of shop would NOT find what it needs: 1 failure, 1 warning
        ");
    }
}
