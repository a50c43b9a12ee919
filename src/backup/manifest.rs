//! The manifest of a backup: put together from what the dumps came to, uploaded last, and read back.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::Job;
use super::report::{Dump, SourceContent, WrittenGlobals, WrittenManifest, timed_out};
use super::small::Kind;
use crate::model::failure::{Failure, Result};
use crate::model::manifest::{
    ALGORITHM, Content, Database, FingerprintKey, Manifest, Recorded, Roles, SCHEMA_VERSION, SIZE_LIMIT,
};
use crate::model::names::ObjectKey;

/// How long uploading a manifest and reading it back may take: the dumps may have used up the backup's own time.
const UPLOAD_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Bytes of a manifest that can be read back, with room for its encryption.
const FITS: usize = 63 << 20;

/// What a database's dump has in the manifest; nothing, if there is no dump.
fn entry(dump: &Dump) -> Option<Database> {
    let uploaded = dump.uploaded.as_ref()?;
    let SourceContent { source, tables, unread, access, objects, collations, .. } = dump.content.clone();
    let reason = unread.unwrap_or_else(|| "the backup was stopped before it was read".to_owned());
    let access = access.unwrap_or_else(|| Recorded::Unread { reason: reason.clone() });
    let content = tables.map_or_else(|| Content::Unread { reason }, |tables| Content::Read { tables });
    Some(Database {
        name: dump.database.clone(),
        key: dump.key.clone(),
        size_bytes: uploaded.size_bytes,
        ciphertext_sha256: uploaded.ciphertext_sha256.clone(),
        plaintext_bytes: uploaded.plaintext_bytes,
        plaintext_sha256: uploaded.plaintext_sha256.clone(),
        source,
        content,
        access: Some(access),
        objects,
        collations,
    })
}

/// The roles, of the time at which the globals were written: without globals there is nothing to compare them with.
fn roles(globals: Option<&WrittenGlobals>) -> Recorded<Roles> {
    let unread = |reason: &str| Recorded::Unread { reason: reason.to_owned() };
    match globals {
        Some(globals) => globals.roles.clone().unwrap_or_else(|| unread("the globals could not be written")),
        None => unread("the backup wrote no globals"),
    }
}

impl Job {
    /// Writes the manifest of these dumps, unless it is cancelled. Without any dump there is nothing to write.
    pub(super) async fn write_manifest(
        &self,
        key: ObjectKey,
        taken_at: chrono::DateTime<chrono::Utc>,
        fingerprint_key: &FingerprintKey,
        dumps: &[Dump],
        globals: Option<&WrittenGlobals>,
        cancel: &CancellationToken,
    ) -> Option<WrittenManifest> {
        let databases: Vec<Database> = dumps.iter().filter_map(entry).collect();
        if databases.is_empty() {
            return None;
        }
        let began = Instant::now();
        let mut written = WrittenManifest {
            key,
            size_bytes: None,
            ciphertext_sha256: None,
            databases: databases.len(),
            verified: false,
            seconds: 0.0,
            error: None,
            failure: None,
        };
        let mut manifest = Manifest {
            schema_version: SCHEMA_VERSION,
            template: self.template.name.clone(),
            taken_at,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            algorithm: ALGORITHM.to_owned(),
            fingerprint_key: fingerprint_key.clone(),
            globals: globals.and_then(|globals| globals.entry(dumps)),
            databases,
            roles: Some(roles(globals)),
        };
        manifest.leave_out_objects_beyond(FITS);
        let uploaded = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(Failure::cancelled()),
            () = tokio::time::sleep(UPLOAD_LIMIT) => Err(timed_out("uploading it", UPLOAD_LIMIT)
                .hint("the dumps are not affected; check the store, and run the backup again for a manifest")),
            uploaded = self.upload_manifest(&manifest, &mut written) => uploaded,
        };
        if let Err(failure) = uploaded {
            let failure = self.template.hinted(failure);
            written.error = Some(failure.to_record(None));
            written.failure = Some(failure.context("the manifest"));
        }
        written.seconds = began.elapsed().as_secs_f64();
        Some(written)
    }

    async fn upload_manifest(&self, manifest: &Manifest, written: &mut WrittenManifest) -> Result<()> {
        let small = self.put(Kind::Manifest, &written.key, &manifest.to_json()).await?;
        written.size_bytes = Some(small.sealed.len() as u64);
        written.ciphertext_sha256 = Some(hex::encode(Sha256::digest(&small.sealed)));
        let is_right = |back: &[u8]| Manifest::parse(back).as_ref() == Ok(manifest);
        written.verified = self.read_back(&small, SIZE_LIMIT, is_right).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::report::Uploaded;
    use crate::model::manifest::{Source, Table};

    fn dump(uploaded: bool, tables: Option<Vec<Table>>, unread: Option<&str>) -> Dump {
        let uploaded = uploaded.then(|| Uploaded {
            size_bytes: 10,
            ciphertext_sha256: "c".to_owned(),
            plaintext_bytes: 9,
            plaintext_sha256: "p".to_owned(),
            seconds: 1.0,
        });
        let source = Source {
            server_version: "17.2".to_owned(),
            encoding: "UTF8".to_owned(),
            standby: false,
            snapshot_at: "2026-05-17T08:31:12Z".parse().unwrap(),
            extensions: Vec::new(),
        };
        let mut dump = Dump::of("shop".parse().unwrap(), ObjectKey::new("shop.dump.age"));
        dump.uploaded = uploaded;
        dump.content = SourceContent {
            source: Some(source),
            tables,
            unread: unread.map(str::to_owned),
            access: None,
            objects: None,
            collations: None,
            seconds: 1.0,
        };
        dump
    }

    #[test]
    fn roles_are_of_the_time_of_the_globals() {
        assert_eq!(roles(None), Recorded::Unread { reason: "the backup wrote no globals".to_owned() });
        let mut globals = WrittenGlobals {
            key: ObjectKey::new("g"),
            uploaded: None,
            verified: false,
            error: None,
            roles: None,
            failure: None,
        };
        let told = roles(Some(&globals));
        assert_eq!(told, Recorded::Unread { reason: "the globals could not be written".to_owned() });
        assert_eq!(globals.warning(), None, "its failure says it");
        globals.roles = Some(Recorded::Read(Roles::default()));
        assert_eq!(roles(Some(&globals)), Recorded::Read(Roles::default()));
        globals.roles = Some(Recorded::Unread { reason: "it changed".to_owned() });
        assert!(globals.warning().unwrap().ends_with("cannot compare them: it changed"));
    }

    #[test]
    fn only_databases_with_a_dump_are_in_the_manifest() {
        assert_eq!(entry(&dump(false, Some(Vec::new()), None)), None);
        let entry = entry(&dump(true, Some(Vec::new()), None)).unwrap();
        assert_eq!(entry.content, Content::Read { tables: Vec::new() });
        assert_eq!((entry.size_bytes, &*entry.plaintext_sha256), (10, "p"));
    }

    #[test]
    fn a_database_that_was_not_read_says_why() {
        let entry = entry(&dump(true, None, Some("it is too old"))).unwrap();
        assert_eq!(entry.content, Content::Unread { reason: "it is too old".to_owned() });
        assert_eq!(entry.source.unwrap().server_version, "17.2");
    }
}
