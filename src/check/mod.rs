//! Checks: what must hold on the restored data.
//!
//! Each type is a file: a pure judgement over what was read, and a thin `run` that reads it. A check that fails
//! yields findings; `Err` means that it could not be judged. To add one: a variant in [`crate::template::Check`], a
//! file here, an arm in [`run`].

mod amcheck;
pub mod chain;
mod command;
mod constraints;
mod findings;
mod fingerprint;
mod http;
mod not_verified;
mod reconcile;
mod required_tables;
mod row_counts;
mod sequences;
mod sql;
mod transparency_roots;
pub mod verify_chain;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::layer::Identities;
use crate::model::code::Code;
use crate::model::codes;
use crate::model::earlier::EarlierDrills;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::model::verdict::{ChainHeads, CheckStatus, Finding, RecoverySet, Severity};
use crate::sandbox::docker::Engine;
use crate::sandbox::labels::Ownership;
use crate::sandbox::spec::StackNetwork;
use crate::store::Store;
use crate::target::postgres::Server;
use crate::target::postgres::catalog::Contents;
use crate::target::postgres::connections::Connections;
use crate::template;
use crate::template::KeyPattern;

use findings::NOTHING;
pub use findings::{FINDINGS_KEPT, Findings, NOTHING_VERIFIED, Verified};
pub use not_verified::{in_plain_words, looked_at_by_no_check};
pub use transparency_roots::RootFold;

/// What the restored databases hold.
pub type Restored<'a> = BTreeMap<&'a DatabaseName, &'a Contents>;

/// What a check found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it holds.
    pub status: CheckStatus,
    /// Rows the outcome rests on.
    pub rows_verified: u64,
    /// One line for people.
    pub summary: String,
    /// What it saw, bounded.
    pub findings: Vec<Finding>,
    /// How many findings there were.
    pub findings_total: u64,
    /// Whether there was nothing at all that it could have looked at.
    pub was_empty: bool,
    /// The heads of the chains that it verified.
    pub heads: Option<ChainHeads>,
}

/// What all checks of a drill work with.
pub struct Tools {
    /// The server the databases were restored to.
    pub server: Server,
    /// The recovery points they were restored from.
    pub points: RecoverySet,
    /// The store they came from.
    pub store: Arc<dyn Store>,
    /// What opens objects of the store.
    pub identities: Arc<Identities>,
    /// Earlier drills that passed.
    pub earlier: Arc<EarlierDrills>,
    /// How keys of the store are made.
    pub keys: KeyPattern,
    /// Connections a check may work on at once.
    pub jobs: usize,
    /// What all of them may hold together.
    pub connections: Connections,
    /// The stack, for checks that ask it or join it.
    pub stack: Stack,
}

/// The stack, as far as checks have to do with it.
pub struct Stack {
    /// The engine it runs on.
    pub engine: Engine,
    /// Whose what joins it is.
    pub ownership: Ownership,
    /// How its containers reach each other.
    pub network: StackNetwork,
    /// The containers of its services, by the service's name.
    pub services: BTreeMap<String, String>,
    /// Where all share one loopback: the ports on which somebody listened before there was any data.
    pub listening: Option<BTreeSet<u16>>,
}

/// What one check works with.
pub struct Context<'a> {
    /// What it shares with the others.
    pub tools: &'a Tools,
    /// What the databases hold that it names.
    pub restored: Restored<'a>,
    /// Their recovery points as they were read, with their hashes.
    pub fetched: RecoverySet,
}

/// Runs a check on databases that are restored, every one it names among them.
///
/// # Errors
/// If it cannot be judged.
pub async fn run(check: &template::Check, context: &Context<'_>) -> Result<Outcome> {
    let outcome = match check {
        template::Check::RequiredTables(check) => Ok(required_tables::judge(check, &context.restored)),
        template::Check::RowCounts(check) => {
            let taken_at = |database: &DatabaseName| context.taken_at(database);
            Ok(row_counts::judge(check, &context.restored, &context.tools.earlier, taken_at))
        }
        template::Check::VerifyChain(check) => verify_chain::run(check, context).await,
        template::Check::Reconcile(check) => reconcile::run(check, context).await,
        template::Check::TransparencyRoots(check) => transparency_roots::run(check, context).await,
        template::Check::Fingerprint(check) => fingerprint::run(check, context).await,
        template::Check::Sql(check) => sql::run(check, context).await,
        template::Check::Constraints(check) => constraints::run(check, context).await,
        template::Check::Amcheck(check) => amcheck::run(check, context).await,
        template::Check::Sequences(check) => sequences::run(check, context).await,
        template::Check::Http(check) => http::run(check, context).await,
        template::Check::Command(check) => command::run(check, context).await,
    };
    Ok(outcome?.allow_empty(check.allow_empty()))
}

/// Looks at several databases, so many at once as connections may be used, with a permit for one connection each;
/// results come in the order asked for.
async fn each_database<'a, T: Send + 'a>(
    databases: &'a [DatabaseName],
    tools: &'a Tools,
    look: impl Fn(&'a DatabaseName) -> BoxFuture<'a, Result<T>>,
) -> Result<Vec<(&'a DatabaseName, T)>> {
    let mut looks: Vec<BoxFuture<'a, Result<(&'a DatabaseName, T)>>> = Vec::new();
    for database in databases {
        let found = look(database);
        looks.push(
            async move {
                let _permit = tools.connections.hold(1).await;
                Ok((database, found.await.map_err(|failure| failure.context(database))?))
            }
            .boxed(),
        );
    }
    stream::iter(looks).buffered(tools.jobs.max(1)).try_collect().await
}

impl Context<'_> {
    /// When a database's dump was taken. One without a recovery point is not restored, and no check sees it.
    fn taken_at(&self, database: &DatabaseName) -> DateTime<Utc> {
        let point = self.tools.points.point(database);
        point.map_or(DateTime::<Utc>::MAX_UTC, |point| point.taken_at)
    }
}

impl Outcome {
    /// The outcome of a check that cannot be made here, and why. It decides nothing; the drill warns of it.
    pub fn not_possible(subject: &str, why: &str) -> Self {
        let finding = Finding {
            severity: Severity::Warning,
            code: Code::new("not_possible"),
            subject: subject.to_owned(),
            expected: "what the check needs".to_owned(),
            actual: why.to_owned(),
        };
        Self {
            status: CheckStatus::Skipped,
            rows_verified: 0,
            summary: format!("not possible: {why}"),
            findings: vec![finding],
            findings_total: 1,
            was_empty: false,
            heads: None,
        }
    }

    /// The outcome where the template may say that there is nothing to verify. What was there and could not be judged is
    /// not excused by that.
    #[must_use]
    pub fn allow_empty(mut self, allowed: bool) -> Self {
        if allowed && self.was_empty {
            self.status = CheckStatus::Pass;
            let held = self.summary.strip_prefix(NOTHING).unwrap_or(&self.summary);
            self.summary = format!("nothing to verify, which allow_empty permits: {held}");
            let before = self.findings.len();
            self.findings.retain(|finding| finding.code != NOTHING_VERIFIED);
            self.findings_total -= (before - self.findings.len()) as u64;
        }
        self
    }

    /// The code of the first finding that fails the check.
    pub fn failing_code(&self) -> Code {
        self.findings
            .iter()
            .find(|finding| finding.severity == Severity::Error)
            .map_or(codes::CHECK_FAILED, |f| f.code)
    }
}
