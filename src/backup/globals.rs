//! The globals of the server: its roles, their memberships and settings, which no dump of a database holds.

use std::time::Instant;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Job;
use super::client::Client;
use super::explain::pg_dumpall_failed;
use super::report::{Dump, Uploaded, WrittenGlobals};
use super::small::Kind;
use crate::format::pg_globals;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::{self, Recorded, Roles};
use crate::model::names::{DatabaseName, ObjectKey};

impl WrittenGlobals {
    /// What the manifest says of them; nothing, unless they are in the store.
    pub(super) fn entry(&self, dumps: &[Dump]) -> Option<manifest::Globals> {
        let uploaded = self.uploaded.as_ref()?;
        Some(manifest::Globals {
            key: self.key.clone(),
            size_bytes: uploaded.size_bytes,
            ciphertext_sha256: uploaded.ciphertext_sha256.clone(),
            plaintext_bytes: uploaded.plaintext_bytes,
            plaintext_sha256: uploaded.plaintext_sha256.clone(),
            server_version: dumps
                .iter()
                .find_map(|dump| Some(dump.content.source.as_ref()?.server_version.clone())),
        })
    }
}

impl Job {
    /// Writes the globals of the server that these dumps were made of. Without any dump there is nothing to write.
    pub(super) async fn write_globals(
        &self,
        client: &Client,
        key: ObjectKey,
        dumps: &[Dump],
        cancel: &CancellationToken,
    ) -> Option<WrittenGlobals> {
        let database = &dumps.iter().find(|dump| dump.uploaded.is_some())?.database;
        let mut written =
            WrittenGlobals { key, uploaded: None, verified: false, error: None, roles: None, failure: None };
        let done = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::cancelled()),
            done = self.dump_globals(client, database, &mut written) => done,
        };
        if let Err(failure) = done {
            written.fail(failure);
        }
        Some(written)
    }

    async fn dump_globals(
        &self,
        client: &Client,
        database: &DatabaseName,
        written: &mut WrittenGlobals,
    ) -> Result<()> {
        let began = Instant::now();
        let limit = usize::try_from(pg_globals::SIZE_LIMIT).unwrap_or(usize::MAX);
        let dump = async || {
            let said = client.engine.capture(client.pg_dumpall(database), limit).await?;
            if said.ok() { Ok(said) } else { Err(pg_dumpall_failed(said.exit_code, &said.stderr)) }
        };
        let said = match self.manifest.is_some() {
            true => {
                let source = client.source();
                let (said, roles) = with_roles(async || source.roles(database).await, dump).await?;
                written.roles = Some(roles);
                said
            }
            false => dump().await?,
        };
        // What a drill could not read is no backup of the roles.
        pg_globals::Globals::read(said.stdout.as_bytes()).map_err(|error| {
            Failure::bad(
                codes::GLOBALS_UNREADABLE,
                format!("pg_dumpall wrote what a drill cannot use: {error}"),
            )
        })?;
        let plaintext = said.stdout.as_bytes();
        let small = self.put(Kind::Globals, &written.key, plaintext).await?;
        written.uploaded = Some(Uploaded {
            size_bytes: small.sealed.len() as u64,
            ciphertext_sha256: hex::encode(Sha256::digest(&small.sealed)),
            plaintext_bytes: plaintext.len() as u64,
            plaintext_sha256: hex::encode(Sha256::digest(plaintext)),
            seconds: began.elapsed().as_secs_f64(),
        });
        written.verified = self.read_back(&small, pg_globals::SIZE_LIMIT, |back| back == plaintext).await?;
        Ok(())
    }
}

/// How often globals are written anew because roles changed meanwhile.
const ATTEMPTS: usize = 2;

/// The globals, and the roles as the catalogs have them, of one moment: the catalogs are read before and after. Services
/// make roles by the hour, and a record of another moment would have a drill call this backup bad.
async fn with_roles<T>(
    read: impl AsyncFn() -> Result<Roles>,
    dump: impl AsyncFn() -> Result<T>,
) -> Result<(T, Recorded<Roles>)> {
    let mut before = read().await;
    let mut attempt = 1;
    loop {
        let dumped = dump().await?;
        let after = read().await;
        let is_same = matches!((&before, &after), (Ok(before), Ok(after)) if before == after);
        if is_same || after.is_err() {
            let after = after.map(|roles| Roles { same_around_globals: is_same, ..roles });
            return Ok((dumped, after.into()));
        }
        if attempt == ATTEMPTS {
            let reason =
                format!("they were changed each of the {ATTEMPTS} times that the globals were written");
            return Ok((dumped, Recorded::Unread { reason }));
        }
        (before, attempt) = (after, attempt + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::manifest::Role;

    fn roles(name: &str) -> Roles {
        let role = Role {
            name: name.to_owned(),
            attributes: BTreeSet::new(),
            connection_limit: -1,
            settings: BTreeMap::new(),
        };
        Roles { roles: vec![role], ..Roles::default() }
    }

    /// What is recorded if the catalogs have these, one after the other; and how often globals were written.
    fn recorded(catalogs: &[Result<&str>]) -> (usize, Recorded<Roles>) {
        let left = RefCell::new(catalogs.iter());
        let dumps = RefCell::new(0);
        let read = async || left.borrow_mut().next().expect("it is read no more often").clone().map(roles);
        let dump = async || {
            *dumps.borrow_mut() += 1;
            Ok(*dumps.borrow())
        };
        let done =
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(with_roles(read, dump));
        let (which, recorded) = done.unwrap();
        assert_eq!((which, left.borrow().len()), (*dumps.borrow(), 0), "those of the last time");
        (which, recorded)
    }

    #[test]
    fn roles_are_recorded_if_they_stayed_as_they_were_while_globals_were_written() {
        let unread = |recorded: &Recorded<Roles>| match recorded {
            Recorded::Read(_) => None,
            Recorded::Unread { reason } => Some(reason.clone()),
        };
        let same = |name| Recorded::Read(Roles { same_around_globals: true, ..roles(name) });
        assert_eq!(recorded(&[Ok("a"), Ok("a")]), (1, same("a")));
        assert_eq!(recorded(&[Ok("a"), Ok("b"), Ok("b")]), (2, same("b")), "once more");
        let (dumps, told) = recorded(&[Ok("a"), Ok("b"), Ok("c")]);
        assert!(dumps == 2 && unread(&told).unwrap().contains("changed each of the 2 times"), "{told:?}");
        let failed = || Err(Failure::inconclusive(codes::SOURCE_UNREACHABLE, "it is gone"));
        let (dumps, told) = recorded(&[Ok("a"), failed()]);
        assert_eq!((dumps, unread(&told).as_deref()), (1, Some("it is gone")));
        assert_eq!(recorded(&[failed(), Ok("a"), Ok("a")]), (2, same("a")));
    }
}
