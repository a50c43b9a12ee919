//! What a drill of a plan needs of its server, before that starts.

use super::DrillPlan;
use crate::target::postgres::needs::Needs;

impl DrillPlan {
    /// What the dumps need of the server before it starts.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        for (point, contents) in
            self.points.iter().filter_map(|point| Some((point, point.contents.as_ref()?)))
        {
            needs.relations += contents.relations_total as u64;
            let extensions = contents.extensions.iter().cloned();
            needs.extensions.extend(extensions.map(|extension| (extension, point.database.to_string())));
        }
        needs
    }
}
