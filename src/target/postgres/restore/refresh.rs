//! Materialized views over foreign tables: what they show is on a server that nothing in the stack can reach, so they
//! cannot be filled here. No row of the backup is missing for that.

use std::collections::BTreeSet;

use super::run::PgRestoreRun;
use super::shown;
use crate::format::pg_custom::Toc;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;
use crate::model::verdict::UnfilledView;
use crate::target::postgres::failures::own_failure;
use crate::target::postgres::server::Server;

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

impl Server {
    /// A warning, and the views, if filling such views is all that could not be done: by the entries that failed, and by the catalogue.
    pub(super) async fn views_that_reach_out(
        &self,
        database: &DatabaseName,
        run: &PgRestoreRun,
        toc: &Toc,
    ) -> Result<Option<(String, Vec<UnfilledView>)>> {
        let (mut failed, mut unfilled) = (BTreeSet::new(), Vec::new());
        let shown = shown::Names::of(toc);
        for complaint in &run.words.complaints {
            match shown::entry_of(toc, complaint) {
                Some(entry) if entry.desc == "MATERIALIZED VIEW DATA" => {
                    let what = shown.entry(entry.dump_id).unwrap_or_default();
                    unfilled.push(UnfilledView { entry: entry.dump_id, what });
                    failed.insert((entry.namespace.clone().unwrap_or_default(), entry.tag.clone()));
                }
                _ => return Ok(None),
            }
        }
        if failed.is_empty() || run.words.ignored != Some(failed.len() as u64) {
            return Ok(None);
        }
        let client = self.connect(database.as_str()).await?;
        let rows = client.query(REACHING_OUT, &[]).await;
        let rows = rows.map_err(|error| own_failure("looking for views over foreign tables", &error))?;
        let reaching: BTreeSet<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        if !failed.is_subset(&reaching) {
            return Ok(None);
        }
        let names: Vec<String> = failed.iter().map(|(schema, view)| format!("{schema}.{view}")).collect();
        let warning = format!(
            "materialized views over foreign tables cannot be filled here, since nothing in the stack reaches their \
             servers: {}",
            crate::model::human::one_line(&names.join(", "), 300)
        );
        Ok(Some((warning, unfilled)))
    }
}
