//! What a template leaves out of a recovery point, and what its checks need of that. Pure.

use super::{code, finding};
use crate::format::pg_custom::{LeftOut, LeftOutEntry, QualifiedName};
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human::{count, one_line};
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, LeftOutRecord, Severity};
use crate::template::{NeededTable, Template};

/// Entries that a finding names.
const NAMED: usize = 5;
/// Entries that have a sentence of their own in `not_verified`.
const SENTENCES: usize = 50;
/// Entries that a verdict lists.
const RECORDED: usize = 1000;

/// A table that a check cannot do without, and that is not restored, or not with its rows.
pub fn needed_and_ignored<'a>(
    template: &'a Template,
    database: &DatabaseName,
    left_out: &LeftOut,
) -> Option<&'a NeededTable> {
    template.needed_tables.iter().filter(|needed| needed.database == *database).find(|needed| {
        left_out
            .lacks(&QualifiedName { schema: needed.table.schema.clone(), name: needed.table.table.clone() })
    })
}

/// The failure of a template that contradicts itself in this way.
pub fn contradiction(needed: &NeededTable) -> Failure {
    let NeededTable { check, database, table, .. } = needed;
    Failure::config(
        codes::NEEDED_TABLE_IGNORED,
        format!(
            "check {check} needs {database}.{table}, and `ignore` or `ignore_extensions` of {database} leaves it or \
             its rows out"
        ),
    )
    .hint("a check of what is not restored would prove nothing: take the table out of the check, or restore it")
}

/// What the plan says of it.
pub fn findings(template: &Template, database: &DatabaseName, left_out: &LeftOut) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !left_out.is_nothing() {
        let named: Vec<&str> = left_out.entries.iter().take(NAMED).map(|entry| entry.what.as_str()).collect();
        let more = left_out.entries.len() - named.len();
        let more = if more == 0 { String::new() } else { format!(" and {} more", count(more as u64)) };
        findings.push(finding(
            Severity::Info,
            code::inside::ENTRIES_IGNORED,
            database,
            "every entry of the archive is restored",
            format!("the template leaves out {}{more}", named.join(", ")),
        ));
    }
    if let Some(needed) = needed_and_ignored(template, database, left_out) {
        let failure = contradiction(needed);
        findings.push(finding(
            Severity::Error,
            codes::NEEDED_TABLE_IGNORED,
            format!("{database}.{}", needed.table),
            failure.hint.clone().unwrap_or_default(),
            failure.message,
        ));
    }
    findings.extend(left_out.unmatched.iter().map(|rule| {
        finding(
            Severity::Warning,
            code::inside::IGNORE_MATCHES_NOTHING,
            database,
            "an entry of the archive that it fits",
            unmatched(rule),
        )
    }));
    findings
}

/// What is not verified for it: each entry, and how many more there are beyond the first ones.
pub fn not_verified(database: &DatabaseName, left_out: &LeftOut) -> Vec<String> {
    let sentence =
        |entry: &LeftOutEntry| format!("{database}: {} is not restored: {}", entry.what, entry.why);
    let mut sentences: Vec<String> = left_out.entries.iter().take(SENTENCES).map(sentence).collect();
    let more = left_out.entries.len() - sentences.len();
    if more > 0 {
        sentences.push(format!(
            "{database}: {} other entries of the archive are not restored: databases[].left_out has the first {RECORDED}",
            count(more as u64)
        ));
    }
    sentences.extend(left_out.through_functions.iter().take(SENTENCES).map(|view| {
        let view = one_line(&view.to_string(), 200);
        format!("{database}: whether {view} has all its rows: a function fills it, which may read what is not restored")
    }));
    sentences.extend(left_out.partial_publications.iter().take(SENTENCES).map(|publication| {
        let publication = one_line(publication, 200);
        format!("{database}: what PUBLICATION {publication} publishes: it lacks tables that are not restored")
    }));
    sentences
}

/// What the verdict keeps of the entries.
pub fn records(left_out: &LeftOut) -> Vec<LeftOutRecord> {
    let record = |entry: &LeftOutEntry| LeftOutRecord { what: entry.what.clone(), why: entry.why.clone() };
    left_out.entries.iter().take(RECORDED).map(record).collect()
}

/// What a rule means that no entry fits.
pub fn unmatched(rule: &str) -> String {
    format!("{rule} fits no entry of the archive: it may be misspelled, or of no use any more")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::template;

    fn left_out() -> LeftOut {
        let entry = LeftOutEntry {
            dump_id: 7,
            what: "TABLE DATA public.t".to_owned(),
            why: "ignore has TABLE DATA public.t".to_owned(),
        };
        LeftOut {
            entries: vec![entry],
            unmatched: vec!["ignore: TABLE public.x".to_owned()],
            without_rows: [QualifiedName { schema: "public".to_owned(), name: "t".to_owned() }].into(),
            ..LeftOut::default()
        }
    }

    #[test]
    fn a_view_that_may_lack_rows_is_not_verified() {
        let view = QualifiedName { schema: "public".to_owned(), name: "m".to_owned() };
        let left_out = LeftOut {
            through_functions: [view].into(),
            partial_publications: ["p".to_owned()].into(),
            ..left_out()
        };
        let said = not_verified(&"shop".parse().unwrap(), &left_out);
        assert!(
            said[1].starts_with("shop: whether public.m has all its rows: a function fills it"),
            "{said:?}"
        );
        assert!(said[2].starts_with("shop: what PUBLICATION p publishes: "), "{said:?}");
    }

    #[test]
    fn a_check_of_what_is_left_out_is_an_error_and_a_rule_without_use_a_warning() {
        let mut template = template();
        let shop = "shop".parse().unwrap();
        let codes = |template: &Template| {
            let found = findings(template, &shop, &left_out());
            found.iter().map(|finding| (finding.severity, finding.code.as_str())).collect::<Vec<_>>()
        };
        assert_eq!(
            codes(&template),
            [(Severity::Info, "entries_ignored"), (Severity::Warning, "ignore_matches_nothing")]
        );
        template.needed_tables = vec![NeededTable {
            check: "tables".to_owned(),
            database: shop.clone(),
            table: "t".parse().unwrap(),
            view_suffices: false,
            rows: 0,
        }];
        assert_eq!(codes(&template)[1], (Severity::Error, "needed_table_ignored"));
        template.needed_tables[0].database = "stock".parse().unwrap();
        assert_eq!(codes(&template).len(), 2, "a table of another database");
        assert!(findings(&template, &shop, &LeftOut::default()).is_empty());
    }
}
