//! Narrowing a template to some of its databases (`--only`), and what is asked of one.

use std::collections::BTreeSet;

use super::schema::{Database, Template};
use super::statements::Statement;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::verdict::HookPoint;

impl Database {
    /// Its SQL around a restore.
    pub fn hooks(&self, at: HookPoint) -> &[Statement] {
        match at {
            HookPoint::BeforeRestore => &self.before_restore,
            HookPoint::AfterRestore => &self.after_restore,
        }
    }
}

impl Template {
    /// The databases in which SQL of the template runs: what only the restored one has may be its work.
    pub fn databases_with_own_sql(&self) -> BTreeSet<DatabaseName> {
        let runs_sql =
            |database: &&Database| !(database.before_restore.is_empty() && database.after_restore.is_empty());
        self.databases.iter().filter(runs_sql).map(|database| database.name.clone()).collect()
    }

    /// The names of its databases, in its order.
    pub fn database_names(&self) -> Vec<DatabaseName> {
        self.databases.iter().map(|database| database.name.clone()).collect()
    }

    /// The template with only these databases (none for all). Its checks are narrowed by `DrillTemplate::narrow`, in `check`.
    ///
    /// # Errors
    /// `only_unknown`, a configuration error.
    pub fn narrow(self, only: &[DatabaseName]) -> Result<Self> {
        if only.is_empty() {
            return Ok(self);
        }
        self.require_known(only, "--only")?;
        let mut template = self;
        let wanted: BTreeSet<&DatabaseName> = only.iter().collect();
        let is_wanted = |database: &Database| wanted.contains(&database.name);
        (template.databases, template.left_out) = template.databases.into_iter().partition(is_wanted);
        for database in &mut template.databases {
            database.after.retain(|parent| wanted.contains(parent));
        }
        template.leave_unused_servers_out();
        template.log.counts.retain(|count| wanted.contains(&count.database));
        Ok(template)
    }

    /// Checks that it has these databases, which an option of the command line names.
    ///
    /// # Errors
    /// `only_unknown`, a configuration error.
    pub fn require_known(&self, only: &[DatabaseName], option: &str) -> Result<()> {
        if let Some(unknown) = only.iter().find(|name| self.database(name).is_none()) {
            let known: Vec<&str> = self.databases.iter().map(|database| database.name.as_str()).collect();
            return Err(Failure::config(
                codes::ONLY_UNKNOWN,
                format!("{option} names {unknown}, which the template does not have"),
            )
            .hint(format!("its databases are {}", known.join(", "))));
        }
        Ok(())
    }
}
