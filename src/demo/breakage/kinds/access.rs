//! Roles, owners and privileges that are not what they should be.

use super::audit;
use crate::demo::breakage::Expect::{Failure, Findings};
use crate::demo::breakage::How::{Dump, Objects};
use crate::demo::breakage::{Breakage, Edit, ObjectChange};

/// Kinds that break who may do what.
pub(super) static KINDS: &[Breakage] = &[
    Breakage {
        name: "lost-role",
    about: "the globals lack the role that owns a database, and there is no manifest",
    how: Objects(ObjectChange::LoseRole("aegis_owner")),
    expect: Failure("role_lost"),
},
    Breakage {
        name: "lost-grant",
        about: "a dump is replaced by one in which the application may not add to the audit log any more",
        how: Dump(audit("REVOKE INSERT ON audit_logs FROM aegis_app; SELECT 'acp_audit.public.audit_logs'")),
        expect: Findings(&[("access", "grant_missing"), ("access", "privilege_missing"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "extra-grant",
        about: "a dump is replaced by one in which the application may remove rows of the audit log",
        how: Dump(audit("GRANT DELETE ON audit_logs TO aegis_app; SELECT 'acp_audit.public.audit_logs'")),
        expect: Findings(&[("access", "grant_added"), ("access", "privilege_excess"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "lost-policy",
        about: "a dump is replaced by one in which a policy is gone, row security is off, and everybody reads every tenant",
        how: Dump(api(
            "DROP POLICY api_requests_own_tenant ON api_requests;
             ALTER TABLE api_requests DISABLE ROW LEVEL SECURITY;
             SELECT 'acp_api.public.api_requests'",
        )),
        expect: Findings(&[("access", "policy_missing"), ("access", "row_security_off"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "changed-owner",
        about: "a dump is replaced by one in which a table has another owner, and tables made later are for nobody",
        how: Dump(api(
            "ALTER TABLE webhooks OWNER TO postgres;
             ALTER DEFAULT PRIVILEGES FOR ROLE aegis_owner IN SCHEMA public REVOKE SELECT ON TABLES FROM aegis_readers;
             SELECT 'acp_api.public.webhooks'",
        )),
        expect: Findings(&[
            ("access", "owner_differs"),
            ("access", "default_privileges_differ"),
            ("source", "dump_replaced"),
        ]),
    },
];

const fn api(sql: &'static str) -> Edit {
    Edit { database: "acp_api", sql }
}
