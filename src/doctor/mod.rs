//! The doctor: would a drill find what it needs? Each thing that is examined is one item: what was examined, what was
//! seen, what to do. Nothing is made, written or pulled.
//!
//! Items are judged by pure functions; the files gather what they judge.

mod engine;
mod globals;
mod keys;
mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::check::DrillTemplate;
use crate::clock::Clock;
use crate::model::code::Code;
use crate::model::exit::ExitCode;
use crate::model::failure::{Class, Failure};
use crate::model::past::PastDrill;
use crate::plan::forecast;
use crate::store::Store;

/// What the doctor saw.
#[derive(Debug, Clone, Serialize)]
pub struct Examination {
    /// Version of this schema.
    pub schema_version: u32,
    /// The template.
    pub template: String,
    /// When it was looked.
    pub at: DateTime<Utc>,
    /// The worst of the items.
    pub status: ItemStatus,
    /// What was examined, in the order of a drill.
    pub items: Vec<Item>,
}

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The thing that was examined.
    pub what: String,
    /// How it is.
    pub status: ItemStatus,
    /// What was found.
    pub seen: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// What kind of trouble it is, for the exit code.
    #[serde(skip)]
    class: Class,
    /// The code of the failure, for the template's hint.
    #[serde(skip)]
    code: Option<Code>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    /// As it should be.
    Ok,
    /// Unknown.
    Unknown,
    /// A drill would continue.
    Warning,
    /// A drill would fail.
    Failed,
}

impl Item {
    fn new(what: impl Into<String>, status: ItemStatus, seen: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            status,
            seen: seen.into(),
            advice: None,
            class: Class::Inconclusive,
            code: None,
        }
    }

    fn ok(what: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::new(what, ItemStatus::Ok, seen)
    }

    fn failure(what: impl Into<String>, failure: Failure) -> Self {
        let (class, advice, code) = (failure.class, failure.hint, Some(failure.code));
        Self { class, advice, code, ..Self::new(what, ItemStatus::Failed, failure.message) }
    }

    fn advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

impl Examination {
    /// The exit code: that of the first item a drill would fail of.
    pub fn exit_code(&self) -> ExitCode {
        let failed = self.items.iter().find(|item| item.status == ItemStatus::Failed);
        failed.map_or(ExitCode::Ok, |item| item.class.into())
    }
}

/// Looks at everything a drill of this template needs.
pub async fn examine(
    template: &DrillTemplate,
    store: std::result::Result<&Arc<dyn Store>, Failure>,
    past: &[PastDrill],
    clock: &Clock,
) -> Examination {
    let at = clock.now();
    let (mut items, identities) = keys::examine(template);
    let identities = identities.map(Arc::new);
    let (stored, on_engine) =
        tokio::join!(store::examine(template, store, identities.as_ref(), at), engine::examine(template, at));
    items.extend(stored.items);
    items.extend(on_engine.items);
    let room = forecast::room(&stored.set, &BTreeMap::new(), past, None);
    items.push(engine::judge_disk(on_engine.free_disk_bytes, &room));
    for item in &mut items {
        let hint = item.code.and_then(|code| template.own_hint(code, item.advice.as_deref()));
        item.advice = hint.or(item.advice.take());
    }
    Examination {
        schema_version: 1,
        template: template.name.clone(),
        at,
        status: items.iter().map(|item| item.status).max().unwrap_or(ItemStatus::Ok),
        items,
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests {
    use super::testing::troubled;
    use super::*;

    #[test]
    fn the_exit_code_is_the_first_failures() {
        let examination = |items: Vec<Item>| Examination {
            schema_version: 1,
            template: "t".to_owned(),
            at: DateTime::UNIX_EPOCH,
            status: ItemStatus::Ok,
            items,
        };
        let (warning, bad, config) = (
            Item::new("a", ItemStatus::Warning, "b"),
            Item::failure("a", Failure::bad(Code::new("x"), "y")),
            Item::failure("a", Failure::config(Code::new("x"), "y")),
        );
        assert_eq!(examination(vec![warning.clone()]).exit_code(), ExitCode::Ok);
        assert_eq!(
            examination(vec![warning.clone(), bad.clone(), config.clone()]).exit_code(),
            ExitCode::Failed
        );
        assert_eq!(examination(vec![config, bad]).exit_code(), ExitCode::Config);
    }

    #[test]
    fn an_examination_as_json_is_this() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&troubled()).unwrap(), @r#"
        {
          "schema_version": 1,
          "template": "shop",
          "at": "2026-05-17T08:31:11Z",
          "status": "failed",
          "items": [
            {
              "what": "age identities",
              "status": "ok",
              "seen": "age1shop"
            },
            {
              "what": "header of shop_20260517T033111Z.dump.age",
              "status": "failed",
              "seen": "no identity opens it",
              "advice": "look for the key"
            },
            {
              "what": "memory",
              "status": "warning",
              "seen": "512 MiB on the engine",
              "advice": "give the engine more"
            },
            {
              "what": "disk",
              "status": "unknown",
              "seen": "about 2 GiB needed"
            }
          ]
        }
        "#);
    }
}
