//! Daily roots and the keys that signed them.

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::TryStreamExt;
use tokio_postgres::types::ToSql;

use super::failures::query_failure;
use super::pins::Pins;
use super::server::Server;
use crate::model::failure::Result;
use crate::model::names::DatabaseName;

/// Whether an audit row, or a root, belongs to a day of the calendar: Postgres also has `infinity`, and later years.
macro_rules! has_day {
    (rows) => {
        r#"("timestamp" >= '0001-01-01 00:00:00+00' AND "timestamp" < '10000-01-01 00:00:00+00')"#
    };
    (roots) => {
        "(root_date BETWEEN '0001-01-01' AND '9999-12-31')"
    };
}

/// The audit rows that belong to a day.
macro_rules! leaves {
    () => {
        concat!(
            r#"(SELECT id, tenant_id, "timestamp" AS at, ("timestamp" AT TIME ZONE 'UTC')::date AS day
               FROM public.audit_logs WHERE "#,
            has_day!(rows),
            ")"
        )
    };
}

/// Roots in order, each with what the audit rows of its tenant and day say: how many there are, how many stand before
/// the first and up to the last that the root covers, in the order of their time and id, and when the first one after it
/// was written.
const ROOTS: &str = concat!(
    "
    WITH roots AS MATERIALIZED (
        SELECT row_number() OVER () AS nr, * FROM public.transparency_roots WHERE ",
    has_day!(roots),
    "
    ), ends AS MATERIALIZED (
        SELECT r.nr, r.tenant_id, r.root_date, first.id AS first_id, first.at AS first_at,
               last.id AS last_id, last.at AS last_at
        FROM roots r
        LEFT JOIN ",
    leaves!(),
    " first ON first.id = r.leaf_range_start_id AND first.tenant_id = r.tenant_id AND first.day = r.root_date
        LEFT JOIN ",
    leaves!(),
    " last ON last.id = r.leaf_range_end_id AND last.tenant_id = r.tenant_id AND last.day = r.root_date
    ), counted AS (
        SELECT e.nr, count(*) AS n,
               count(*) FILTER (WHERE (l.at, l.id) < (e.first_at, e.first_id)) AS before,
               count(*) FILTER (WHERE (l.at, l.id) <= (e.last_at, e.last_id)) AS covered,
               min(l.at) FILTER (WHERE ((l.at, l.id) <= (e.last_at, e.last_id)) IS NOT TRUE) AS next
        FROM ends e JOIN ",
    leaves!(),
    " l ON l.tenant_id = e.tenant_id AND l.day = e.root_date
        GROUP BY e.nr
    ), oldest AS (
        SELECT tenant_id, min(day) AS day FROM ",
    leaves!(),
    " l GROUP BY 1
    )
    SELECT r.tenant_id::text, r.root_date, r.root_hash::text, r.prev_root_hash::text, r.leaf_count::int8,
           r.leaf_range_start_id::text, r.leaf_range_end_id::text, (r.signed_root_payload->'receipt')::text,
           r.signed_root_payload->>'signature', r.signed_root_payload->>'public_key_fingerprint',
           r.signing_key_fingerprint::text, coalesce(c.n, 0), o.day,
           CASE WHEN e.first_id IS NOT NULL THEN c.before END, CASE WHEN e.last_id IS NOT NULL THEN c.covered END,
           c.next, CASE WHEN r.computed_at >= '0001-01-01 00:00:00+00' AND r.computed_at < '10000-01-01 00:00:00+00'
                        THEN r.computed_at END
    FROM roots r
    JOIN ends e USING (nr)
    LEFT JOIN counted c USING (nr)
    LEFT JOIN oldest o ON o.tenant_id = r.tenant_id
    ORDER BY r.tenant_id, r.root_date"
);

/// Days with rows and without a root.
const ROOTLESS_DAYS: &str = concat!(
    r#"
    SELECT l.tenant_id::text, l.day, l.n
    FROM (SELECT tenant_id, ("timestamp" AT TIME ZONE 'UTC')::date AS day, count(*) AS n
          FROM public.audit_logs WHERE tenant_id IS NOT NULL AND "#,
    has_day!(rows),
    r#" GROUP BY 1, 2) l
    WHERE l.day < $1
      AND NOT EXISTS (SELECT FROM public.transparency_roots r WHERE r.tenant_id = l.tenant_id AND r.root_date = l.day)
    ORDER BY 1, 2"#
);

/// Audit rows and roots that belong to no day.
const WITHOUT_DAY: &str = concat!(
    "
    SELECT 'audit rows', coalesce(tenant_id::text, 'none'), count(*) FROM public.audit_logs
    WHERE ",
    has_day!(rows),
    " IS NOT TRUE GROUP BY 2
    UNION ALL
    SELECT 'roots', coalesce(tenant_id::text, 'none'), count(*) FROM public.transparency_roots
    WHERE ",
    has_day!(roots),
    " IS NOT TRUE GROUP BY 2
    ORDER BY 1, 2"
);

/// One tenant's root of one UTC day, and what the audit rows say of that day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootRow {
    /// Whose day it is.
    pub tenant: String,
    /// The day.
    pub date: NaiveDate,
    /// Its root.
    pub root_hash: String,
    /// The root of the day before.
    pub prev_root_hash: Option<String>,
    /// Rows of that day, as the root has it.
    pub leaf_count: i64,
    /// The first of them.
    pub leaf_range_start: Option<String>,
    /// The last of them.
    pub leaf_range_end: Option<String>,
    /// What was signed, as JSON.
    pub receipt: Option<String>,
    /// Its signature, in base64url.
    pub signature: Option<String>,
    /// The fingerprint in the payload.
    pub payload_fingerprint: Option<String>,
    /// The fingerprint in the column.
    pub fingerprint: String,
    /// Audit rows that the tenant really has that day.
    pub leaves: i64,
    /// Those of them before the first that the root covers, in the order of their time and id; none if that is not there.
    pub leaves_before: Option<i64>,
    /// Those of them up to the last that the root covers; none if that is not there.
    pub leaves_covered: Option<i64>,
    /// When the first of them after it was written.
    pub next_leaf_at: Option<DateTime<Utc>>,
    /// When the root was computed.
    pub computed_at: Option<DateTime<Utc>>,
    /// The day of the tenant's oldest audit row.
    pub oldest_leaf: Option<NaiveDate>,
}

impl Server {
    /// Streams the roots of an Aegis audit database.
    pub async fn root_rows(&self, database: &DatabaseName, mut each: impl FnMut(RootRow)) -> Result<()> {
        let client = self.connect_pinned(database.as_str(), &Pins::rows()).await?.client;
        let failed = |error| query_failure("reading the transparency roots", &error);
        let rows =
            client.query_raw(ROOTS, std::iter::empty::<&(dyn ToSql + Sync)>()).await.map_err(failed)?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let root = (|| {
                Ok::<_, tokio_postgres::Error>(RootRow {
                    tenant: row.try_get(0)?,
                    date: row.try_get(1)?,
                    root_hash: row.try_get(2)?,
                    prev_root_hash: row.try_get(3)?,
                    leaf_count: row.try_get(4)?,
                    leaf_range_start: row.try_get(5)?,
                    leaf_range_end: row.try_get(6)?,
                    receipt: row.try_get(7)?,
                    signature: row.try_get(8)?,
                    payload_fingerprint: row.try_get(9)?,
                    fingerprint: row.try_get::<_, Option<String>>(10)?.unwrap_or_default(),
                    leaves: row.try_get(11)?,
                    oldest_leaf: row.try_get(12)?,
                    leaves_before: row.try_get(13)?,
                    leaves_covered: row.try_get(14)?,
                    next_leaf_at: row.try_get(15)?,
                    computed_at: row.try_get(16)?,
                })
            })();
            each(root.map_err(failed)?);
        }
        Ok(())
    }

    /// Tenants and days before `until` with audit rows and no root, the rows counted.
    pub async fn days_without_root(
        &self,
        database: &DatabaseName,
        until: NaiveDate,
        mut each: impl FnMut(&str, NaiveDate, i64),
    ) -> Result<()> {
        let client = self.connect_pinned(database.as_str(), &Pins::rows()).await?.client;
        let failed = |error| query_failure("looking for days without a root", &error);
        let parameters: [&(dyn ToSql + Sync); 1] = [&until];
        let rows = client.query_raw(ROOTLESS_DAYS, parameters).await.map_err(failed)?;
        let mut rows = std::pin::pin!(rows);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            each(
                row.try_get(0).map_err(failed)?,
                row.try_get(1).map_err(failed)?,
                row.try_get(2).map_err(failed)?,
            );
        }
        Ok(())
    }

    /// Audit rows and roots that belong to no day: what they are, their tenant, and how many.
    pub async fn rows_without_day(
        &self,
        database: &DatabaseName,
        mut each: impl FnMut(&str, &str, i64),
    ) -> Result<()> {
        let client = self.connect_pinned(database.as_str(), &Pins::rows()).await?.client;
        let failed = |error| query_failure("looking for rows without a day", &error);
        for row in client.query(WITHOUT_DAY, &[]).await.map_err(failed)? {
            each(
                row.try_get(0).map_err(failed)?,
                row.try_get(1).map_err(failed)?,
                row.try_get(2).map_err(failed)?,
            );
        }
        Ok(())
    }

    /// Fingerprints and PEM texts of the keys that have signed roots.
    pub async fn signing_keys(&self, database: &DatabaseName) -> Result<Vec<(String, String)>> {
        let client = self.connect_pinned(database.as_str(), &Pins::rows()).await?.client;
        let failed = |error| query_failure("reading the signing keys", &error);
        let sql = "SELECT coalesce(fingerprint::text, ''), coalesce(public_key_pem::text, '')
                   FROM public.transparency_historical_keys ORDER BY 1";
        let rows = client.query(sql, &[]).await.map_err(failed)?;
        rows.iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, _>>()
            .map_err(failed)
    }
}
