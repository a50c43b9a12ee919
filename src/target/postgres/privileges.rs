//! What a role may do with a table: asked of the server, and tried.

mod attempt;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::failures::own_failure;
use super::server::Server;
use super::sessions::CatalogSession;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::template::TableName;
pub use attempt::Tried;

/// The role, the table and its schema; null for what is not there. Names are compared as texts.
const WHO_AND_WHAT: &str = "
    SELECT (SELECT r.oid FROM pg_roles r WHERE r.rolname::text = $1),
           (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname::text = $2 AND c.relname::text = $3 AND c.relkind = ANY ('{r,p,v,m,f}'::\"char\"[])),
           (SELECT n.oid FROM pg_namespace n WHERE n.nspname::text = $2)";

/// Columns of a table that can be written.
const COLUMNS: &str = "
    SELECT a.attname::text, a.attgenerated = '' AND a.attidentity <> 'a' FROM pg_attribute a
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

const MAY_USE_SCHEMA: &str = "SELECT has_schema_privilege($1::oid, $2::oid, 'USAGE')";

/// Whether the role has a privilege on all of the columns or, without any, on the table; whether it has it on any of them; and
/// by which roles it can have it all the same: one that has it, one that may grant it as the owner, one through which the
/// server's files can be had.
///
/// The role can have those that it may become, and those that it may grant to itself. These are no superusers. A role may
/// grant what it holds the ADMIN option of; up to PostgreSQL 15 one with CREATEROLE may grant any, with the exception of one
/// that nobody can be a member of.
macro_rules! held {
    ($everywhere:literal, $anywhere:literal) => {
        concat!(
            "WITH RECURSIVE reach (oid) AS (
                 SELECT $1::oid
                 UNION
                 SELECT m.oid FROM reach b JOIN pg_roles s ON s.oid = $1::oid JOIN pg_roles a ON a.oid = b.oid
                 JOIN pg_roles m ON pg_has_role(b.oid, m.oid, $4)
                     OR (NOT m.rolsuper AND pg_has_role(b.oid, m.oid, 'MEMBER WITH ADMIN OPTION'))
                     OR (NOT m.rolsuper AND a.rolcreaterole AND m.rolname <> 'pg_database_owner'
                         AND current_setting('server_version_num')::int4 < 160000)
                 WHERE b.oid = $1::oid OR NOT s.rolsuper)
             SELECT ",
            $everywhere,
            ", ",
            $anywhere,
            ", ARRAY(SELECT m.rolname::text FROM reach r JOIN pg_roles m ON m.oid = r.oid
                     WHERE m.oid <> $1::oid AND ",
            $anywhere,
            " ORDER BY 1),
             (SELECT m.rolname::text FROM reach r JOIN pg_roles m ON m.oid = r.oid JOIN pg_class c ON c.oid = $2::oid
              WHERE pg_has_role(r.oid, c.relowner, 'USAGE') ORDER BY m.oid <> $1::oid, 1 LIMIT 1),
             (SELECT m.rolname::text FROM reach r JOIN pg_roles m ON pg_has_role(r.oid, m.oid, 'USAGE')
              WHERE m.rolname = ANY ('{pg_execute_server_program,pg_write_server_files}'::name[])
                  OR (m.rolname = 'pg_read_server_files' AND $3 = 'SELECT') ORDER BY 1 LIMIT 1)
             FROM (SELECT $1::oid) AS r (oid)"
        )
    };
}

const OF_COLUMNS: &str = held!(
    "NOT EXISTS (SELECT FROM unnest($5::text[]) AS n (name) WHERE NOT has_column_privilege(r.oid, $2::oid, n.name, $3))",
    "EXISTS (SELECT FROM unnest($5::text[]) AS n (name) WHERE has_column_privilege(r.oid, $2::oid, n.name, $3))"
);
const OF_ANY_COLUMN: &str =
    held!("has_table_privilege(r.oid, $2::oid, $3)", "has_any_column_privilege(r.oid, $2::oid, $3)");
const OF_THE_TABLE: &str =
    held!("has_table_privilege(r.oid, $2::oid, $3)", "has_table_privilege(r.oid, $2::oid, $3)");

/// A privilege on a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Privilege {
    /// Reading rows.
    Select,
    /// Adding rows.
    Insert,
    /// Changing rows.
    Update,
    /// Removing rows.
    Delete,
    /// Removing all rows at once.
    Truncate,
    /// Making a foreign key that refers to it.
    References,
    /// Making a trigger on it.
    Trigger,
}

impl Privilege {
    /// As SQL has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
            Self::References => "REFERENCES",
            Self::Trigger => "TRIGGER",
        }
    }

    /// Whether columns have it too.
    pub fn is_of_columns(self) -> bool {
        matches!(self, Self::Select | Self::Insert | Self::Update | Self::References)
    }

    /// Whether a statement that hits no row can show it.
    pub fn can_be_tried(self) -> bool {
        matches!(self, Self::Select | Self::Insert | Self::Update | Self::Delete)
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What is asked about a role and a table.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// The role.
    pub role: &'a str,
    /// The table.
    pub table: &'a TableName,
    /// Only these columns; none for the table.
    pub columns: &'a [String],
    /// The privileges.
    pub privileges: Vec<Privilege>,
    /// Whether each is also tried.
    pub tried: bool,
}

/// What the server answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privileges {
    /// Whether the role is there.
    pub role_exists: bool,
    /// Whether the table is there.
    pub table_exists: bool,
    /// Columns that were asked about and are not there.
    pub absent_columns: Vec<String>,
    /// Whether the role may use the table's schema.
    pub may_use_schema: bool,
    /// What it holds of each privilege.
    pub held: BTreeMap<Privilege, Held>,
}

/// What a role holds of one privilege.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// On the whole table, or on every column that was asked about.
    pub everywhere: bool,
    /// On the table, or on any column.
    pub anywhere: bool,
    /// Other roles that it can become or grant to itself, and that hold it anywhere.
    pub as_another: Vec<String>,
    /// The role, or another that it can become or grant to itself, if it has the rights of the table's owner, who may grant
    /// privileges to itself.
    pub as_owner: Option<String>,
    /// A role of the system that it can have, and through which the server's files can be had.
    pub through_files: Option<String>,
    /// What came of trying it; absent if it was not tried.
    pub tried: Option<Tried>,
}

impl Privileges {
    /// What the role holds of a privilege.
    pub fn of(&self, privilege: Privilege) -> Held {
        self.held.get(&privilege).cloned().unwrap_or_default()
    }
}

impl Server {
    /// What a role may do with a table of a restored database.
    ///
    /// # Errors
    /// `query_timed_out`, `query_failed`.
    pub async fn privileges(
        &self,
        database: &DatabaseName,
        question: &Question<'_>,
        timeout: Duration,
    ) -> Result<Privileges> {
        let failed = |error| own_failure("asking what a role may do", &error);
        let session = self.catalog(database.as_str()).await?;
        let (schema, table) = (question.table.schema.as_str(), question.table.table.as_str());
        let row =
            session.query_one(WHO_AND_WHAT, &[&question.role, &schema, &table]).await.map_err(failed)?;
        let oid = |index| row.try_get::<_, Option<u32>>(index).map_err(failed);
        let (role, table, schema) = (oid(0)?, oid(1)?, oid(2)?);
        let mut answer = Privileges {
            role_exists: role.is_some(),
            table_exists: table.is_some(),
            ..Privileges::default()
        };
        let (Some(role), Some(table), Some(schema)) = (role, table, schema) else { return Ok(answer) };
        let row = session.query_one(MAY_USE_SCHEMA, &[&role, &schema]).await.map_err(failed)?;
        answer.may_use_schema = row.try_get(0).map_err(failed)?;
        let columns = columns(&session, table).await?;
        let is_there = |name: &&String| columns.iter().any(|(column, _)| column == *name);
        answer.absent_columns = question.columns.iter().filter(|name| !is_there(name)).cloned().collect();
        if !answer.absent_columns.is_empty() {
            return Ok(answer);
        }
        for privilege in &question.privileges {
            let mut held = self.held(&session, role, table, *privilege, question.columns).await?;
            if question.tried {
                let writable = columns.iter().filter(|(_, writable)| *writable).map(|(name, _)| name.clone());
                let writable: Vec<String> = writable.collect();
                held.tried = Some(self.try_it(database, question, *privilege, &writable, timeout).await?);
            }
            answer.held.insert(*privilege, held);
        }
        Ok(answer)
    }

    async fn held(
        &self,
        session: &CatalogSession,
        role: u32,
        table: u32,
        privilege: Privilege,
        columns: &[String],
    ) -> Result<Held> {
        let failed = |error| own_failure("asking what a role may do", &error);
        let word = privilege.word();
        // From PostgreSQL 16 on, a member may be one without becoming the role.
        let become_it = if self.major().is_some_and(|major| major >= 16) { "SET" } else { "MEMBER" };
        let row = if !columns.is_empty() {
            session.query_one(OF_COLUMNS, &[&role, &table, &word, &become_it, &columns]).await
        } else if privilege.is_of_columns() {
            session.query_one(OF_ANY_COLUMN, &[&role, &table, &word, &become_it]).await
        } else {
            session.query_one(OF_THE_TABLE, &[&role, &table, &word, &become_it]).await
        };
        let row = row.map_err(failed)?;
        Ok(Held {
            everywhere: row.try_get(0).map_err(failed)?,
            anywhere: row.try_get(1).map_err(failed)?,
            as_another: row.try_get(2).map_err(failed)?,
            as_owner: row.try_get(3).map_err(failed)?,
            through_files: row.try_get(4).map_err(failed)?,
            tried: None,
        })
    }
}

/// The columns of a table, and whether each can be written.
async fn columns(session: &CatalogSession, table: u32) -> Result<Vec<(String, bool)>> {
    let failed = |error| own_failure("listing the columns of a table", &error);
    let rows = session.query(COLUMNS, &[&table]).await.map_err(failed)?;
    let column = |row: &tokio_postgres::Row| {
        let name = row.try_get::<_, super::server_text::ServerText>(0)?;
        Ok((name.into_string(), row.try_get(1)?))
    };
    rows.iter().map(column).collect::<Result<_, _>>().map_err(failed)
}
