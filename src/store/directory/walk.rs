//! Listing the files of a directory and of those in it, in the order of keys.
//!
//! A directory's name sorts with the slash that stands behind it in keys, so that going through directories one by one gives
//! the order of whole keys. What a request leaves out is not looked at.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use chrono::TimeDelta;
use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use super::DirectoryStore;
use super::beneath::{Root, Seen, Trouble, enter, split};
use super::read::meta;
use super::upload;
use crate::clock::Clock;
use crate::model::failure::{Failure, Result};
use crate::model::names::ObjectKey;
use crate::store::listing::{Gathered, too_long};
use crate::store::port::{ObjectMeta, Page, PageRequest, PassedOver};

/// Objects of a page, unless a request asks for fewer.
const PAGE: u16 = 1000;
/// Names that one directory may have.
const NAMES: usize = 500_000;
/// How deep directories may lie in each other.
const DEPTH: usize = 64;
/// `fsck` makes it at the top of a file system, for its own use.
const LOST_AND_FOUND: &str = "lost+found/";

/// Every file whose key begins with this.
pub(super) fn list(store: &DirectoryStore, prefix: &str) -> Result<Vec<ObjectMeta>> {
    let request = PageRequest { prefix: prefix.to_owned(), ..PageRequest::default() };
    let (page, gathered) = walk(store, &request, usize::MAX)?;
    let mut objects = gathered.into_objects();
    objects.extend(page.objects);
    Ok(objects)
}

/// A part of the listing.
pub(super) fn page(store: &DirectoryStore, request: &PageRequest) -> Result<Page> {
    let limit = usize::from(request.limit.unwrap_or(PAGE));
    walk(store, request, limit).map(|(page, _)| page)
}

fn walk(store: &DirectoryStore, request: &PageRequest, limit: usize) -> Result<(Page, Gathered)> {
    let root = store.root()?;
    let mut walk = Walk {
        store,
        root: &root,
        request,
        after: request.after.as_deref().unwrap_or_default(),
        limit,
        page: Page::default(),
        gathered: Gathered::default(),
        skipped: None,
        passed_over: BTreeSet::new(),
    };
    let ended = walk.begin();
    let Walk { page, gathered, passed_over, .. } = walk;
    store.pass_over(passed_over);
    match ended {
        Ok(()) | Err(Stop::Full) => Ok((page, gathered)),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

/// Why a walk ends before its end.
enum Stop {
    /// The page is full.
    Full,
    Failed(Failure),
}

struct Walk<'a> {
    store: &'a DirectoryStore,
    root: &'a Root,
    request: &'a PageRequest,
    after: &'a str,
    limit: usize,
    page: Page,
    /// What was on the page, where there are no pages.
    gathered: Gathered,
    /// What was put together: keys that begin with it are on the page already.
    skipped: Option<String>,
    passed_over: BTreeSet<PassedOver>,
}

impl Walk<'_> {
    fn begin(&mut self) -> Result<(), Stop> {
        let prefix = &self.request.prefix;
        let base = &prefix[..prefix.rfind('/').map_or(0, |slash| slash + 1)];
        // No key begins with what is no path.
        if base.strip_suffix('/').is_some_and(|base| split(base).is_none()) {
            return Ok(());
        }
        match self.root.directory(base) {
            Ok(directory) => self.directory(directory, base),
            Err(Trouble::NotThere) => Ok(()),
            Err(Trouble::NotAFile(why)) => {
                self.pass_over(base, why);
                Ok(())
            }
            Err(Trouble::System(errno)) => Err(self.failed(errno)),
        }
    }

    fn directory(&mut self, directory: OwnedFd, base: &str) -> Result<(), Stop> {
        for name in self.names(directory.as_fd(), base)? {
            let key = format!("{base}{name}");
            if self.skipped.as_deref().is_some_and(|skipped| key.starts_with(skipped)) {
                continue;
            }
            match name.strip_suffix('/') {
                Some(name) => self.enter(directory.as_fd(), name, &key)?,
                None => self.file(directory.as_fd(), &name, &key)?,
            }
        }
        Ok(())
    }

    /// The names in a directory that the request asks for, sorted; a slash stands behind those of directories.
    fn names(&mut self, directory: BorrowedFd<'_>, base: &str) -> Result<Vec<String>, Stop> {
        let mut names = Vec::new();
        let read = Dir::read_from(directory).map_err(|errno| self.failed(errno))?;
        for entry in read {
            let entry = entry.map_err(|errno| self.failed(errno))?;
            let bytes = entry.file_name().to_bytes();
            if matches!(bytes, b"." | b"..") {
                continue;
            }
            let Ok(name) = entry.file_name().to_str() else {
                let shown = String::from_utf8_lossy(bytes);
                if format!("{base}{shown}").starts_with(&self.request.prefix) {
                    self.pass_over(
                        &format!("{base}{shown}"),
                        "its name is not UTF-8, as keys are".to_owned(),
                    );
                }
                continue;
            };
            let is_directory = match entry.file_type() {
                FileType::Unknown => statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
                kind => kind == FileType::Directory,
            };
            let name = format!("{name}{}", if is_directory { "/" } else { "" });
            if self.is_wanted(&format!("{base}{name}"), is_directory) {
                names.push(name);
            }
            if names.len() > NAMES {
                return Err(Stop::Failed(too_long(&self.request.prefix, names.len(), 1)));
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Whether a key, or some key in a directory, is asked for.
    fn is_wanted(&self, key: &str, is_directory: bool) -> bool {
        let prefix = self.request.prefix.as_str();
        let has_prefix = key.starts_with(prefix) || is_directory && prefix.starts_with(key);
        has_prefix && (key > self.after || is_directory && self.after.starts_with(key))
    }

    fn enter(&mut self, directory: BorrowedFd<'_>, name: &str, key: &str) -> Result<(), Stop> {
        if key.matches('/').count() > DEPTH {
            self.pass_over(key, format!("it lies more than {DEPTH} directories deep"));
            return Ok(());
        }
        match enter(directory, name) {
            Ok(opened) => self.directory(opened, key),
            // It was there a moment ago: clean-up jobs may run at any time.
            Err(Trouble::NotThere) => Ok(()),
            Err(Trouble::NotAFile(why)) => {
                self.pass_over(key, why);
                Ok(())
            }
            Err(Trouble::System(Errno::ACCESS | Errno::PERM)) => {
                if key != LOST_AND_FOUND {
                    self.pass_over(key, "access to this directory is denied".to_owned());
                }
                Ok(())
            }
            Err(Trouble::System(errno)) => Err(self.failed(errno)),
        }
    }

    fn file(&mut self, directory: BorrowedFd<'_>, name: &str, key: &str) -> Result<(), Stop> {
        let seen = match self.root.look(directory, name, key) {
            Ok(seen) => seen,
            Err(Trouble::NotThere) => return Ok(()),
            Err(Trouble::NotAFile(why)) => {
                self.pass_over(key, why);
                return Ok(());
            }
            Err(Trouble::System(errno)) => return Err(self.failed(errno)),
        };
        if upload::is_temporary(name) {
            self.unfinished(key, &seen);
            return Ok(());
        }
        if self.page.objects.len() + self.page.prefixes.len() == self.limit {
            self.page.more = true;
            return Err(Stop::Full);
        }
        let rest = key.strip_prefix(&self.request.prefix).unwrap_or_default();
        let end = self
            .request
            .delimiter
            .and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len_utf8()));
        if let Some(end) = end {
            let common = format!("{}{}", self.request.prefix, &rest[..end]);
            self.skipped = Some(common.clone());
            self.page.prefixes.push(common);
            return Ok(());
        }
        self.page.objects.push(meta(key, &seen));
        if self.limit == usize::MAX && self.page.objects.len() == usize::from(PAGE) {
            let objects = std::mem::take(&mut self.page.objects);
            self.gathered.page(&self.request.prefix, objects).map_err(Stop::Failed)?;
        }
        Ok(())
    }

    /// What a backup is writing is no object yet. What nothing has written to for a day never becomes one.
    fn unfinished(&mut self, key: &str, seen: &Seen) {
        let day_ago = (Clock::system().now() - TimeDelta::days(1)).timestamp();
        if seen.modified.0 < day_ago {
            self.pass_over(key, "a backup that was killed left it unfinished; it can be removed".to_owned());
        }
    }

    fn pass_over(&mut self, name: &str, why: String) {
        self.passed_over.insert(PassedOver { name: ObjectKey::new(name), why });
    }

    fn failed(&self, errno: Errno) -> Stop {
        let doing = format!("listing {}", self.request.prefix);
        Stop::Failed(self.store.failure(doing.trim_end(), errno))
    }
}
