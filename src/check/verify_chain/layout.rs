//! Which fields of a row a chain needs, and where they stand among those that are read.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::sync::Arc;

use super::fields::{Fields, Index};
use super::limits::Limits;
use super::links::Link;
use super::rules::Rules;
use crate::check::chain::Encoding;
use crate::check::verify_chain::settings::{Chain, Content, HashChain, Preimage, Scheme};
use crate::target::postgres::chain_rows::{ChainOrder, FieldQuery, PartitionField};

/// Which fields are read, and what each is for.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The fields, in the order they are read.
    pub wanted: Vec<FieldQuery>,
    /// What names a row.
    pub id: Vec<Index>,
    /// What tells chains apart.
    pub partition: Vec<PartitionField>,
    /// What orders a chain.
    pub order: Vec<Index>,
    /// A row's hash.
    pub hash: Index,
    /// The hash of the row before.
    pub link: Index,
    /// What numbers rows as they are written.
    pub number: Option<NumberAt>,
    /// What is hashed.
    pub content: ContentAt,
    /// What holds for every chain.
    pub rules: Arc<Rules>,
}

/// Where the number of a row stands, and what says whether it is one to rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberAt {
    /// The number.
    pub number: Index,
    /// The version: rows of version 2 were written when there were numbers, and those of version 1 may have got theirs
    /// later, in whatever order they lay.
    pub version: Index,
}

/// Where the fields stand that are hashed.
#[derive(Debug, Clone)]
pub enum ContentAt {
    /// Nothing is hashed: only links are judged.
    None,
    /// Those of an Aegis audit row.
    Aegis(AegisAt),
    /// Those that the template names.
    General {
        /// How they are hashed.
        scheme: HashChain,
        /// The version, if rows have one.
        version: Option<Index>,
        /// By version, in the order of the template; without a version, one.
        preimages: Vec<(String, PreimageAt)>,
    },
}

/// Where the fields of an Aegis audit row stand. Older tables lack some; each has a meaning when it is absent.
#[derive(Debug, Clone, Copy)]
pub struct AegisAt {
    pub version: Option<Index>,
    pub tenant: Index,
    pub agent: Index,
    pub action: Index,
    pub tool: Index,
    pub decision: Index,
    pub request: Index,
    pub reason: Option<Index>,
    pub metadata: Option<Index>,
    pub timestamp: Index,
    pub shard: Option<Index>,
    /// How many shards there are; none if that is not to be looked at.
    pub shards: Option<NonZeroU16>,
}

/// Where a preimage's fields stand.
#[derive(Debug, Clone)]
pub enum PreimageAt {
    /// Columns, joined.
    Columns(Vec<Index>, crate::check::chain::Join),
    /// One field that is the preimage itself.
    Whole(Index),
}

/// Gathers fields, each once.
struct Wants<'a> {
    columns: &'a BTreeSet<String>,
    wanted: Vec<FieldQuery>,
    missing: BTreeSet<String>,
}

impl Wants<'_> {
    fn add(&mut self, want: FieldQuery) -> Index {
        if let FieldQuery::Column(name) | FieldQuery::Text(name) = &want
            && !self.columns.contains(name)
        {
            self.missing.insert(name.clone());
        }
        self.wanted.iter().position(|other| *other == want).unwrap_or_else(|| {
            self.wanted.push(want);
            self.wanted.len() - 1
        })
    }

    fn column(&mut self, name: &str) -> Index {
        self.add(FieldQuery::Column(name.to_owned()))
    }

    fn optional(&mut self, name: &str) -> Option<Index> {
        self.columns.contains(name).then(|| self.column(name))
    }
}

impl Layout {
    /// The layout of a chain in a table with these columns.
    ///
    /// # Errors
    /// The columns that are missing.
    pub fn new(chain: &Chain, columns: &BTreeSet<String>) -> Result<Self, Vec<String>> {
        let mut wants = Wants { columns, wanted: Vec::new(), missing: BTreeSet::new() };
        let is_aegis = chain.scheme == Scheme::AegisAudit;
        let id = chain.id.iter().map(|name| wants.column(name)).collect();
        let partition = chain.partition_by.iter().map(|name| {
            // Rows from before there were shards are those of shard 0.
            let absent = (is_aegis && name == "chain_shard").then_some(0);
            let index = if absent.is_some() { wants.optional(name) } else { Some(wants.column(name)) };
            PartitionField { index, absent }
        });
        let partition = partition.collect();
        let order_by = chain.order_by.clone().unwrap_or_else(|| {
            let mut names = vec!["timestamp".to_owned()];
            names.extend(chain.id.iter().cloned());
            names
        });
        let order = order_by.iter().map(|name| wants.column(name)).collect();
        let (hash, link) = (wants.column(&chain.hash_column), wants.column(&chain.link_column));
        let number = if chain.order_by.is_none() { number(&mut wants) } else { None };
        let content = match &chain.scheme {
            Scheme::AegisAudit => ContentAt::Aegis(aegis(&mut wants, chain)),
            Scheme::HashChain(scheme) => general(&mut wants, scheme),
        };
        if !wants.missing.is_empty() {
            return Err(wants.missing.into_iter().collect());
        }
        let rules = Arc::new(rules(chain, &order_by));
        Ok(Self { wanted: wants.wanted, id, partition, order, hash, link, number, content, rules })
    }

    /// The same, with other bounds of what is remembered.
    pub fn within(mut self, limits: Limits) -> Self {
        Arc::make_mut(&mut self.rules).limits = limits;
        self
    }

    /// What the links of a row are judged by. `id`, `chain` and `order` say which row it is, and where.
    pub fn link_of<'a>(&self, fields: Fields<'a>, id: &'a str, chain: &'a [u8], order: &'a [u8]) -> Link<'a> {
        let number = self.number.and_then(|at| fields.get(at.number).int());
        let is_numbered_in_order =
            self.number.is_some_and(|at| fields.get(at.version).int().is_some_and(|version| version > 1));
        let (hash, link) = (fields.raw[self.hash], fields.raw[self.link]);
        Link { id, chain, order, hash, link, number, is_numbered_in_order }
    }

    /// The order in which chains are read one after another. Rows of one place and id are ordered by their hashes, so that
    /// findings do not depend on where rows lie.
    pub fn sorted(&self) -> ChainOrder {
        let name = |index: &Index| match &self.wanted[*index] {
            FieldQuery::Column(name) => Some(name.clone()),
            FieldQuery::Text(_) | FieldQuery::Sql(_) => None,
        };
        ChainOrder {
            partition: self.partition.clone(),
            columns: self.order.iter().filter_map(name).collect(),
            ties: self.id.iter().chain([&self.hash, &self.link]).copied().collect(),
        }
    }

    /// The same without what is hashed: narrow rows, for judging links alone.
    pub fn links_only(&self) -> Self {
        let mut kept: Vec<Index> = self.id.clone();
        kept.extend(self.partition.iter().filter_map(|at| at.index));
        kept.extend(&self.order);
        kept.extend([self.hash, self.link]);
        kept.extend(self.number.iter().flat_map(|at| [at.number, at.version]));
        kept.sort_unstable();
        kept.dedup();
        let place = |old: Index| kept.iter().position(|index| *index == old).expect("it was kept");
        Self {
            wanted: kept.iter().map(|index| self.wanted[*index].clone()).collect(),
            id: self.id.iter().map(|index| place(*index)).collect(),
            partition: self
                .partition
                .iter()
                .map(|at| PartitionField { index: at.index.map(place), absent: at.absent })
                .collect(),
            order: self.order.iter().map(|index| place(*index)).collect(),
            hash: place(self.hash),
            link: place(self.link),
            number: self.number.map(|at| NumberAt { number: place(at.number), version: place(at.version) }),
            content: ContentAt::None,
            rules: Arc::clone(&self.rules),
        }
    }
}

fn number(wants: &mut Wants<'_>) -> Option<NumberAt> {
    let (number, version) = ("chain_sequence", "hash_version");
    let are_there = [number, version].into_iter().all(|name| wants.columns.contains(name));
    are_there.then(|| NumberAt { number: wants.column(number), version: wants.column(version) })
}

fn aegis(wants: &mut Wants<'_>, chain: &Chain) -> AegisAt {
    AegisAt {
        version: wants.optional("hash_version"),
        tenant: wants.column("tenant_id"),
        agent: wants.column("agent_id"),
        action: wants.column("action"),
        tool: wants.column("tool"),
        decision: wants.column("decision"),
        request: wants.column("request_id"),
        reason: wants.optional("reason"),
        metadata: wants.optional("metadata_json"),
        timestamp: wants.column("timestamp"),
        shard: wants.optional("chain_shard"),
        shards: chain.shards,
    }
}

fn general(wants: &mut Wants<'_>, scheme: &HashChain) -> ContentAt {
    let (version, preimages) = match &scheme.content {
        Content::One(preimage) => (None, vec![(String::new(), preimage)]),
        Content::Versions { column, preimages } => {
            let by_version = preimages.iter().map(|(version, preimage)| (version.clone(), preimage));
            (Some(wants.add(FieldQuery::Text(column.clone()))), by_version.collect())
        }
    };
    let preimages = preimages.into_iter().map(|(version, preimage)| {
        let at = match preimage {
            Preimage::Columns(columns, join) => {
                let columns = columns.iter().map(|name| wants.add(FieldQuery::Text(name.clone()))).collect();
                PreimageAt::Columns(columns, join.clone())
            }
            Preimage::Sql(sql) => PreimageAt::Whole(wants.add(FieldQuery::Sql(sql.clone()))),
        };
        (version, at)
    });
    ContentAt::General { version, preimages: preimages.collect(), scheme: scheme.clone() }
}

fn rules(chain: &Chain, order_by: &[String]) -> Rules {
    let (names, raw_hashes) = match &chain.scheme {
        // As people speak of them.
        Scheme::AegisAudit => {
            let short = |name: &String| match name.as_str() {
                "tenant_id" => "tenant".to_owned(),
                "chain_shard" => "shard".to_owned(),
                other => other.to_owned(),
            };
            (chain.partition_by.iter().map(short).collect(), false)
        }
        Scheme::HashChain(scheme) => (chain.partition_by.clone(), scheme.encoding == Encoding::Bytea),
    };
    Rules {
        limits: Limits::default(),
        genesis: chain.genesis.clone(),
        require_genesis: chain.require_genesis,
        contiguous: chain.contiguous,
        follows_links: chain.order_by.is_none(),
        max_forks: chain.max_forks,
        number_name: "chain_sequence".to_owned(),
        hash_name: chain.hash_column.clone(),
        link_name: chain.link_column.clone(),
        order_name: order_by.join(", "),
        partition_names: names,
        raw_hashes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::verify_chain::settings::VerifyChain;

    fn chain(keys: &str) -> Chain {
        let text = format!("name = \"c\"\ndatabase = \"d\"\ntable = \"t\"\n{keys}");
        toml::from_str::<VerifyChain>(&text).unwrap().chain().unwrap()
    }

    fn columns(names: &str) -> BTreeSet<String> {
        names.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn an_older_audit_table_is_read_without_what_it_lacks() {
        let old = "id tenant_id agent_id action tool decision request_id event_hash prev_hash timestamp";
        let layout = Layout::new(&chain("scheme = \"aegis-audit\""), &columns(old)).unwrap();
        assert_eq!(layout.rules.order_name, "timestamp, id");
        assert_eq!(layout.partition.len(), 2);
        assert_eq!(layout.partition[1], PartitionField { index: None, absent: Some(0) });
        let ContentAt::Aegis(at) = layout.content else { panic!("another scheme") };
        assert!(at.version.is_none() && at.reason.is_none() && at.metadata.is_none());
        let missing =
            Layout::new(&chain("scheme = \"aegis-audit\""), &columns("id tenant_id tool")).unwrap_err();
        assert_eq!(
            missing,
            ["action", "agent_id", "decision", "event_hash", "prev_hash", "request_id", "timestamp"]
        );
    }

    #[test]
    fn narrow_rows_have_the_same_fields_in_their_own_places() {
        let keys = "scheme = \"hash-chain\"\nid = [\"k\"]\npartition_by = [\"a\"]\norder_by = [\"n\"]\nhash_column = \"h\"\n\
                    link_column = \"p\"\npreimage = \"a || b\"";
        let layout = Layout::new(&chain(keys), &columns("a n k h p")).unwrap();
        assert!(layout.wanted.contains(&FieldQuery::Sql("a || b".to_owned())));
        let narrow = layout.links_only();
        assert_eq!(narrow.wanted.len(), 5);
        assert_eq!(narrow.wanted[narrow.hash], FieldQuery::Column("h".to_owned()));
        assert_eq!(narrow.wanted[narrow.partition[0].index.unwrap()], FieldQuery::Column("a".to_owned()));
        assert_eq!(narrow.wanted[narrow.id[0]], FieldQuery::Column("k".to_owned()));
    }
}
