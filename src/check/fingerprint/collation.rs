//! The collations of a manifest against those of what was restored. Pure.
//!
//! Rows stay the same under another collation. What is unique, and in which order an index has them, does not.

use super::code;
use super::finding;
use crate::model::code::Code;
use crate::model::human::one_line;
use crate::model::manifest::{Collation, Collations, Recorded};
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};

/// What differs. What the manifest does not have is not compared, and is said.
pub fn differing(
    database: &DatabaseName,
    source: Option<&Recorded<Collations>>,
    restored: &Collations,
) -> Vec<Finding> {
    let source = match source {
        Some(Recorded::Read(source)) => source,
        Some(Recorded::Unread { reason }) => {
            return vec![not_compared(database, &format!("the backup could not read them: {reason}"))];
        }
        None => {
            return vec![not_compared(database, "the manifest is of a version that did not record them")];
        }
    };
    let mut findings = compare(database.as_str(), &source.database, &restored.database);
    for other in &source.others {
        let subject = format!("{database}: collation {}.{}", other.schema, other.name);
        let found = restored.others.iter().find(|it| it.schema == other.schema && it.name == other.name);
        findings.extend(
            found.map(|found| compare(&subject, &other.collation, &found.collation)).into_iter().flatten(),
        );
    }
    findings
}

fn compare(subject: &str, source: &Collation, restored: &Collation) -> Vec<Finding> {
    let warning = |code: Code, expected: String, actual: String| {
        finding(
            Severity::Warning,
            code,
            one_line(subject, 200),
            &one_line(&expected, 200),
            one_line(&actual, 300),
        )
    };
    if !source.is_same_as(restored) {
        let actual = format!(
            "texts are compared by {}, and in the source by {}: what is unique, and the order of rows, may differ",
            shown(restored),
            shown(source)
        );
        return vec![warning(code::COLLATION_DIFFERS, shown(source), actual)];
    }
    if source.is_fixed() {
        return Vec::new();
    }
    let (used, has) = (source.used_version(), restored.actual_version.as_deref());
    let mut findings = Vec::new();
    if used != has {
        let actual = format!(
            "{} {} compares texts here, and {} in the source: the order of some texts may differ",
            source.provider,
            version(has),
            version(used)
        );
        findings.push(warning(code::COLLATION_VERSION_DIFFERS, version(used), actual));
    }
    if let (Some(made), Some(now)) = (&source.version, &source.actual_version)
        && made != now
    {
        let actual = format!(
            "the source was made with {} {made} and runs with {now}: its indexes may be in the wrong order; REINDEX there, \
             then ALTER DATABASE … REFRESH COLLATION VERSION",
            source.provider
        );
        findings.push(warning(code::COLLATION_VERSION_DIFFERS, version(Some(made)), actual));
    }
    findings
}

fn not_compared(database: &DatabaseName, why: &str) -> Finding {
    let why = format!("collations are not compared: {}", one_line(why, 300));
    finding(
        Severity::Info,
        code::COLLATION_NOT_COMPARED,
        database.to_string(),
        "the source's collations",
        why,
    )
}

fn shown(collation: &Collation) -> String {
    let ctype = collation.ctype.as_ref().map(|ctype| format!(" (LC_CTYPE {ctype})")).unwrap_or_default();
    let rules = if collation.rules.is_some() { " with rules of its own" } else { "" };
    format!("{} {}{ctype}{rules}", collation.provider, collation.locale)
}

fn version(version: Option<&str>) -> String {
    version.map_or_else(|| "without a version".to_owned(), |version| format!("version {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::{NamedCollation, tests::collation};

    fn read(database: Collation, others: &[(&str, Collation)]) -> Collations {
        let named = |(name, collation): &(&str, Collation)| NamedCollation {
            schema: "public".to_owned(),
            name: (*name).to_owned(),
            collation: collation.clone(),
        };
        Collations { database, others: others.iter().map(named).collect() }
    }

    fn recorded(source: &Collations) -> Recorded<Collations> {
        Recorded::Read(source.clone())
    }

    fn codes(source: Option<&Recorded<Collations>>, restored: &Collations) -> Vec<(&'static str, String)> {
        let findings = differing(&"shop".parse().unwrap(), source, restored);
        findings.into_iter().map(|finding| (finding.code.as_str(), finding.subject)).collect()
    }

    fn libc(version: Option<&str>) -> Collation {
        collation("libc", "en_US.UTF-8", version)
    }

    #[test]
    fn another_provider_locale_or_version_is_told() {
        let source = read(libc(Some("2.36")), &[("swedish", collation("icu", "sv", Some("153.112")))]);
        assert!(codes(Some(&recorded(&source)), &source).is_empty());
        let newer = read(libc(Some("2.41")), &[("swedish", collation("icu", "sv", Some("153.120")))]);
        let version = "collation_version_differs";
        assert_eq!(
            codes(Some(&recorded(&source)), &newer),
            [(version, "shop".to_owned()), (version, "shop: collation public.swedish".to_owned())]
        );
        // musl has no versions, and no order but that of bytes.
        assert_eq!(codes(Some(&recorded(&source)), &read(libc(None), &[])), [(version, "shop".to_owned())]);
        let icu = read(collation("icu", "en-US", Some("153.112")), &[]);
        assert_eq!(codes(Some(&recorded(&source)), &icu), [("collation_differs", "shop".to_owned())]);
        let c = read(collation("libc", "C", None), &[]);
        assert_eq!(codes(Some(&recorded(&c)), &c), []);
    }

    #[test]
    fn a_source_whose_library_has_changed_is_told() {
        let mut upgraded = libc(Some("2.36"));
        upgraded.actual_version = Some("2.41".to_owned());
        let found = differing(
            &"shop".parse().unwrap(),
            Some(&recorded(&read(upgraded, &[]))),
            &read(libc(Some("2.36")), &[]),
        );
        assert!(found[0].actual.contains("REINDEX") && found.len() == 1, "{found:?}");
    }

    #[test]
    fn what_was_not_recorded_is_said() {
        let restored = read(libc(None), &[]);
        let unread = Recorded::Unread { reason: "no".to_owned() };
        for source in [None, Some(&unread)] {
            assert_eq!(codes(source, &restored), [("collation_not_compared", "shop".to_owned())]);
        }
    }
}
