//! Manifests: what a backup found in the source, under the snapshot it dumped. Pure.
//!
//! One object a backup, beside the dumps: `manifest_<timestamp>.json.age`. For each database it has the dump's hashes;
//! for each table the number of its rows, and a [`Fingerprint`] of them that does not depend on their order. A drill
//! computes both again from what it restored. See `docs/manifest.md` for the schema.

mod access;
mod collation;
mod fingerprint;
mod globals;
mod objects;
mod recorded;

use std::fmt;

use chrono::{DateTime, Utc};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::model::names::{DatabaseName, ObjectKey};

pub use access::{
    Access, DefaultPrivileges, Grant, Grantee, LargeObjects, Membership, ObjectGroup, Policy, Role, Roles,
    RowSecurity, object_name,
};
pub use collation::{Collation, Collations, NamedCollation};
pub use fingerprint::{Fingerprint, RowHasher, TableFold, UnfinishedRow};
pub use globals::Globals;
pub use objects::{
    CatalogObject, Definition, FORM, NOT_POPULATED, ObjectKind, ObjectName, Objects, POPULATED,
};
pub use recorded::Recorded;

/// More than the manifest of a hundred thousand tables has.
pub const SIZE_LIMIT: u64 = 64 * 1024 * 1024;
/// The version of the schema that this program writes, and the only one that it reads.
pub const SCHEMA_VERSION: u32 = 1;
/// How rows are hashed and combined: BLAKE3, keyed; sums modulo 2^256.
pub const ALGORITHM: &str = "blake3-keyed-sum256";

/// What a backup found in the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this schema.
    pub schema_version: u32,
    /// The template it was made with.
    pub template: String,
    /// The time in the keys of the dumps, and in its own.
    pub taken_at: DateTime<Utc>,
    /// Version of the program that wrote it.
    pub tool_version: String,
    /// How rows are hashed and combined.
    pub algorithm: String,
    /// The key that rows are hashed with.
    pub fingerprint_key: FingerprintKey,
    /// The globals of their server, if they were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub globals: Option<Globals>,
    /// The databases whose dumps are in the store.
    pub databases: Vec<Database>,
    /// The source's roles; absent in manifests of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Recorded<Roles>>,
}

/// One database, and its dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name.
    pub name: DatabaseName,
    /// The key of its dump.
    pub key: ObjectKey,
    /// Size of the object.
    pub size_bytes: u64,
    /// Its SHA-256.
    pub ciphertext_sha256: String,
    /// Size of the dump.
    pub plaintext_bytes: u64,
    /// Its SHA-256.
    pub plaintext_sha256: String,
    /// The server and the database, as far as they could be asked.
    pub source: Option<Source>,
    /// Its tables.
    pub content: Content,
    /// Who may do what in it; absent in manifests of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Recorded<Access>>,
    /// Its indexes, constraints, views, functions and the like; absent in manifests that were made before there was this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Recorded<Objects>>,
    /// How it compares texts; absent in manifests of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collations: Option<Recorded<Collations>>,
}

/// What a server says about itself and one of its databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The server's version.
    pub server_version: String,
    /// The database's encoding.
    pub encoding: String,
    /// Whether the server is a standby.
    pub standby: bool,
    /// When the snapshot was taken, by the server's clock.
    pub snapshot_at: DateTime<Utc>,
    /// Installed extensions.
    pub extensions: Vec<Extension>,
}

/// An installed extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// What was read of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Content {
    /// Its tables, all of them.
    Read {
        /// In the order of their names.
        tables: Vec<Table>,
    },
    /// Nothing.
    Unread {
        /// Why not.
        reason: String,
    },
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// The columns that are dumped, in the order in which they are hashed.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Rows,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as `format_type` writes it with an empty search path.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The rows of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Rows {
    /// Every one was read.
    Read {
        /// How many there are.
        count: u64,
        /// Their fingerprint.
        fingerprint: Fingerprint,
    },
    /// They were not read.
    Unread {
        /// Why not.
        reason: String,
    },
}

/// The key that the rows of one manifest are hashed with: random, and known to whoever can read the manifest only. So a
/// fingerprint gives no guess away, and rows cannot be chosen to fit one.
#[derive(Clone, PartialEq, Eq)]
pub struct FingerprintKey([u8; 32]);

impl FingerprintKey {
    /// A new one.
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill(&mut bytes[..]);
        Self(bytes)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for FingerprintKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for FingerprintKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = [0; 32];
        let text = String::deserialize(deserializer)?;
        // The text is the key, so an error does not show it.
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| serde::de::Error::custom("fingerprint_key is not 32 bytes in hex"))?;
        Ok(Self(bytes))
    }
}

/// Why a text is no manifest that this program can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Another program wrote it, or this one in another version.
    #[error("its schema version is {0}, and this program knows version {SCHEMA_VERSION}")]
    UnknownVersion(u32),
    /// Its rows are hashed in a way that this program does not know.
    #[error("its fingerprints are made by `{0}`, which this program does not know")]
    UnknownAlgorithm(String),
    /// It is damaged, or no manifest at all.
    #[error("it is not a manifest: {0}")]
    Malformed(String),
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn parse(json: &[u8]) -> Result<Self, ManifestError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let malformed = |error: serde_json::Error| {
            // Its words may quote the text; where it stands says enough.
            ManifestError::Malformed(format!("line {}, column {}", error.line(), error.column()))
        };
        let version: Version = serde_json::from_slice(json).map_err(malformed)?;
        if version.schema_version != SCHEMA_VERSION {
            return Err(ManifestError::UnknownVersion(version.schema_version));
        }
        let manifest: Self = serde_json::from_slice(json).map_err(malformed)?;
        if manifest.algorithm != ALGORITHM {
            return Err(ManifestError::UnknownAlgorithm(crate::model::human::one_line(
                &manifest.algorithm,
                40,
            )));
        }
        Ok(manifest)
    }

    /// The manifest as it is stored, before it is encrypted.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("names and numbers always serialise");
        json.push(b'\n');
        json
    }

    /// What it has of a database.
    pub fn database(&self, name: &DatabaseName) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == *name)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    pub use super::collation::tests::collation;
    use super::*;

    /// A manifest of the database `shop` with a table `t` of these rows.
    pub fn of_rows(rows: &[&[u8]]) -> Manifest {
        let fingerprint_key = FingerprintKey([7; 32]);
        let columns = vec![Column { name: "id".to_owned(), kind: "integer".to_owned() }];
        let mut fold = TableFold::new(RowHasher::new(&fingerprint_key, "public", "t", &["id"]));
        rows.iter().for_each(|row| fold.push(&[row, b"\n".as_slice()].concat()));
        let (count, fingerprint) = fold.finish().unwrap();
        Manifest {
            schema_version: SCHEMA_VERSION,
            template: "shop".to_owned(),
            taken_at: "2026-05-17T08:31:11Z".parse().unwrap(),
            tool_version: "0.0.0".to_owned(),
            algorithm: ALGORITHM.to_owned(),
            fingerprint_key,
            globals: None,
            databases: vec![Database {
                name: "shop".parse().unwrap(),
                key: ObjectKey::new("nightly/shop_20260517T083111Z.dump.age"),
                size_bytes: 10,
                ciphertext_sha256: "c".to_owned(),
                plaintext_bytes: 9,
                plaintext_sha256: "p".to_owned(),
                source: Some(Source {
                    server_version: "17.2".to_owned(),
                    encoding: "UTF8".to_owned(),
                    standby: false,
                    snapshot_at: "2026-05-17T08:31:12Z".parse().unwrap(),
                    extensions: vec![Extension { name: "hstore".to_owned(), version: "1.8".to_owned() }],
                }),
                content: Content::Read {
                    tables: vec![Table {
                        schema: "public".to_owned(),
                        name: "t".to_owned(),
                        columns,
                        rows: Rows::Read { count, fingerprint },
                    }],
                },
                access: None,
                objects: None,
                collations: Some(Recorded::Read(Collations {
                    database: collation("libc", "en_US.utf8", Some("2.41")),
                    others: Vec::new(),
                })),
            }],
            roles: None,
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let manifest = of_rows(&[b"1", b"2"]);
        assert_eq!(Manifest::parse(&manifest.to_json()), Ok(manifest));
    }

    #[test]
    fn keys_that_later_versions_add_are_passed_over() {
        let manifest = of_rows(&[]);
        let mut json: serde_json::Value = serde_json::from_slice(&manifest.to_json()).unwrap();
        json["added"] = 1.into();
        json["databases"][0]["added"] = 1.into();
        assert_eq!(Manifest::parse(json.to_string().as_bytes()), Ok(manifest));
    }

    #[test]
    fn keys_that_earlier_versions_did_not_write_may_be_absent() {
        let mut manifest = of_rows(&[b"1"]);
        let mut json: serde_json::Value = serde_json::from_slice(&manifest.to_json()).unwrap();
        json["databases"][0].as_object_mut().unwrap().remove("collations").unwrap();
        manifest.databases[0].collations = None;
        assert_eq!(Manifest::parse(json.to_string().as_bytes()), Ok(manifest));
    }

    #[test]
    fn what_is_no_manifest_of_this_version_is_told_apart() {
        let changed = |key: &str, value: serde_json::Value| {
            let mut json: serde_json::Value = serde_json::from_slice(&of_rows(&[]).to_json()).unwrap();
            json[key] = value;
            Manifest::parse(json.to_string().as_bytes()).unwrap_err()
        };
        assert_eq!(changed("schema_version", 2.into()), ManifestError::UnknownVersion(2));
        assert_eq!(changed("algorithm", "md5".into()), ManifestError::UnknownAlgorithm("md5".to_owned()));
        for (key, value) in [("fingerprint_key", "abc"), ("databases", "none"), ("taken_at", "yesterday")] {
            assert!(matches!(changed(key, value.into()), ManifestError::Malformed(_)), "{key}");
        }
        for text in ["", "{}", "PGDMP", "[]"] {
            assert!(matches!(Manifest::parse(text.as_bytes()), Err(ManifestError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn the_key_is_never_shown_by_accident() {
        let manifest = of_rows(&[]);
        assert!(!format!("{manifest:?}").contains("0707"));
        assert_ne!(FingerprintKey::random(), FingerprintKey::random());
    }
}
