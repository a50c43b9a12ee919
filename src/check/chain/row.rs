//! The hash of one audit row.

use super::canonical::{Canonicalizer, JsonError};
use super::digest::HexDigest;
use super::python::push_ascii_string;
use super::timestamp::push_iso_timestamp;

/// What of an audit row is hashed. Ids are in their text form, lowercase and hyphenated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditRow<'a> {
    /// Whose chain the row is in.
    pub tenant_id: Option<&'a str>,
    /// Which agent acted.
    pub agent_id: Option<&'a str>,
    /// What was done, for example `execute_tool`.
    pub action: &'a str,
    /// With which tool.
    pub tool: Option<&'a str>,
    /// What the policy decided, for example `allow`.
    pub decision: &'a str,
    /// The request the row belongs to.
    pub request_id: Option<&'a str>,
    /// Why it was decided so. Hashed from version 2 on.
    pub reason: Option<&'a str>,
    /// The `jsonb` as Postgres prints it. Hashed from version 2 on.
    pub metadata: Option<&'a str>,
    /// Microseconds since the Unix epoch. Hashed from version 2 on.
    pub timestamp_micros: Option<i64>,
}

/// Which fields a row's hash covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashVersion {
    /// Who did what with which decision.
    V1,
    /// That, and when, why and with what metadata.
    V2,
}

impl HashVersion {
    /// The version a `hash_version` column stands for; null, in rows older than the column, means 1.
    ///
    /// # Errors
    /// When the platform has no such version.
    pub fn from_column(value: Option<i16>) -> Result<Self, HashError> {
        match value {
            None | Some(1) => Ok(Self::V1),
            Some(2) => Ok(Self::V2),
            Some(other) => Err(HashError::UnknownVersion(other)),
        }
    }
}

/// Why a row cannot be hashed, so that its chain can be neither proved nor disproved there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The `hash_version` is not one the platform has.
    #[error("hash version {0} is not known, only 1 and 2 are")]
    UnknownVersion(i16),
    /// The timestamp has no ISO 8601 form with a four-digit year.
    #[error("timestamp {0} µs lies outside the years 1 to 9999")]
    TimestampOutOfRange(i64),
    /// The metadata has no canonical form.
    #[error("metadata is {0}")]
    Metadata(#[from] JsonError),
}

/// Hashes rows, reusing its buffers, so that a chain of millions of rows costs no allocation per row.
#[derive(Debug, Default)]
pub struct RowHasher {
    text: Vec<u8>,
    metadata: Canonicalizer,
}

impl RowHasher {
    /// With empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The `event_hash` of `row` when it follows the row whose hash is `prev_hash`
    /// ([`GENESIS`](super::GENESIS) for the first of a chain).
    ///
    /// `sha256(prev_hash || json)`, where `json` is one object as Python's `json.dumps(…, sort_keys=True)` prints
    /// it: every value a string, null as the empty string.
    ///
    /// # Errors
    /// In version 2, when the timestamp or the metadata has no form to hash.
    pub fn event_hash(
        &mut self,
        prev_hash: &str,
        row: &AuditRow<'_>,
        version: HashVersion,
    ) -> Result<HexDigest, HashError> {
        self.text.clear();
        self.text.extend_from_slice(prev_hash.as_bytes());
        self.push_string("{\"action\": ", Some(row.action));
        self.push_string(", \"agent_id\": ", row.agent_id);
        self.push_string(", \"decision\": ", Some(row.decision));
        if version >= HashVersion::V2 {
            let metadata = self.metadata_sha256(row.metadata)?;
            self.push_string(", \"metadata_sha256\": ", Some(metadata.as_str()));
            self.push_string(", \"reason\": ", row.reason);
        }
        self.push_string(", \"request_id\": ", row.request_id);
        self.push_string(", \"tenant_id\": ", row.tenant_id);
        if version >= HashVersion::V2 {
            self.push_timestamp(row.timestamp_micros)?;
        }
        self.push_string(", \"tool\": ", row.tool);
        self.text.push(b'}');
        Ok(HexDigest::of(&self.text))
    }

    fn push_string(&mut self, name: &str, value: Option<&str>) {
        self.text.extend_from_slice(name.as_bytes());
        push_ascii_string(&mut self.text, value.unwrap_or_default());
    }

    fn push_timestamp(&mut self, micros: Option<i64>) -> Result<(), HashError> {
        self.text.extend_from_slice(b", \"timestamp\": \"");
        if let Some(micros) = micros
            && !push_iso_timestamp(&mut self.text, micros)
        {
            return Err(HashError::TimestampOutOfRange(micros));
        }
        self.text.push(b'"');
        Ok(())
    }

    fn metadata_sha256(&mut self, metadata: Option<&str>) -> Result<HexDigest, JsonError> {
        // Most rows have no metadata, and the platform hashes its absence as an empty object.
        const EMPTY_OBJECT: HexDigest =
            HexDigest::from_hex(b"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
        match metadata {
            None | Some("{}" | "null") => Ok(EMPTY_OBJECT),
            Some(json) => self.metadata.canonicalize(json).map(HexDigest::of),
        }
    }
}
