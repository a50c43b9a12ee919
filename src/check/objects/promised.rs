//! What the archive promised against what was restored: where there is no manifest. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::code;
use super::judge::{Judge, Judged};
use crate::format::pg_custom::{LeftOut, ListedObject, Promised};
use crate::model::manifest::{CatalogObject, NOT_POPULATED, ObjectKind};
use crate::model::verdict::{Finding, Severity};

/// Kinds of objects that others belong to. What is written inside one has no entry of its own in an archive.
const OWNERS: [ObjectKind; 4] =
    [ObjectKind::Table, ObjectKind::View, ObjectKind::MaterializedView, ObjectKind::Domain];

/// Holds what was restored against what the archive promised.
pub fn compare(judge: &Judge<'_>, promised: &Promised, restored: &[CatalogObject]) -> Judged {
    let mut judged = Judged::default();
    let known: BTreeMap<(ObjectKind, &str, String), &CatalogObject> =
        restored.iter().map(|object| ((object.kind, object.schema.as_str(), tag(object)), object)).collect();
    for listed in promised.objects.iter().filter(|listed| is_compared(listed)) {
        let path = path(listed);
        if judge.ignores(listed.kind, &path) {
            judged.ignored += 1;
            continue;
        }
        judged.objects += 1;
        let found = known.get(&(listed.kind, listed.schema.as_str(), in_catalogs(listed)));
        let word = listed.kind.word();
        let finding = |code, expected: String, actual: String| Finding {
            severity: Severity::Error,
            code,
            subject: judge.subject(listed.kind, &path),
            expected,
            actual,
        };
        match found {
            None => judged.findings.push(finding(
                code::of(listed.kind).0,
                format!("the {word}, which the dump's list has"),
                format!("the {word} is not in the restored database"),
            )),
            Some(found)
                if found.state.as_deref() == Some(NOT_POPULATED)
                    && promised.filled.contains(&(listed.schema.clone(), listed.tag.clone())) =>
            {
                judged.findings.push(finding(
                    code::MATVIEW_NOT_POPULATED,
                    "its rows, which the dump's list has".to_owned(),
                    format!("it is {NOT_POPULATED}: reading it is an error"),
                ));
            }
            Some(_) => {}
        }
    }
    judged
}

/// Takes away what the drill did not restore, because the template says so. Returns how many objects that were.
pub fn leave_out(promised: &Promised, recorded: &mut Vec<CatalogObject>) -> u64 {
    let left_out: BTreeSet<(ObjectKind, &str, String)> = promised
        .left_out
        .iter()
        .map(|listed| (listed.kind, listed.schema.as_str(), in_catalogs(listed)))
        .collect();
    let owners: BTreeSet<(&str, &str)> = promised
        .left_out
        .iter()
        .filter(|listed| OWNERS.contains(&listed.kind))
        .map(|listed| (listed.schema.as_str(), listed.tag.as_str()))
        .collect();
    let before = recorded.len();
    recorded.retain(|object| {
        let in_owner = !object.table.is_empty() && owners.contains(&(&*object.schema, &*object.table));
        !in_owner && !left_out.contains(&(object.kind, object.schema.as_str(), tag(object)))
    });
    for object in recorded.iter_mut().filter(|object| object.kind == ObjectKind::MaterializedView) {
        if promised.unfilled.contains(&(object.schema.clone(), object.name.clone())) {
            object.state = None;
        }
    }
    (before - recorded.len()) as u64
}

/// Takes the definitions of publications away that lack tables, because the template leaves these out: they are neither
/// what the source had, nor wrong.
pub fn undefine(left_out: &LeftOut, objects: &mut [CatalogObject]) {
    let publications = objects.iter_mut().filter(|object| object.kind == ObjectKind::Publication);
    for object in publications.filter(|object| left_out.partial_publications.contains(&object.name)) {
        object.definition = None;
    }
}

/// Whether the catalogs are asked for such an object. A name with a character that could not be read may be another one.
fn is_compared(listed: &ListedObject) -> bool {
    listed.kind != ObjectKind::Policy
        && (listed.kind, listed.tag.as_str()) != (ObjectKind::Schema, "public")
        && !listed.tag.contains('\u{fffd}')
        && !listed.schema.contains('\u{fffd}')
}

/// What `pg_dump` calls an object of the catalogs: a constraint by its table and its name.
fn tag(object: &CatalogObject) -> String {
    match object.kind {
        ObjectKind::Default | ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Rule => {
            format!("{} {}", object.table, object.name)
        }
        _ => object.name.clone(),
    }
}

/// The same of an entry. An aggregate of no arguments has a star.
fn in_catalogs(listed: &ListedObject) -> String {
    match listed.kind {
        ObjectKind::Aggregate => listed.tag.replace("(*)", "()"),
        _ => listed.tag.clone(),
    }
}

/// Its schema, table and name, with points between.
fn path(listed: &ListedObject) -> String {
    let name = match &listed.table {
        Some((_, table)) => {
            let own = listed.tag.strip_prefix(table.as_str()).map_or(listed.tag.as_str(), str::trim_start);
            format!("{table}.{own}")
        }
        None => listed.tag.clone(),
    };
    if listed.schema.is_empty() { name } else { format!("{}.{name}", listed.schema) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::objects::judge::Depth;
    use crate::check::objects::tests::{codes, object};

    fn listed(kind: ObjectKind, schema: &str, tag: &str, table: Option<&str>) -> ListedObject {
        ListedObject {
            dump_id: 1,
            kind,
            schema: schema.to_owned(),
            tag: tag.to_owned(),
            table: table.map(|table| (schema.to_owned(), table.to_owned())),
            of_partition: false,
        }
    }

    fn compared(promised: &Promised, restored: &[CatalogObject]) -> Judged {
        let database = "shop".parse().unwrap();
        compare(
            &Judge { database: &database, ignored: &[], depth: Depth::Names, has_own_sql: false },
            promised,
            restored,
        )
    }

    #[test]
    fn what_the_archive_lists_must_be_there() {
        let promised = Promised {
            objects: vec![
                listed(ObjectKind::Schema, "", "public", None),
                listed(ObjectKind::Index, "public", "i", Some("t")),
                listed(ObjectKind::Constraint, "public", "t t_pkey", Some("t")),
                listed(ObjectKind::Aggregate, "public", "cnt(*)", None),
                listed(ObjectKind::Function, "public", "f(integer, text)", None),
                listed(ObjectKind::Policy, "public", "t p", Some("t")),
                listed(ObjectKind::MaterializedView, "public", "m", None),
                listed(ObjectKind::View, "public", "m\u{fffd}ller", None),
            ],
            filled: [("public".to_owned(), "m".to_owned())].into(),
            ..Promised::default()
        };
        let mut restored = vec![
            object(ObjectKind::Index, "t", "i"),
            object(ObjectKind::Constraint, "t", "t_pkey"),
            object(ObjectKind::Aggregate, "", "cnt()"),
            object(ObjectKind::Function, "", "f(integer, text)"),
            object(ObjectKind::MaterializedView, "", "m"),
        ];
        restored[4].state = Some("populated".to_owned());
        let sound = compared(&promised, &restored);
        assert_eq!((sound.objects, codes(&sound)), (5, vec![]));
        restored[4].state = Some(NOT_POPULATED.to_owned());
        restored.remove(1);
        let told = compared(&promised, &restored);
        let expected = [
            ("constraint_missing", "shop: constraint public.t.t_pkey"),
            ("matview_not_populated", "shop: materialized view public.m"),
        ];
        assert_eq!(codes(&told), expected);
    }

    #[test]
    fn what_the_drill_was_told_to_leave_out_is_not_missed() {
        let left_out = vec![
            listed(ObjectKind::Trigger, "public", "t g", Some("t")),
            listed(ObjectKind::Index, "public", "i", Some("t")),
        ];
        let promised = Promised { left_out, ..Promised::default() };
        let mut recorded = vec![
            object(ObjectKind::Index, "t", "i"),
            object(ObjectKind::Index, "t", "j"),
            object(ObjectKind::Trigger, "t", "g"),
        ];
        assert_eq!(leave_out(&promised, &mut recorded), 2);
        assert_eq!(recorded, [object(ObjectKind::Index, "t", "j")]);
        assert_eq!(compared(&promised, &[]).objects, 0);
    }

    #[test]
    fn what_is_written_inside_a_table_goes_with_it() {
        let left_out = vec![
            listed(ObjectKind::Table, "public", "t", None),
            listed(ObjectKind::Domain, "public", "d", None),
        ];
        let promised = Promised { left_out, ..Promised::default() };
        let mut recorded = vec![
            object(ObjectKind::Table, "", "t"),
            object(ObjectKind::Default, "t", "n"),
            object(ObjectKind::Constraint, "t", "t_check"),
            object(ObjectKind::Constraint, "d", "d_check"),
            object(ObjectKind::Constraint, "u", "u_check"),
        ];
        assert_eq!(leave_out(&promised, &mut recorded), 4);
        assert_eq!(recorded, [object(ObjectKind::Constraint, "u", "u_check")]);
    }

    #[test]
    fn a_view_that_is_not_filled_may_be_empty_and_another_may_not() {
        let unfilled = [("public".to_owned(), "m".to_owned())].into();
        let promised = Promised { unfilled, ..Promised::default() };
        let view = |name: &str| CatalogObject {
            state: Some("populated".to_owned()),
            ..object(ObjectKind::MaterializedView, "", name)
        };
        let mut recorded = vec![view("m"), view("n")];
        assert_eq!(leave_out(&promised, &mut recorded), 0);
        assert_eq!((recorded[0].state.as_deref(), recorded[1].state.as_deref()), (None, Some("populated")));
    }

    #[test]
    fn a_publication_that_lacks_tables_is_compared_by_its_name() {
        let partial_publications = ["p".to_owned()].into();
        let left_out = LeftOut { partial_publications, ..LeftOut::default() };
        let mut objects =
            [object(ObjectKind::Publication, "", "p"), object(ObjectKind::Publication, "", "q")];
        undefine(&left_out, &mut objects);
        assert!(objects[0].definition.is_none() && objects[1].definition.is_some());
    }

    #[test]
    fn every_object_of_a_real_archive_is_found_where_the_catalogs_have_it() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
        let toc = crate::format::pg_custom::read_toc(&std::fs::read(path).unwrap()).unwrap();
        let told = compared(&toc.promised(&LeftOut::default()), &[]);
        assert!(told.objects > 20 && told.findings.len() as u64 == told.objects);
    }
}
