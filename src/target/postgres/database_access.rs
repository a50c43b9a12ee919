//! Who owns a database, who may connect to it, and the settings that roles have in it. `pg_restore` restores none of that
//! unless it makes the database, which a drill does itself.

use std::collections::BTreeSet;

use super::database_settings::{Statement, assignment, is_kept_of_role, shown};
use super::failures::query_failure;
use super::quote::quote_identifier;
use super::server::{MAINTENANCE, SUPERUSER, Server};
use crate::format::pg_custom::{DatabaseGrant, Toc};
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

/// The statements that give a database the owner, the privileges and the settings of roles that its dump names, and what is
/// left out. Whoever restores for real (`fetch` prints the commands) uses the same.
pub fn statements(name: &DatabaseName, toc: &Toc) -> (Vec<Statement>, Vec<String>) {
    let database = quote_identifier(name.as_str());
    let (mut statements, mut left_out) = (Vec::new(), Vec::new());
    let mut add = |sql, what: &str| statements.push(Statement { sql, what: what.to_owned() });
    if let Some(owner) = toc.database_owner() {
        let sql = format!("ALTER DATABASE {database} OWNER TO {}", quote_identifier(owner));
        add(sql, "owner of the database");
    }
    let (grants, unread) = toc.database_grants();
    if unread > 0 {
        left_out.push(format!("privileges on the database: {unread} statements that are not understood"));
    }
    for grant in &grants {
        add(of_grant(&database, grant), "privilege on the database");
    }
    for setting in toc.settings() {
        let Some(role) = &setting.role else { continue };
        let what = format!("setting {}", shown(&setting));
        if !is_kept_of_role(role, &setting.name) {
            left_out.push(what);
            continue;
        }
        let (role, assignment) = (quote_identifier(role), assignment(&setting));
        add(format!("ALTER ROLE {role} IN DATABASE {database} SET {assignment}"), &what);
    }
    (statements, left_out)
}

impl Server {
    /// Gives a database the owner, the privileges and the settings of roles that its dump names. Returns what is left out.
    pub async fn restore_database_access(&self, name: &DatabaseName, toc: &Toc) -> Result<Vec<String>> {
        let client = self.connect(MAINTENANCE).await?;
        let (statements, mut left_out) = statements(name, toc);
        let doing = "restoring the access to a database";
        left_out.extend(Statement::run_each(&client, statements, doing).await?);
        Ok(left_out)
    }

    /// Those of these modules that the server has not: it takes no security label of theirs.
    pub async fn absent_label_providers(&self, providers: BTreeSet<String>) -> Result<Vec<String>> {
        if providers.is_empty() {
            return Ok(Vec::new());
        }
        let client = self.connect(MAINTENANCE).await?;
        let mut absent = Vec::new();
        for provider in providers {
            // No label, on a role that has none, and taken back in any case.
            let sql = format!(
                "BEGIN; SECURITY LABEL FOR {} ON ROLE {SUPERUSER} IS NULL; ROLLBACK",
                quote_identifier(&provider)
            );
            match client.batch_execute(&sql).await {
                Ok(()) => {}
                Err(error) if error.as_db_error().is_some() => {
                    let ended = client.batch_execute("ROLLBACK").await;
                    ended.map_err(|error| query_failure("looking for modules of security labels", &error))?;
                    absent.push(provider);
                }
                Err(error) => return Err(query_failure("looking for modules of security labels", &error)),
            }
        }
        Ok(absent)
    }
}

fn of_grant(database: &str, grant: &DatabaseGrant) -> String {
    let privileges = grant.privileges.join(", ");
    let grantee = grant.grantee.as_deref().map_or("PUBLIC".to_owned(), quote_identifier);
    let sql = if grant.grants {
        let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
        format!("GRANT {privileges} ON DATABASE {database} TO {grantee}{option}")
    } else {
        format!("REVOKE {privileges} ON DATABASE {database} FROM {grantee}")
    };
    match &grant.grantor {
        // One transaction: after an error the session is what it was.
        Some(grantor) => {
            format!(
                "SET SESSION AUTHORIZATION {}; {sql}; RESET SESSION AUTHORIZATION",
                quote_identifier(grantor)
            )
        }
        None => sql,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_on_a_database_are_quoted() {
        let grant = DatabaseGrant {
            grants: true,
            privileges: vec!["CONNECT", "TEMPORARY"],
            grantee: Some("A\"; DROP".to_owned()),
            grantable: true,
            grantor: Some("o".to_owned()),
        };
        assert_eq!(
            of_grant("\"d\"", &grant),
            "SET SESSION AUTHORIZATION \"o\"; GRANT CONNECT, TEMPORARY ON DATABASE \"d\" TO \"A\"\"; DROP\" WITH GRANT \
             OPTION; RESET SESSION AUTHORIZATION"
        );
        let revoked = DatabaseGrant {
            grants: false,
            privileges: vec!["ALL"],
            grantee: None,
            grantable: false,
            grantor: None,
        };
        assert_eq!(of_grant("\"d\"", &revoked), "REVOKE ALL ON DATABASE \"d\" FROM PUBLIC");
    }
}
