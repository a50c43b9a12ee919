//! The system `immutable-backups`: a folder that is kept well passes, and each kind of `demo --break` is found for the right reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use restore_drill::demo::breakage::Expect;
use restore_drill::demo::immutable_backups::{Breakage, How, KINDS, dump, fill, lay};

use super::checks::stored::{Attributes, chattr};
use super::site::Site;
use super::world::{Outcome, RUNTIME, World, ago, image};

/// Kinds that do not hide each other, with the subjects of their findings where those are no objects that were hit.
const TOGETHER: [(&str, Option<&str>); 7] = [
    ("content-changed", None),
    ("sidecar-gone", None),
    ("stale", None),
    ("removed-early", None),
    ("failed-since", None),
    ("not-immutable", Some("active/")),
    ("empty-tables", Some("app_db.public.entities")),
];
/// Kinds of which nothing is restored.
const ALONE: [&str; 2] = ["cut-gzip", "cut-dump"];

fn kind(name: &str) -> &'static Breakage {
    KINDS.iter().find(|kind| kind.name == name).expect("a kind")
}

/// Drills a folder with the template that ships.
fn drill(world: &mut World, folder: &Path) -> Outcome {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/drill-templates/immutable-backups.toml");
    let template = fs::read_to_string(template).expect("it is there");
    // Drills of one template exclude each other.
    let name = format!("\nname = \"{}\"\n", world.name);
    world.write("immutable.toml", template.replacen("\nname = \"immutable-backups\"\n", &name, 1));
    world.environment.insert("IMMUTABLE_BACKUP_DIR".to_owned(), folder.display().to_string());
    world.environment.insert("DRILL_POSTGRES_IMAGE".to_owned(), image("DRILL_POSTGRES_17_IMAGE"));
    world.run(&["run", "-t", "./immutable.toml"])
}

fn errors(outcome: &Outcome, check: &str) -> BTreeSet<(String, String)> {
    let findings = outcome.check(check)["findings"].as_array().unwrap().iter();
    let errors = findings.filter(|found| found["severity"] == "error");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    errors.map(|found| (text(&found["code"]), text(&found["subject"]))).collect()
}

#[test]
fn a_folder_that_is_kept_well_passes_and_every_kind_is_found() {
    let mut site = Site::filled("immutable-backups", "DRILL_POSTGRES_17_IMAGE", &[]);
    let empty = kind("empty-tables");
    let How::Source(edit) = empty.how else { panic!("it is an edit of the source") };
    let dumps = RUNTIME.block_on(async {
        fill(&site.source, 300).await?;
        Ok::<_, restore_drill::model::failure::Failure>((
            dump(&site.source, "").await?,
            dump(&site.source, edit).await?,
        ))
    });
    let (sound, empty) = dumps.unwrap();
    let world = &mut site.world;
    let root = world.path("folders");
    fs::create_dir(&root).unwrap();
    let attributes = Attributes::of(world, root.clone());

    let well = root.join("well");
    lay(&well, &sound, ago(0), &[]).unwrap();
    for file in files(&well.join("active")) {
        assert!(chattr("+i", &file), "{}", file.display());
    }
    let outcome = drill(world, &well);
    outcome.passed();
    for check in outcome.verdict()["checks"].as_array().unwrap() {
        assert_eq!(check["status"], "pass", "{outcome}");
    }
    assert_eq!(outcome.check("immutable")["summary"], "18 of 18 objects cannot be changed");

    let broken = root.join("broken");
    let hows: Vec<&How> = TOGETHER.iter().map(|(name, _)| &kind(name).how).collect();
    let (folder, mut hits) = lay(&broken, &empty, ago(0), &hows).unwrap();
    folder.make_read_only().unwrap();
    let outcome = drill(world, &broken);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert_eq!(outcome.verdict()["objectives"]["rpo"]["met"], false, "{outcome}");
    for (name, subject) in TOGETHER {
        let Expect::Findings(expected) = kind(name).expect else { panic!("{name} has findings") };
        let subject = subject.map_or_else(|| hits.remove(0), str::to_owned);
        for (check, code) in expected {
            let found = errors(&outcome, check);
            assert!(
                found.iter().any(|(own, of)| own == code && of.starts_with(&subject)),
                "{name}: {code} of {subject} in {found:?}\n{outcome}"
            );
        }
    }

    for name in ALONE {
        let folder = root.join(name);
        let (_, hits) = lay(&folder, &sound, ago(0), &[&kind(name).how]).unwrap();
        let Expect::Failure(code) = kind(name).expect else { panic!("{name} fails the drill") };
        let outcome = drill(world, &folder);
        outcome.failed(1, code);
        assert_eq!(outcome.point("app_db")["key"], hits[0].as_str(), "{outcome}");
    }
    drop(attributes);
    let drilled: BTreeSet<&str> = TOGETHER.iter().map(|(name, _)| *name).chain(ALONE).collect();
    assert_eq!(drilled, KINDS.iter().map(|kind| kind.name).collect(), "every kind is drilled");
}

#[test]
fn the_demo_leaves_no_file_that_cannot_be_removed() {
    let mut world = World::new("immutable-demo");
    let temporary = world.path("temporary");
    fs::create_dir(&temporary).unwrap();
    world.environment.insert("TMPDIR".to_owned(), temporary.display().to_string());
    let outcome = world.run(&["demo", "--system", "immutable-backups", "--rows", "50", "--break", "stale"]);
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(errors(&outcome, "tiers").contains(&("tier_stale".to_owned(), "hourly".to_owned())), "{outcome}");
    assert_eq!(files(&temporary), Vec::<std::path::PathBuf>::new());
    let refused = world.run(&["demo", "--system", "immutable-backups", "--break", "edited-row"]);
    assert_eq!(refused.code, 2, "{refused}");
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
