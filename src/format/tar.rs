//! Tar files of `pg_dump`, as the list of formats has them.

use super::kind::{BackupContents, FormatKind, Inspect, NoContents, Progress};
use super::pg_custom::failure::failure;
use super::pg_custom::{LineFeeds, Toc};
use super::pg_tar::{PackedDirectory, Problem, Walk};
use crate::model::codes;
use crate::model::failure::Failure;

/// An archive of `pg_dump --format=tar`.
pub const PG_TAR: FormatKind = FormatKind { name: "pg_tar", inspector: || Box::new(Tar::new(true)) };

/// A directory of `pg_dump --format=directory`, packed.
pub const PG_DIRECTORY: FormatKind =
    FormatKind { name: "pg_directory", inspector: || Box::new(Tar::new(false)) };

/// A tar file that is being read.
struct Tar {
    walk: Walk,
    /// Whether one that `pg_dump` wrote itself is looked for.
    is_of_pg_dump: bool,
}

impl Tar {
    fn new(is_of_pg_dump: bool) -> Self {
        Self { walk: Walk::default(), is_of_pg_dump }
    }

    fn contents(self, toc: Toc) -> BackupContents {
        if self.is_of_pg_dump {
            BackupContents::PgTar(toc)
        } else {
            BackupContents::PgDirectory(PackedDirectory { toc, folder: self.walk.folder().to_owned() })
        }
    }
}

impl Inspect for Tar {
    fn push(&mut self, bytes: &[u8]) -> Result<Progress, Failure> {
        self.walk.push(bytes).map_err(problem)?;
        match self.walk.is_of_pg_dump() {
            Some(found) if found != self.is_of_pg_dump => Err(problem(Problem::NotOne)),
            _ => Ok(Progress::NeedMore),
        }
    }

    fn is_recognised(&self) -> bool {
        self.walk.is_of_pg_dump() == Some(self.is_of_pg_dump)
    }

    fn finish(mut self: Box<Self>) -> Result<BackupContents, NoContents> {
        if !self.walk.is_tar() {
            return Err(NoContents::CutOff(problem(Problem::NotOne)));
        }
        if !self.walk.has_ended() {
            return Err(NoContents::CutOff(problem(Problem::CutOff(self.walk.position()))));
        }
        match self.walk.take_toc() {
            None => Err(NoContents::Unreadable(problem(Problem::NoToc))),
            Some(Ok(toc)) => Ok(self.contents(toc)),
            Some(Err(error)) => Err(NoContents::Unreadable(failure(&error, LineFeeds::default()))),
        }
    }

    fn so_far(mut self: Box<Self>) -> Result<BackupContents, NoContents> {
        match self.walk.take_toc() {
            Some(Ok(toc)) => Ok(self.contents(toc)),
            Some(Err(error)) if self.walk.has_toc() => {
                Err(NoContents::Unreadable(failure(&error, LineFeeds::default())))
            }
            _ => Err(NoContents::CutOff(problem(Problem::CutOff(self.walk.position())))),
        }
    }
}

fn problem(problem: Problem) -> Failure {
    match problem {
        Problem::NotOne => Failure::bad(codes::NOT_AN_ARCHIVE, "it is no tar file of pg_dump"),
        Problem::NoToc => {
            Failure::bad(codes::NOT_AN_ARCHIVE, "it is a tar file without a toc.dat, which each dump has")
        }
        Problem::CutOff(at) => Failure::bad(
            codes::DUMP_TRUNCATED,
            format!("the tar file was cut off after {} bytes: it has no end", crate::model::human::count(at)),
        )
        .hint("look at the exit status of pg_dump and of tar in the backup job"),
        Problem::Damaged(what, at) => Failure::bad(
            codes::NOT_AN_ARCHIVE,
            format!("the tar file is damaged at byte {}: {what}", crate::model::human::count(at)),
        )
        .hint("make the backup again; drill an older recovery point with --at"),
        Problem::Unread(what) => Failure::inconclusive(
            codes::LAYER_UNSUPPORTED,
            format!("the tar file has {what}, which are not read here"),
        )
        .hint("pack the directory with `tar --format=ustar`, and below short names"),
        Problem::Foreign(what) => Failure::bad(
            codes::NOT_AN_ARCHIVE,
            format!("the tar file holds what no dump has: {}", crate::model::human::one_line(&what, 200)),
        )
        .hint("nothing of it was unpacked; pack the directory that pg_dump wrote, and nothing else"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Inspector;

    fn fixture(name: &str) -> Vec<u8> {
        let path = format!("{}/tests/fixtures/plain/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(path).unwrap()
    }

    fn read(bytes: &[u8], piece: usize) -> Result<BackupContents, Failure> {
        let mut inspector = Inspector::default();
        for piece in bytes.chunks(piece) {
            let _ = inspector.push(piece)?;
        }
        inspector.finish().map_err(NoContents::into_failure)
    }

    fn code(bytes: &[u8]) -> &'static str {
        read(bytes, 1000).map_or_else(|failure| failure.code.as_str(), |contents| contents.format())
    }

    #[test]
    fn both_kinds_are_told_apart_and_have_the_contents_of_the_database() {
        for major in ["15", "17"] {
            for piece in [1, 511, 100_000] {
                let tar = read(&fixture(&format!("pg{major}.tar")), piece).unwrap();
                let packed = read(&fixture(&format!("pg{major}-directory.tar")), piece).unwrap();
                assert_eq!((tar.format(), packed.format()), ("pg_tar", "pg_directory"));
                let BackupContents::PgDirectory(directory) = &packed else { panic!() };
                assert_eq!(directory.folder, format!("pg{major}-directory"));
                let tables = |contents: &BackupContents| contents.toc().tables().collect::<Vec<_>>();
                assert_eq!(tables(&tar).len(), 10);
                assert_eq!(tables(&tar), tables(&packed));
                assert_eq!(tar.toc().header.database, "archive_fixture");
            }
        }
    }

    #[test]
    fn one_that_was_cut_anywhere_is_not_whole() {
        for name in ["pg17.tar", "pg17-directory.tar"] {
            let whole = fixture(name);
            let end = whole.len() - whole.iter().rev().take_while(|byte| **byte == 0).count();
            for length in [end, end - 1, end - 700, end / 2, 30_000] {
                assert_eq!(code(&whole[..length]), "dump_truncated", "{name} {length}");
            }
        }
    }

    #[test]
    fn the_first_bytes_show_the_table_of_contents_if_it_comes_first() {
        let tar = fixture("pg17.tar");
        let mut inspector = Inspector::default();
        let _ = inspector.push(&tar[..30_000]).unwrap();
        assert_eq!(inspector.so_far().unwrap().toc().tables().count(), 10);
        let mut inspector = Inspector::default();
        let _ = inspector.push(&tar[..10_000]).unwrap();
        assert!(matches!(inspector.so_far(), Err(NoContents::CutOff(_))));
    }

    /// A header of a member without bytes, or with one block of them.
    fn member(kind: u8, name: &str, target: &str, bytes: &[u8]) -> Vec<u8> {
        let mut block = fixture("pg17-directory.tar")[512..1024].to_vec();
        block[..100].fill(0);
        block[157..257].fill(0);
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[157..157 + target.len()].copy_from_slice(target.as_bytes());
        block[124..136].copy_from_slice(format!("{:011o}\0", bytes.len()).as_bytes());
        block[156] = kind;
        crate::format::pg_tar::testing::seal(&mut block);
        block.extend_from_slice(bytes);
        block.resize(block.len().next_multiple_of(512), 0);
        block
    }

    /// A packed directory with this before its end.
    fn with_member(member: &[u8]) -> &'static str {
        let mut tar = fixture("pg17-directory.tar");
        let end = tar.len() - tar.iter().rev().take_while(|byte| **byte == 0).count();
        tar.truncate(end.next_multiple_of(512));
        code(&[&*tar, member, &[0; 1024]].concat())
    }

    #[test]
    fn a_second_link_to_the_table_of_contents_is_passed_over_and_no_other_link() {
        let own = "pg17-directory/toc.dat";
        assert_eq!(with_member(&member(b'1', "./pg17-directory/toc.dat", own, b"")), "pg_directory");
        for (name, target) in [
            ("pg17-directory/1.dat", own),
            (own, "/etc/passwd"),
            (own, "pg17-directory/../toc.dat"),
            ("other/toc.dat", own),
            ("other/toc.dat", "other/toc.dat"),
        ] {
            assert_eq!(with_member(&member(b'1', name, target, b"")), "not_an_archive", "{name} {target}");
        }
        assert_eq!(with_member(&member(b'2', own, own, b"")), "not_an_archive");
    }

    #[test]
    fn what_packers_may_write_and_is_not_read_says_nothing_of_the_backup() {
        for (kind, bytes) in [
            (b'x', &b"20 size=9999999999\n"[..]),
            (b'x', b"16 path=a/b/c/d\n"),
            (b'g', b"16 path=a/b/c/d\n"),
            (b'L', b"a/long/name\0"),
        ] {
            assert_eq!(with_member(&member(kind, "headers", "", bytes)), "layer_unsupported", "{kind}");
        }
        assert_eq!(with_member(&member(b'x', "headers", "", b"17 mtime=1234567\n")), "pg_directory");
    }

    #[test]
    fn what_would_leave_the_folder_is_refused() {
        let mut altered = fixture("pg17-directory.tar");
        // The second member becomes a link.
        altered[512 + 156] = b'2';
        crate::format::pg_tar::testing::seal(&mut altered[512..1024]);
        assert_eq!(code(&altered), "not_an_archive");
        let mut altered = fixture("pg17-directory.tar");
        altered[512..515].copy_from_slice(b"../");
        crate::format::pg_tar::testing::seal(&mut altered[512..1024]);
        assert_eq!(code(&altered), "not_an_archive");
        let mut altered = fixture("pg17-directory.tar");
        altered[520] ^= 1;
        assert_eq!(code(&altered), "not_an_archive", "its checksum");
    }
}
