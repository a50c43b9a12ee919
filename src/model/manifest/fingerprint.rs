//! The fingerprint of a table: one figure for all its rows, whatever their order. Pure.
//!
//! A row is its line of `COPY … TO STDOUT` in the text format. Each is hashed with a key that belongs to the table, and
//! the hashes are added modulo 2^256. Addition does not mind the order, and counts a row as often as it is there: two
//! tables have the same fingerprint if they hold the same rows equally often.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::FingerprintKey;

/// What the keys of tables are derived for; another way to hash rows would have another name.
const CONTEXT: &[u8] = b"restore-drill table fingerprint v1";

/// The sum of the hashes of a table's rows, modulo 2^256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint([u64; 4]);

impl Fingerprint {
    /// Adds a row's hash, read as a little-endian number.
    fn add_hash(&mut self, hash: &[u8; 32]) {
        let (limbs, _) = hash.as_chunks::<8>();
        let mut number = [0; 4];
        for (limb, bytes) in number.iter_mut().zip(limbs) {
            *limb = u64::from_le_bytes(*bytes);
        }
        self.add(&Self(number));
    }

    /// Adds what was folded elsewhere.
    pub fn add(&mut self, other: &Self) {
        let mut carry = false;
        for (sum, term) in self.0.iter_mut().zip(other.0) {
            (*sum, carry) = sum.carrying_add(term, carry);
        }
    }

    /// The first digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..16].to_owned()
    }
}

impl fmt::Display for Fingerprint {
    /// 64 hex digits, the highest first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|limb| write!(f, "{limb:016x}"))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(String::deserialize(deserializer)?, &mut bytes)
            .map_err(|error| serde::de::Error::custom(format!("not a fingerprint: {error}")))?;
        bytes.reverse();
        let mut fingerprint = Self::default();
        fingerprint.add_hash(&bytes);
        Ok(fingerprint)
    }
}

/// Hashes the rows of one table.
#[derive(Clone)]
pub struct RowHasher {
    key: [u8; 32],
}

impl RowHasher {
    /// A hasher for the rows of a table, with their columns in this order. Its key has the names in it, so that equal
    /// rows of different tables, or in other columns, have different hashes.
    pub fn new(key: &FingerprintKey, schema: &str, table: &str, columns: &[&str]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&key.0);
        hasher.update(CONTEXT);
        for name in [schema, table].iter().chain(columns) {
            hasher.update(&(name.len() as u64).to_le_bytes()).update(name.as_bytes());
        }
        Self { key: *hasher.finalize().as_bytes() }
    }

    fn hash(&self, row: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.key, row).as_bytes()
    }

    /// Begins the hash of a row that comes in parts.
    fn begin(&self) -> Box<blake3::Hasher> {
        Box::new(blake3::Hasher::new_keyed(&self.key))
    }
}

/// Folds the rows of a table, or of a part of it, as they come.
pub struct TableFold {
    hasher: RowHasher,
    rows: u64,
    sum: Fingerprint,
    /// The hash of a row whose end has not come yet: a row may be larger than what memory should hold.
    begun: Option<Box<blake3::Hasher>>,
}

/// The rows ended in the middle of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnfinishedRow;

impl TableFold {
    /// A fold that has seen no row.
    pub fn new(hasher: RowHasher) -> Self {
        Self { hasher, rows: 0, sum: Fingerprint::default(), begun: None }
    }

    /// Takes more of the rows. Each ends with a line feed, and has no other: a line feed in a value is written `\n`.
    /// Where one chunk ends and the next begins means nothing.
    pub fn push(&mut self, chunk: &[u8]) {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let row = &rest[..end];
            let hash = match self.begun.take() {
                Some(mut begun) => *begun.update(row).finalize().as_bytes(),
                None => self.hasher.hash(row),
            };
            self.rows += 1;
            self.sum.add_hash(&hash);
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            self.begun.get_or_insert_with(|| self.hasher.begin()).update(rest);
        }
    }

    /// How many rows there were, and their fingerprint.
    ///
    /// # Errors
    /// [`UnfinishedRow`], if the last one has no end.
    pub fn finish(self) -> Result<(u64, Fingerprint), UnfinishedRow> {
        if self.begun.is_none() { Ok((self.rows, self.sum)) } else { Err(UnfinishedRow) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn key() -> FingerprintKey {
        FingerprintKey([3; 32])
    }

    fn hasher() -> RowHasher {
        RowHasher::new(&key(), "public", "t", &["a", "b"])
    }

    fn of(rows: &[Vec<u8>]) -> (u64, Fingerprint) {
        let mut fold = TableFold::new(hasher());
        for row in rows {
            fold.push(row);
            fold.push(b"\n");
        }
        fold.finish().unwrap()
    }

    /// A line of `COPY` text: anything but a line feed.
    fn row() -> impl Strategy<Value = Vec<u8>> {
        vec(any::<u8>().prop_filter("no line feed", |byte| *byte != b'\n'), 0..40)
    }

    proptest! {
        #[test]
        fn the_order_of_rows_does_not_matter(
            (rows, shuffled) in vec(row(), 0..40).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
        ) {
            prop_assert_eq!(of(&rows), of(&shuffled));
        }

        #[test]
        fn parts_add_up_to_the_whole_wherever_they_are_cut(rows in vec(row(), 0..40), cut in any::<Index>()) {
            let (left, right) = rows.split_at(cut.index(rows.len() + 1));
            let ((left_rows, mut sum), (right_rows, right)) = (of(left), of(right));
            sum.add(&right);
            prop_assert_eq!((left_rows + right_rows, sum), of(&rows));
        }

        #[test]
        fn chunks_may_end_anywhere(rows in vec(row(), 1..20), cuts in vec(any::<Index>(), 0..10)) {
            let stream: Vec<u8> = rows.iter().flat_map(|row| [row.as_slice(), b"\n"].concat()).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let mut fold = TableFold::new(hasher());
            cuts.windows(2).for_each(|ends| fold.push(&stream[ends[0]..ends[1]]));
            prop_assert_eq!(fold.finish().unwrap(), of(&rows));
        }

        #[test]
        fn a_changed_byte_is_seen(rows in vec(row(), 1..20), which in any::<Index>(), at in any::<Index>(), bit in 0..8u32) {
            let mut changed = rows.clone();
            let row = &mut changed[which.index(rows.len())];
            match row.len() {
                0 => row.push(b'x'),
                len => {
                    let byte = &mut row[at.index(len)];
                    *byte ^= 1 << bit;
                    if *byte == b'\n' { *byte = b'x'; }
                }
            }
            prop_assume!(changed != rows);
            prop_assert_ne!(of(&changed).1, of(&rows).1);
        }

        #[test]
        fn a_row_lost_doubled_or_swapped_for_another_is_seen(rows in vec(row(), 1..20), which in any::<Index>(), other in any::<Index>()) {
            let (which, other) = (which.index(rows.len()), other.index(rows.len()));
            let whole = of(&rows);
            let mut lost = rows.clone();
            lost.remove(which);
            prop_assert_ne!(of(&lost), whole);
            let mut doubled = rows.clone();
            doubled.push(rows[which].clone());
            prop_assert_ne!(of(&doubled), whole);
            // As many rows as before, but one of them twice in another's place.
            let mut replaced = rows.clone();
            replaced[which] = rows[other].clone();
            prop_assert_eq!(of(&replaced) == whole, rows[which] == rows[other]);
        }

        #[test]
        fn a_value_that_moves_to_another_row_or_column_is_seen(a in "[a-z]{1,8}", b in "[a-z]{1,8}") {
            prop_assume!(a != b);
            let lines = |lines: [String; 2]| of(&lines.map(String::into_bytes));
            let whole = lines([format!("{a}\t{b}"), format!("{b}\t{a}")]);
            prop_assert_ne!(lines([format!("{a}\t{a}"), format!("{b}\t{b}")]), whole);
            prop_assert_ne!(lines([format!("{a}\t{b}"), format!("{a}\t{b}")]), whole);
        }

        #[test]
        fn a_fingerprint_is_read_as_it_was_written(rows in vec(row(), 0..5)) {
            let (_, fingerprint) = of(&rows);
            let json = serde_json::to_string(&fingerprint).unwrap();
            prop_assert_eq!(json.len(), 66);
            prop_assert_eq!(serde_json::from_str::<Fingerprint>(&json).unwrap(), fingerprint);
        }
    }

    #[test]
    fn null_is_not_the_empty_text() {
        assert_ne!(of(&[b"1\t\\N".to_vec()]), of(&[b"1\t".to_vec()]));
    }

    #[test]
    fn a_row_without_columns_counts() {
        assert_eq!(of(&[Vec::new(), Vec::new()]).0, 2);
        assert_ne!(of(&[Vec::new()]).1, of(&[Vec::new(), Vec::new()]).1);
    }

    #[test]
    fn equal_rows_hash_differently_in_other_tables_columns_and_manifests() {
        let of = |key: &FingerprintKey, schema: &str, table: &str, columns: &[&str]| {
            RowHasher::new(key, schema, table, columns).hash(b"1\t2")
        };
        let mine = of(&key(), "public", "t", &["a", "b"]);
        assert_eq!(of(&key(), "public", "t", &["a", "b"]), mine);
        for other in [
            of(&key(), "public", "u", &["a", "b"]),
            of(&key(), "private", "t", &["a", "b"]),
            of(&key(), "public", "t", &["b", "a"]),
            of(&key(), "public", "t", &["ab"]),
            of(&key(), "publict", "", &["a", "b"]),
            of(&FingerprintKey([4; 32]), "public", "t", &["a", "b"]),
        ] {
            assert_ne!(other, mine);
        }
    }

    #[test]
    fn sums_carry_and_wrap_around() {
        let mut sum = Fingerprint([u64::MAX; 4]);
        sum.add(&Fingerprint([1, 0, 0, 0]));
        assert_eq!(sum, Fingerprint::default());
        let mut sum = Fingerprint([u64::MAX, 0, 0, 0]);
        sum.add(&Fingerprint([1, 0, 0, 0]));
        assert_eq!(sum.to_string(), format!("{:064x}", 1_u128 << 64));
    }

    #[test]
    fn a_row_without_its_end_is_seen() {
        let mut fold = TableFold::new(hasher());
        fold.push(b"1\t2\n3");
        assert_eq!(fold.finish(), Err(UnfinishedRow));
    }
}
