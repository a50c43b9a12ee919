//! What the rest of the program knows of a check: an [`Entry`] for each type, a [`Check`] for each section of a template.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::findings::Outcome;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::finding_code::FindingCode;
use crate::model::names::DatabaseName;
use crate::template::{CheckSection, NeededTable, Template};

/// A type of check.
#[derive(Debug)]
pub struct Entry {
    /// Its name in templates: `type = "row-counts"`.
    pub kind: &'static str,
    /// Reads a section of this type.
    pub read: fn(&CheckSection) -> Result<Box<dyn Check>>,
    /// The keys of such a section, but for `type`.
    pub keys: fn() -> Vec<String>,
    /// What it means that this check verified nothing, for a reader who does not know checks.
    pub skipped: &'static str,
    /// The codes of the findings it can give. Every check can also give `nothing_verified`.
    pub findings: &'static [FindingCode],
}

/// Reads a section as a `C`.
pub fn read<C: Check + DeserializeOwned + 'static>(section: &CheckSection) -> Result<Box<dyn Check>> {
    Ok(Box::new(section.read::<C>()?))
}

/// The keys that a `C` is read from.
pub fn keys<C: DeserializeOwned>() -> Vec<String> {
    // What refuses an unknown key names those that are known.
    let unknown = toml::Table::from_iter([(String::new(), toml::Value::Boolean(true))]);
    let refused = C::deserialize(toml::Value::Table(unknown)).err().map(|error| error.message().to_owned());
    refused.unwrap_or_default().split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

/// Something that must hold on the restored data: one `[[checks]]` section, read.
#[async_trait]
pub trait Check: Debug + Send + Sync {
    /// Its type.
    fn entry(&self) -> &'static Entry;

    /// Its name in the verdict.
    fn name(&self) -> &str;

    /// The databases it looks at: it runs once they are restored. None, if it looks at the store alone.
    fn databases(&self) -> BTreeSet<&DatabaseName>;

    /// Whether it looks at objects of the store: then it may name no database.
    fn looks_at_store(&self) -> bool {
        false
    }

    /// The tables it cannot do without, as far as the template names them: SQL of a template is not read.
    fn tables(&self) -> Vec<NeededTable> {
        Vec::new()
    }

    /// Fills in what the template says where the section says nothing.
    fn complete(&mut self, _: &Template) {}

    /// Checks what the types cannot say; an error is a sentence for a person.
    ///
    /// # Errors
    /// What is wrong.
    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        Ok(())
    }

    /// Narrows it to the databases that `--only` names. A check that cannot do with less than it names is left as it
    /// is, and left out if it looks at another database.
    fn narrow(&mut self, _wanted: &dyn Fn(&DatabaseName) -> bool) {}

    /// Whether it works on databases of this system.
    fn works_on(&self, system: DatabaseSystem) -> bool {
        system.is_postgres()
    }

    /// Whether it holds though there is nothing that it could verify.
    fn allow_empty(&self) -> bool {
        false
    }

    /// Whether it compares rows with those of the source.
    fn compares_with_source(&self) -> bool {
        false
    }

    /// The image it runs, besides those of the stack.
    fn image(&self) -> Option<&str> {
        None
    }

    /// The port it asks, and the service that must listen there.
    fn port(&self) -> Option<(u16, &str)> {
        None
    }

    /// The file with a public key that it verifies signatures with.
    fn public_key(&self) -> Option<&Path> {
        None
    }

    /// Checks databases that are restored, every one it names among them; see `judge`.
    ///
    /// # Errors
    /// If it cannot be judged.
    async fn run(&self, context: &Context<'_>) -> Result<Outcome>;
}

impl dyn Check + '_ {
    /// The outcome on databases that are restored, every one it names among them.
    ///
    /// # Errors
    /// If it cannot be judged.
    pub async fn judge(&self, context: &Context<'_>) -> Result<Outcome> {
        Ok(self.run(context).await?.allow_empty(self.allow_empty()))
    }
}
