//! The globals: whether a drill finds the roles of each server, and can use them.

use std::sync::Arc;

use super::{Item, ItemStatus};
use crate::layer::Identities;
use crate::model::verdict::RecoverySet;
use crate::plan::globals::{GlobalsStatus, PlannedGlobals, planned};
use crate::store::Store;
use crate::survey::{Manifests, Surveyor};
use crate::template::Template;

/// Looks for the globals of each server, as a plan does.
pub(super) async fn examine(
    template: &Template,
    store: &Arc<dyn Store>,
    identities: &Arc<Identities>,
    set: &RecoverySet,
) -> Vec<Item> {
    let surveyed = async {
        let pattern = template.key_pattern()?;
        let (store, identities) = (Arc::clone(store), Arc::clone(identities));
        let manifests = Manifests::new(Arc::clone(&store), Arc::clone(&identities), pattern.clone());
        let surveyor = Surveyor { store, identities, pattern, manifests: None };
        surveyor.globals(&manifests, template, set).await
    };
    match surveyed.await {
        Ok(surveys) => planned(template, set, &surveys).iter().map(judge).collect(),
        Err(failure) => vec![Item::failure("globals", failure)],
    }
}

fn judge(planned: &PlannedGlobals) -> Item {
    let (what, seen) = (planned.subject.clone(), planned.in_words());
    if let Some(failure) = &planned.failure {
        return Item::failure(what, failure.clone());
    }
    match planned.status {
        GlobalsStatus::Absent => Item::new(what, ItemStatus::Warning, seen).advice(
            "`restore-drill backup` writes them beside the dumps; access = \"skip\" in the server's section says that it is meant",
        ),
        _ => Item::ok(what, seen),
    }
}
