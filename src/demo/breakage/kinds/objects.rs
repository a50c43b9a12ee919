//! What an application needs besides rows, lost or changed: the rows are all there.

use super::{audit, usage};
use crate::demo::breakage::Expect::Findings;
use crate::demo::breakage::How::Dump;
use crate::demo::breakage::{Breakage, Edit};

/// What the check `objects` finds, in a dump that is not the one that was backed up.
macro_rules! found {
    ($code:literal) => {
        Findings(&[("objects", $code), ("source", "dump_replaced")])
    };
}

/// Kinds that leave every row as it is.
pub(super) static KINDS: &[Breakage] = &[
    Breakage {
        name: "lost-index",
        about: "a dump is replaced by one without an index of the audit log",
        how: Dump(audit(
            "DROP INDEX audit_logs_org_timestamp_idx;
             SELECT 'acp_audit: index public.audit_logs.audit_logs_org_timestamp_idx'",
        )),
        expect: found!("index_missing"),
    },
    Breakage {
        name: "disabled-trigger",
        about: "the trigger that keeps the audit log append-only was disabled, and never enabled again",
        how: Dump(audit(
            "ALTER TABLE audit_logs DISABLE TRIGGER audit_logs_no_update;
             SELECT 'acp_audit: trigger public.audit_logs.audit_logs_no_update'",
        )),
        expect: found!("trigger_disabled"),
    },
    Breakage {
        name: "changed-view",
        about: "a view counts something else under the same name",
        how: Dump(Edit {
            database: "acp_api",
            sql: "CREATE OR REPLACE VIEW public.api_errors AS
                  SELECT tenant_id, path, count(*) AS errors FROM public.api_requests WHERE status >= 400 GROUP BY 1, 2;
                  SELECT 'acp_api: view public.api_errors'",
        }),
        expect: found!("view_differs"),
    },
    Breakage {
        name: "changed-function",
        about: "the function that refuses changes of the audit log lets them pass",
        how: Dump(audit(
            "CREATE OR REPLACE FUNCTION public.audit_logs_refuse_change() RETURNS trigger LANGUAGE plpgsql
             AS 'BEGIN RETURN NEW; END';
             SELECT 'acp_audit: function public.audit_logs_refuse_change()'",
        )),
        expect: found!("function_differs"),
    },
    Breakage {
        name: "missing-extension",
        about: "an extension is gone, and with it the index that it served",
        how: Dump(Edit {
            database: "acp_behavior",
            sql: "DROP EXTENSION pg_trgm CASCADE; SELECT 'acp_behavior: extension pg_trgm'",
        }),
        expect: found!("extension_missing"),
    },
    Breakage {
        name: "empty-view",
        about: "a materialized view was emptied, and reading it is an error",
        how: Dump(usage(
            "REFRESH MATERIALIZED VIEW usage_by_day WITH NO DATA;
             SELECT 'acp_usage: materialized view public.usage_by_day'",
        )),
        expect: found!("matview_not_populated"),
    },
    Breakage {
        name: "lost-default",
        about: "a column lost its default: the next insert writes no time",
        how: Dump(audit(
            "ALTER TABLE audit_logs ALTER COLUMN created_at DROP DEFAULT;
             SELECT 'acp_audit: default public.audit_logs.created_at'",
        )),
        expect: found!("default_missing"),
    },
];
