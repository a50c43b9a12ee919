//! What is asked of a template, and narrowing it to some of its databases (`--only`).

use std::collections::BTreeSet;

use super::schema::{Database, Template};
use super::statements::Statement;
use super::workbench::Sqlite;
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
    /// The database of this name.
    pub fn database(&self, name: &DatabaseName) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == *name)
    }

    /// The images of the servers and of the services.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        self.servers()
            .map(|server| server.settings.image.as_str())
            .chain(self.services.values().map(|service| service.image.as_str()))
            .chain(self.workbench().map(|workbench| workbench.image.as_str()))
    }

    /// The container in which files are opened, if a drill of this template needs it.
    pub fn workbench(&self) -> Option<&Sqlite> {
        self.sqlite
            .as_ref()
            .filter(|_| self.databases.iter().any(|database| !database.kind().needs_postgres()))
    }

    /// Whether this database is of SQLite.
    pub fn is_sqlite(&self, name: &DatabaseName) -> bool {
        self.database(name).is_some_and(|database| !database.system.is_postgres())
    }

    /// Checks that it has this database; an error is a sentence that begins with `place`.
    ///
    /// # Errors
    /// If it has not.
    pub fn require_database(&self, name: &DatabaseName, place: &str) -> Result<(), String> {
        match self.database(name) {
            Some(_) => Ok(()),
            None => Err(format!("{place} names the database {name}, which is not among [[databases]]")),
        }
    }

    /// The failure of a template whose parts contradict each other; `message` is a sentence for a person.
    pub fn inconsistent(&self, message: &str) -> Failure {
        self.source.inconsistent(message)
    }

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
