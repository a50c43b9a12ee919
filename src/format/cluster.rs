//! What `pg_dumpall` writes, as the list of formats has it.

use super::kind::{BackupContents, FormatKind, Inspect, NoContents, Progress};
use super::pg_plain::cluster::ClusterReader;
use super::pg_plain::not_one;
use crate::model::failure::Failure;

/// The format.
pub const PG_CLUSTER: FormatKind =
    FormatKind { name: "pg_cluster", inspector: || Box::new(Cluster(ClusterReader::default())) };

/// A file that is being read, all of it.
struct Cluster(ClusterReader);

impl Inspect for Cluster {
    fn push(&mut self, bytes: &[u8]) -> Result<Progress, Failure> {
        self.0.push(bytes).map(|()| Progress::NeedMore)
    }

    fn is_recognised(&self) -> bool {
        self.0.is_one()
    }

    fn finish(self: Box<Self>) -> Result<BackupContents, NoContents> {
        let is_one = self.0.is_one();
        let failed =
            |failure| if is_one { NoContents::Unreadable(failure) } else { NoContents::CutOff(failure) };
        self.0.finish().map(BackupContents::PgCluster).map_err(failed)
    }

    fn so_far(self: Box<Self>) -> Result<BackupContents, NoContents> {
        self.0.so_far().map(BackupContents::PgCluster).ok_or_else(|| NoContents::CutOff(not_one()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Inspector;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/plain/pg17-cluster.sql");

    fn inspector(length: usize) -> Inspector {
        let mut inspector = Inspector::default();
        let _ = inspector.push(&std::fs::read(FILE).unwrap()[..length]).unwrap();
        inspector
    }

    fn whole() -> BackupContents {
        inspector(std::fs::metadata(FILE).unwrap().len() as usize).finish().unwrap()
    }

    #[test]
    fn a_database_is_restored_from_its_own_part() {
        let first = whole().of_database(&"first".parse().unwrap()).unwrap();
        assert_eq!((first.format(), first.toc().header.database.as_str()), ("pg_cluster", "first"));
        assert!(first.is_whole() && first.toc().tables().count() == 2);
        let postgres = whole().of_database(&"postgres".parse().unwrap()).unwrap();
        assert_eq!(
            (postgres.toc().tables().count(), postgres.toc().header.database.as_str()),
            (0, "postgres")
        );
        let failure = whole().of_database(&"other".parse().unwrap()).unwrap_err();
        assert_eq!(failure.code.as_str(), "database_not_in_cluster");
        assert!(failure.message.contains("template1, Second DB, first, postgres"), "{failure}");
    }

    #[test]
    fn what_the_beginning_does_not_show_may_come_later() {
        let later = inspector(4200).so_far().unwrap().of_database(&"first".parse().unwrap()).unwrap();
        assert!(!later.is_whole() && later.toc().tables().count() == 0);
        assert!(later.toc().header.server_version.starts_with("17."));
        assert!(matches!(inspector(1000).so_far(), Err(NoContents::CutOff(_))));
    }
}
