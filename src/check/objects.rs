//! `objects`: what an application needs besides its rows is there, and is what it was: indexes, constraints, views,
//! functions, triggers, sequences, types, extensions and the like.
//!
//! The backup wrote down what the source's catalogs said, under the snapshot of the dump. The same is asked of what was
//! restored. Without a manifest, what the archive's own table of contents promised must be there.

pub mod code;
mod ignore;
mod judge;
mod promised;

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures_util::FutureExt;
use serde::Deserialize;

use super::context::{Context, each_database};
use super::entry::{Check, Entry, keys, read};
use super::findings::{Findings, Outcome, Verified};
use crate::format::pg_custom::Promised;
use crate::model::code::Code;
use crate::model::failure::Result;
use crate::model::human;
use crate::model::manifest::{self, CatalogObject, FORM, ObjectKind, Recorded};
use crate::model::names::DatabaseName;
use crate::model::verdict::{Finding, Severity};
use crate::survey::ManifestLookup;
use crate::template::Template;
use ignore::Ignored;
use judge::{Depth, Judge, Judged};

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "objects",
    read: read::<Objects>,
    keys: keys::<Objects>,
    skipped: "no index, view, function or trigger was verified",
    findings: code::FINDINGS,
};

/// Objects that must be those of the source, or at least those that the dump lists.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objects {
    /// The check's name.
    pub name: String,
    /// The databases. Default: all of the template's; a template that is loaded names them here.
    #[serde(default)]
    pub databases: Vec<DatabaseName>,
    /// Objects that are not looked at.
    #[serde(default)]
    pub ignore: Vec<Ignored>,
    /// Whether a database that cannot be held against the source fails the check. Otherwise it is a warning.
    #[serde(default)]
    pub require_manifest: bool,
    /// The databases in which the template runs SQL of its own.
    #[serde(skip)]
    pub with_own_sql: BTreeSet<DatabaseName>,
}

#[async_trait]
impl Check for Objects {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        self.databases.iter().collect()
    }

    fn complete(&mut self, template: &Template) {
        self.with_own_sql = template.databases_with_own_sql();
        if self.databases.is_empty() {
            self.databases = template.database_names();
        }
    }

    fn narrow(&mut self, wanted: &dyn Fn(&DatabaseName) -> bool) {
        self.databases.retain(wanted);
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        if self.ignore.iter().any(Ignored::means_everything) {
            return Err(format!(
                "check {}: an entry of ignore needs a kind, or a name that is not only *",
                self.name
            ));
        }
        if self.ignore.iter().any(|ignored| ignored.kind == Some(ObjectKind::Other)) {
            let kinds: Vec<String> =
                ObjectKind::ALL.into_iter().map(|kind| kind.word().replace(' ', "_")).collect();
            return Err(format!("check {}: a kind in ignore is one of {}", self.name, kinds.join(", ")));
        }
        Ok(())
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        let restored = each_database(&self.databases, context.tools, |database, shared| {
            shared.server.objects(database).boxed()
        });
        let mut tally = Tally::default();
        for (database, mut restored) in restored.await? {
            promised::undefine(context.left_out(database), &mut restored);
            let look = context.manifest_entry(database).await?;
            let source = self.source(look, database, &mut tally.findings);
            let judged = self.judge(context, database, source, &restored, &mut tally);
            tally.add(judged);
        }
        Ok(tally.outcome())
    }
}

/// What the restored objects of a database are held against.
enum Against {
    /// What a server of this version had.
    Source { objects: Vec<CatalogObject>, version: String, form: u32 },
    /// What the archive lists.
    Archive,
}

impl Objects {
    /// What the manifest has; the archive's list, where it has nothing.
    fn source(&self, look: ManifestLookup, database: &DatabaseName, findings: &mut Findings) -> Against {
        let (severity, code, why) = match look {
            ManifestLookup::Entry(entry) => match recorded(entry.database()) {
                Ok(recorded) => return recorded,
                Err(why) => (self.severity(), code::NO_OBJECT_RECORD, why),
            },
            ManifestLookup::Absent(why) => (self.severity(), code::NO_OBJECT_RECORD, why),
            ManifestLookup::Unreadable(why) => (Severity::Error, code::MANIFEST_UNREADABLE, why),
        };
        findings.push(about(database, severity, code, "what the source had, in a manifest", why));
        Against::Archive
    }

    fn severity(&self) -> Severity {
        if self.require_manifest { Severity::Error } else { Severity::Warning }
    }

    fn judge(
        &self,
        context: &Context<'_>,
        database: &DatabaseName,
        recorded: Against,
        restored: &[CatalogObject],
        tally: &mut Tally,
    ) -> Judged {
        let has_own_sql = self.with_own_sql.contains(database);
        let judge = |depth| Judge { database, ignored: &self.ignore, depth, has_own_sql };
        let none = Promised::default();
        let promised = context.promised.get(database).copied().unwrap_or(&none);
        match recorded {
            Against::Archive => {
                tally.by_archive += 1;
                promised::compare(&judge(Depth::Names), promised, restored)
            }
            Against::Source { mut objects, version, form } => {
                tally.ignored += promised::leave_out(promised, &mut objects);
                promised::undefine(context.left_out(database), &mut objects);
                let drill = context.tools.servers.of(database).server.major();
                let depth = match not_comparable(&version, form, drill) {
                    None => Depth::Definitions,
                    Some(why) => {
                        let code = code::DEFINITIONS_NOT_COMPARED;
                        let expected = "servers of one major version";
                        tally.findings.push(about(database, Severity::Warning, code, expected, why));
                        Depth::Names
                    }
                };
                match depth {
                    Depth::Definitions => tally.by_definition += 1,
                    Depth::Names => tally.by_name += 1,
                }
                judge(depth).compare(&objects, restored)
            }
        }
    }
}

/// What a manifest says of a database's objects, or why it says nothing.
fn recorded(entry: &manifest::Database) -> std::result::Result<Against, String> {
    match (&entry.objects, &entry.source) {
        (Some(Recorded::Read(manifest::Objects { form, objects })), Some(source)) => {
            let (objects, version) = (objects.clone(), source.server_version.clone());
            Ok(Against::Source { objects, version, form: *form })
        }
        (Some(Recorded::Unread { reason }), _) => {
            Err(format!("the backup could not read them: {}", human::one_line(reason, 300)))
        }
        _ => {
            Err("the manifest does not have them: an older version made it, or the source could not be asked"
                .to_owned())
        }
    }
}

/// Why definitions cannot be compared; none if they can.
fn not_comparable(version: &str, form: u32, drill: Option<u32>) -> Option<String> {
    if form != FORM {
        return Some("another version of restore-drill hashed the definitions, in another form".to_owned());
    }
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    let source = digits.parse::<u32>().ok();
    (source.is_none() || source != drill).then(|| {
        let drill = drill.map_or_else(|| "an unknown version".to_owned(), |major| major.to_string());
        format!("the source ran PostgreSQL {}, and the drill runs {drill}", human::one_line(version, 40))
    })
}

fn about(database: &DatabaseName, severity: Severity, code: Code, expected: &str, actual: String) -> Finding {
    Finding { severity, code, subject: database.to_string(), expected: expected.to_owned(), actual }
}

/// What was compared.
#[derive(Debug, Default)]
struct Tally {
    findings: Findings,
    objects: u64,
    ignored: u64,
    by_definition: u64,
    by_name: u64,
    by_archive: u64,
}

impl Tally {
    fn add(&mut self, judged: Judged) {
        self.objects += judged.objects;
        self.ignored += judged.ignored;
        self.findings.extend(judged.findings);
    }

    fn outcome(self) -> Outcome {
        let databases = self.by_definition + self.by_name + self.by_archive;
        let objects = human::things(self.objects, "object");
        let mut held = format!("{objects} of {}", human::things(databases, "database"));
        held += match (self.by_definition, self.by_name, self.by_archive) {
            (_, 0, 0) => " are those of the source, by their definitions".to_owned(),
            (0, _, 0) => " are those of the source, by their kinds and names".to_owned(),
            (0, 0, _) => " are there, by the list in the dump".to_owned(),
            (definition, name, archive) => format!(
                " are there: in {definition} by their definitions in the source, in {name} by their kinds and names there, \
                 in {archive} by the list in the dump"
            ),
        }
        .as_str();
        if self.ignored > 0 {
            held += &format!("; {} ignored", human::things(self.ignored, "object"));
        }
        // A database that has nothing, where the source had nothing, was compared all the same.
        let judged = self.objects + self.by_definition + self.by_name;
        self.findings.into_outcome(Verified::things(judged, 0), held)
    }
}

#[cfg(test)]
mod tests;
