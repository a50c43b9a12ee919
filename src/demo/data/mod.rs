//! Sample data for `restore-drill demo`: nine databases in the shape of the Aegis platform's.
//!
//! All of it follows from a number of audit rows, a seed and a moment: the same three give the same bytes, and no
//! table is ever held in memory. The audit chains and the signed daily roots are real ones, made with
//! [`crate::check::chain`], and the usage records agree with the audit rows, so that every check of the Aegis template
//! has something to prove.
//!
//! To load a database: run [`ROLES`] once on its server and [`DemoDatabase::schema`], stream each table's [`DemoTable::chunks`] into its
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
use events::Events;
use roots::SigningKeys;
use world::World;

/// How many audit rows a demo has unless asked otherwise.
pub const DEFAULT_ROWS: u64 = 20_000;

/// SQL that makes the roles that the databases name. May run more than once.
pub const ROLES: &str = include_str!("sql/roles.sql");

/// How the sample data was tampered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tampering {
    /// An audit row is left out, and all rows after it in its chain are hashed and linked anew, as an administrator of
    /// the database could. The signed root of its day still counts it.
    RewrittenChain,
}

/// The sample data set.
#[derive(Debug)]
pub struct DataSet {
    /// The databases, parents before children.
    pub databases: Vec<DemoDatabase>,
    /// The key that signs roots today, which is not in any database (see `ACP_TRANSPARENCY_PUBLIC_KEY`).
    pub active_public_key_pem: String,
    /// What was tampered with: a tenant and a day.
    pub tampered: Option<String>,
}

/// One database.
#[derive(Debug)]
pub struct DemoDatabase {
    /// Its name.
    pub name: &'static str,
    /// SQL that makes extensions and tables; runs first, in the empty database.
    pub schema: &'static str,
    /// The tables, in an order that satisfies foreign keys.
    pub tables: Vec<DemoTable>,
    /// SQL that makes indexes, foreign keys, triggers, views, policies and privileges; runs last.
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
    unrecorded: Option<Unrecorded>,
}

/// An event that has no audit row.
#[derive(Debug)]
struct Unrecorded {
    sequence: u64,
    tenant: usize,
    day: u64,
}

impl Unrecorded {
    /// One in the middle of its chain that its day's root covers, to which no other table refers.
    fn choose(plan: &Arc<Plan>) -> Option<Self> {
        let mut events = Events::new(plan);
        let last = plan.calendar.day_number(plan.calendar.end);
        let covered_until: Vec<i64> = plan.calendar.days_with_roots().map(|(_, until)| until).collect();
        while let Some(event) = events.advance() {
            let day = plan.calendar.day_number(event.at);
            let is_covered = day < last && event.at <= covered_until[day as usize];
            let is_free = event.action == "policy_updated" && !audit::has_note(event) && !event.is_concurrent;
            if event.sequence > plan.rows / 2 && is_covered && is_free {
                return Some(Self { sequence: event.sequence, tenant: event.tenant, day });
            }
        }
        None
    }
}

/// The sample data with `rows` audit rows, ending a few minutes before `now`. Same arguments, same data.
pub fn data_set(rows: u64, seed: u64, now: DateTime<Utc>) -> DataSet {
    build(Arc::new(plan(rows, seed, now)))
}

/// The same data, but for what was tampered with.
pub fn tampered_data_set(rows: u64, seed: u64, now: DateTime<Utc>, tampering: Tampering) -> DataSet {
    let unrecorded = match tampering {
        Tampering::RewrittenChain => Unrecorded::choose(&Arc::new(plan(rows, seed, now))),
    };
    build(Arc::new(Plan { unrecorded, ..plan(rows, seed, now) }))
}

fn plan(rows: u64, seed: u64, now: DateTime<Utc>) -> Plan {
    Plan {
        rows,
        seed,
        calendar: Calendar::ending_at(now),
        world: World::new(seed),
        keys: SigningKeys::new(seed),
        unrecorded: None,
    }
}

fn build(plan: Arc<Plan>) -> DataSet {
    let mut databases = vec![identity::identity(&plan), identity::registry(&plan), audit::audit(&plan)];
    databases.push(usage::usage(&plan));
    databases.extend(satellites::all(&plan));
    let tampered = plan.unrecorded.as_ref().map(|unrecorded| {
        format!("{} for {}", plan.world.tenants[unrecorded.tenant].id, plan.calendar.day(unrecorded.day))
    });
    DataSet { databases, active_public_key_pem: plan.keys.active_pem(), tampered }
}
