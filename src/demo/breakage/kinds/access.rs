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
        about: "a dump is replaced by one in which a policy is gone: the application reads no row any more",
        how: Dump(api("DROP POLICY api_requests_own_tenant ON api_requests; SELECT 'acp_api.public.api_requests'")),
        expect: Findings(&[("access", "policy_missing"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "row-security-off",
        about: "a dump is replaced by one in which row security is off, and the application reads every tenant's rows",
        how: Dump(api("ALTER TABLE api_requests DISABLE ROW LEVEL SECURITY; SELECT 'acp_api.public.api_requests'")),
        expect: Findings(&[("access", "row_security_off"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "changed-owner",
        about: "a dump is replaced by one in which a table has another owner",
        how: Dump(api("ALTER TABLE webhooks OWNER TO postgres; SELECT 'acp_api.public.webhooks'")),
        expect: Findings(&[("access", "owner_differs"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "lost-default-privileges",
        about: "a dump is replaced by one after which nobody may read tables that are made later",
        how: Dump(api(
            "ALTER DEFAULT PRIVILEGES FOR ROLE aegis_owner IN SCHEMA public REVOKE SELECT ON TABLES FROM aegis_readers;
             SELECT 'acp_api: default privileges of aegis_owner for tables in public'",
        )),
        expect: Findings(&[("access", "default_privileges_differ"), ("source", "dump_replaced")]),
    },
    Breakage {
        name: "lost-membership",
        about: "the globals lack the membership of the application in the group that may read",
        how: Objects(ObjectChange::LoseOfRole { role: "aegis_app", lines: "GRANT aegis_readers TO aegis_app" }),
        expect: Findings(&[("access", "membership_missing")]),
    },
    Breakage {
        name: "lost-login",
        about: "the globals lack a role that no database names: an auditor cannot log in",
        how: Objects(ObjectChange::LoseOfRole { role: "aegis_auditor", lines: "aegis_auditor" }),
        expect: Findings(&[("access", "role_missing")]),
    },
    Breakage {
        name: "lost-role-attributes",
        about: "the globals lack what the application's role may do to the server: log in",
        how: Objects(ObjectChange::LoseOfRole { role: "aegis_app", lines: "ALTER ROLE aegis_app WITH " }),
        expect: Findings(&[("access", "role_attribute_differs")]),
    },
    Breakage {
        name: "lost-role-setting",
        about: "the globals lack a setting of the application's role: statements run without a limit",
        how: Objects(ObjectChange::LoseOfRole { role: "aegis_app", lines: "ALTER ROLE aegis_app SET statement_timeout" }),
        expect: Findings(&[("access", "role_setting_differs")]),
    },
];

const fn api(sql: &'static str) -> Edit {
    Edit { database: "acp_api", sql }
}
