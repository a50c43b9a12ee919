//! Small objects of a backup, which are held as a whole: sealed, uploaded, and read back.

use bytes::Bytes;

use super::Job;
use crate::layer;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::names::ObjectKey;
use crate::store;

/// What such an object is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// The roles of the server.
    Globals,
    /// What was read of the source.
    Manifest,
}

/// One in the store.
pub(super) struct Small {
    kind: Kind,
    key: ObjectKey,
    /// Its bytes.
    pub(super) sealed: Bytes,
}

impl Job {
    /// Encrypts and uploads one. Whatever goes wrong before the end, the object does not appear.
    pub(super) async fn put(&self, kind: Kind, key: &ObjectKey, plaintext: &[u8]) -> Result<Small> {
        let sealed = Bytes::from(layer::seal_whole(plaintext, &self.recipients)?);
        let mut upload = self.store.create(key).await.map_err(|failure| kind.not_made(failure))?;
        if let Err(failure) = upload.write(sealed.clone()).await {
            // The first failure is the one to report.
            let _ = upload.abort().await;
            return Err(failure);
        }
        upload.finish().await?;
        Ok(Small { kind, key: key.clone(), sealed })
    }

    /// Reads one back and opens it, and demands that it says what it must. Returns whether there was a key to do so.
    pub(super) async fn read_back(
        &self,
        small: &Small,
        limit: u64,
        is_right: impl FnOnce(&[u8]) -> bool,
    ) -> Result<bool> {
        let Some(identities) = &self.verify_with else { return Ok(false) };
        let back = store::whole(&self.store, &small.key, limit).await?;
        let back = back.ok_or_else(|| small.differs("it is not in the store"))?;
        if back != small.sealed {
            return Err(small.differs("its bytes are others"));
        }
        if !is_right(&layer::open_whole(small.kind.words(), &back, identities)?) {
            return Err(small.differs("it says something else"));
        }
        Ok(true)
    }
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Globals => "the globals",
            Self::Manifest => "the manifest",
        }
    }

    fn not_made(self, failure: Failure) -> Failure {
        match (self, failure.code) {
            (Self::Manifest, codes::OBJECT_EXISTS) => failure.hint(
                "two backups of the same time, by store.timestamp, have one manifest; --no-manifest leaves it out",
            ),
            _ => failure,
        }
    }
}

impl Small {
    fn differs(&self, how: &str) -> Failure {
        let hint = match self.kind {
            Kind::Globals => {
                "the dumps are not affected; check the store, and run the backup again for the roles"
            }
            Kind::Manifest => {
                "the dumps are not affected; check the store, and run the backup again for a manifest"
            }
        };
        Failure::bad(
            codes::READBACK_DIFFERS,
            format!("reading {} back does not give what was uploaded: {how}", self.key),
        )
        .hint(hint)
    }
}
