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
use crate::model::manifest;
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
        let said = client.engine.capture(client.pg_dumpall(database), limit).await?;
        if !said.ok() {
            return Err(pg_dumpall_failed(said.exit_code, &said.stderr));
        }
        if self.manifest.is_some() {
            // At once: a role that is made or changed while databases are dumped is in both.
            written.roles = Some(client.source().roles(database).await.into());
        }
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
