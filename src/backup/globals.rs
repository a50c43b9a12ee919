//! The globals of the server: its roles, their memberships and settings, which no dump of a database holds.

use std::time::Instant;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Job;
use super::client::Client;
use super::explain::pg_dumpall_failed;
use super::report::{Dump, Uploaded, WrittenGlobals};
use crate::format::pg_globals;
use crate::layer;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human;
use crate::model::manifest::{self, Recorded};
use crate::model::names::{DatabaseName, ObjectKey};
use crate::store;

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
            written.roles = Some(match client.source().roles(database).await {
                Ok(roles) => Recorded::Read(roles),
                Err(failure) => Recorded::Unread { reason: human::one_line(&failure.message, 300) },
            });
        }
        // What a drill could not read is no backup of the roles.
        pg_globals::Globals::read(said.stdout.as_bytes()).map_err(|error| {
            Failure::bad(
                codes::GLOBALS_UNREADABLE,
                format!("pg_dumpall wrote what a drill cannot use: {error}"),
            )
        })?;
        let sealed = Bytes::from(layer::seal_whole(said.stdout.as_bytes(), &self.recipients)?);
        let mut upload = self.store.create(&written.key).await?;
        if let Err(failure) = upload.write(sealed.clone()).await {
            // The first failure is the one to report.
            let _ = upload.abort().await;
            return Err(failure);
        }
        upload.finish().await?;
        written.uploaded = Some(Uploaded {
            size_bytes: sealed.len() as u64,
            ciphertext_sha256: hex::encode(Sha256::digest(&sealed)),
            plaintext_bytes: said.stdout.len() as u64,
            plaintext_sha256: hex::encode(Sha256::digest(&said.stdout)),
            seconds: began.elapsed().as_secs_f64(),
        });
        let Some(identities) = &self.verify_with else { return Ok(()) };
        let back = store::whole(&self.store, &written.key, pg_globals::SIZE_LIMIT).await?;
        let back = back.ok_or_else(|| differs(&written.key, "it is not in the store"))?;
        if back != sealed {
            return Err(differs(&written.key, "its bytes are others"));
        }
        if layer::open_whole("the globals", &back, identities)? != said.stdout.as_bytes() {
            return Err(differs(&written.key, "it says something else"));
        }
        written.verified = true;
        Ok(())
    }
}

fn differs(key: &ObjectKey, how: &str) -> Failure {
    Failure::bad(
        codes::READBACK_DIFFERS,
        format!("reading {key} back does not give what was uploaded: {how}"),
    )
    .hint("the dumps are not affected; check the store, and run the backup again for the roles")
}
