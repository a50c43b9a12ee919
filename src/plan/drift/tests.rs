use super::*;
use crate::format::pg_custom::read_toc;

fn toc(name: &str) -> Toc {
    let path = format!("{}/tests/fixtures/archive/{name}.dump", env!("CARGO_MANIFEST_DIR"));
    read_toc(&std::fs::read(path).unwrap()).unwrap()
}

fn before(inventory: Result<Inventory, String>) -> Before {
    Before {
        taken_at: "2026-05-16T04:31:11Z".parse().unwrap(),
        key: ObjectKey::new("nightly/shop_20260516T043111Z.dump.age"),
        inventory,
    }
}

/// What is found if these entries of a real archive are not in the next one, by their kind and tag.
fn told(lost: &[(&str, &str)], forbidden: &[LossKind]) -> Vec<(Severity, &'static str, String)> {
    let had = toc("pg17-gzip");
    let mut now = had.clone();
    now.entries.retain(|entry| {
        !lost.iter().any(|(desc, tag)| entry.desc == *desc && (entry.tag == *tag || *tag == "*"))
    });
    let drift = drift(&before(Ok(Inventory::of(&had))), Some(&Inventory::of(&now)));
    let rules = RecoverySetRules { forbid_loss: forbidden.to_vec(), ..RecoverySetRules::default() };
    let findings = findings(&"shop".parse().unwrap(), &drift, &rules);
    findings.into_iter().map(|finding| (finding.severity, finding.code.as_str(), finding.actual)).collect()
}

#[test]
fn the_same_archive_has_lost_nothing_whoever_made_it() {
    assert_eq!(told(&[], &[]), []);
    let [had, now] = ["pg15-gzip", "pg17-zstd"].map(|name| Inventory::of(&toc(name)));
    let drift = drift(&before(Ok(had)), Some(&now));
    assert_eq!((drift.gone, drift.new), (vec![], vec![]));
}

#[test]
fn each_kind_that_is_gone_is_a_warning_and_an_error_where_it_is_forbidden() {
    let since = "gone since the recovery point before it, of 2026-05-16 04:31:11Z";
    let gone = |desc, tag, kind, text: &str| {
        assert_eq!(
            told(&[(desc, tag)], &[LossKind::Acls]),
            [(Severity::Warning, "objects_gone", format!("1 {text}"))],
            "{desc}"
        );
        assert_eq!(told(&[(desc, tag)], &[kind])[0].0, Severity::Error);
    };
    gone("INDEX", "account_email", LossKind::Indexes, &format!("index is {since}: app.account_email"));
    gone("TRIGGER", "account touch", LossKind::Triggers, &format!("trigger is {since}: app.account touch"));
    gone(
        "POLICY",
        "account everyone",
        LossKind::Policies,
        &format!("policy is {since}: app.account everyone"),
    );
    gone("EXTENSION", "pgcrypto", LossKind::Extensions, &format!("extension is {since}: pgcrypto"));
    gone("MATERIALIZED VIEW", "tenant_count", LossKind::Views, &format!("view is {since}: app.tenant_count"));
    gone("FUNCTION", "touch()", LossKind::Functions, &format!("function is {since}: app.touch()"));
    gone(
        "FK CONSTRAINT",
        "account account_tenant_id_fkey",
        LossKind::Constraints,
        &format!("constraint is {since}: app.account account_tenant_id_fkey"),
    );
    let many = told(&[("POLICY", "*")], &[]);
    assert!(many[0].2.starts_with("3 policies are gone since"), "{many:?}");
}

#[test]
fn privileges_are_told_when_not_one_is_left() {
    let told = told(&[("ACL", "*"), ("DEFAULT ACL", "*")], &[LossKind::Acls]);
    assert_eq!((told[0].0, told[0].1), (Severity::Error, "acls_gone"));
    assert!(told[0].2.starts_with("not one privilege is left of 3 privileges since"), "{told:?}");
}

#[test]
fn what_went_with_its_table_is_told_by_the_table_alone_and_partitions_are_counted() {
    let told = told(&[("TABLE", "account"), ("INDEX", "account_email"), ("TRIGGER", "account touch")], &[]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].2.ends_with(": app.account"), "{told:?}");
    let had = toc("pg17-gzip");
    let mut now = had.clone();
    now.entries.retain(|entry| !entry.tag.starts_with("reading_2026"));
    let gone = drift(&before(Ok(Inventory::of(&had))), Some(&Inventory::of(&now)));
    assert_eq!((gone.gone, gone.partitions_gone), (vec![], 1));
    let new = drift(&before(Ok(Inventory::of(&now))), Some(&Inventory::of(&had)));
    assert_eq!((new.new, new.partitions_new), (vec![], 1));
}

#[test]
fn what_cannot_be_read_matters_where_a_loss_is_forbidden() {
    let drift = drift(&before(Err("it is archived".to_owned())), Some(&Inventory::default()));
    let of = |forbid_loss: &[LossKind]| {
        let rules = RecoverySetRules { forbid_loss: forbid_loss.to_vec(), ..RecoverySetRules::default() };
        findings(&"shop".parse().unwrap(), &drift, &rules)
    };
    assert_eq!(of(&[]), []);
    let told = of(&[LossKind::Tables]);
    assert_eq!((told[0].code.as_str(), told[0].severity), ("drift_not_known", Severity::Warning));
}
