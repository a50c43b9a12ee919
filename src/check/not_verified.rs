//! What was not verified, although no check failed for that: in words for whoever reads a verdict without knowing checks.

use std::collections::BTreeSet;

use super::entry::Check;
use super::findings::Outcome;
use super::list::DrillTemplate;
use super::{
    access, amcheck, constraints, fingerprint, http, objects, reconcile, row_counts, stored, verify_chain,
};
use crate::model::code::Code;
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{CheckStatus, Finding, Severity};

/// Codes of findings that say so, with what was not done to their subjects.
const UNJUDGED: [(Code, &str); 23] = [
    (fingerprint::code::NO_MANIFEST, "not compared with the source"),
    (fingerprint::code::NO_FINGERPRINT, "not compared with the source"),
    (fingerprint::code::COLLATION_DIFFERS, "order and uniqueness of texts are not as in the source"),
    (objects::code::NO_OBJECT_RECORD, "objects held against the dump's own list, not against the source"),
    (objects::code::DEFINITIONS_NOT_COMPARED, "definitions of objects not compared with the source"),
    (row_counts::NO_EARLIER_DRILL, "number of rows not compared with an earlier drill"),
    (verify_chain::code::HEADS_NOT_COMPARED, "ends of chains not compared with those of an earlier drill"),
    (verify_chain::code::HEAD_PRUNED, "what went with the end that an earlier drill saw is not known"),
    (
        verify_chain::code::HEAD_MISSING,
        "the end that an earlier drill saw is gone, which allow_missing_heads permits",
    ),
    (reconcile::MOSTLY_TOO_YOUNG, "most rows not held against the other side"),
    (http::LISTENED_LATE, "not known whether it was the service that answered"),
    (constraints::CONSTRAINT_NOT_CHECKED, "not checked"),
    (amcheck::NOT_CHECKED, "not checked"),
    (access::code::ACCESS_NOT_COMPARED, "who may do what not compared with the source"),
    (access::code::OBJECT_NOT_COMPARED, "owner and privileges not compared with the source"),
    (access::code::ACCESS_LEFT_OUT, "owner, privileges or policies not compared with the source"),
    (access::code::OBJECT_ADDED, "owner and privileges not compared with the source"),
    (access::code::EXPRESSIONS_NOT_COMPARED, "expressions of policies not compared with the source"),
    (access::code::RULE_NOT_JUDGED, "a rule about privileges not judged"),
    (access::code::NOT_TRIED, "a privilege asked for, and not tried"),
    (stored::immutable::IMMUTABILITY_NOT_CHECKED, "not asked whether they can be changed"),
    (stored::history::HISTORY_LINE_UNREADABLE, "what happened to backups is not known in full"),
    (stored::retention::TIER_YOUNG, "not known whether older recovery points were removed"),
];
/// Subjects that a sentence names.
const NAMED: usize = 5;

impl Outcome {
    /// What the check could not look at, although it did not fail for that: in one sentence if that is everything.
    pub fn not_verified(&self) -> Vec<String> {
        if self.status == CheckStatus::Skipped {
            return vec![self.summary.clone()];
        }
        UNJUDGED.iter().filter_map(|(code, what)| self.sentence(*code, what)).collect()
    }

    fn sentence(&self, code: Code, what: &str) -> Option<String> {
        let is_it = |finding: &&Finding| finding.severity == Severity::Warning && finding.code == code;
        let findings: Vec<&Finding> = self.findings.iter().filter(is_it).collect();
        let first = findings.first()?;
        let named: Vec<&str> = findings.iter().take(NAMED).map(|finding| finding.subject.as_str()).collect();
        let more = match findings.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("{}{more}: {what}: {}", named.join(", "), first.actual))
    }
}

/// What it means for whoever reads the verdict that this check was skipped, and the warning that says why.
pub fn in_plain_words(check: &dyn Check, outcome: &Outcome, warning: &str) -> String {
    if outcome.status != CheckStatus::Skipped {
        return warning.to_owned();
    }
    format!("{} ({warning})", check.entry().skipped)
}

/// What no check of a template looks at, in the databases that it drills.
pub fn looked_at_by_no_check(template: &DrillTemplate) -> Vec<String> {
    let without = |is_enough: &dyn Fn(&dyn Check) -> bool| {
        let looked_at: BTreeSet<&DatabaseName> = template
            .checks
            .iter()
            .filter(|check| is_enough(&***check))
            .flat_map(|check| check.databases())
            .collect();
        let left = template.databases.iter().map(|database| &database.name);
        left.filter(|name| !looked_at.contains(name)).collect::<Vec<_>>()
    };
    let sentence = |names: &[&DatabaseName], what: &str| {
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{}: {what}", human::one_line(&names.join(", "), 400)))
    };
    let left_out: Vec<&DatabaseName> = template.left_out.iter().map(|database| &database.name).collect();
    let of_no_check = without(&|_| true);
    let not_compared = without(&|check| check.compares_with_source());
    [
        sentence(&left_out, "not drilled: --only left them out"),
        sentence(&of_no_check, "restored, and looked at by no check of the template"),
        sentence(
            &not_compared,
            "the template has no fingerprint check of it, so rows that the backup lost or changed might not be seen",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Findings, Verified};
    use crate::template::Database;
    use crate::template::testing::template;

    fn checked(template: crate::template::Template) -> DrillTemplate {
        DrillTemplate::of(template).unwrap()
    }

    fn outcome(findings: &[(&'static str, &str)]) -> Outcome {
        let mut all = Findings::default();
        for (code, subject) in findings {
            all.push(Finding {
                severity: Severity::Warning,
                code: Code::new(code),
                subject: (*subject).to_owned(),
                expected: String::new(),
                actual: "there is none".to_owned(),
            });
        }
        all.into_outcome(Verified::FACT, String::new())
    }

    #[test]
    fn what_was_not_verified_is_one_sentence_of_each_kind() {
        assert_eq!(outcome(&[("missing_genesis", "a")]).not_verified(), Vec::<String>::new());
        let subjects = ["a", "b", "c", "d", "e", "f", "g"].map(|name| ("no_manifest", name));
        let told = outcome(&[&subjects[..], &[("no_earlier_drill", "a.public.t")]].concat()).not_verified();
        assert_eq!(
            told,
            [
                "a, b, c, d, e and 2 more: not compared with the source: there is none",
                "a.public.t: number of rows not compared with an earlier drill: there is none",
            ]
        );
        let nothing = Findings::default().into_outcome(0, "0 tables".to_owned());
        assert_eq!(nothing.not_verified(), ["nothing was verified: 0 tables"]);
        let told = in_plain_words(&*checked(template()).checks[0], &nothing, "check tables: …");
        assert_eq!(told, "no table was verified (check tables: …)");
    }

    #[test]
    fn databases_that_checks_pass_over_are_named() {
        let mut template = template();
        let left_out = template.databases[0].clone();
        template.left_out = vec![Database { name: "c".parse().unwrap(), ..left_out }];
        let told = looked_at_by_no_check(&checked(template));
        assert_eq!(told[0], "c: not drilled: --only left them out");
        assert_eq!(told[1], "b: restored, and looked at by no check of the template");
        assert!(told[2].starts_with("a, b: the template has no fingerprint check"), "{}", told[2]);
    }
}
