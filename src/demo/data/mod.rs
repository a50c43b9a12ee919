//! Sample data for `restore-drill demo`: nine databases in the shape of the Aegis platform's.
//!
//! All of it follows from a number of audit rows, a seed and a moment: the same three give the same bytes, and no
//! table is ever held in memory. The audit chains and the signed daily roots are real ones, made with
//! [`crate::chain`], and the usage records agree with the audit rows, so that every check of the Aegis template
//! has something to prove.
//!
//! To load a database: run [`DemoDatabase::schema`], stream each table's [`DemoTable::chunks`] into its
//! [`DemoTable::copy`] in the order given, run [`DemoDatabase::finish`].

mod audit;
mod calendar;
mod chained;
mod copy;
mod events;
mod identity;
mod roots;
mod satellites;
mod usage;
mod variety;
mod world;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use calendar::Calendar;
use copy::{Chunks, RowWriter};
use roots::SigningKeys;
use world::World;

/// How many audit rows a demo has unless asked otherwise.
pub const DEFAULT_ROWS: u64 = 20_000;

/// The sample data set.
#[derive(Debug)]
pub struct DataSet {
    /// The databases, parents before children.
    pub databases: Vec<DemoDatabase>,
    /// The key that signs roots today, which is not in any database (see `ACP_TRANSPARENCY_PUBLIC_KEY`).
    pub active_public_key_pem: String,
}

/// One database.
#[derive(Debug)]
pub struct DemoDatabase {
    /// Its name.
    pub name: &'static str,
    /// SQL that makes extensions, roles and tables; runs first, in the empty database.
    pub schema: &'static str,
    /// The data, in an order that may be loaded as it comes.
    pub tables: Vec<DemoTable>,
    /// SQL that makes indexes, foreign keys, triggers, views and policies; runs last.
    pub finish: &'static str,
}

/// The data of one table.
pub struct DemoTable {
    /// The table's name, without its schema (`public`).
    pub name: &'static str,
    /// The statement that takes the data: `COPY public.… (…) FROM STDIN`.
    pub copy: String,
    open: OpenRows,
}

type OpenRows = Box<dyn Fn() -> Box<dyn Iterator<Item = Bytes> + Send> + Send + Sync>;

impl DemoTable {
    /// The data from its beginning, generated as it is asked for, in chunks of at most about 256 KiB that end
    /// with a row. The `\.` that ends the data in a script is not part of it.
    pub fn chunks(&self) -> Box<dyn Iterator<Item = Bytes> + Send> {
        (self.open)()
    }

    /// A table whose rows are generated: `start` makes a step as [`Chunks`] takes it.
    fn generated<F, S>(name: &'static str, columns: &str, start: F) -> Self
    where
        F: Fn() -> S + Send + Sync + 'static,
        S: FnMut(&mut Vec<u8>) -> bool + Send + 'static,
    {
        Self {
            name,
            copy: format!("COPY public.{name} ({columns}) FROM STDIN"),
            open: Box::new(move || Box::new(Chunks::new(start()))),
        }
    }

    /// A table with a row for each number below `count`.
    fn counted<F>(name: &'static str, columns: &str, count: u64, row: F) -> Self
    where
        F: Fn(u64, &mut RowWriter<'_>) + Clone + Send + Sync + 'static,
    {
        Self::generated(name, columns, move || {
            let row = row.clone();
            let mut number = 0;
            move |out: &mut Vec<u8>| {
                if number < count {
                    let mut writer = RowWriter::new(out);
                    row(number, &mut writer);
                    writer.end();
                    number += 1;
                }
                number < count
            }
        })
    }
}

impl fmt::Debug for DemoTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoTable")
            .field("name", &self.name)
            .field("copy", &self.copy)
            .finish_non_exhaustive()
    }
}

/// What every generator starts from.
#[derive(Debug)]
struct Plan {
    /// How many audit rows there are.
    rows: u64,
    seed: u64,
    calendar: Calendar,
    world: World,
    keys: SigningKeys,
}

/// The sample data with `rows` audit rows, ending a few minutes before `now`. Same arguments, same data.
pub fn data_set(rows: u64, seed: u64, now: DateTime<Utc>) -> DataSet {
    let plan = Arc::new(Plan {
        rows,
        seed,
        calendar: Calendar::ending_at(now),
        world: World::new(seed),
        keys: SigningKeys::new(seed),
    });
    let mut databases = vec![identity::identity(&plan), identity::registry(&plan), audit::audit(&plan)];
    databases.push(usage::usage(&plan));
    databases.extend(satellites::all(&plan));
    DataSet { databases, active_public_key_pem: plan.keys.active_pem() }
}
