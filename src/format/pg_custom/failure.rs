//! What an archive that cannot be read says about the backup.

use super::error::ArchiveError;
use super::line_feeds::LineFeeds;
use crate::model::codes;
use crate::model::failure::Failure;

/// The table of contents takes more bytes than are read.
pub fn too_large(limit: u64) -> Failure {
    failure(&ArchiveError::TooLarge { limit, unit: "bytes" }, LineFeeds::default())
}

/// A dump that the image's `pg_restore` is too old for.
pub fn newer_than_image(what: &str) -> Failure {
    Failure::inconclusive(codes::DUMP_NEWER_THAN_IMAGE, what)
        .hint("name a Postgres image of the dump's major version, or a later one, in postgres.image")
}

/// What an archive that cannot be read, with these line feeds in it, says about the backup.
pub(in crate::format) fn failure(error: &ArchiveError, feeds: LineFeeds) -> Failure {
    match error {
        _ if feeds.are_a_terminals() => Failure::bad(
            codes::DUMP_CRLF,
            format!("the dump went through a terminal, which put a carriage return before every line feed: {error}"),
        )
        .hint("take the -t out of `docker exec -t … pg_dump` (or of ssh -t, or the terminal of the CI job) in the backup job, and make the backup again"),
        ArchiveError::Empty => Failure::bad(codes::EMPTY_DUMP, "the recovery point decrypts to nothing: no dump is in it")
            .hint("a pg_dump that fails, piped into age, makes such a file and no error; look at pg_dump's exit status in the backup job (`set -o pipefail`)"),
        ArchiveError::Truncated { .. } => Failure::bad(codes::DUMP_TRUNCATED, format!("the dump is truncated: {error}"))
            .hint("look at the exit status of pg_dump in the backup job"),
        ArchiveError::TooLarge { .. } => {
            Failure::inconclusive(codes::ARCHIVE_TOO_LARGE, format!("failed to read the archive: {error}"))
                .hint("the limit guards against hostile archives; please report a real one that is over it")
        }
        ArchiveError::UnsupportedVersion { .. } => {
            newer_than_image(&format!("failed to read the archive: {error}"))
        }
        _ => Failure::bad(codes::NOT_AN_ARCHIVE, format!("failed to read the archive: {error}"))
            .hint("dumps must be made with pg_dump, in one of the formats of docs/formats.md; `restore-drill backup` makes them"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::failure::Class;

    #[test]
    fn a_table_of_contents_over_the_limit_says_nothing_of_the_backup() {
        let failure = too_large(96 << 20);
        assert_eq!((failure.code.as_str(), failure.class), ("archive_too_large", Class::Inconclusive));
    }
}
