//! What `pg_restore` cannot do in one go although the dump is sound, because it restores owners before privileges: done after it.
//!
//! An index is built with the rights of its table's owner, who may not have been granted yet what its function needs. A view is
//! filled with the rights of its owner, and policies may bind that one. And an event trigger can have an owner who is no superuser any
//! more, but cannot be given to one. A dump can say that this is so, and lie. It cannot make its entries go through by that.

use std::collections::BTreeSet;

use super::Kept;
use super::run::PgRestoreRun;
use super::shown::{Names, entry_of};
use super::words::{Complaint, Words};
use crate::format::pg_custom::{Entry, Toc};
use crate::model::failure::Result;
use crate::model::human::one_line;
use crate::model::names::DatabaseName;
use crate::model::verdict::{Repair, RepairedEntry};
use crate::target::postgres::failures::own_failure;
use crate::target::postgres::quote::{quote_identifier, quote_literal};
use crate::target::postgres::server::Server;

/// What a server of PostgreSQL 15 and 17 says to who lacks a right.
const DENIED: [&str; 2] =
    ["ERROR:  permission denied", "ERROR:  query would be affected by row-level security policy"];
const NO_SUPERUSER: &str = "ERROR:  permission denied to change owner of ";
/// With which option entries are run again: the source's server filled views with policies on, too.
pub const RETRY: &str = "--enable-row-security";
/// Kinds that only a superuser can be given, with the words for them in statements.
const OF_SUPERUSERS: [&str; 2] = ["EVENT TRIGGER", "FOREIGN DATA WRAPPER"];
/// Kinds that hold what was backed up itself: if one fails, something is wrong.
const DATA: [&str; 6] = ["TABLE DATA", "BLOBS", "BLOB", "BLOB METADATA", "SEQUENCE SET", "STATISTICS DATA"];
/// Attempts to change a role that another database's restore may be changing at this moment.
const ATTEMPTS: usize = 5;

/// Whether only a superuser can be given an entry.
pub fn is_of_superusers(entry: &Entry) -> bool {
    OF_SUPERUSERS.contains(&entry.desc.as_str())
}

/// The statement that gives an entry to its owner. One who is no superuser is one for this one transaction, which nobody else
/// sees; one who is stays one, as on a server that has others already. None if the entry has no owner, or can be given to
/// anybody. Whoever restores for real (`fetch` prints it) uses the same.
pub fn give_to_owner(entry: &Entry) -> Option<String> {
    let owner = entry.owner.as_deref().filter(|owner| !owner.is_empty() && is_of_superusers(entry))?;
    let (kind, name, role) = (&entry.desc, quote_identifier(&entry.tag), quote_identifier(owner));
    let give = format!("ALTER {kind} {name} OWNER TO {role}");
    let block = format!(
        "BEGIN IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) {}::pg_catalog.name) THEN \
         {give}; ELSE ALTER ROLE {role} SUPERUSER; {give}; ALTER ROLE {role} NOSUPERUSER; END IF; END",
        quote_literal(owner)
    );
    Some(format!("DO {}", quote_literal(&block)))
}

/// What was done after `pg_restore`.
#[derive(Debug, Default)]
pub struct Repaired {
    /// The entries that are restored now.
    pub entries: Vec<RepairedEntry>,
    /// What an operator should know.
    pub warnings: Vec<String>,
}

/// What is to be done after `pg_restore`.
#[derive(Debug)]
struct Remedy<'a> {
    /// Entries to give to their owners.
    owners: Vec<&'a Entry>,
    /// Entries to run once more, in the order of the archive.
    again: Vec<i32>,
}

/// What is to be done, if that may be all that is missing.
fn repair<'a>(words: &Words, toc: &'a Toc) -> Option<Remedy<'a>> {
    if words.are_forged() || words.entries()?.is_empty() {
        return None;
    }
    let is_about_owner = |complaint: &Complaint| complaint.words.contains(NO_SUPERUSER);
    let (owners, others): (Vec<&Complaint>, Vec<&Complaint>) =
        words.complaints.iter().partition(|complaint| is_about_owner(complaint));
    let owners =
        owners.into_iter().map(|complaint| entry_of(toc, complaint).filter(|entry| is_of_superusers(entry)));
    let owners = owners.collect::<Option<Vec<_>>>()?;
    let denied = |complaint: &&Complaint| DENIED.iter().any(|words| complaint.words.contains(words));
    if !others.is_empty() && !others.iter().any(denied) {
        return None;
    }
    let failed: BTreeSet<i32> = others.iter().filter_map(|complaint| complaint.entry).collect();
    let again: Vec<&Entry> = toc.entries.iter().filter(|entry| failed.contains(&entry.dump_id)).collect();
    let is_data = |entry: &Entry| DATA.contains(&entry.desc.as_str());
    let is_owned = |entry: &Entry| owners.iter().any(|owned| owned.dump_id == entry.dump_id);
    if again.len() != failed.len() || again.iter().any(|entry| is_data(entry) || is_owned(entry)) {
        return None;
    }
    let again = again.iter().map(|entry| entry.dump_id).collect();
    Some(Remedy { owners, again })
}

impl Server {
    /// Does what could not be done in one go. Returns what an operator should know; none if something is missing still.
    ///
    /// # Errors
    /// If the engine or the server cannot be asked.
    pub async fn repair(
        &self,
        database: &DatabaseName,
        run: &PgRestoreRun,
        toc: &Toc,
        kept: Kept,
    ) -> Result<Option<Repaired>> {
        let Some(Remedy { owners, again }) = repair(&run.words, toc).filter(|_| kept.access) else {
            return Ok(None);
        };
        let names = Names::of(toc);
        let shown = |ids: &mut dyn Iterator<Item = i32>| {
            let entries: Vec<String> = ids.filter_map(|id| names.entry(id)).collect();
            one_line(&entries.join(", "), 300)
        };
        let mut repaired = Repaired::default();
        if !owners.is_empty() {
            for entry in &owners {
                if !self.give_to_no_superuser(database, entry).await? {
                    return Ok(None);
                }
            }
            let ids = || owners.iter().map(|entry| entry.dump_id);
            repaired.entries.extend(names.repaired(ids(), Repair::GivenToOwner));
            repaired.warnings.push(format!(
                "pg_restore cannot give these to their owners, who are no superusers, so the drill did; a recovery has \
                 to make them superusers meanwhile, as the commands of `restore-drill fetch` do: {}",
                shown(&mut ids())
            ));
        }
        if !again.is_empty() {
            let list = format!("--use-list={}", self.write_list(database, again.iter().copied()).await?);
            let run = self.run_pg_restore(database, 1, kept, &[&list, RETRY]).await?;
            if !run.is_clean() {
                return Ok(None);
            }
            repaired.entries.extend(names.repaired(again.iter().copied(), Repair::RunAgain));
            repaired.warnings.push(format!(
                "pg_restore could not do these with the rights of their owners, and could once privileges were granted: a \
                 recovery has to run pg_restore again for them, as the commands of `restore-drill fetch` do: {}",
                shown(&mut again.iter().copied())
            ));
        }
        Ok(Some(repaired))
    }

    /// Gives something to its owner, if that is no superuser.
    async fn give_to_no_superuser(&self, database: &DatabaseName, entry: &Entry) -> Result<bool> {
        let Some(owner) = entry.owner.as_deref().filter(|owner| !owner.is_empty()) else { return Ok(false) };
        let client = self.connect(database.as_str()).await?;
        let sql = "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) $1::pg_catalog.text::pg_catalog.name";
        let is_superuser = client.query_opt(sql, &[&owner]).await;
        let is_superuser = is_superuser.map_err(|error| own_failure("looking for an owner", &error))?;
        if is_superuser.is_none_or(|row| row.get(0)) {
            return Ok(false);
        }
        let Some(sql) = give_to_owner(entry) else { return Ok(false) };
        for _ in 0..ATTEMPTS {
            if client.batch_execute(&sql).await.is_ok() {
                return Ok(true);
            }
            // Whether it is there or the connection gone: the next attempt shows.
            let _ = client.batch_execute("ROLLBACK").await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::pg_custom::read_toc;

    fn toc() -> Toc {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/archive/pg17-gzip.dump");
        let mut toc = read_toc(&std::fs::read(path).unwrap()).unwrap();
        for (id, desc) in
            [(9001, "INDEX"), (9000, "MATERIALIZED VIEW DATA"), (9002, "EVENT TRIGGER"), (9003, "TABLE DATA")]
        {
            let entry = Entry { dump_id: id, desc: desc.to_owned(), ..toc.entries[0].clone() };
            toc.entries.push(entry);
        }
        toc
    }

    /// The owners to give, and what to run again.
    fn decided(said: &[(i32, &str)]) -> Option<(Vec<i32>, Vec<i32>)> {
        let complaint = |(id, words): &(i32, &str)| Complaint {
            entry: Some(*id),
            words: format!("could not execute query: ERROR:  {words}"),
            raised: false,
        };
        let complaints: Vec<Complaint> = said.iter().map(complaint).collect();
        let seen = complaints.len() as u64;
        let words = Words { complaints, seen, ignored: Some(seen), spoke: true, before: None };
        let toc = toc();
        let Remedy { owners, again } = repair(&words, &toc)?;
        Some((owners.iter().map(|entry| entry.dump_id).collect(), again))
    }

    const UTIL: &str = "permission denied for schema util";
    const POLICY: &str = "query would be affected by row-level security policy for table \"t\"";
    const OWNER: &str = "permission denied to change owner of event trigger \"e\"";

    #[test]
    fn what_lacked_a_right_is_run_again_in_the_order_of_the_archive() {
        assert_eq!(decided(&[(9000, POLICY), (9001, UTIL)]), Some((vec![], vec![9001, 9000])));
        assert_eq!(decided(&[(9002, OWNER), (9001, UTIL)]), Some((vec![9002], vec![9001])));
        assert_eq!(decided(&[(9002, OWNER)]), Some((vec![9002], vec![])));
        // What needs the index fails with it.
        assert_eq!(decided(&[(9001, UTIL), (9000, "no such index")]), Some((vec![], vec![9001, 9000])));
    }

    #[test]
    fn an_owner_who_is_a_superuser_stays_one() {
        let desc = "EVENT TRIGGER".to_owned();
        let entry = Entry { desc, tag: "e".to_owned(), owner: Some("o'".to_owned()), ..Entry::default() };
        assert_eq!(
            give_to_owner(&entry).unwrap(),
            "DO 'BEGIN IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) \
             ''o''''''::pg_catalog.name) THEN ALTER EVENT TRIGGER \"e\" OWNER TO \"o''\"; ELSE ALTER ROLE \"o''\" SUPERUSER; \
             ALTER EVENT TRIGGER \"e\" OWNER TO \"o''\"; ALTER ROLE \"o''\" NOSUPERUSER; END IF; END'"
        );
    }

    #[test]
    fn what_is_wrong_with_the_backup_is_not_run_again() {
        for said in [
            &[][..],
            &[(9001, "could not create unique index")],
            &[(9003, UTIL)],
            &[(9001, UTIL), (9003, "invalid input syntax")],
            &[(9001, OWNER)],
            &[(9002, OWNER), (9002, UTIL)],
            &[(1_000_000, UTIL)],
        ] {
            assert_eq!(decided(said), None, "{said:?}");
        }
    }
}
