//! Labels: which drill owns an object, and what Compose needs.
//!
//! Compose finds a project's parts by the `com.docker.compose.*` labels, so `docker compose -p NAME ps`, `logs`,
//! `down` and `docker compose ls` work on a drill. Ours (`io.restore-drill.*`) say which drill may delete it, and are
//! checked before anything is deleted.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};

use super::owner::Owner;
use crate::model::code::Code;
use crate::model::codes;
use crate::model::names::{DrillId, ProjectName};

/// The drill that something belongs to.
pub const DRILL_ID: &str = "io.restore-drill.drill-id";
/// The version of these labels.
pub const SCHEMA_VERSION: &str = "io.restore-drill.schema-version";
/// After this moment `reap` may remove it.
pub const LEASE_EXPIRES: &str = "io.restore-drill.lease-expires";
/// The process that made it, see [`Owner`].
pub const OWNER: &str = "io.restore-drill.owner";
/// The template it was made for.
pub const TEMPLATE: &str = "io.restore-drill.template";
/// What it is for: `drill`, `backup` or `demo`.
pub const PURPOSE: &str = "io.restore-drill.purpose";
/// `true` if it was left standing on request, so that its owner's death means nothing.
pub const KEPT: &str = "io.restore-drill.kept";
/// The project, as its name is written.
pub const PROJECT: &str = "io.restore-drill.project";

/// The container's own name. `docker commit` gives an image the labels of its container, and so whatever is made of that image:
/// a copy has them all, and another name.
pub const CONTAINER: &str = "io.restore-drill.container";

/// Compose's label for the project.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";

/// The code of a failure that says that the engine has something of that name.
pub const NAME_TAKEN: Code = codes::PROJECT_EXISTS;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// Who makes a stack, and until when it may stand.
#[derive(Debug, Clone)]
pub struct Ownership {
    /// The drill.
    pub drill_id: DrillId,
    /// The Compose project.
    pub project: ProjectName,
    /// The template.
    pub template: String,
    /// `drill`, `backup` or `demo`.
    pub purpose: &'static str,
    /// The process.
    pub owner: Owner,
    /// When `reap` may remove it.
    pub lease_expires: DateTime<Utc>,
    /// Whether it is to be left standing.
    pub kept: bool,
}

/// Seconds that are tried when others have those before.
const NAMES: usize = 100;

impl Ownership {
    /// Makes an object that bears the project's name. The engine gives a name only once. Where it is taken, because another
    /// began in the same second, the project takes the next second's.
    ///
    /// # Errors
    /// Those of the making; `project_exists` if a hundred seconds are taken.
    pub async fn under_a_free_name<T>(
        &mut self,
        make: impl AsyncFn(&Self) -> crate::model::failure::Result<T>,
    ) -> crate::model::failure::Result<T> {
        for _ in 1..NAMES {
            match make(self).await {
                Err(failure) if failure.code == NAME_TAKEN => self.project = self.project.next(),
                made => return made,
            }
        }
        make(self).await
    }

    /// Labels that go on everything.
    pub fn labels(&self) -> Labels {
        [
            (DRILL_ID, self.drill_id.to_string()),
            (SCHEMA_VERSION, "1".to_owned()),
            (LEASE_EXPIRES, self.lease_expires.to_rfc3339_opts(SecondsFormat::Secs, true)),
            (OWNER, self.owner.to_string()),
            (TEMPLATE, self.template.clone()),
            (PURPOSE, self.purpose.to_owned()),
            (KEPT, self.kept.to_string()),
            (PROJECT, self.project.to_string()),
            (COMPOSE_PROJECT, self.project.compose_label()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Labels of the project's network.
    pub fn network_labels(&self) -> Labels {
        self.with(&[("com.docker.compose.network", "net")])
    }

    /// Labels of a volume of a service.
    pub fn volume_labels(&self, service: &str, what: &str) -> Labels {
        self.with(&[("com.docker.compose.volume", &format!("{service}_{what}"))])
    }

    /// Labels of a service's container.
    pub fn container_labels(&self, service: &str) -> Labels {
        self.with(&[
            ("com.docker.compose.service", service),
            ("com.docker.compose.container-number", "1"),
            ("com.docker.compose.oneoff", "False"),
            // `ps`, `logs` and `down` pass over containers without a hash; its value means nothing to them.
            ("com.docker.compose.config-hash", &self.drill_id.to_string()),
            // There is no Compose file; `ls` shows this in its place.
            ("com.docker.compose.project.config_files", &self.template),
            ("com.docker.compose.project.working_dir", ""),
        ])
    }

    fn with(&self, more: &[(&str, &str)]) -> Labels {
        let mut labels = self.labels();
        labels.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        labels
    }
}

/// Whether a container of this name has the labels of another. What drills made before they wrote the name down is believed.
pub fn is_copy(labels: &Labels, name: &str) -> bool {
    labels.get(CONTAINER).is_some_and(|own| own != name)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::model::failure::Failure;

    #[tokio::test]
    async fn a_project_whose_name_is_taken_takes_the_next_seconds() {
        let began = DateTime::from_timestamp(1_780_000_000, 0).unwrap();
        let mut ownership = Ownership {
            drill_id: DrillId::random(),
            project: ProjectName::new(&"d".parse().unwrap(), began),
            template: "t".to_owned(),
            purpose: "drill",
            owner: Owner::this_process(),
            lease_expires: began,
            kept: false,
        };
        let tries = Cell::new(0);
        // The first so many find their name taken; the one after them ends so.
        let made = |taken: usize, code: Option<&'static str>| {
            tries.set(0);
            let tries = &tries;
            async move |ownership: &Ownership| {
                tries.set(tries.get() + 1);
                match code {
                    _ if tries.get() <= taken => Err(Failure::inconclusive(NAME_TAKEN, "")),
                    Some(code) => Err(Failure::inconclusive(Code::new(code), "")),
                    None => Ok(ownership.project.to_string()),
                }
            }
        };
        assert_eq!(ownership.under_a_free_name(made(0, None)).await.unwrap(), "d_20260528T202640Z");
        assert_eq!(ownership.under_a_free_name(made(4, None)).await.unwrap(), "d_20260528T202644Z");
        assert_eq!(ownership.project.as_str(), "d_20260528T202644Z", "and keeps it");
        let failure = ownership.under_a_free_name(made(1, Some("disk_full"))).await.unwrap_err();
        assert_eq!((failure.code.as_str(), tries.get()), ("disk_full", 2));
        let failure = ownership.under_a_free_name(made(1000, None)).await.unwrap_err();
        assert_eq!((failure.code, tries.get()), (NAME_TAKEN, NAMES));
    }
}
