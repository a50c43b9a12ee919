//! Who may do what in a database, as a server's catalogs say it: without object identifiers, sorted, and the same for two
//! servers of which one was restored from the other.
//!
//! Grants are recorded as they differ from what PostgreSQL gives an object of the kind anyway, so that privileges that were
//! never set equal the explicit default, and a later version may give its owners more. Who granted something is not recorded:
//! what may be done does not depend on it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Access to one database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Major version of the server that says so.
    pub major: u32,
    /// The database's own owner; absent where it is not known.
    pub owner: Option<String>,
    /// What was granted on the database itself.
    pub grants: Vec<Grant>,
    /// Its objects, those alike together.
    pub objects: Vec<ObjectGroup>,
    /// Its large objects in sum, those alike together.
    pub large_objects: Vec<LargeObjects>,
    /// What objects made later will be granted.
    pub default_privileges: Vec<DefaultPrivileges>,
    /// Tables with row security or policies.
    pub row_security: Vec<RowSecurity>,
}

/// Objects of one kind, with one owner and equal grants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObjectGroup {
    /// The kind: `table`, `function`.
    pub kind: String,
    /// The owner. Absent for what is made by an extension or the system, which a restore makes anew, and for columns.
    pub owner: Option<String>,
    /// The owner of what an extension or the system makes, and of foreign-data wrappers: a restore gives them to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// What was granted.
    pub grants: Vec<Grant>,
    /// Their names: `schema.name`, with the types of the arguments where the kind has some.
    pub objects: Vec<String>,
}

/// Large objects with one owner and equal grants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LargeObjects {
    /// The owner.
    pub owner: Option<String>,
    /// What was granted.
    pub grants: Vec<Grant>,
    /// How many there are.
    pub count: u64,
}

/// What objects will be granted that a role makes later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DefaultPrivileges {
    /// The role that makes them.
    pub role: String,
    /// The schema; absent for all.
    pub schema: Option<String>,
    /// The kind: `tables`, `functions`.
    pub kind: String,
    /// What will be granted.
    pub grants: Vec<Grant>,
}

/// Privileges of one grantee.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// Who has them.
    pub to: Grantee,
    /// Privileges beyond the default of the kind: `SELECT`, or `SELECT WITH GRANT OPTION`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub privileges: BTreeSet<String>,
    /// Privileges of the default that were taken away.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub revoked: BTreeSet<String>,
}

/// Who has a privilege.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grantee {
    /// Every role.
    Public,
    /// The object's owner, whoever that is.
    Owner,
    /// A role.
    Role(String),
}

/// A table with row security or policies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowSecurity {
    /// `schema.name`.
    pub table: String,
    /// Whether its policies are applied.
    pub enabled: bool,
    /// Whether they bind its owner too.
    pub forced: bool,
    /// The policies, by name.
    pub policies: Vec<Policy>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The command: `SELECT`, or `ALL`.
    pub command: String,
    /// Whether it permits rows; otherwise it restricts those that others permit.
    pub permissive: bool,
    /// The roles that it is for; none for all.
    pub roles: Vec<String>,
    /// The rows that may be seen, as the server writes the expression.
    pub using: Option<String>,
    /// The rows that may be written, as the server writes the expression.
    pub check: Option<String>,
    /// Whether the expressions were not read: somebody waited to change a table that they look at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unread: bool,
}

/// The roles of a server, but for the system's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// By name.
    pub roles: Vec<Role>,
    /// By role and member.
    pub memberships: Vec<Membership>,
    /// Whether they were read before and after the globals were written, and were the same. Older versions read them once,
    /// and do not say this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same_around_globals: bool,
}

/// A role, without its password.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// What it has of `SUPERUSER`, `INHERIT`, `CREATEROLE`, `CREATEDB`, `LOGIN`, `REPLICATION`, `BYPASSRLS`.
    pub attributes: BTreeSet<String>,
    /// How many connections it may have; -1 for no limit.
    pub connection_limit: i32,
    /// Its settings in every database.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// That a role is a member of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Membership {
    /// The role.
    pub role: String,
    /// Its member.
    pub member: String,
    /// Whether the member may let others in.
    pub admin: bool,
    /// Whether it has the role's privileges without further ado.
    pub inherit: bool,
    /// Whether it may become the role.
    pub set: bool,
}

/// An object's name in a record of access: `schema.name(arguments)`, or `schema.table.column`. A part that could be taken for two is quoted.
pub fn object_name(kind: &str, schema: &str, name: &str, arguments: &str) -> String {
    let parts: Vec<String> = match kind {
        "column" => vec![part(schema), part(name), part(arguments)],
        _ => [schema, name].into_iter().filter(|one| !one.is_empty()).map(part).collect(),
    };
    let name = parts.join(".");
    if kind == "column" { name } else { name + arguments }
}

fn part(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_$-".contains(c);
    if name.chars().all(is_plain) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

impl Access {
    /// Whether anything was granted or revoked in it, so that a dump of it holds privileges.
    ///
    /// The schema `public` comes with grants that a dump does not hold (`pg_init_privs`): they are in its record, since that
    /// is beyond what any schema has.
    pub fn grants_anything(&self) -> bool {
        let initial: &[&str] = if self.major >= 15 { &["USAGE"] } else { &["CREATE", "USAGE"] };
        let is_initial = |grants: &[Grant]| match grants {
            [one] => {
                one.to == Grantee::Public
                    && one.revoked.is_empty()
                    && one.privileges.iter().eq(initial.iter().copied())
            }
            _ => false,
        };
        let is_public = |group: &ObjectGroup| group.kind == "schema" && group.objects == ["public"];
        !self.grants.is_empty()
            || !self.default_privileges.is_empty()
            || self.large_objects.iter().any(|some| !some.grants.is_empty())
            || self
                .objects
                .iter()
                .any(|group| !(group.grants.is_empty() || is_public(group) && is_initial(&group.grants)))
    }

    /// The same with everything in the one order that there is, and objects alike together.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        type Facts = (String, Option<String>, Option<String>, Vec<Grant>);
        let mut groups: BTreeMap<Facts, Vec<String>> = BTreeMap::new();
        for group in self.objects {
            let facts = (group.kind, group.owner, group.made_by, group.grants);
            groups.entry(facts).or_default().extend(group.objects);
        }
        let group = |((kind, owner, made_by, grants), mut objects): (_, Vec<String>)| {
            objects.sort();
            ObjectGroup { kind, owner, made_by, grants, objects }
        };
        self.objects = groups.into_iter().map(group).collect();
        let mut large: BTreeMap<(Option<String>, Vec<Grant>), u64> = BTreeMap::new();
        for some in self.large_objects {
            *large.entry((some.owner, some.grants)).or_default() += some.count;
        }
        let some = |((owner, grants), count)| LargeObjects { owner, grants, count };
        self.large_objects = large.into_iter().map(some).collect();
        self.default_privileges.sort();
        self.row_security.iter_mut().for_each(|table| table.policies.sort());
        self.row_security.sort();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::manifest::Recorded;

    fn group(kind: &str, owner: &str, objects: &[&str]) -> ObjectGroup {
        let grant = Grant {
            to: Grantee::Role("app".to_owned()),
            privileges: ["SELECT".to_owned()].into(),
            revoked: BTreeSet::new(),
        };
        let objects = objects.iter().map(|name| (*name).to_owned()).collect();
        let (kind, owner) = (kind.to_owned(), Some(owner.to_owned()));
        ObjectGroup { kind, owner, made_by: None, grants: vec![grant], objects }
    }

    #[test]
    fn names_are_never_taken_for_each_other() {
        let of = |schema, name| object_name("table", schema, name, "");
        assert_eq!(of("public", "audit_logs"), "public.audit_logs");
        assert_ne!(of("a.b", "c"), of("a", "b.c"));
        assert_ne!(of("a", "b\".\"c"), of("a\".\"b", "c"));
        assert_eq!(object_name("function", "a", "f", "(integer,text)"), "a.f(integer,text)");
        assert_eq!(object_name("column", "a", "t", "c"), "a.t.c");
        assert_eq!(object_name("schema", "a", "", ""), "a");
        assert_eq!(object_name("language", "", "plv8", ""), "plv8");
    }

    #[test]
    fn objects_alike_are_written_once() {
        let read = |objects| Access { objects, ..Access::default() }.canonical();
        let one = read(vec![
            group("table", "a", &["s.b"]),
            group("view", "a", &["s.v"]),
            group("table", "a", &["s.a"]),
        ]);
        let other = read(vec![group("table", "a", &["s.a", "s.b"]), group("view", "a", &["s.v"])]);
        assert_eq!(one, other);
        assert_eq!(one.objects[0].objects, ["s.a", "s.b"]);
    }

    #[test]
    fn what_every_schema_public_has_was_granted_by_nobody() {
        let public = |privileges: &[&str]| ObjectGroup {
            kind: "schema".to_owned(),
            owner: Some("pg_database_owner".to_owned()),
            made_by: None,
            grants: vec![Grant {
                to: Grantee::Public,
                privileges: privileges.iter().map(|name| (*name).to_owned()).collect(),
                revoked: BTreeSet::new(),
            }],
            objects: vec!["public".to_owned()],
        };
        let plain = ObjectGroup { grants: Vec::new(), ..group("table", "a", &["s.t"]) };
        let with = |major, more: Vec<ObjectGroup>| Access {
            major,
            objects: [vec![plain.clone()], more].concat(),
            ..Access::default()
        };
        assert!(!with(17, vec![public(&["USAGE"])]).grants_anything());
        assert!(!with(14, vec![public(&["USAGE", "CREATE"])]).grants_anything());
        assert!(with(17, vec![public(&["USAGE", "CREATE"])]).grants_anything());
        assert!(with(14, vec![public(&["USAGE"])]).grants_anything());
        let other = ObjectGroup { objects: vec!["s".to_owned()], ..public(&["USAGE"]) };
        assert!(with(17, vec![other]).grants_anything());
        let table = with(17, vec![group("table", "a", &["s.u"])]);
        assert!(table.grants_anything());
        let grants = table.objects[1].grants.clone();
        let large = vec![LargeObjects { owner: None, grants: grants.clone(), count: 1 }];
        assert!(Access { large_objects: large, ..with(17, vec![]) }.grants_anything());
        assert!(Access { grants, ..with(17, vec![]) }.grants_anything());
        let later = DefaultPrivileges {
            role: "a".to_owned(),
            schema: None,
            kind: "tables".to_owned(),
            grants: vec![],
        };
        assert!(Access { default_privileges: vec![later], ..with(17, vec![]) }.grants_anything());
    }

    #[test]
    fn five_thousand_tables_alike_take_little_room() {
        let names: Vec<String> = (0..5000).map(|number| format!("tenants.table_{number:04}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let access = Access { objects: vec![group("table", "a", &names)], ..Access::default() };
        let json = serde_json::to_vec(&Recorded::Read(access)).unwrap();
        assert!(json.len() < 150_000, "{}", json.len());
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let access = Access {
            major: 17,
            objects: vec![group("table", "a", &["s.t"])],
            grants: vec![Grant {
                to: Grantee::Public,
                privileges: BTreeSet::new(),
                revoked: ["CONNECT".to_owned()].into(),
            }],
            ..Access::default()
        };
        for record in [Recorded::Read(access), Recorded::Unread { reason: "it was locked".to_owned() }] {
            let json = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<Recorded<Access>>(&json).unwrap(), record, "{json}");
        }
    }
}
