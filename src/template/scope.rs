//! Narrowing a template to some of its databases (`--only`). Pure.

use std::collections::BTreeSet;

use super::checks::Check;
use super::schema::Template;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;

impl Template {
    /// The template with only these databases, and what of its checks concerns them. Every database is restored to a
    /// place of its own, so a parent that is left out is not waited for.
    ///
    /// # Errors
    /// `only_unknown`, `only_unchecked`: configuration errors.
    pub fn narrow(self, only: &[DatabaseName]) -> Result<Self> {
        if only.is_empty() {
            return Ok(self);
        }
        self.require_known(only)?;
        let mut template = self;
        let wanted: BTreeSet<&DatabaseName> = only.iter().collect();
        let left_out = template.databases.iter().map(|database| &database.name);
        template.left_out = left_out.filter(|name| !wanted.contains(name)).cloned().collect();
        template.databases.retain(|database| wanted.contains(&database.name));
        for database in &mut template.databases {
            database.after.retain(|parent| wanted.contains(parent));
        }
        for check in &mut template.checks {
            match check {
                Check::RequiredTables(check) => check.tables.retain(|database, _| wanted.contains(database)),
                Check::RowCounts(check) => check.rules.retain(|rule| wanted.contains(&rule.database)),
                Check::Fingerprint(check) => {
                    check.databases.retain(|database| wanted.contains(database));
                    check.exclude.retain(|database, _| wanted.contains(database));
                }
                Check::Constraints(check) => check.databases.retain(|database| wanted.contains(database)),
                Check::Amcheck(check) => check.databases.retain(|database| wanted.contains(database)),
                Check::Sequences(check) => check.databases.retain(|database| wanted.contains(database)),
                // These cannot do with less than they name.
                Check::VerifyChain(_)
                | Check::Reconcile(_)
                | Check::TransparencyRoots(_)
                | Check::Sql(_)
                | Check::Http(_)
                | Check::Command(_) => {}
            }
        }
        template.checks.retain(|check| {
            let databases = check.databases();
            !databases.is_empty() && databases.iter().all(|database| wanted.contains(database))
        });
        template.log.counts.retain(|count| wanted.contains(&count.database));
        if template.checks.is_empty() {
            return Err(Failure::config(
                codes::ONLY_UNCHECKED,
                "no check of the template looks at the databases that --only names",
            )
            .hint("a drill that verifies nothing proves nothing: add a check, or name another database"));
        }
        Ok(template)
    }

    /// Checks that it has these databases.
    ///
    /// # Errors
    /// `only_unknown`, a configuration error.
    pub fn require_known(&self, only: &[DatabaseName]) -> Result<()> {
        if let Some(unknown) = only.iter().find(|name| self.database(name).is_none()) {
            let known: Vec<&str> = self.databases.iter().map(|database| database.name.as_str()).collect();
            return Err(Failure::config(
                codes::ONLY_UNKNOWN,
                format!("--only names {unknown}, which the template does not have"),
            )
            .hint(format!("its databases are {}", known.join(", "))));
        }
        Ok(())
    }
}
