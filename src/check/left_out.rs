//! What it means for a check that the template leaves something out of the database it looks at. Pure.

use super::context::Restored;
use crate::format::pg_custom::LeftOut;
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::names::DatabaseName;

/// Codes of failures that name what is not there.
const NAMING: [crate::model::code::Code; 2] = [codes::SCHEMA_DIFFERS, codes::QUERY_FAILED];

/// Why a check could not be run, if the template itself is the reason: the failure as it was, for any other reason.
///
/// The server's words are believed as far as they go against the template. Whatever they say, the check has not passed.
pub fn blame_the_template(failure: Failure, restored: &Restored<'_>) -> Failure {
    if !NAMING.contains(&failure.code) {
        return failure;
    }
    let found = restored
        .iter()
        .find_map(|(database, contents)| Some((*database, named(&failure.message, &contents.left_out)?)));
    match found {
        Some((database, name)) => because_of(&failure, database, &name),
        None => failure,
    }
}

fn because_of(failure: &Failure, database: &DatabaseName, name: &str) -> Failure {
    let message = format!(
        "it reads {name}, which `ignore` or `ignore_extensions` of {database} leaves out, or its rows ({failure})"
    );
    Failure::config(codes::NEEDED_TABLE_IGNORED, message).hint(
        "a check of what is not restored would prove nothing: take the table out of the check, or restore it",
    )
}

/// The relation that these words of the server name, if it is left out.
fn named(words: &str, left_out: &LeftOut) -> Option<String> {
    let names = [&left_out.relations, &left_out.without_rows, &left_out.unfilled].into_iter().flatten();
    let mut named = names.filter(|name| {
        words.contains(&format!("\"{}\"", name.name))
            || words.contains(&format!("\"{}.{}\"", name.schema, name.name))
    });
    named.next().map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::pg_custom::QualifiedName;
    use crate::model::failure::Class;
    use crate::target::postgres::catalog::RestoredContents;

    #[test]
    fn a_check_of_what_is_left_out_is_the_templates_fault_and_no_other() {
        let big = QualifiedName { schema: "public".to_owned(), name: "big".to_owned() };
        let view = QualifiedName { schema: "public".to_owned(), name: "totals".to_owned() };
        let left_out = LeftOut { without_rows: [big].into(), unfilled: [view].into(), ..LeftOut::default() };
        let contents = RestoredContents { left_out: left_out.into(), ..RestoredContents::default() };
        let shop: DatabaseName = "shop".parse().unwrap();
        let blamed = |code, words: &str| {
            let failure = blame_the_template(Failure::bad(code, words), &[(&shop, &contents)].into());
            (failure.class, failure.code.as_str())
        };
        let ignored = (Class::Config, "needed_table_ignored");
        assert_eq!(blamed(codes::QUERY_FAILED, "materialized view \"big\" has not been populated"), ignored);
        assert_eq!(
            blamed(codes::QUERY_FAILED, "materialized view \"totals\" has not been populated"),
            ignored
        );
        assert_eq!(blamed(codes::SCHEMA_DIFFERS, "relation \"public.big\" does not exist"), ignored);
        for (code, words) in [
            (codes::SCHEMA_DIFFERS, "relation \"bigger\" does not exist"),
            (codes::SERVER_UNREACHABLE, "\"big\""),
        ] {
            assert_eq!(blamed(code, words), (Class::Bad, code.as_str()));
        }
    }
}
