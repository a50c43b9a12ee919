//! Objects that look like globals of a server, and are not taken for them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{GlobalsSurvey, Promise};
use crate::model::human;
use crate::model::names::ObjectKey;

impl GlobalsSurvey {
    /// The objects of other servers' backups, by their manifests.
    pub(super) fn of_others(&self) -> BTreeSet<&ObjectKey> {
        let named = self.promises.values().filter_map(|promise| match promise {
            Promise::Elsewhere(key) => key.as_ref(),
            _ => None,
        });
        named.collect()
    }

    /// Whether an object of exactly this time, which no manifest names, is not of the source: its backup wrote none for it.
    pub(super) fn has_none_of(&self, time: DateTime<Utc>) -> bool {
        self.promises.get(&time).is_some_and(Promise::bars)
    }

    /// What was not taken although it is of the time of a dump, or not looked at.
    pub(super) fn passed_over(&self, times: &BTreeSet<DateTime<Utc>>) -> Option<String> {
        let of_others = self.of_others();
        let barred = self.objects.iter().filter(|(time, object)| {
            times.contains(time) && self.has_none_of(*time) && !of_others.contains(&object.key)
        });
        let barred = barred.map(|(_, object)| {
            let key = human::one_line(object.key.as_str(), 300);
            format!("{key} was passed over: by the manifest of its time, the backup did not write it")
        });
        let far = (self.not_looked_at > 0).then(|| {
            let objects = human::things(self.not_looked_at as u64, "object");
            format!("{objects} that may be globals were not looked at, since so many nearer ones are of other backups")
        });
        let said: Vec<String> = barred.chain(far).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}
