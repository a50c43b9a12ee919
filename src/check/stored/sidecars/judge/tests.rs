use super::*;
use crate::model::verdict::CheckStatus;

const KEY: &str = "active/daily/2026-05-17_08-31-11.sql.gz";

fn judge(fields: &Fields, looked: &[Looked<'_>], orphans: &[Orphan<'_>], lost: &[&RecoveryPoint]) -> Outcome {
    let mut judging = Judging::new(fields);
    looked.iter().for_each(|looked| judging.object(looked));
    judging.finish(orphans, lost)
}

fn fields() -> Fields {
    let name = |name: &str| Some(name.to_owned());
    Fields {
        timestamp: name("timestamp"),
        kind: name("type"),
        database: name("database"),
        sha256: name("sha256"),
        ..Fields::default()
    }
}

fn hash() -> String {
    "ab".repeat(32)
}

fn manifest() -> Value {
    serde_json::json!({
        "filename": "2026-05-17_08-31-11.sql.gz", "timestamp": "2026-05-17_08-31-11", "type": "daily",
        "size_bytes": 812, "sha256": hash(), "database": "shop", "immutable": true,
    })
}

fn checksum() -> String {
    format!("{}  2026-05-17_08-31-11.sql.gz\n", hash())
}

/// The outcome with this beside the object, whose content has this hash.
fn judged(fields: &Fields, checksum: &str, manifest: &Value, content: Option<String>) -> Outcome {
    let (shown, database) = (ObjectKey::new(KEY), "shop".parse().unwrap());
    let glob = KeyGlob::timed("active/*/{timestamp}.sql.gz", "%Y-%m-%d_%H-%M-%S").unwrap();
    let file =
        |suffix: &str, text: Vec<u8>| Some((ObjectKey::new(format!("{KEY}{suffix}")), SmallFile::Is(text)));
    let looked = Looked {
        key: KEY,
        shown: &shown,
        size: 812,
        is_recent: false,
        is_point: content.is_some(),
        content,
        sha256: file(".sha256", checksum.into()),
        manifest: file(".manifest.json", manifest.to_string().into()),
        time: glob.time_text(KEY).map(|text| (&glob, text)),
        taken_at: None,
        database: Some(&database),
    };
    judge(fields, &[looked], &[], &[])
}

fn said(outcome: &Outcome) -> Vec<(&str, &str)> {
    outcome.findings.iter().map(|finding| (finding.code.as_str(), &*finding.actual)).collect()
}

#[test]
fn three_that_agree_hold() {
    let outcome = judged(&fields(), &checksum(), &manifest(), Some(hash()));
    assert_eq!((outcome.status, said(&outcome)), (CheckStatus::Pass, vec![]));
    assert_eq!(outcome.summary, "1 object with what belongs beside them, 1 of these by their content");
    let mut iso = manifest();
    iso["timestamp"] = "2026-05-17T08:31:11+00:00".into();
    assert_eq!(judged(&fields(), &checksum(), &iso, None).status, CheckStatus::Pass);
}

#[test]
fn each_field_that_disagrees_is_named() {
    for (name, value, words) in [
        (
            "filename",
            Value::from("other.gz"),
            "`filename` of its manifest is \"other.gz\", and its name is 2026",
        ),
        ("timestamp", "2026-05-17_09-00-00".into(), "and its key has 2026-05-17_08-31-11"),
        ("type", "hourly".into(), "and it lies in the folder `daily`"),
        ("size_bytes", 813.into(), "`size_bytes` of its manifest is 813, and it has 812 bytes"),
        ("database", "other".into(), "and its database is shop"),
        ("sha256", "xyz".into(), "and that is no SHA-256 in hex"),
    ] {
        let mut changed = manifest();
        changed[name] = value;
        let outcome = judged(&fields(), &checksum(), &changed, Some(hash()));
        let [(code, actual)] = said(&outcome)[..] else { panic!("{name}: {outcome:?}") };
        assert!(code == "sidecar_disagrees" && actual.contains(words), "{name}: {actual}");
        changed.as_object_mut().unwrap().remove(name);
        let outcome = judged(&fields(), &checksum(), &changed, Some(hash()));
        // What the template does not name may be absent.
        let is_named = !["filename", "size_bytes"].contains(&name);
        assert_eq!(outcome.status == CheckStatus::Fail, is_named, "{name}: {outcome:?}");
    }
}

#[test]
fn a_changed_content_is_found_by_whichever_file_has_the_old_hash() {
    let outcome = judged(&fields(), &checksum(), &manifest(), Some("cd".repeat(32)));
    let codes: Vec<&str> = said(&outcome).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["checksum_mismatch", "checksum_mismatch"]);
    let mut other = manifest();
    other["sha256"] = "cd".repeat(32).into();
    let outcome = judged(&fields(), &checksum(), &other, None);
    assert_eq!(said(&outcome)[0].0, "sidecar_disagrees", "without the content the two disagree");
    let outcome = judged(&Fields::default(), "nonsense", &serde_json::json!({}), Some(hash()));
    let actual: Vec<&str> = said(&outcome).into_iter().map(|(_, actual)| actual).collect();
    assert_eq!(actual.len(), 2, "{actual:?}");
    assert!(
        actual[0].contains("as `sha256sum -c` reads it") && actual[1].contains("nothing beside it"),
        "{actual:?}"
    );
}

#[test]
fn what_is_missing_or_left_alone_is_named_and_nothing_is_never_a_pass() {
    let shown = ObjectKey::new(KEY);
    let missing = |is_recent| Looked {
        key: KEY,
        shown: &shown,
        size: 1,
        is_recent,
        is_point: true,
        content: Some(hash()),
        sha256: Some((ObjectKey::new(format!("{KEY}.sha256")), SmallFile::Missing)),
        manifest: Some((ObjectKey::new(format!("{KEY}.manifest.json")), SmallFile::TooLarge)),
        time: None,
        taken_at: None,
        database: None,
    };
    let outcome = judge(&fields(), &[missing(false)], &[], &[]);
    let codes: Vec<&str> = said(&outcome).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["sidecar_missing", "sidecar_disagrees"]);
    let recent = Looked { manifest: None, ..missing(true) };
    let outcome = judge(&fields(), &[recent], &[], &[]);
    assert_eq!((outcome.status, said(&outcome).len()), (CheckStatus::Skipped, 1), "nothing was verified");
    let orphan = Orphan { shown: &shown, of: "active/daily/x.gz" };
    let outcome = judge(&fields(), &[], &[orphan], &[]);
    assert_eq!(
        (outcome.status, said(&outcome)),
        (CheckStatus::Skipped, vec![("sidecar_orphan", "there is no x.gz")])
    );
}
