//! Materialized views over foreign tables: what they show is on a server that nothing in the stack can reach, so they
//! cannot be filled here. No row of the backup is missing for that.

use std::collections::{BTreeMap, BTreeSet};

use super::run::PgRestoreRun;
use super::shown;
use crate::format::pg_custom::Toc;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::model::verdict::UnfilledView;
use crate::target::postgres::failures::own_failure;
use crate::target::postgres::server::Server;

/// The kind of entries that fill views.
const VIEW_DATA: &str = "MATERIALIZED VIEW DATA";

/// Views that are not filled and read a foreign table: by themselves, by other views, or as a partition or heir.
const REACHING_OUT: &str = "
    WITH RECURSIVE uses(view, used) AS (
        SELECT c.oid, c.oid FROM pg_catalog.pg_class c
        WHERE c.relkind OPERATOR(pg_catalog.=) 'm' AND NOT c.relispopulated
        UNION
        SELECT u.view, n.used FROM uses u JOIN LATERAL (
            SELECT d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d
                ON d.objid OPERATOR(pg_catalog.=) r.oid
                AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid
                AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
            WHERE r.ev_class OPERATOR(pg_catalog.=) u.used
            UNION ALL
            SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent OPERATOR(pg_catalog.=) u.used
        ) AS n(used) ON true
    )
    SELECT DISTINCT s.nspname::pg_catalog.text, v.relname::pg_catalog.text
    FROM uses u JOIN pg_catalog.pg_class t ON t.oid OPERATOR(pg_catalog.=) u.used
    JOIN pg_catalog.pg_class v ON v.oid OPERATOR(pg_catalog.=) u.view
    JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) v.relnamespace
    WHERE t.relkind OPERATOR(pg_catalog.=) 'f'";

/// Views that cannot be filled in a drill.
#[derive(Debug)]
pub struct ViewsAside {
    /// The views.
    pub unfilled: Vec<UnfilledView>,
    /// What an operator should know.
    pub warning: String,
    /// The run without its errors about them.
    pub others: PgRestoreRun,
}

impl Server {
    /// Sets errors about filling such views aside: by the entries that failed, and by the catalogue. None if there is no such
    /// error, or if it is not sure which entries failed.
    ///
    /// # Errors
    /// If the server cannot be asked.
    pub async fn set_views_aside(
        &self,
        database: &DatabaseName,
        run: &PgRestoreRun,
        toc: &Toc,
    ) -> Result<Option<ViewsAside>> {
        let mut failed = BTreeMap::new();
        for complaint in &run.words.complaints {
            if let Some(entry) = shown::entry_of(toc, complaint).filter(|entry| entry.desc == VIEW_DATA) {
                let name = (entry.namespace.clone().unwrap_or_default(), entry.tag.clone());
                failed.insert(entry.dump_id, name);
            }
        }
        if failed.is_empty() || run.words.entries().is_none() {
            return Ok(None);
        }
        let client = self.connect(database.as_str()).await?;
        let rows = client.query(REACHING_OUT, &[]).await;
        let rows = rows.map_err(|error| own_failure("looking for views over foreign tables", &error))?;
        let reaching: BTreeSet<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        failed.retain(|_, name| reaching.contains(name));
        if failed.is_empty() {
            return Ok(None);
        }
        let shown = shown::Names::of(toc);
        let unfilled = failed
            .keys()
            .map(|entry| UnfilledView { entry: *entry, what: shown.entry(*entry).unwrap_or_default() });
        let names: BTreeSet<String> =
            failed.values().map(|(schema, view)| format!("{schema}.{view}")).collect();
        let names = Vec::from_iter(names);
        let warning = format!(
            "materialized views over foreign tables cannot be filled here, since nothing in the stack reaches their \
             servers: {}",
            crate::model::human::one_line(&names.join(", "), 300)
        );
        let others = run.without(&failed.keys().copied().collect());
        Ok(Some(ViewsAside { unfilled: unfilled.collect(), warning, others }))
    }
}
