//! Tables, rows and dumps that are not what they should be.

use super::{audit, usage};
use crate::demo::breakage::Expect::{Failure, Findings, Pass};
use crate::demo::breakage::How::{Dump, Later, Source, WithoutPostData};
use crate::demo::breakage::{Breakage, Edit};

/// Kinds that break what is backed up.
pub(super) static KINDS: &[Breakage] = &[
    Breakage {
        name: "missing-table",
        about: "the backup job left a table out",
        how: Source(&[audit(
            "DROP TABLE transparency_historical_keys; SELECT 'acp_audit.public.transparency_historical_keys'",
        )]),
        expect: Failure("table_missing_in_dump"),
    },
    Breakage {
        name: "replaced-dump",
        about: "a dump is replaced by one in which an audit row has another reason, which its hash does not cover",
        how: Dump(audit(
            "UPDATE audit_logs SET reason = 'another reason'
             WHERE id = (SELECT id FROM audit_logs WHERE hash_version = 1 ORDER BY chain_sequence LIMIT 1)
             RETURNING 'acp_audit.public.audit_logs'",
        )),
        expect: Findings(&[("source", "content_differs"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "lost-rows",
        about: "a dump is replaced by one without some of its rows, to which nothing refers",
        how: Dump(audit(
            "WITH gone AS (DELETE FROM audit_notes RETURNING id) SELECT 'acp_audit.public.audit_notes'",
        )),
        expect: Findings(&[("source", "row_count_differs"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "shrunk-audit",
        about: "the audit log lost all but two rows since the last drill, and there is no manifest to tell",
        how: Later(&[
            audit(
                "WITH billed AS (
                    SELECT * FROM audit_logs WHERE action = 'execute_tool' AND decision <> 'reject'
                    ORDER BY request_id::text DESC LIMIT 1),
                 fresh AS (
                    SELECT a.* FROM audit_logs a, billed b
                    WHERE a.tenant_id <> b.tenant_id AND (a.action <> 'execute_tool' OR a.decision = 'reject')
                    ORDER BY a.\"timestamp\" DESC LIMIT 1),
                 kept AS (SELECT * FROM billed UNION ALL SELECT * FROM fresh),
                 gone AS (DELETE FROM audit_logs WHERE id NOT IN (SELECT id FROM kept)),
                 notes AS (DELETE FROM audit_notes WHERE audit_log_id NOT IN (SELECT id FROM kept)),
                 roots AS (DELETE FROM transparency_roots r WHERE NOT EXISTS (
                    SELECT FROM kept k WHERE k.tenant_id = r.tenant_id
                        AND r.root_date <= (k.\"timestamp\" AT TIME ZONE 'UTC')::date))
                 SELECT 'acp_audit.public.audit_logs'",
            ),
            usage(
                "WITH gone AS (DELETE FROM usage_records WHERE audit_id::text IS DISTINCT FROM
                    (SELECT max(audit_id::text) FROM usage_records))
                 SELECT 'acp_usage.public.usage_records'",
            ),
        ]),
        expect: Findings(&[("rows", "rows_dropped"), ("audit-chain", "head_missing")]),
    },
    Breakage {
        name: "no-post-data",
        about: "the dump was made without its indexes, keys and triggers, and there is no manifest",
        how: WithoutPostData("acp_audit"),
        expect: Failure("post_data_missing"),
    },
    Breakage {
        name: "orphans",
        about: "rows refer to a row that is gone, past their foreign key",
        how: Source(&[Edit {
            database: "acp_identity",
            sql: "DELETE FROM tenants WHERE id = (SELECT tenant_id FROM users LIMIT 1) RETURNING 'acp_identity'",
        }]),
        expect: Failure("foreign_key_violated"),
    },
    Breakage {
        name: "unvalidated-orphans",
        about: "a note refers to an audit row that is gone, behind a foreign key that nobody has validated",
        how: Source(&[audit(
            "ALTER TABLE audit_notes DROP CONSTRAINT audit_notes_audit_log_id_fkey;
             INSERT INTO audit_notes (audit_log_id, author_id, note)
             VALUES (gen_random_uuid(), gen_random_uuid(), 'about nothing');
             ALTER TABLE audit_notes ADD CONSTRAINT audit_notes_audit_log_id_fkey
             FOREIGN KEY (audit_log_id) REFERENCES audit_logs (id) NOT VALID;
             SELECT 'acp_audit.public.audit_notes audit_notes_audit_log_id_fkey'",
        )]),
        expect: Findings(&[("constraints", "not_valid_violated")]),
    },
    Breakage {
        name: "lost-sequence",
        about: "a sequence stands where it began: the next insert gets a number that is taken",
        how: Source(&[audit(
            "ALTER TABLE audit_notes ALTER id RESTART WITH 1; SELECT 'acp_audit.public.audit_notes_id_seq'",
        )]),
        expect: Findings(&[("sequences", "sequence_behind")]),
    },
    Breakage {
        name: "abandoned",
        about: "dumps are made every night, of a database that nobody has written to for days",
        how: Source(&[
            audit(concat!(
                "WITH gone AS (DELETE FROM audit_logs WHERE \"timestamp\" >= ",
                days_ago!(2),
                " RETURNING id),
                 notes AS (DELETE FROM audit_notes WHERE audit_log_id IN (SELECT id FROM gone)),
                 roots AS (DELETE FROM transparency_roots
                           WHERE root_date >= (",
                days_ago!(2),
                " AT TIME ZONE 'UTC')::date)
                 SELECT 'acp_audit'"
            )),
            usage(concat!(
                "WITH gone AS (DELETE FROM usage_records
                    WHERE \"timestamp\" - (40000 + units) * interval '1 microsecond' >= ",
                days_ago!(2),
                ")
                 SELECT 'acp_usage'"
            )),
        ]),
        expect: Findings(&[("audit-fresh", "too_old")]),
    },
    Breakage {
        name: "empty-database",
        about: "a database has its tables and no rows, for a good reason: a backup that passes",
        how: Source(&[Edit {
            database: "acp_autonomy",
            sql: "TRUNCATE policies, approvals; SELECT 'acp_autonomy'",
        }]),
        expect: Pass,
    },
];
