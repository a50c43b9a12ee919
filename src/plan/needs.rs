//! What a drill of a plan needs of its servers, before they start.

use super::DrillPlan;
use crate::model::names::DatabaseName;
use crate::target::postgres::needs::Needs;

/// Relations that a script may have besides those that its beginning shows. It is restored in one transaction, which locks all.
const NOT_SEEN: u64 = 20_000;

impl DrillPlan {
    /// What the dumps of these databases need of a server before it starts.
    pub fn needs(&self, is_its_own: impl Fn(&DatabaseName) -> bool) -> Needs {
        let mut needs = Needs::default();
        let points = self.points.iter().filter(|point| is_its_own(&point.database));
        for (point, contents) in points.filter_map(|point| Some((point, point.contents.as_ref()?))) {
            needs.relations += contents.relations_total as u64;
            if contents.partial {
                needs.relations += NOT_SEEN;
            }
            let extensions = contents.extensions.iter().cloned();
            needs.extensions.extend(extensions.map(|extension| (extension, point.database.to_string())));
        }
        needs
    }
}
