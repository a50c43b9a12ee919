use super::*;
use crate::format::pg_custom::{LeftOutEntry, read_toc};
use crate::model::verdict::{RepairedEntry, RestoreOutcome, UnfilledView};

fn toc(entries: &[(i32, &str, &[i32])]) -> Toc {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
    let entries = entries.iter().map(|(dump_id, kind, dependencies)| {
        // `timescaledb` is known by its name.
        let (desc, tag) =
            kind.split_once(' ').filter(|_| kind.starts_with("EXTENSION")).unwrap_or((kind, "e"));
        Entry {
            dump_id: *dump_id,
            desc: desc.to_owned(),
            tag: tag.to_owned(),
            owner: Some("o".to_owned()),
            dependencies: dependencies.to_vec(),
            ..Entry::default()
        }
    });
    Toc { entries: entries.collect(), ..read_toc(&std::fs::read(path).unwrap()).unwrap() }
}

fn recorded(repaired: &[(i32, Repair)], unfilled: &[i32]) -> PgRestore {
    let repaired =
        repaired.iter().map(|(entry, how)| RepairedEntry { entry: *entry, what: String::new(), how: *how });
    PgRestore {
        exit_code: 1,
        outcome: Some(RestoreOutcome::Repaired),
        repaired: repaired.collect(),
        unfilled: unfilled.iter().map(|entry| UnfilledView { entry: *entry, what: String::new() }).collect(),
        roles_made: Vec::new(),
        jobs: 1,
        stderr: Vec::new(),
        stderr_lines_dropped: 0,
    }
}

fn left_out(ids: &[i32]) -> LeftOut {
    let entries = ids.iter().map(|id| LeftOutEntry { dump_id: *id, what: String::new(), why: String::new() });
    LeftOut { entries: entries.collect(), ..LeftOut::default() }
}

/// Steps in short: `all`, `-1,2` for all but these, `+3 --no-owner`, or SQL.
fn short(steps: &[Step]) -> Vec<String> {
    let ids = |ids: &BTreeSet<i32>| ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
    let one = |step: &Step| match step {
        Step::Sql(sql) => sql.clone(),
        Step::Run { entries, options, without_triggers } => {
            let entries = match entries {
                Entries::All => "all".to_owned(),
                Entries::Only(only) => format!("+{}", ids(only)),
                Entries::Without(without) => format!("-{}", ids(without)),
            };
            let quiet = if *without_triggers { " quietly" } else { "" };
            [&[entries.as_str()], *options].concat().join(" ") + quiet
        }
    };
    steps.iter().map(one).collect()
}

const GIVE: &str = "DO 'BEGIN IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) ''o''::pg_catalog.name) \
    THEN ALTER EVENT TRIGGER \"e\" OWNER TO \"o\"; ELSE ALTER ROLE \"o\" SUPERUSER; ALTER EVENT TRIGGER \"e\" OWNER TO \"o\"; \
    ALTER ROLE \"o\" NOSUPERUSER; END IF; END'";

#[test]
fn a_restore_that_went_in_one_go_is_one_run() {
    let toc = toc(&[(1, "TABLE", &[]), (2, "EVENT TRIGGER", &[])]);
    for recorded in [None, Some(recorded(&[], &[])), Some(recorded(&[(1, Repair::RolesMade)], &[]))] {
        let made = runs(&toc, &LeftOut::default(), recorded.as_ref());
        assert_eq!((short(&made.steps), made.later), (vec!["all".to_owned()], vec![]));
    }
}

#[test]
fn what_was_repaired_has_runs_of_its_own_and_event_triggers_come_last() {
    let toc = toc(&[
        (1, "TABLE", &[]),
        (2, "INDEX", &[1]),
        (3, "EVENT TRIGGER", &[]),
        (4, "EVENT TRIGGER", &[]),
        (5, "COMMENT", &[4]),
    ]);
    let of = |repaired: &[(i32, Repair)]| {
        short(&runs(&toc, &LeftOut::default(), Some(&recorded(repaired, &[]))).steps)
    };
    assert_eq!(of(&[(2, Repair::RunAgain)]), ["-2,3,4,5", "+2 --enable-row-security", "+3,4,5"]);
    assert_eq!(of(&[(4, Repair::GivenToOwner)]), ["-4,5", "+4 --no-owner", "+5", GIVE]);
    assert_eq!(
        of(&[(2, Repair::RunAgain), (4, Repair::GivenToOwner)]),
        ["-2,3,4,5", "+2 --enable-row-security", "+4 --no-owner", "+3,5", GIVE]
    );
}

#[test]
fn what_needs_a_wrapper_finds_it() {
    let toc = toc(&[
        (1, "SCHEMA", &[]),
        (2, "FUNCTION", &[1]),
        (3, "FOREIGN DATA WRAPPER", &[2]),
        (4, "SERVER", &[3]),
        (5, "TABLE", &[1]),
    ]);
    let made = runs(&toc, &LeftOut::default(), Some(&recorded(&[(3, Repair::GivenToOwner)], &[])));
    let give = GIVE.replace("EVENT TRIGGER", "FOREIGN DATA WRAPPER");
    assert_eq!(short(&made.steps), ["+1,2", "+3 --no-owner", "-1,2,3", &give]);
}

#[test]
fn what_the_drill_did_not_restore_may_come_after_it() {
    let toc = toc(&[(1, "TABLE", &[]), (2, "TABLE DATA", &[1]), (3, "MATERIALIZED VIEW DATA", &[])]);
    let made = runs(&toc, &left_out(&[2]), Some(&recorded(&[], &[3])));
    assert_eq!(short(&made.steps), ["-2,3"]);
    let later: Vec<_> = made.later.iter().map(|later| (later.what.as_str(), short(&later.steps))).collect();
    assert_eq!(
        later,
        [
            (
                "left out by `ignore` or `ignore_extensions` of the template: TABLE DATA e",
                vec!["+2 quietly".to_owned()]
            ),
            (
                "not filled, since no other server could be reached: MATERIALIZED VIEW DATA e",
                vec!["+3".to_owned()]
            ),
        ]
    );
}

#[test]
fn timescaledb_knows_of_every_run_that_brings_rows() {
    let toc = toc(&[
        (1, "SCHEMA", &[]),
        (2, "EXTENSION timescaledb", &[1]),
        (3, "TABLE DATA", &[2]),
        (4, "INDEX", &[3]),
    ]);
    let (before, after) = (timescale::before("public"), timescale::after("public"));
    let made = runs(&toc, &LeftOut::default(), Some(&recorded(&[(4, Repair::RunAgain)], &[])));
    assert_eq!(short(&made.steps), ["+1,2", &before, "-1,2,4", "+4 --enable-row-security", &after]);
    let made = runs(&toc, &left_out(&[3]), None);
    assert_eq!(short(&made.steps), ["+1,2", &before, "-1,2,3", &after]);
    assert_eq!(short(&made.later[0].steps), [&before, "+3 quietly", &after]);
    // Left out itself, with what needs it.
    let made = runs(&toc, &left_out(&[2, 3, 4]), None);
    assert_eq!(short(&made.steps), ["-2,3,4"]);
    assert_eq!(short(&made.later[0].steps), ["+2 quietly", &before, "+3,4 quietly", &after]);
}
