//! Who may do what in a database: read of the source of a backup and of what a drill restored, by the same queries.

mod parse;
mod policies;
mod queries;

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row};

use super::aside::aside;
use super::client::execute;
use super::content::pin;
use super::failures::own_failure;
use super::own_sql::qualify;
use super::pins::Pins;
use super::server::{MAINTENANCE, Server};
use super::server_text::ServerText;
use super::snapshot::Snapshot;
use super::source::SourceServer;
use crate::model::failure::Result;
use crate::model::manifest::{
    Access, DefaultPrivileges, LargeObjects, Membership, ObjectGroup, Role, Roles, RowSecurity, object_name,
};
use crate::model::names::DatabaseName;

/// On the source: a lock is hardly waited for, and the snapshot is not held long for this.
const ON_THE_SOURCE: &str = "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '120s'";
/// On the source, without a snapshot.
const AS_THEY_ARE: &str = "SET lock_timeout = '2s'; SET statement_timeout = '120s'";
/// On the drill's server.
const IN_THE_DRILL: &str = "SET statement_timeout = '300s'";

impl Snapshot {
    /// Who may do what in the database, under the snapshot. Whatever goes wrong, the snapshot stays as it was.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn access(&self) -> Result<Access> {
        let failed = |error| own_failure("reading who may do what", &error);
        let client = self.client();
        aside(client, ON_THE_SOURCE, failed, database(client, Side::Source)).await
    }
}

impl SourceServer {
    /// The roles of the server, as they are now.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn roles(&self, database: &DatabaseName) -> Result<Roles> {
        let client = self.connect(database).await?;
        pin(&client).await?;
        execute(&client, AS_THEY_ARE, "limiting how long a query takes").await?;
        roles(&client).await
    }
}

impl Server {
    /// Who may do what in a restored database.
    ///
    /// # Errors
    /// `query_timed_out`, `query_failed`.
    pub async fn access(&self, name: &DatabaseName) -> Result<Access> {
        database(&self.to_read_access(name.as_str()).await?, Side::Drill).await
    }

    /// The roles of the server.
    ///
    /// # Errors
    /// As [`Server::access`].
    pub async fn roles(&self) -> Result<Roles> {
        roles(&self.to_read_access(MAINTENANCE).await?).await
    }

    async fn to_read_access(&self, database: &str) -> Result<Client> {
        let client = self.connect_pinned(database, &Pins::catalog()).await?.client;
        pin(&client).await?;
        execute(&client, IN_THE_DRILL, "limiting how long a query takes").await?;
        Ok(client)
    }
}

/// Whose catalogs are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// The source's, in the transaction of a backup's snapshot.
    Source,
    /// Those of a drill's server.
    Drill,
}

async fn database(client: &Client, side: Side) -> Result<Access> {
    let all = rows(client, queries::DATABASE, |row| {
        Ok((row.text_or_none(0)?, parse::grants(&row.texts(1)?), row.0.try_get::<_, i32>(2)?))
    });
    let (owner, grants, major) = all.await?.pop().unwrap_or_default();
    let access = Access {
        major: u32::try_from(major).unwrap_or_default(),
        owner,
        grants,
        objects: rows(client, queries::OBJECTS, object).await?.into_iter().flatten().collect(),
        large_objects: rows(client, queries::LARGE_OBJECTS, large_objects).await?,
        default_privileges: rows(client, queries::DEFAULT_PRIVILEGES, default_privileges).await?,
        row_security: row_security(client, side).await?,
    };
    Ok(access.canonical())
}

/// An object; none if it is the system's or an extension's, and nobody's privileges on it are others than in its beginning.
fn object(row: &Texts<'_>) -> Read<Option<ObjectGroup>> {
    let (kind, is_own) = (row.text(0)?, row.0.try_get::<_, bool>(4)?);
    let (schema, name, arguments) = (row.text(1)?, row.text(2)?, row.text(3)?);
    let mut grants = parse::grants(&row.texts(6)?);
    if !is_own {
        if grants.is_empty() {
            return Ok(None);
        }
        parse::keep_what_a_dump_has(&mut grants);
    }
    let object = object_name(&kind, &schema, &name, &arguments);
    let (owner, made_by) = (row.text_or_none(5)?, row.text_or_none(7)?);
    Ok(Some(ObjectGroup { kind, owner, made_by, grants, objects: vec![object] }))
}

fn large_objects(row: &Texts<'_>) -> Read<LargeObjects> {
    let count = u64::try_from(row.0.try_get::<_, i64>(2)?).unwrap_or_default();
    Ok(LargeObjects { owner: row.text_or_none(0)?, grants: parse::grants(&row.texts(1)?), count })
}

fn default_privileges(row: &Texts<'_>) -> Read<DefaultPrivileges> {
    Ok(DefaultPrivileges {
        role: row.text(0)?,
        schema: Some(row.text(1)?).filter(|schema| !schema.is_empty()),
        kind: parse::later_objects(&row.text(2)?),
        grants: parse::grants(&row.texts(3)?),
    })
}

async fn row_security(client: &Client, side: Side) -> Result<Vec<RowSecurity>> {
    let flags = rows(client, queries::ROW_SECURITY, |row| {
        let table = object_name("table", &row.text(0)?, &row.text(1)?, "");
        Ok((table, row.0.try_get::<_, bool>(2)?, row.0.try_get::<_, bool>(3)?))
    });
    let mut tables: BTreeMap<String, RowSecurity> = BTreeMap::new();
    for (table, enabled, forced) in flags.await? {
        tables.insert(table.clone(), RowSecurity { table, enabled, forced, policies: Vec::new() });
    }
    for (table, policy) in policies::read(client, side).await? {
        let without =
            || RowSecurity { table: table.clone(), enabled: false, forced: false, policies: Vec::new() };
        tables.entry(table.clone()).or_insert_with(without).policies.push(policy);
    }
    Ok(tables.into_values().collect())
}

async fn roles(client: &Client) -> Result<Roles> {
    let mut settings: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let all = rows(client, queries::SETTINGS, |row| Ok((row.text(0)?, row.text(1)?)));
    for (role, setting) in all.await? {
        let (name, value) = setting.split_once('=').unwrap_or((&setting, ""));
        settings.entry(role).or_default().insert(name.to_owned(), value.to_owned());
    }
    let attributes = rows(client, queries::ROLES, |row| {
        let has = (1..=7).map(|index| row.0.try_get::<_, bool>(index)).collect::<Read<Vec<bool>>>()?;
        Ok((row.text(0)?, parse::attributes(&has), row.0.try_get::<_, i32>(8)?))
    });
    let role = |(name, attributes, connection_limit): (String, _, _)| {
        let settings = settings.remove(&name).unwrap_or_default();
        Role { name, attributes, connection_limit, settings }
    };
    let mut roles: Vec<Role> = attributes.await?.into_iter().map(role).collect();
    roles.sort();
    let mut memberships = rows(client, queries::MEMBERSHIPS, |row| {
        Ok(Membership {
            role: row.text(0)?,
            member: row.text(1)?,
            admin: row.0.try_get(2)?,
            inherit: row.0.try_get(3)?,
            set: row.0.try_get(4)?,
        })
    })
    .await?;
    memberships.sort();
    Ok(Roles { roles, memberships, same_around_globals: false })
}

type Read<T> = std::result::Result<T, tokio_postgres::Error>;

/// A row whose texts may be no UTF-8.
struct Texts<'a>(&'a Row);

impl Texts<'_> {
    fn text(&self, index: usize) -> Read<String> {
        self.0.try_get::<_, ServerText>(index).map(ServerText::into_string)
    }

    fn text_or_none(&self, index: usize) -> Read<Option<String>> {
        Ok(self.0.try_get::<_, Option<ServerText>>(index)?.map(ServerText::into_string))
    }

    fn texts(&self, index: usize) -> Read<Vec<String>> {
        let texts = self.0.try_get::<_, Vec<ServerText>>(index)?;
        Ok(texts.into_iter().map(ServerText::into_string).collect())
    }
}

async fn rows<T>(client: &Client, sql: &'static str, read: impl Fn(&Texts<'_>) -> Read<T>) -> Result<Vec<T>> {
    rows_of(client, sql, &[], read).await
}

async fn rows_of<T>(
    client: &Client,
    sql: &'static str,
    parameters: &[&(dyn ToSql + Sync)],
    read: impl Fn(&Texts<'_>) -> Read<T>,
) -> Result<Vec<T>> {
    let found = client.query(&qualify(sql), parameters).await;
    let found = found.and_then(|rows| rows.iter().map(|row| read(&Texts(row))).collect());
    found.map_err(|error| own_failure("reading who may do what", &error))
}
