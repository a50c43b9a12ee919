//! Why a plan should not, or could not, be drilled with success.

use super::{DrillPlan, code};
use crate::model::code::Code;
use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::verdict::{Finding, Severity};

impl DrillPlan {
    /// Why nothing should be restored by this plan: the set cannot be restored, or could not pass. Other errors do not
    /// forbid a drill: whether an old backup can at least be restored is worth knowing, and the drill reports what
    /// cannot be read beside everything else that it finds. See [`DrillPlan::shortfall`].
    pub fn obstacle(&self) -> Option<Failure> {
        let finding = self.error_among(&[
            codes::NO_RECOVERY_POINT,
            codes::EMPTY_OBJECT,
            codes::OBJECT_ARCHIVED,
            code::inside::TABLE_MISSING_IN_DUMP,
            codes::NEEDED_TABLE_IGNORED,
        ])?;
        if finding.code == codes::NEEDED_TABLE_IGNORED {
            return Some(Failure::config(finding.code, &finding.actual).hint(&finding.expected));
        }
        let hint = match finding.code {
            codes::NO_RECOVERY_POINT => {
                "check the backup job's last runs, and store.url and store.key in the template"
            }
            codes::OBJECT_ARCHIVED => {
                "`restore-drill plan --request-restore` asks the store for a readable copy; or drill a newer recovery point"
            }
            code if code == code::inside::TABLE_MISSING_IN_DUMP => {
                "compare the tables that the backup job dumps with the template's checks; an older recovery point can be drilled with --at"
            }
            _ => "check the backup job's last run; an older recovery point can be drilled with --at",
        };
        Some(Failure::bad(finding.code, format!("{}: {}", finding.subject, finding.actual)).hint(hint))
    }

    /// What the template demands and the set does not meet, though it can be restored. A drill of it cannot pass.
    pub fn shortfall(&self) -> Option<Failure> {
        let finding = self.error_among(&[
            code::set::SKEW_EXCEEDED,
            code::set::KEY_TIME_UNREADABLE,
            code::inside::POST_DATA_MISSING,
            code::inside::OBJECTS_GONE,
            code::inside::ACLS_GONE,
            code::storage::OBJECT_LOCK_MISSING,
            code::storage::VERSIONING_MISSING,
            code::storage::RETENTION_TOO_SHORT,
            code::storage::STORAGE_FACT_NOT_KNOWN,
        ])?;
        let message = format!("{}: {}", finding.subject, finding.actual);
        let hint = match finding.code {
            code::set::KEY_TIME_UNREADABLE => {
                format!("expected {}; check whether the backup job was changed", finding.expected)
            }
            code::inside::POST_DATA_MISSING => {
                format!(
                    "expected {}; check whether the backup job calls pg_dump with --section",
                    finding.expected
                )
            }
            code::inside::OBJECTS_GONE | code::inside::ACLS_GONE => {
                "recovery_set.forbid_loss in the template forbids it: find the migration that took it away; the drill after \
                 the next backup compares with this recovery point"
                    .to_owned()
            }
            _ => format!("recovery_set in the template demands: {}", finding.expected),
        };
        Some(Failure::bad(finding.code, message).hint(hint))
    }

    fn error_among(&self, codes: &[Code]) -> Option<&Finding> {
        // Globals that cannot be used fail a drill at its end, and do not keep it from restoring what it can.
        let of_globals = |finding: &Finding| self.globals.iter().any(|one| one.subject == finding.subject);
        self.findings.iter().find(|finding| {
            finding.severity == Severity::Error && codes.contains(&finding.code) && !of_globals(finding)
        })
    }
}
