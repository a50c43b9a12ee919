//! The fields that are read of a row: how each is selected, and what comes.

use tokio_postgres::types::Type;

use crate::target::postgres::quote::quote_identifier;

/// A field to read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum FieldQuery {
    /// A column, in the form its type has.
    Column(String),
    /// A column, as text.
    Text(String),
    /// What an SQL expression returns: text or bytes.
    Sql(String),
}

/// What the bytes of a field are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Text in UTF-8.
    Text,
    /// Text from a source without types: a number or a moment if it looks like one.
    Loose,
    /// `smallint`, `integer` or `bigint`, big-endian.
    Int,
    /// A UUID's 16 bytes.
    Uuid,
    /// `timestamptz`, or `timestamp` taken as UTC: microseconds since 2000, big-endian.
    Moment,
    /// `date`: days since 2000, big-endian.
    Date,
    /// `jsonb`: a version byte, then text.
    Jsonb,
    /// `bytea`.
    Bytes,
}

impl FieldKind {
    /// Whether its values compare here as they do on the server.
    pub fn has_order(self) -> bool {
        matches!(self, Self::Int | Self::Uuid | Self::Moment | Self::Date)
    }
}

/// A field that tells chains apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartitionField {
    /// Its place among the fields; none where the table lacks it.
    pub index: Option<usize>,
    /// What null, and a column that is lacking, stand for.
    pub absent: Option<i16>,
}

/// The order in which rows come when chains are read one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainOrder {
    /// The fields that tell chains apart.
    pub partition: Vec<PartitionField>,
    /// The columns that order a chain.
    pub columns: Vec<String>,
    /// The places of the fields that order rows which those columns do not.
    pub ties: Vec<usize>,
}

/// What the values of a column are.
#[derive(Debug, Clone)]
pub(super) struct ColumnType {
    pub oid: u32,
    /// Its name, with its schema unless that is the system's.
    pub name: String,
    /// Whether it is the system's own.
    pub is_system: bool,
    /// Whether the system itself casts it to text. That is not always what it writes: the text of `true` is `true`, and it
    /// is written `t`.
    pub has_cast: bool,
}

/// How rows are brought together that are in one chain: equal must mean what it means to the reader, byte for byte.
pub(super) fn partition_order(at: PartitionField, kinds: &[FieldKind]) -> Option<String> {
    let index = at.index?;
    let text = match kinds[index] {
        FieldKind::Text => format!("c{index}"),
        _ => written(&format!("c{index}")),
    };
    Some(match (kinds[index], at.absent) {
        (FieldKind::Int, Some(absent)) => format!("coalesce(c{index}, {absent})"),
        (_, Some(absent)) => format!("coalesce({text}, '{absent}') COLLATE pg_catalog.\"C\""),
        (FieldKind::Int | FieldKind::Uuid | FieldKind::Date | FieldKind::Moment, None) => format!("c{index}"),
        (_, None) => format!("{text} COLLATE pg_catalog.\"C\""),
    })
}

/// How a column of this type is selected, and what comes.
pub(super) fn native(name: &str, column: Option<&ColumnType>) -> (String, FieldKind) {
    let kind = match column.and_then(|column| Type::from_oid(column.oid)) {
        Some(Type::INT2 | Type::INT4 | Type::INT8) => FieldKind::Int,
        Some(Type::UUID) => FieldKind::Uuid,
        Some(Type::TIMESTAMPTZ | Type::TIMESTAMP) => FieldKind::Moment,
        Some(Type::DATE) => FieldKind::Date,
        Some(Type::JSONB) => FieldKind::Jsonb,
        Some(Type::BYTEA) => FieldKind::Bytes,
        Some(Type::TEXT | Type::VARCHAR) => FieldKind::Text,
        _ => return (text(name, column), FieldKind::Text),
    };
    (quote_identifier(name), kind)
}

/// The text of a column: the system's own cast, or what its type writes. Never a cast that the backup brought along.
pub(super) fn text(name: &str, column: Option<&ColumnType>) -> String {
    let quoted = quote_identifier(name);
    if column.is_some_and(|column| column.has_cast || column.oid == Type::TEXT.oid()) {
        format!("{quoted}::pg_catalog.text")
    } else {
        written(&quoted)
    }
}

/// A value as its type writes it, which no cast has a say in; null for null.
fn written(value: &str) -> String {
    format!(
        "CASE WHEN pg_catalog.num_nulls({value}) OPERATOR(pg_catalog.=) 0 THEN pg_catalog.format('%s', {value}) END"
    )
}
