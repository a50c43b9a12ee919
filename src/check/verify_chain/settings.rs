//! The `verify-chain` check of a template: how the rows of a table are hashed and linked.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use serde::Deserialize;

use crate::check::chain::{Encoding, GENESIS, HashFunction, Join, SHARDS};
use crate::model::names::DatabaseName;
use crate::template::TableName;

/// A tamper-evident chain that must be unbroken. [`VerifyChain::chain`] says what the keys amount to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyChain {
    /// The check's name.
    pub name: String,
    /// The table's database.
    pub database: DatabaseName,
    /// The table.
    pub table: TableName,
    /// How its rows are hashed and linked.
    pub scheme: ChainScheme,
    /// The columns that tell chains apart.
    #[serde(default)]
    pub partition_by: Option<Vec<String>>,
    /// The columns that order a chain.
    #[serde(default)]
    pub order_by: Option<Vec<String>>,
    /// Whether a chain that begins in the middle fails the check. Otherwise it is taken as pruned, with a warning.
    #[serde(default)]
    pub require_genesis: bool,
    /// Whether the order column, a whole number, must count each chain without gaps.
    #[serde(default)]
    pub contiguous: bool,
    /// Whether a table without rows may be right. Otherwise nothing is verified then, and the check does not hold.
    #[serde(default)]
    pub allow_empty: bool,
    /// Whether rows that were the newest of their chains in an earlier drill may be gone, with a warning.
    #[serde(default)]
    pub allow_missing_heads: bool,
    /// How many forks there may be: rows that name a parent which another row names too. Without it, any number, with a
    /// warning.
    #[serde(default)]
    pub max_forks: Option<u64>,
    /// How many chains the rows of a tenant are spread over, 16 where nothing else is said; 0 if nothing is to be said of
    /// a row's shard.
    #[serde(default)]
    pub shards: Option<u16>,
    /// The columns that name a row in a finding.
    #[serde(default)]
    pub id: Option<Vec<String>>,
    /// The column with a row's hash.
    #[serde(default)]
    pub hash_column: Option<String>,
    /// The column with the hash of the row before.
    #[serde(default)]
    pub link_column: Option<String>,
    /// The hash function.
    #[serde(default)]
    pub hash: Option<HashFunction>,
    /// How both columns hold a hash.
    #[serde(default)]
    pub encoding: Option<Encoding>,
    /// What a chain's first row has in the link column; absent for null.
    #[serde(default)]
    pub genesis: Option<String>,
    /// Whether the link, as it stands in its column, is hashed before the rest.
    #[serde(default)]
    pub link_in_preimage: Option<bool>,
    /// The columns that are hashed, as text.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// How they become one text.
    #[serde(default)]
    pub join: Option<JoinForm>,
    /// What stands between them, with `join = "separator"`.
    #[serde(default)]
    pub separator: Option<String>,
    /// Instead of columns: SQL of the type `text` or `bytea`.
    #[serde(default)]
    pub preimage: Option<String>,
    /// The column whose value says which of `versions` a row has.
    #[serde(default)]
    pub version_column: Option<String>,
    /// What is hashed, by version.
    #[serde(default)]
    pub versions: BTreeMap<String, ContentKeys>,
}

/// What is hashed in rows of one version.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentKeys {
    /// The columns that are hashed, as text.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    /// How they become one text.
    #[serde(default)]
    pub join: Option<JoinForm>,
    /// What stands between them, with `join = "separator"`.
    #[serde(default)]
    pub separator: Option<String>,
    /// Instead of columns: SQL of the type `text` or `bytea`.
    #[serde(default)]
    pub preimage: Option<String>,
}

/// How the rows of a chain are hashed and linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ChainScheme {
    /// The Aegis platform's audit log, versions 1 and 2
    AegisAudit,
    /// Any other: the template says what is hashed and how.
    HashChain,
}

/// How columns become one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum JoinForm {
    /// A JSON array of strings and nulls.
    #[default]
    Json,
    /// Each behind its length.
    LengthPrefixed,
    /// With a separator between them.
    Separator,
}

/// What a `verify-chain` check amounts to, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// How rows are hashed.
    pub scheme: Scheme,
    /// The columns that tell chains apart.
    pub partition_by: Vec<String>,
    /// The columns that order a chain. None: the links alone say what comes after what, and a chain may fork.
    pub order_by: Option<Vec<String>>,
    /// How many forks there may be; none for any number.
    pub max_forks: Option<u64>,
    /// How many chains a tenant's rows are spread over; none if a row's shard is not looked at.
    pub shards: Option<NonZeroU16>,
    /// The columns that name a row.
    pub id: Vec<String>,
    /// The column with a row's hash.
    pub hash_column: String,
    /// The column with the hash of the row before.
    pub link_column: String,
    /// The link of a chain's first row, as it stands in the column; none for null.
    pub genesis: Option<Vec<u8>>,
    /// Whether a chain that begins in the middle is an error.
    pub require_genesis: bool,
    /// Whether the order column must count without gaps.
    pub contiguous: bool,
}

/// How rows are hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// As the Aegis platform does.
    AegisAudit,
    /// As the template says.
    HashChain(HashChain),
}

/// A hash chain of any make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashChain {
    /// The hash function.
    pub hash: HashFunction,
    /// How columns hold a hash.
    pub encoding: Encoding,
    /// Whether the link is hashed before the rest.
    pub link_in_preimage: bool,
    /// What is hashed.
    pub content: Content,
}

/// What is hashed of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The same of every row.
    One(Preimage),
    /// By the value of a column; `null` stands for null.
    Versions {
        /// The column.
        column: String,
        /// By its value.
        preimages: BTreeMap<String, Preimage>,
    },
}

/// Bytes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Preimage {
    /// Columns as text, joined.
    Columns(Vec<String>, Join),
    /// What an SQL expression returns.
    Sql(String),
}

impl VerifyChain {
    /// What the keys amount to.
    ///
    /// # Errors
    /// A sentence for a person, if they contradict each other or one is missing.
    pub fn chain(&self) -> Result<Chain, String> {
        let chain = match self.scheme {
            ChainScheme::AegisAudit => self.aegis()?,
            ChainScheme::HashChain => self.hash_chain()?,
        };
        for (key, columns) in
            [("id", &self.id), ("partition_by", &self.partition_by), ("order_by", &self.order_by)]
        {
            if columns.iter().flatten().any(String::is_empty) {
                return Err(format!("{key} names a column without a name"));
            }
        }
        if self.contiguous && chain.order_by.as_ref().is_none_or(|columns| columns.len() != 1) {
            // What orders an audit log by itself counts all its chains together, so each of them has gaps.
            return Err(
                "contiguous needs order_by with just one column, of whole numbers that count each chain by itself"
                    .to_owned(),
            );
        }
        Ok(chain)
    }

    fn aegis(&self) -> Result<Chain, String> {
        let foreign = [
            ("hash", self.hash.is_some()),
            ("encoding", self.encoding.is_some()),
            ("hash_column", self.hash_column.is_some()),
            ("link_column", self.link_column.is_some()),
            ("genesis", self.genesis.is_some()),
            ("link_in_preimage", self.link_in_preimage.is_some()),
            ("columns", self.columns.is_some()),
            ("join", self.join.is_some()),
            ("separator", self.separator.is_some()),
            ("preimage", self.preimage.is_some()),
            ("version_column", self.version_column.is_some()),
            ("versions", !self.versions.is_empty()),
        ];
        if let Some((key, _)) = foreign.into_iter().find(|(_, given)| *given) {
            return Err(format!("{key} belongs to the scheme hash-chain; aegis-audit knows its own"));
        }
        let or = |given: &Option<Vec<String>>, default: &[&str]| {
            given.clone().unwrap_or_else(|| default.iter().map(|name| (*name).to_owned()).collect())
        };
        let order_by = self.order_by.clone().filter(|columns| !columns.is_empty());
        if order_by.is_some() && self.max_forks.is_some() {
            return Err(
                "max_forks and order_by exclude each other: in an order of columns there are no forks"
                    .to_owned(),
            );
        }
        Ok(Chain {
            scheme: Scheme::AegisAudit,
            max_forks: self.max_forks,
            shards: self.shards.map_or(Some(SHARDS), NonZeroU16::new),
            partition_by: or(&self.partition_by, &["tenant_id", "chain_shard"]),
            order_by,
            id: or(&self.id, &["id"]),
            hash_column: "event_hash".to_owned(),
            link_column: "prev_hash".to_owned(),
            genesis: Some(GENESIS.as_bytes().to_vec()),
            require_genesis: self.require_genesis,
            contiguous: self.contiguous,
        })
    }

    fn hash_chain(&self) -> Result<Chain, String> {
        for (key, is_given) in [("max_forks", self.max_forks.is_some()), ("shards", self.shards.is_some())] {
            if is_given {
                return Err(format!("{key} belongs to the scheme aegis-audit"));
            }
        }
        let needed = |key: &str, column: &Option<String>| {
            let column = column.clone().filter(|name| !name.is_empty());
            column.ok_or_else(|| format!("the scheme hash-chain needs {key}"))
        };
        let order_by = self.order_by.clone().filter(|columns| !columns.is_empty());
        let order_by =
            order_by.ok_or("the scheme hash-chain needs order_by: the columns that order a chain")?;
        let encoding = self.encoding.unwrap_or_default();
        let genesis = self.genesis.as_ref().map(|text| match encoding {
            Encoding::Bytea => hex::decode(text.strip_prefix("\\x").unwrap_or(text))
                .map_err(|_| "genesis must be hexadecimal digits where the encoding is bytea".to_owned()),
            _ => Ok(text.clone().into_bytes()),
        });
        Ok(Chain {
            scheme: Scheme::HashChain(HashChain {
                hash: self.hash.unwrap_or_default(),
                encoding,
                link_in_preimage: self.link_in_preimage.unwrap_or(true),
                content: self.content()?,
            }),
            partition_by: self.partition_by.clone().unwrap_or_default(),
            id: self.id.clone().filter(|columns| !columns.is_empty()).unwrap_or_else(|| order_by.clone()),
            order_by: Some(order_by),
            max_forks: None,
            shards: None,
            hash_column: needed("hash_column", &self.hash_column)?,
            link_column: needed("link_column", &self.link_column)?,
            genesis: genesis.transpose()?,
            require_genesis: self.require_genesis,
            contiguous: self.contiguous,
        })
    }

    fn content(&self) -> Result<Content, String> {
        let own = ContentKeys {
            columns: self.columns.clone(),
            join: self.join,
            separator: self.separator.clone(),
            preimage: self.preimage.clone(),
        };
        let Some(column) = &self.version_column else {
            if !self.versions.is_empty() {
                return Err(
                    "versions needs version_column: the column that says which one a row has".to_owned()
                );
            }
            return Ok(Content::One(own.preimage("")?));
        };
        if own.columns.is_some() || own.preimage.is_some() || own.join.is_some() || own.separator.is_some() {
            return Err(
                "with version_column, columns, join, separator and preimage belong into versions".to_owned()
            );
        }
        if column.is_empty() || self.versions.is_empty() {
            return Err("version_column needs versions: what is hashed, by the column's value".to_owned());
        }
        let preimages = self
            .versions
            .iter()
            .map(|(version, keys)| Ok((version.clone(), keys.preimage(&format!("versions.{version}: "))?)));
        Ok(Content::Versions { column: column.clone(), preimages: preimages.collect::<Result<_, String>>()? })
    }
}

impl ContentKeys {
    fn preimage(&self, place: &str) -> Result<Preimage, String> {
        let (columns, sql) = match (&self.columns, &self.preimage) {
            (Some(columns), None) => (columns, None),
            (None, Some(sql)) => (&Vec::new(), Some(sql)),
            (Some(_), Some(_)) => return Err(format!("{place}columns and preimage exclude each other")),
            (None, None) => {
                return Err(format!("{place}give columns, or preimage: what is hashed of a row"));
            }
        };
        if let Some(sql) = sql {
            if self.join.is_some() || self.separator.is_some() {
                return Err(format!("{place}join and separator belong to columns, not to preimage"));
            }
            if sql.trim().is_empty() {
                return Err(format!("{place}preimage is empty"));
            }
            return Ok(Preimage::Sql(sql.clone()));
        }
        if columns.is_empty() || columns.iter().any(String::is_empty) {
            return Err(format!("{place}columns must name at least one column, and each must have a name"));
        }
        let join = match (self.join.unwrap_or_default(), &self.separator) {
            (JoinForm::Separator, Some(separator)) => Join::Separator(separator.clone()),
            (JoinForm::Separator, None) => {
                return Err(format!("{place}join = \"separator\" needs separator; it may be empty"));
            }
            (_, Some(_)) => return Err(format!("{place}separator needs join = \"separator\"")),
            (JoinForm::Json, None) => Join::Json,
            (JoinForm::LengthPrefixed, None) => Join::LengthPrefixed,
        };
        Ok(Preimage::Columns(columns.clone(), join))
    }
}

#[cfg(test)]
mod tests;
