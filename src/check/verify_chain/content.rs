//! Whether a row is what was hashed.

use super::fields::{Fields, Index};
use super::layout::{AegisAt, ContentAt, PreimageAt};
use super::rules::Rules;
use super::value::Value;
use crate::check::chain::{AuditRow, HashError, HashVersion, HexDigest, RowHasher, chain_shard};
use crate::check::verify_chain::code;
use crate::check::verify_chain::settings::HashChain;
use crate::model::code::Code;
use crate::model::human;
use crate::target::postgres::chain_rows::FieldKind;

/// What is wrong with a row, whatever its place.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The finding's code.
    pub code: Code,
    /// What was expected.
    pub expected: String,
    /// What was there.
    pub actual: String,
}

/// Judges rows one by one, reusing its buffers.
#[derive(Debug, Default)]
pub struct ContentJudge {
    aegis: RowHasher,
    preimage: Vec<u8>,
    /// Rows of version 2 that were hashed with an empty timestamp.
    pub untimed: u64,
    /// Whether the latest row of version 2 was one of them: the next most likely is too.
    was_untimed: bool,
    /// Rows of version 2 that are in shard 0 though their request says another.
    pub unsharded: u64,
}

impl ContentJudge {
    /// What is wrong with the row, if anything is.
    pub fn judge(
        &mut self,
        at: &ContentAt,
        rules: &Rules,
        fields: Fields<'_>,
        hash: Option<&[u8]>,
        link: Option<&[u8]>,
    ) -> Option<Fault> {
        if matches!(at, ContentAt::None) {
            return None;
        }
        let Some(stored) = hash else {
            return Some(Fault {
                code: code::NULL_HASH,
                expected: format!("{} is set", rules.hash_name),
                actual: format!("{} is null", rules.hash_name),
            });
        };
        // A null link where there must be one is reported with the links: nothing can be computed from it.
        if link.is_none() && rules.genesis.is_some() {
            return None;
        }
        let link = link.unwrap_or_default();
        match at {
            ContentAt::None => None,
            ContentAt::Aegis(at) => self.aegis(at, rules, fields, stored, link),
            ContentAt::General { scheme, version, preimages } => {
                self.general(scheme, *version, preimages, rules, fields, stored, link)
            }
        }
    }

    /// What is wrong with the shard that an audit row is in, if anything is: it follows from the request. Rows
    /// that were never spread over shards are in shard 0, so those are counted.
    pub fn judge_shard(&mut self, at: &ContentAt, fields: Fields<'_>) -> Option<Fault> {
        let ContentAt::Aegis(at) = at else { return None };
        let (index, shards) = (at.shard?, at.shards?);
        let shard = fields.get(index).int().unwrap_or(0);
        // Rows of version 1 are from before there were shards, or may be.
        if shard == 0 && fields.maybe(at.version).int().is_none_or(|version| version == 1) {
            return None;
        }
        let mut buffer = [0; 40];
        let request = fields.get(at.request).text(&mut buffer).ok()?;
        let right = request.map_or(0, |request| chain_shard(&request, shards));
        if shard == i64::from(right) {
            return None;
        }
        if shard == 0 {
            self.unsharded += 1;
            return None;
        }
        Some(Fault {
            code: code::WRONG_SHARD,
            expected: format!("chain_shard {right}, which follows from its request_id"),
            actual: format!("chain_shard {shard}"),
        })
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.untimed += other.untimed;
        self.unsharded += other.unsharded;
    }

    fn aegis(
        &mut self,
        at: &AegisAt,
        rules: &Rules,
        fields: Fields<'_>,
        stored: &[u8],
        link: &[u8],
    ) -> Option<Fault> {
        let version = fields.maybe(at.version);
        let version = match version.raw {
            None => HashVersion::V1,
            Some(_) => match version.int().map(i16::try_from) {
                Some(Ok(number)) => match HashVersion::from_column(Some(number)) {
                    Ok(version) => version,
                    Err(error) => return Some(unknown_version("hash version 1 or 2", &error.to_string())),
                },
                _ => return Some(unknown_version("hash version 1 or 2", "a hash version that is no number")),
            },
        };
        if version == HashVersion::V1 {
            let hash = self.aegis_hash(at, fields, link, version, true);
            return hash_fault(rules, hash, stored);
        }
        // The writer of version 2 has hashed an empty timestamp for as long as it left out to set one.
        let first = self.was_untimed;
        let hash = self.aegis_hash(at, fields, link, version, !first);
        if matches!(&hash, Ok(hash) if hash.as_bytes() == stored) {
            self.untimed += u64::from(first);
            return None;
        }
        let other = self.aegis_hash(at, fields, link, version, first);
        if matches!(&other, Ok(hash) if hash.as_bytes() == stored) {
            self.was_untimed = !first;
            self.untimed += u64::from(!first);
            return None;
        }
        // The finding reports what the row should be.
        hash_fault(rules, if first { other } else { hash }, stored)
    }

    fn aegis_hash(
        &mut self,
        at: &AegisAt,
        fields: Fields<'_>,
        link: &[u8],
        version: HashVersion,
        is_timed: bool,
    ) -> Result<HexDigest, String> {
        fn plain<'a>(value: Value<'a>) -> Result<Option<&'a str>, std::str::Utf8Error> {
            value.raw.map(str::from_utf8).transpose()
        }
        let utf8 = |_| "a column that is not UTF-8".to_owned();
        let (mut tenant, mut agent, mut request, mut spare) = ([0; 40], [0; 40], [0; 40], [0; 40]);
        let tenant = fields.get(at.tenant).text(&mut tenant).map_err(utf8)?;
        let agent = fields.get(at.agent).text(&mut agent).map_err(utf8)?;
        let request = fields.get(at.request).text(&mut request).map_err(utf8)?;
        let action = plain(fields.get(at.action)).map_err(utf8)?;
        let decision = plain(fields.get(at.decision)).map_err(utf8)?;
        let metadata = fields.maybe(at.metadata).text(&mut spare).map_err(utf8)?;
        let moment =
            if is_timed { fields.get(at.timestamp) } else { Value { kind: FieldKind::Text, raw: None } };
        let timestamp_micros = moment.micros();
        if version >= HashVersion::V2 && moment.raw.is_some() && timestamp_micros.is_none() {
            return Err("a timestamp that cannot be read".to_owned());
        }
        let row = AuditRow {
            tenant_id: tenant.as_deref(),
            agent_id: agent.as_deref(),
            action: action.unwrap_or_default(),
            tool: plain(fields.get(at.tool)).map_err(utf8)?,
            decision: decision.unwrap_or_default(),
            request_id: request.as_deref(),
            reason: plain(fields.maybe(at.reason)).map_err(utf8)?,
            metadata: metadata.as_deref(),
            timestamp_micros,
        };
        let link = str::from_utf8(link).map_err(utf8)?;
        self.aegis.event_hash(link, &row, version).map_err(|error: HashError| error.to_string())
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one scheme and of one row")]
    fn general(
        &mut self,
        scheme: &HashChain,
        version: Option<Index>,
        preimages: &[(String, PreimageAt)],
        rules: &Rules,
        fields: Fields<'_>,
        stored: &[u8],
        link: &[u8],
    ) -> Option<Fault> {
        let preimage = match version {
            None => preimages.first(),
            Some(index) => {
                let value = fields.get(index).raw.unwrap_or(b"null");
                preimages.iter().find(|(version, _)| version.as_bytes() == value)
            }
        };
        let Some((_, preimage)) = preimage else {
            let known: Vec<&str> = preimages.iter().map(|(version, _)| version.as_str()).collect();
            let value = version.and_then(|index| fields.get(index).raw).map(String::from_utf8_lossy);
            let value = human::one_line(value.as_deref().unwrap_or("null"), 40);
            return Some(unknown_version(
                &format!("version {}", known.join(" or ")),
                &format!("version {value}"),
            ));
        };
        self.preimage.clear();
        if scheme.link_in_preimage {
            self.preimage.extend_from_slice(link);
        }
        match preimage {
            PreimageAt::Columns(columns, join) => {
                join.push(&mut self.preimage, columns.iter().map(|index| fields.raw[*index]));
            }
            PreimageAt::Whole(index) => match fields.raw[*index] {
                Some(bytes) => self.preimage.extend_from_slice(bytes),
                None => return Some(unhashable("a preimage that is null".to_owned())),
            },
        }
        let hash = scheme.hash.digest(&self.preimage);
        if scheme.encoding.matches(stored, &hash) {
            return None;
        }
        Some(mismatch(rules, &scheme.encoding.write(&hash), stored))
    }
}

fn hash_fault(rules: &Rules, hash: Result<HexDigest, String>, stored: &[u8]) -> Option<Fault> {
    match hash {
        Ok(hash) if hash.as_bytes() == stored => None,
        Ok(hash) => Some(mismatch(rules, hash.as_bytes(), stored)),
        Err(why) => Some(unhashable(why)),
    }
}

fn mismatch(rules: &Rules, computed: &[u8], stored: &[u8]) -> Fault {
    Fault {
        code: code::HASH_MISMATCH,
        expected: format!("{} {}", rules.hash_name, rules.show(Some(computed))),
        actual: format!("{} {}: the row is not what was hashed", rules.hash_name, rules.show(Some(stored))),
    }
}

fn unknown_version(expected: &str, actual: &str) -> Fault {
    Fault { code: code::UNKNOWN_VERSION, expected: expected.to_owned(), actual: actual.to_owned() }
}

fn unhashable(why: String) -> Fault {
    Fault { code: code::UNHASHABLE_ROW, expected: "a row that can be hashed".to_owned(), actual: why }
}
