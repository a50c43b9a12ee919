//! Tables in pieces, so that several connections can read one.

use std::collections::{BTreeMap, VecDeque};

use tokio_postgres::Client;

use super::super::own_sql::qualify;
use super::table::TableToRead;
use crate::model::failure::Result;
use crate::target::postgres::failures::query_failure;
use crate::target::postgres::quote::{in_blocks, quote_identifier, quote_relation};
use crate::template::TableName;

/// A table is read in pieces of about this size, TOAST included, so that all connections have work to the end.
const PIECE_BYTES: u64 = 64 * 1024 * 1024;

/// Sizes, and how many blocks can be read by their numbers: none, where the server or the table cannot do it.
const SIZES: &str = "
    SELECT c.oid, coalesce(pg_catalog.pg_table_size(c.oid), 0),
           CASE WHEN a.amname = 'heap' AND pg_catalog.current_setting('server_version_num')::int4 >= 140000
                THEN coalesce(pg_catalog.pg_relation_size(c.oid), 0)
                     / pg_catalog.current_setting('block_size')::int8
                ELSE 0 END
    FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam
    WHERE c.oid = ANY ($1)";

/// Blocks of a table, by its place in the list; all of it, if there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::target::postgres) struct Piece {
    pub(super) table: usize,
    bytes: u64,
    from: Option<u64>,
    to: Option<u64>,
}

/// The tables in pieces, the largest first.
pub(in crate::target::postgres) async fn pieces(
    client: &Client,
    tables: &[TableToRead],
) -> Result<VecDeque<Piece>> {
    let oids: Vec<u32> = tables.iter().map(|table| table.oid).collect();
    let failed = |error| query_failure("asking for the sizes of tables", &error);
    let mut sizes = BTreeMap::new();
    for row in client.query(&qualify(SIZES), &[&oids]).await.map_err(failed)? {
        let number = |index| row.try_get::<_, i64>(index).map(|number| u64::try_from(number).unwrap_or(0));
        let oid: u32 = row.try_get(0).map_err(failed)?;
        sizes.insert(oid, (number(1).map_err(failed)?, number(2).map_err(failed)?));
    }
    let cut = |(index, table): (usize, &TableToRead)| {
        let (bytes, blocks) = sizes.get(&table.oid).copied().unwrap_or_default();
        cut(index, bytes, blocks)
    };
    let mut pieces: Vec<Piece> = tables.iter().enumerate().flat_map(cut).collect();
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.bytes));
    Ok(pieces.into())
}

/// Cuts a table into pieces of equally many blocks. The last has no end, so that no row falls outside.
fn cut(table: usize, bytes: u64, blocks: u64) -> Vec<Piece> {
    let parts = bytes.div_ceil(PIECE_BYTES).min(blocks).max(1);
    let start = |part: u64| (0 < part && part < parts).then(|| part * blocks / parts);
    (0..parts)
        .map(|part| Piece { table, bytes: bytes / parts, from: start(part), to: start(part + 1) })
        .collect()
}

/// The rows of a piece. Only those of the table itself: its heirs and partitions are tables of their own.
pub(super) fn copy(table: &TableToRead, piece: &Piece) -> String {
    let columns: Vec<String> = table.columns.iter().map(|name| quote_identifier(name)).collect();
    let blocks = in_blocks(piece.from, piece.to);
    format!("COPY (SELECT {} FROM ONLY {}{blocks}) TO STDOUT", columns.join(", "), quoted(&table.name))
}

pub(super) fn quoted(table: &TableName) -> String {
    quote_relation(&table.schema, &table.table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_table_without_gaps_and_without_an_end() {
        for (bytes, blocks, parts) in [
            (0, 0, 1),
            (8192, 1, 1),
            (PIECE_BYTES, 8192, 1),
            (PIECE_BYTES + 1, 8193, 2),
            (PIECE_BYTES * 10, 3, 3),
            (PIECE_BYTES * 10, 0, 1),
        ] {
            let pieces = cut(4, bytes, blocks);
            assert_eq!(pieces.len(), parts, "{bytes} bytes in {blocks} blocks");
            assert_eq!((pieces[0].from, pieces[parts - 1].to), (None, None));
            for (piece, next) in pieces.iter().zip(&pieces[1..]) {
                assert_eq!(piece.to, next.from);
                assert!(piece.from.unwrap_or(0) < piece.to.unwrap());
            }
        }
    }

    #[test]
    fn names_are_quoted_and_bounds_are_block_numbers() {
        let wanted = |columns: &[&str]| TableToRead {
            oid: 1,
            name: TableName { schema: "s\"".to_owned(), table: "t; --".to_owned() },
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        };
        let pieces = cut(0, PIECE_BYTES * 3, 30);
        assert_eq!(
            copy(&wanted(&["a\"b", "c"]), &cut(0, 0, 0)[0]),
            r#"COPY (SELECT "a""b", "c" FROM ONLY "s"""."t; --") TO STDOUT"#
        );
        assert!(
            copy(&wanted(&["a"]), &pieces[1])
                .contains("WHERE ctid OPERATOR(pg_catalog.>=) '(10,0)'::pg_catalog.tid AND ctid OPERATOR(pg_catalog.<) '(20,0)'::pg_catalog.tid)")
        );
        assert!(
            copy(&wanted(&[]), &pieces[2])
                .contains("SELECT  FROM ONLY \"s\"\"\".\"t; --\" WHERE ctid OPERATOR(pg_catalog.>=) '(20,0)'::pg_catalog.tid)")
        );
    }
}
