//! The store: it can be listed, its clock agrees, and the identity opens each recovery point.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;

use super::{Item, ItemStatus};
use crate::layer::{self, DecryptFailure, Identities};
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::names::DatabaseName;
use crate::model::verdict::{RecoveryPoint, RecoverySet, Severity};
use crate::plan;
use crate::store::{Store, StoreFacts};
use crate::survey;
use crate::template::{StoreUrl, Template};

/// Room for a header, unless it has a hundred recipients, and for the first chunk: what is in it may be another layer.
const HEADER: u64 = 96 * 1024;
/// No header that is read is larger.
const LARGE_HEADER: u64 = 2 * 1024 * 1024;
/// A signature is refused when the clocks are 15 minutes apart; ages and objectives are wrong long before.
const SKEW_LIMIT: TimeDelta = TimeDelta::minutes(10);
/// Ages are wrong by as much.
const SKEW_WARNING: TimeDelta = TimeDelta::seconds(60);

/// What was seen of the store.
pub(super) struct Stored {
    pub items: Vec<Item>,
    /// The recovery points a drill would use.
    pub set: RecoverySet,
}

/// Looks at the store, and at the header of each recovery point.
pub(super) async fn examine(
    template: &Template,
    store: std::result::Result<&Arc<dyn Store>, Failure>,
    identities: Option<&Arc<Identities>>,
    at: DateTime<Utc>,
) -> Stored {
    // One that cannot be read as the URL of a store may hold anything, a password as well.
    let url = StoreUrl::parse(&template.store.url).map(|url| url.to_string()).unwrap_or_default();
    let what = format!("store {url}").trim_end().to_owned();
    let failed =
        |failure| Stored { items: vec![Item::failure(what.clone(), failure)], set: RecoverySet::default() };
    let store = match store {
        Ok(store) => store,
        Err(failure) => return failed(failure),
    };
    let set = match recovery_set(template, &**store, at).await {
        Ok(set) => set,
        Err(failure) => {
            let mut stored = failed(failure);
            stored.items.extend(store.clock_ahead().map(judge_skew));
            return stored;
        }
    };
    let points = &set.points;
    let missing: Vec<&str> = template
        .databases
        .iter()
        .map(|database| &database.name)
        .filter(|name| set.point(name).is_none())
        .map(DatabaseName::as_str)
        .collect();
    let seen = format!("readable, {} of {} databases", points.len(), template.databases.len());
    let mut items = vec![match missing.is_empty() {
        true => Item::ok(what, seen),
        false => {
            let failure =
                Failure::bad(codes::NO_RECOVERY_POINT, format!("{seen}: none of {}", missing.join(", ")));
            Item::failure(what, failure.hint("`restore-drill plan` shows which keys were searched"))
        }
    }];
    items.extend(store.clock_ahead().map(judge_skew));
    items.extend(kept(template, &**store, &set).await);
    if let Some(identities) = identities {
        let opened = points.iter().map(|point| open(&**store, point, identities));
        items.extend(join_all(opened).await);
        items.extend(super::globals::examine(template, store, identities, &set).await);
    }
    Stored { items, set }
}

/// How a directory keeps the recovery points. What only a plan judges of a bucket is not repeated here.
async fn kept(template: &Template, store: &dyn Store, set: &RecoverySet) -> Vec<Item> {
    let Some(StoreFacts::Directory(facts)) = store.facts().await else { return Vec::new() };
    let looked = join_all(set.points.iter().map(|point| store.object_facts(&point.key))).await;
    let files = set.points.iter().zip(&looked);
    let files: Vec<_> =
        files.filter_map(|(point, facts)| Some((point, facts.as_ref().ok()?.file.as_ref()?))).collect();
    let mut items = vec![Item::ok("directory", facts.to_string())];
    let prefixes: Vec<String> = template.key_pattern().map_or_else(
        |_| Vec::new(),
        |pattern| template.databases.iter().map(|database| pattern.listing_prefix(&database.name)).collect(),
    );
    let passed_over = plan::directory::passed_over(&store.passed_over(), &prefixes);
    let found = plan::directory::warnings(&facts, &set.points, &files).into_iter().chain(passed_over);
    items.extend(found.filter(|finding| finding.severity == Severity::Warning).map(|finding| {
        Item::new(finding.subject, ItemStatus::Warning, finding.actual)
            .advice(format!("expected {}", finding.expected))
    }));
    items
}

async fn recovery_set(template: &Template, store: &dyn Store, at: DateTime<Utc>) -> Result<RecoverySet> {
    let pattern = template.key_pattern()?;
    let listed = survey::list_points(store, &pattern, template, at, survey::window(template)).await?;
    Ok(plan::choose(template, &pattern, &listed.listing, at))
}

/// Whether the identities open a recovery point; its header shows it.
async fn open(store: &dyn Store, point: &RecoveryPoint, identities: &Identities) -> Item {
    let what = format!("header of {}", point.key);
    match header(store, point, identities).await {
        Ok(layers) => {
            let layers = if layers.is_empty() { "in no layer".to_owned() } else { layers.join(" over ") };
            Item::ok(what, format!("opens; {layers}; {}", human::bytes(point.size_bytes)))
        }
        Err(failure) => Item::failure(what, failure),
    }
}

async fn header(
    store: &dyn Store,
    point: &RecoveryPoint,
    identities: &Identities,
) -> Result<Vec<&'static str>> {
    if point.size_bytes == 0 {
        return Err(DecryptFailure::Empty.into_failure());
    }
    match open_range(store, point, identities, HEADER).await? {
        Err(failure) if failure.may_be_cut() && point.size_bytes > HEADER => {
            open_range(store, point, identities, LARGE_HEADER).await?
        }
        opened => opened,
    }
    .map_err(DecryptFailure::into_failure)
}

/// Tries the first bytes of a recovery point.
async fn open_range(
    store: &dyn Store,
    point: &RecoveryPoint,
    identities: &Identities,
    length: u64,
) -> Result<std::result::Result<Vec<&'static str>, DecryptFailure>> {
    let range = 0..point.size_bytes.min(length);
    let bytes = store.read(&point.key, point.etag.as_deref(), range).await.map_err(|failure| {
        // As a drill says it: it does not begin with what it cannot read.
        if failure.code == codes::OBJECT_ARCHIVED {
            Failure::bad(failure.code, failure.message)
                .hint("`restore-drill plan --request-restore` asks the store for a readable copy")
        } else {
            failure
        }
    })?;
    Ok(layer::blocking(|| layer::open(&*bytes, identities).map(|opened| opened.layers)))
}

/// `ahead` is how far the store's clock is in front of this machine's.
fn judge_skew(ahead: TimeDelta) -> Item {
    let what = "clock against the store's";
    #[expect(clippy::cast_precision_loss, reason = "for show")]
    let apart = human::duration(ahead.num_seconds().abs() as f64);
    let seen = match ahead.num_seconds() {
        -1..=1 => "together, to the second".to_owned(),
        2.. => format!("{apart} behind it"),
        _ => format!("{apart} ahead of it"),
    };
    let advice = "set this machine's clock (NTP): ages, RPO and the store's signatures depend on it";
    let status = match ahead.abs() {
        skew if skew > SKEW_LIMIT => ItemStatus::Failed,
        skew if skew > SKEW_WARNING => ItemStatus::Warning,
        _ => return Item::ok(what, seen),
    };
    Item::new(what, status, seen).advice(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_be_a_minute_apart() {
        for (seconds, status, words) in [
            (1, ItemStatus::Ok, "together"),
            (-30, ItemStatus::Ok, "30s ahead of it"),
            (90, ItemStatus::Warning, "1m 30s behind it"),
            (-3600, ItemStatus::Failed, "1h ahead of it"),
        ] {
            let item = judge_skew(TimeDelta::seconds(seconds));
            assert_eq!(item.status, status, "{seconds}");
            assert!(item.seen.contains(words), "{}", item.seen);
        }
    }
}
