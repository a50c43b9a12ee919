//! Tar files of `pg_dump`: an archive of `--format=tar`, and a directory of `--format=directory` that was packed.
//!
//! Both have a table of contents in a member named `toc.dat`, which says "tar" of itself in either (`_CloseArchive` in
//! `pg_backup_tar.c` and `pg_backup_directory.c`). `pg_dump` writes that member first, without a folder, and with an owner that
//! no packer writes (`tarCreateHeader`).

mod walk;

use super::pg_custom::Toc;

#[cfg(test)]
pub(super) use walk::testing;
pub(super) use walk::{Problem, Walk};

/// A directory of `pg_dump` in a tar file.
#[derive(Debug)]
pub struct PackedDirectory {
    /// Its table of contents.
    pub toc: Toc,
    /// The folder of the tar file that it is in; empty if it is in none.
    pub folder: String,
}
