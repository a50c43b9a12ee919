//! The databases of clusters are databases of the template.

use super::cluster::Cluster;
use super::schema::{Database, Template};
use super::statements::Statements;
use crate::model::dataset::DatabaseSystem;
use crate::model::names::DatabaseName;

impl Cluster {
    /// One of its databases, as `[[databases]]` would have it.
    fn database(&self, name: &DatabaseName, key: &str) -> Database {
        Database {
            name: name.clone(),
            key: Some(self.key.as_deref().unwrap_or(key).replace("{database}", self.name.as_str())),
            timestamp: self.timestamp.clone(),
            cluster: Some(self.name.clone()),
            after: self.after.clone(),
            server: self.server.clone(),
            system: DatabaseSystem::Postgres,
            ignore_extensions: Vec::new(),
            ignore: Vec::new(),
            before_restore: Statements::default(),
            after_restore: Statements::default(),
        }
    }
}

impl Template {
    /// Adds the databases of its clusters to the others.
    pub(super) fn take_databases_of_clusters(&mut self) {
        let Self { clusters, databases, store, .. } = self;
        databases.extend(
            clusters
                .iter()
                .flat_map(|cluster| cluster.databases.iter().map(|name| cluster.database(name, &store.key))),
        );
    }

    /// The cluster of this database, if its recovery point holds others too and it is the first that the template names of it.
    pub fn cluster_led_by(&self, database: &DatabaseName) -> Option<&Cluster> {
        self.clusters.iter().find(|cluster| {
            let left = cluster.databases.iter().find(|name| self.database(name).is_some());
            left == Some(database)
        })
    }
}

/// Checks them; an error is a sentence for a person.
pub(super) fn validate(template: &Template) -> Result<(), String> {
    for (place, cluster) in template.clusters.iter().enumerate() {
        if cluster.databases.is_empty() {
            return Err(format!(
                "cluster {} names no database, so nothing of it would be restored",
                cluster.name
            ));
        }
        if template.clusters[..place].iter().any(|other| other.name == cluster.name) {
            return Err(format!("cluster {} is listed twice", cluster.name));
        }
    }
    match &template.backup {
        Some(_) if !template.clusters.is_empty() => Err(
            "[backup] dumps each database by itself, so it goes with [[databases]] and not with [[clusters]]"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::template::testing::MINIMAL;
    use crate::template::{Environment, Purpose, Template, parse};

    const CLUSTER: &str = "[[clusters]]\nname = \"main\"\nkey = \"postgres/dump_{timestamp}.sql\"\n\
        databases = [\"shop\", \"crm\"]\n";

    fn parsed(cluster: &str, more: &str) -> Result<Template, String> {
        let text = MINIMAL.replacen("[[databases]]\nname = \"shop\"\n", cluster, 1) + more;
        parse(&text, "t.toml", &Environment::default(), Purpose::Drill).map_err(|failure| failure.message)
    }

    #[test]
    fn databases_of_a_cluster_are_those_of_the_template_and_share_their_keys() {
        let template = parsed(CLUSTER, "").unwrap();
        let names: Vec<&str> = template.databases.iter().map(|database| database.name.as_str()).collect();
        assert_eq!(names, ["shop", "crm"]);
        let keys = template.key_pattern().unwrap();
        for name in ["shop", "crm"] {
            let taken = keys.taken_at(&name.parse().unwrap(), "postgres/dump_20260517T083111Z.sql");
            assert!(taken.is_some(), "{name}");
        }
        let led = |template: &Template, name: &str| template.cluster_led_by(&name.parse().unwrap()).is_some();
        assert_eq!((led(&template, "shop"), led(&template, "crm")), (true, false));
        let narrowed = template.narrow(&["crm".parse().unwrap()]).unwrap();
        assert_eq!((led(&narrowed, "shop"), led(&narrowed, "crm")), (false, true));
    }

    #[test]
    fn without_a_key_the_name_of_the_cluster_stands_in_that_of_the_store() {
        let template = parsed("[[clusters]]\nname = \"main\"\ndatabases = [\"shop\"]\n", "").unwrap();
        let keys = template.key_pattern().unwrap();
        assert!(keys.taken_at(&"shop".parse().unwrap(), "main_20260517T083111Z.dump.age").is_some());
    }

    #[test]
    fn what_is_wrong_with_clusters_is_said() {
        for (from, to, more, words) in [
            ("[\"shop\", \"crm\"]", "[]", "", "cluster main names no database"),
            ("[\"shop\", \"crm\"]", "[\"shop\", \"shop\"]", "", "database shop is listed twice"),
            ("main", "main", CLUSTER, "cluster main is listed twice"),
            ("{timestamp}", "{time}", "", "database shop: key `postgres/dump_{time}.sql` has {time}"),
            ("main", "main", "[backup]\nrecipients = []\nhost = \"h\"\n", "goes with [[databases]]"),
        ] {
            assert!(CLUSTER.contains(from), "{from}");
            let said = parsed(&CLUSTER.replacen(from, to, 1), more).expect_err(words);
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
