//! The roles of the source, made again in the drill's server: before any database, by statements of our own.
//!
//! None of them can log in, and none has a password. What they may do is as it was, up to being superuser: an event trigger's
//! owner must be one, and a role that is one by mistake may do whatever a rule says it may not. What a dump makes runs as the
//! drill's own superuser anyway.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tokio_postgres::Client;

use super::database_settings::is_kept_of_role;
use super::failures::query_failure;
use super::quote::{quote_identifier, quote_literal};
use super::server::{MAINTENANCE, SUPERUSER, Server};
use crate::format::pg_custom::NamedRoles;
use crate::format::pg_globals::{Globals, Membership, ParameterGrant, Role};
use crate::model::failure::Result;
use crate::model::human;

/// Statements sent at once.
const AT_ONCE: usize = 100;

/// The roles that the drill's server has by now.
#[derive(Debug, Default)]
pub struct RestoredRoles {
    /// Those of the source.
    pub roles: BTreeMap<String, Role>,
    /// Those that the template names.
    pub of_template: Vec<String>,
    /// Settings that the server did not take: role and name.
    pub settings_left_out: BTreeSet<(String, String)>,
    /// The time of the globals.
    pub taken_at: DateTime<Utc>,
    /// Whether the globals are those that the manifest of that time names.
    pub in_manifest: bool,
}

/// What of globals was not restored.
#[derive(Debug, Default)]
pub struct LeftOut {
    /// All of it, in words.
    pub all: Vec<String>,
    /// Settings that the server did not take, with their roles: role and name.
    pub settings: BTreeSet<(String, String)>,
}

impl RestoredRoles {
    /// Those of these roles that neither the globals nor the template have.
    #[must_use]
    pub fn absent(&self, named: NamedRoles) -> NamedRoles {
        let is_absent = |name: &String| {
            name != SUPERUSER && !self.roles.contains_key(name) && !self.of_template.contains(name)
        };
        NamedRoles {
            needed: named.needed.into_iter().filter(is_absent).collect(),
            granted: named.granted.into_iter().filter(is_absent).collect(),
        }
    }
}

/// A statement, and what is lost without it.
struct Step {
    sql: String,
    /// To be tried if the server does not take it.
    otherwise: Option<String>,
    what: String,
    /// The role and the name of the setting that it makes.
    setting: Option<(String, String)>,
}

impl Step {
    fn new(sql: String, what: String) -> Self {
        Self { sql, otherwise: None, what, setting: None }
    }
}

impl Server {
    /// Makes the roles of the source, with their memberships, settings, comments and labels. Returns what is left out.
    pub async fn restore_globals(&self, globals: &Globals) -> Result<LeftOut> {
        let client = self.connect(MAINTENANCE).await?;
        let known = existing(&client).await?;
        let mut left_out: Vec<String> =
            globals.left_out.iter().map(|statement| format!("statement: {statement}")).collect();
        left_out.extend(globals.roles.iter().filter_map(|(name, role)| not_made(name, role)));
        let in_words = |lost: &[Step]| lost.iter().map(|step| step.what.clone()).collect::<Vec<_>>();
        left_out.extend(in_words(&apply(&client, roles(globals, &known)).await?));
        left_out.extend(in_words(&apply(&client, memberships(globals)).await?));
        let (settings, refused) = settings(globals);
        left_out.extend(refused);
        let not_taken = apply(&client, settings).await?;
        left_out.extend(in_words(&not_taken));
        left_out.extend(in_words(&apply(&client, words(globals)).await?));
        let settings = not_taken.into_iter().filter_map(|step| step.setting).collect();
        Ok(LeftOut { all: left_out, settings })
    }
}

/// The roles that the server has already: its own, and those of the template.
async fn existing(client: &Client) -> Result<Vec<String>> {
    let rows = client.query("SELECT rolname::pg_catalog.text FROM pg_catalog.pg_roles", &[]).await;
    let rows = rows.map_err(|error| query_failure("looking for roles", &error))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Runs statements, many at once. Returns those that the server does not take; if there is one, its neighbours are run one by
/// one.
async fn apply(client: &Client, steps: Vec<Step>) -> Result<Vec<Step>> {
    let failed = |error| query_failure("restoring roles", &error);
    let mut lost = Vec::new();
    let mut steps = steps.into_iter();
    loop {
        let batch: Vec<Step> = steps.by_ref().take(AT_ONCE).collect();
        if batch.is_empty() {
            return Ok(lost);
        }
        let together: Vec<&str> = batch.iter().map(|step| step.sql.as_str()).collect();
        match client.batch_execute(&together.join(";\n")).await {
            Ok(()) => continue,
            Err(error) if error.as_db_error().is_some() => {}
            Err(error) => return Err(failed(error)),
        }
        for step in batch {
            let mut taken = false;
            for sql in std::iter::once(&step.sql).chain(&step.otherwise) {
                match client.batch_execute(sql).await {
                    Ok(()) => {
                        taken = true;
                        break;
                    }
                    Err(error) if error.as_db_error().is_some() => {}
                    Err(error) => return Err(failed(error)),
                }
            }
            if !taken {
                lost.push(step);
            }
        }
    }
}

/// Whether a role is not made, and why not.
fn not_made(name: &str, role: &Role) -> Option<String> {
    if name == SUPERUSER {
        return (!role.superuser).then(|| {
            format!("role {SUPERUSER}: it is no superuser in the source, and the drill's own is one")
        });
    }
    name.starts_with("pg_").then(|| format!("role {}: the name is the system's", shown(name)))
}

fn is_made(name: &str) -> bool {
    name != SUPERUSER && !name.starts_with("pg_")
}

fn roles(globals: &Globals, known: &[String]) -> Vec<Step> {
    let made = globals.roles.iter().filter(|(name, _)| is_made(name));
    let step = |(name, role): (&String, &Role)| {
        let verb = if known.contains(name) { "ALTER" } else { "CREATE" };
        let words = [
            (role.superuser, "SUPERUSER"),
            (role.inherit, "INHERIT"),
            (role.create_role, "CREATEROLE"),
            (role.create_db, "CREATEDB"),
            (role.bypass_rls, "BYPASSRLS"),
        ];
        let words: Vec<String> =
            words.iter().map(|(has, word)| format!("{}{word}", if *has { "" } else { "NO" })).collect();
        let sql =
            format!("{verb} ROLE {} WITH NOLOGIN NOREPLICATION {}", quote_identifier(name), words.join(" "));
        Step::new(sql, format!("role {}", shown(name)))
    };
    made.map(step).collect()
}

/// What a member may do with a role.
#[derive(Clone, Copy)]
struct Options {
    admin: bool,
    inherit: Option<bool>,
    set: Option<bool>,
}

impl Options {
    /// `pg_dumpall` of PostgreSQL 16 and later says `INHERIT` always, and `SET` only where it is false.
    fn of(membership: &Membership) -> Self {
        let Membership { admin, inherit, set, .. } = *membership;
        Self { admin, inherit, set: set.or(inherit.map(|_| true)) }
    }

    /// What a member may do that a role was granted to twice.
    fn or(self, other: Self) -> Self {
        let or = |one: Option<bool>, other: Option<bool>| match (one, other) {
            (Some(one), Some(other)) => Some(one || other),
            (one, other) => one.or(other),
        };
        Self {
            admin: self.admin || other.admin,
            inherit: or(self.inherit, other.inherit),
            set: or(self.set, other.set),
        }
    }

    fn words(self) -> String {
        let truth = |value: bool| if value { "TRUE" } else { "FALSE" };
        let all = [
            self.admin.then(|| "ADMIN OPTION".to_owned()),
            self.inherit.map(|inherit| format!("INHERIT {}", truth(inherit))),
            self.set.map(|set| format!("SET {}", truth(set))),
        ];
        let options: Vec<String> = all.into_iter().flatten().collect();
        if options.is_empty() { String::new() } else { format!(" WITH {}", options.join(", ")) }
    }
}

fn memberships(globals: &Globals) -> Vec<Step> {
    let mut united: BTreeMap<(&str, &str), Options> = BTreeMap::new();
    for membership in &globals.memberships {
        let options = Options::of(membership);
        let all = united.entry((&membership.role, &membership.member)).or_insert(options);
        *all = all.or(options);
    }
    let step = |membership: &Membership| {
        let Membership { role, member, grantor, .. } = membership;
        let grant = format!("GRANT {} TO {}", quote_identifier(role), quote_identifier(member));
        // What the drill's superuser grants is one grant, by however many it was in the source.
        let plain = format!("{grant}{}", united[&(role.as_str(), member.as_str())].words());
        let others = grantor.as_ref().filter(|grantor| *grantor != SUPERUSER);
        let by = others.map(|grantor| {
            format!("{grant}{} GRANTED BY {}", Options::of(membership).words(), quote_identifier(grantor))
        });
        Step {
            sql: by.clone().unwrap_or_else(|| plain.clone()),
            // The drill's superuser has another name than the source's may have, and only it may always grant.
            otherwise: by.map(|_| plain),
            what: format!("membership of {} in {}", shown(member), shown(role)),
            setting: None,
        }
    };
    globals.memberships.iter().map(step).collect()
}

/// The settings to make, and those that are not.
fn settings(globals: &Globals) -> (Vec<Step>, Vec<String>) {
    let (mut steps, mut refused) = (Vec::new(), Vec::new());
    for setting in &globals.settings {
        let what = format!("setting {} of role {}", human::one_line(&setting.name, 60), shown(&setting.role));
        if is_kept_of_role(&setting.role, &setting.name) {
            let values: Vec<String> = setting.values.iter().map(|value| quote_literal(value)).collect();
            let (role, name) = (quote_identifier(&setting.role), quote_identifier(&setting.name));
            steps.push(Step {
                setting: Some((setting.role.clone(), setting.name.clone())),
                ..Step::new(format!("ALTER ROLE {role} SET {name} TO {}", values.join(", ")), what)
            });
        } else {
            refused.push(what);
        }
    }
    (steps, refused)
}

/// Comments, labels, and privileges on settings.
fn words(globals: &Globals) -> Vec<Step> {
    let comments = globals.comments.iter().map(|comment| {
        let (role, text) = (quote_identifier(&comment.role), quote_literal(&comment.text));
        let what = format!("comment on role {}", shown(&comment.role));
        Step::new(format!("COMMENT ON ROLE {role} IS {text}"), what)
    });
    let labels = globals.labels.iter().map(|label| {
        let (provider, role) = (quote_identifier(&label.provider), quote_identifier(&label.role));
        let what = format!(
            "security label of role {}: the server has no {}",
            shown(&label.role),
            shown(&label.provider)
        );
        Step::new(
            format!("SECURITY LABEL FOR {provider} ON ROLE {role} IS {}", quote_literal(&label.label)),
            what,
        )
    });
    comments.chain(labels).chain(globals.parameters.iter().map(parameter)).collect()
}

fn parameter(grant: &ParameterGrant) -> Step {
    let privileges: Vec<&str> = [(grant.set, "SET"), (grant.alter_system, "ALTER SYSTEM")]
        .into_iter()
        .filter_map(|(has, word)| has.then_some(word))
        .collect();
    let name: Vec<String> = grant.parameter.iter().map(|part| quote_identifier(part)).collect();
    let grantee = grant.grantee.as_deref().map_or("PUBLIC".to_owned(), quote_identifier);
    let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
    let what = format!("privilege on the setting {}", human::one_line(&grant.parameter.join("."), 60));
    Step::new(
        format!("GRANT {} ON PARAMETER {} TO {grantee}{option}", privileges.join(", "), name.join(".")),
        what,
    )
}

fn shown(name: &str) -> String {
    human::one_line(name, 80)
}

#[cfg(test)]
mod tests;
