//! Every way to break a backup that `demo --break` has, from the source to the verdict. The drill fails for the right
//! reason and names what was hit, every other check passes, and a backup that only looks broken passes.
//!
//! One kind of each [`How`] is broken by the demo itself. The others break copies of one backup, which is made once: see
//! [`source`]. The drill is real for all of them; where one or two databases were edited, it is one of these.

mod source;

use std::collections::{BTreeSet, HashSet};

use restore_drill::demo::breakage::{Breakage, Edit, Expect, How, ObjectChange, all, objects};
use restore_drill::layer::{Identities, Recipients};
use serde_json::Value;
use source::Backup;

use super::world::{BUCKET, Outcome, PREFIX, World, ago};

/// Enough for every tenant to have rows on most days.
const ROWS: u64 = 600;

/// What the demo breaks itself: the first kind of each [`How`].
const BY_THE_DEMO: [&str; 7] = [
    "edited-row",
    "rewritten-chain",
    "replaced-dump",
    "shrunk-audit",
    "no-post-data",
    "stale",
    "truncated-object",
];

macro_rules! corpus {
    ($($test:ident $kind:literal)*) => {
        const KINDS: &[&str] = &[$($kind),*];
        $(#[test]
        fn $test() {
            drill($kind);
        })*
    };
}

corpus! {
    edited_row "edited-row"
    edited_metadata "edited-metadata"
    deleted_row "deleted-row"
    relinked_row "relinked-row"
    rewritten_chain "rewritten-chain"
    swapped_rows "swapped-rows"
    repeated_number "repeated-number"
    edited_branch "edited-branch"
    deleted_fork "deleted-fork"
    forged_branch "forged-branch"
    wrong_shard "wrong-shard"
    null_hash "null-hash"
    unknown_version "unknown-version"
    pruned "pruned"
    rewritten_root "rewritten-root"
    foreign_signature "foreign-signature"
    unknown_key "unknown-key"
    missing_historical_keys "missing-historical-keys"
    missing_roots "missing-roots"
    replayed_request "replayed-request"
    missing_usage "missing-usage"
    extra_usage "extra-usage"
    billed_twice "billed-twice"
    missing_table "missing-table"
    replaced_dump "replaced-dump"
    lost_rows "lost-rows"
    shrunk_audit "shrunk-audit"
    no_post_data "no-post-data"
    orphans "orphans"
    unvalidated_orphans "unvalidated-orphans"
    lost_sequence "lost-sequence"
    abandoned "abandoned"
    empty_database "empty-database"
    lost_index "lost-index"
    disabled_trigger "disabled-trigger"
    changed_view "changed-view"
    changed_function "changed-function"
    missing_extension "missing-extension"
    empty_view "empty-view"
    lost_default "lost-default"
    stale "stale"
    truncated_object "truncated-object"
    flipped_bit "flipped-bit"
    empty_object "empty-object"
    missing_object "missing-object"
    truncated_dump "truncated-dump"
    empty_dump "empty-dump"
    terminal "terminal"
    other_key "other-key"
    wrong_database "wrong-database"
    lost_role "lost-role"
}

/// Kinds that do not hide each other: one drill shows them all.
const TOGETHER: [&str; 10] = [
    "lost-grant",
    "extra-grant",
    "lost-policy",
    "row-security-off",
    "changed-owner",
    "lost-default-privileges",
    "lost-membership",
    "lost-login",
    "lost-role-attributes",
    "lost-role-setting",
];

#[test]
fn every_kind_is_drilled() {
    let tested: BTreeSet<&str> = KINDS.iter().chain(&TOGETHER).copied().collect();
    assert_eq!(tested.len(), KINDS.len() + TOGETHER.len(), "each is drilled once");
    let known: BTreeSet<&str> = all().map(|breakage| breakage.name).collect();
    assert_eq!(tested, known);
}

#[test]
fn the_sample_data_is_sound() {
    let world = World::new("corpus-sound");
    let outcome = world.run(&["demo", "--rows", &ROWS.to_string()]);
    let checks = outcome.passed()["checks"].as_array().expect("an array").clone();
    // Known habits of the platform's writers are reported without an error, and so is that no earlier drill exists.
    let mut said = BTreeSet::new();
    for check in &checks {
        assert_eq!(check["status"], "pass", "{outcome}");
        said.extend(
            check["findings"]
                .as_array()
                .expect("an array")
                .iter()
                .map(|finding| finding["code"].clone().to_string()),
        );
    }
    let known = [
        "\"fork\"",
        "\"heads_not_compared\"",
        "\"no_earlier_drill\"",
        "\"unanchored_tail\"",
        "\"untimed_hash\"",
    ];
    assert_eq!(said, known.map(str::to_owned).into(), "{outcome}");
    let not_verified = outcome.verdict()["not_verified"].as_array().expect("an array");
    assert_eq!(
        not_verified.len(),
        3,
        "passwords of roles, and what only a second drill can compare\n{outcome}"
    );
}

/// Runs the demo, or breaks a copy of the backup and drills it. Returns what was hit, too.
fn broken(world: &mut World, breakage: &Breakage) -> (Outcome, String) {
    if BY_THE_DEMO.contains(&breakage.name) {
        let outcome = world.run(&["demo", "--break", breakage.name, "--rows", &ROWS.to_string()]);
        let hit = outcome.stderr.lines().find_map(|line| line.strip_prefix("broken: "));
        let hit = hit.unwrap_or_default().to_owned();
        return (outcome, hit);
    }
    let (backup, mut hit) = match &breakage.how {
        How::Source(edits) => Backup::of_edited(edits),
        How::Dump(edit) => {
            let (backup, mut hits) = Backup::with_other_dumps(&[edit]);
            (backup, hits.swap_remove(0))
        }
        How::Objects(_) => (Backup::sound(), String::new()),
        How::Data(_) | How::Aged { .. } | How::Later(_) | How::WithoutPostData(_) => {
            panic!("{} is for the demo", breakage.name)
        }
    };
    put(world, &backup);
    if let How::Objects(change) = breakage.how {
        hit = changed(world, &backup, change);
    }
    let mut arguments = vec!["run", "-t", "./aegis.toml"];
    let only = databases(breakage).join(",");
    if !only.is_empty() {
        arguments.extend(["--only", &only]);
    }
    (world.run(&arguments), hit)
}

/// The databases that a kind is about; none where it is about them all.
fn databases(breakage: &Breakage) -> Vec<&'static str> {
    let edits = match &breakage.how {
        How::Source(edits) => *edits,
        How::Dump(edit) => std::slice::from_ref(edit),
        _ => return Vec::new(),
    };
    let edited = edits.iter().map(|edit| edit.database);
    // Usage is reconciled with the audit log.
    let reconciled = matches!(breakage.expect, Expect::Findings(expected) if expected.iter().any(|(check, _)| *check == "audit-usage"));
    let both = if reconciled { ["acp_audit", "acp_usage"].as_slice() } else { &[] };
    let all: BTreeSet<&str> = edited.chain(both.iter().copied()).collect();
    all.into_iter().collect()
}

/// Changes objects of the backup that is in the world's store. Returns what was hit.
fn changed(world: &World, backup: &Backup, change: ObjectChange) -> String {
    let identities = Identities::load(&world.template.identities).expect("it is a key");
    let recipients = Recipients::parse(std::slice::from_ref(&backup.recipient)).expect("it is one");
    let points = world.path("s3").join(BUCKET).join(PREFIX);
    objects::apply(change, &points, &identities, &recipients).expect("it can be changed")
}

/// Puts a backup of a minute ago into the world's store, and a template that drills it.
fn put(world: &mut World, backup: &Backup) {
    let taken_at = ago(1);
    for (database, object) in &backup.objects {
        world.put(&world.key(database.as_str(), taken_at), object);
    }
    let globals = world.globals_key(taken_at);
    world.put(&globals, &backup.globals);
    let key = |database: &str| world.key(database, taken_at);
    let manifest = backup.sealed_manifest(&world.name, taken_at, key, globals);
    world.put(&world.manifest_key(taken_at), &manifest);

    let identity = world.write("corpus.key", &backup.identity);
    world.secrets.push(backup.identity.clone());
    let active_key = world.write("active.pem", &backup.active_key);
    for (name, value) in [
        ("ACP_BACKUP_S3_BUCKET", world.template.url.clone()),
        ("ACP_BACKUP_S3_ENDPOINT", world.template.endpoint.clone()),
        ("ACP_BACKUP_AGE_IDENTITY", identity.display().to_string()),
        ("ACP_TRANSPARENCY_PUBLIC_KEY", active_key.display().to_string()),
    ] {
        world.environment.insert(name.to_owned(), value);
    }
    world.template.identities = vec![identity];
    let aegis = concat!(env!("CARGO_MANIFEST_DIR"), "/drill-templates/aegis.toml");
    let aegis = std::fs::read_to_string(aegis).expect("it is there");
    // Drills of one template exclude each other.
    let name = format!("\nname = \"{}\"\n", world.name);
    world.write("aegis.toml", aegis.replacen("\nname = \"aegis\"\n", &name, 1));
}

fn drill(kind: &str) {
    let breakage = Breakage::named(kind).expect("a kind");
    let mut world = World::new(&format!("corpus-{kind}"));
    let (outcome, hit) = broken(&mut world, breakage);
    match breakage.expect {
        Expect::Pass => {
            outcome.passed();
            only_these_fail(&outcome, &[]);
        }
        Expect::Findings(expected) => {
            let verdict = outcome.failed(1, &failure_code(&outcome));
            assert!(
                expected.iter().any(|(_, code)| verdict["failure"]["code"] == *code),
                "the failure is one of {expected:?}\n{outcome}"
            );
            let names: Vec<&str> = expected.iter().map(|(check, _)| *check).collect();
            only_these_fail(&outcome, &names);
            for (check, code) in expected {
                let codes: Vec<&Value> = findings(&outcome, check).map(|finding| &finding["code"]).collect();
                assert!(codes.iter().any(|found| *found == code), "{check} finds {code}\n{outcome}");
            }
            names_what_was_hit(&outcome, &hit, expected[0]);
        }
        Expect::Failure(code) => {
            outcome.failed(1, code);
            only_these_fail(&outcome, &[]);
        }
    }
}

/// The check `access` finds what each kind breaks, by its code and its subject, and nothing else.
#[test]
fn access_that_changed_in_many_ways_fails_for_each_of_them() {
    let kinds = TOGETHER.map(|kind| Breakage::named(kind).expect("a kind"));
    let edited: Vec<(&Breakage, &Edit)> = kinds
        .iter()
        .filter_map(|kind| match &kind.how {
            How::Dump(edit) => Some((*kind, edit)),
            _ => None,
        })
        .collect();
    let mut world = World::new("corpus-access");
    let edits: Vec<&Edit> = edited.iter().map(|(_, edit)| *edit).collect();
    let (backup, hits) = Backup::with_other_dumps(&edits);
    put(&mut world, &backup);
    let mut hit: Vec<(&Breakage, String)> = edited.iter().map(|(kind, _)| *kind).zip(hits).collect();
    for kind in kinds {
        if let How::Objects(change) = kind.how {
            hit.push((kind, changed(&world, &backup, change)));
        }
    }
    assert_eq!(hit.len(), TOGETHER.len());
    let mut expected = BTreeSet::new();
    for (kind, subject) in &hit {
        let Expect::Findings(of_kind) = kind.expect else { panic!("{} has findings", kind.name) };
        let of_access = of_kind.iter().filter(|(check, _)| *check == "access");
        expected.extend(of_access.map(|(_, code)| ((*code).to_owned(), subject.clone())));
    }

    let only: BTreeSet<&str> = edits.iter().map(|edit| edit.database).collect();
    let only = only.into_iter().collect::<Vec<_>>().join(",");
    let outcome = world.run(&["run", "-t", "./aegis.toml", "--only", &only]);
    outcome.failed(1, &failure_code(&outcome));
    only_these_fail(&outcome, &["access", "source"]);
    let text = |finding: &Value, key: &str| finding[key].as_str().expect("text").to_owned();
    let errors = |check| {
        let all = findings(&outcome, check).filter(|finding| finding["severity"] == "error");
        all.map(|finding| (text(finding, "code"), text(finding, "subject"))).collect::<BTreeSet<_>>()
    };
    assert_eq!(errors("access"), expected, "{outcome}");
    let replaced = ["acp_api", "acp_audit"].map(|name| ("dump_replaced".to_owned(), name.to_owned()));
    assert_eq!(errors("source"), replaced.into(), "{outcome}");
}

fn failure_code(outcome: &Outcome) -> String {
    outcome.verdict()["failure"]["code"].as_str().unwrap_or_default().to_owned()
}

/// No check fails but these. One whose database could not be restored is skipped.
fn only_these_fail(outcome: &Outcome, names: &[&str]) {
    for check in outcome.verdict()["checks"].as_array().expect("an array") {
        let name = check["name"].as_str().expect("a name");
        let failed = !["pass", "skipped"].contains(&check["status"].as_str().expect("a status"));
        assert_eq!(failed, names.contains(&name), "{name}\n{outcome}");
    }
}

fn findings<'a>(outcome: &'a Outcome, check: &str) -> impl Iterator<Item = &'a Value> {
    outcome.check(check)["findings"].as_array().expect("an array").iter()
}

/// The finding's subject contains what was hit.
fn names_what_was_hit(outcome: &Outcome, hit: &str, (check, code): (&str, &str)) {
    assert!(!hit.is_empty(), "something was hit\n{outcome}");
    let named = findings(outcome, check)
        .filter(|finding| finding["code"] == code)
        .any(|finding| finding["subject"].as_str().expect("text").contains(hit));
    assert!(named, "no {code} of {check} names {hit}\n{outcome}");
}

#[test]
fn the_demo_breaks_one_kind_of_each_way() {
    let way = |breakage: &Breakage| std::mem::discriminant(&breakage.how);
    let ways: HashSet<_> =
        BY_THE_DEMO.iter().map(|kind| way(Breakage::named(kind).expect("a kind"))).collect();
    assert_eq!(ways.len(), BY_THE_DEMO.len());
    assert!(all().all(|breakage| ways.contains(&way(breakage))));
}
