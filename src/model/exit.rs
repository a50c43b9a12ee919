//! Exit codes: an interface that scripts rely on, with this one mapping.

use crate::model::failure::Class;
use crate::model::verdict::{Status, TeardownStatus, Verdict};

/// How the program ends. Scripts must treat an unknown code as a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// The drill passed, or the plan is sound.
    Ok = 0,
    /// The drill failed: the backup, the data or an objective is bad.
    Failed = 1,
    /// Configuration or usage error.
    Config = 2,
    /// The drill could not be run to a verdict.
    Inconclusive = 3,
    /// The verdict is PASS, but teardown left something behind.
    Leaked = 4,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Class> for ExitCode {
    fn from(class: Class) -> Self {
        match class {
            Class::Config => Self::Config,
            Class::Bad => Self::Failed,
            Class::Inconclusive => Self::Inconclusive,
            Class::Cancelled => Self::Interrupted,
        }
    }
}

impl From<&Verdict> for ExitCode {
    /// A leak turns success into 4; any other outcome keeps its own code, since it is the graver news.
    fn from(verdict: &Verdict) -> Self {
        match verdict.status {
            Status::Pass if verdict.teardown.status == TeardownStatus::Leaked => Self::Leaked,
            Status::Pass | Status::DryRun => Self::Ok,
            Status::Fail => Self::Failed,
            Status::Running | Status::Inconclusive => Self::Inconclusive,
            Status::Cancelled => Self::Interrupted,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::passing;

    #[test]
    fn every_class_has_its_code() {
        let table = [(Class::Bad, 1), (Class::Config, 2), (Class::Inconclusive, 3), (Class::Cancelled, 130)];
        for (class, code) in table {
            assert_eq!(ExitCode::from(class) as u8, code, "{class:?}");
        }
    }

    #[test]
    fn every_outcome_has_its_code_and_only_a_pass_is_turned_by_a_leak() {
        let table = [
            (Status::Pass, 0, 4),
            (Status::DryRun, 0, 0),
            (Status::Fail, 1, 1),
            (Status::Inconclusive, 3, 3),
            // A drill that never concluded has not passed.
            (Status::Running, 3, 3),
            (Status::Cancelled, 130, 130),
        ];
        for (status, code, leaked) in table {
            let mut verdict = passing();
            verdict.status = status;
            for teardown in [TeardownStatus::Clean, TeardownStatus::Kept, TeardownStatus::Pending] {
                verdict.teardown.status = teardown;
                assert_eq!(ExitCode::from(&verdict) as u8, code, "{status:?} {teardown:?}");
            }
            verdict.teardown.status = TeardownStatus::Leaked;
            assert_eq!(ExitCode::from(&verdict) as u8, leaked, "{status:?} leaked");
        }
    }
}
