//! Codes of the findings of `access`.

use crate::model::finding_code::findings;

findings! {
    OWNER_DIFFERS = "owner_differs", "error":
        "Another role owns it than in the source. An owner may do everything with it, and give privileges to others.",
        "Compare the owner in the source. A dump made with `--no-owner` gives everything to whoever restores it.",
        "shop.public.orders: table owned by postgres, expected shop_owner";
    GRANT_MISSING = "grant_missing", "error":
        "A role has not all privileges that it had in the source. What it is for will fail there.",
        "Check whether the dump was made with `--no-privileges`, or by a role that could not read them.",
        "shop.public.orders: app lacks SELECT";
    GRANT_ADDED = "grant_added", "error":
        "A role has a privilege that it did not have in the source, or has one back that was revoked there.",
        "Treat it as an intrusion until it is explained: find out who wrote the dump.",
        "shop.public.orders: app has DELETE, which it had not";
    DEFAULT_PRIVILEGES_DIFFER = "default_privileges_differ", "error":
        "Objects that are made later will get other privileges than in the source.",
        "Compare `\\ddp` in the source.",
        "shop: default privileges of shop_owner for tables in public: app lacks SELECT";
    LARGE_OBJECT_ACCESS_DIFFERS = "large_object_access_differs", "error":
        "Another number of large objects has this owner and these privileges than in the source.",
        "Compare `pg_largeobject_metadata` in the source.",
        "shop: large objects of shop_owner: 11 of them, expected 12";
    ROW_SECURITY_OFF = "row_security_off", "error":
        "The source applied row security to the table, or bound its owner to it, and the restored database does not: whoever may read the table reads all of its rows.",
        "Compare the table in the source. `ALTER TABLE … ENABLE ROW LEVEL SECURITY` is an entry of its own in a dump.",
        "shop.public.orders: row security is off";
    ROW_SECURITY_ADDED = "row_security_added", "error":
        "Row security is applied to the table, or to its owner, and was not in the source: roles may find no rows in it.",
        "Compare the table in the source.",
        "shop.public.orders: row security is on";
    POLICY_MISSING = "policy_missing", "error":
        "The source had the policy, and the restored database does not.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop.public.orders: the policy own_tenant is not there";
    POLICY_ADDED = "policy_added", "error":
        "The restored database has a policy that the source did not have. It may permit more.",
        "Treat it as an intrusion until it is explained: find out who wrote the dump.",
        "shop.public.orders: the policy everybody was not in the source";
    POLICY_DIFFERS = "policy_differs", "error":
        "The policy has another command, other roles or another expression. Expressions are compared where source and drill run the same major version.",
        "Compare the policy in the source.",
        "shop.public.orders: the policy own_tenant has another USING";
    ROLE_MISSING = "role_missing", "error; warning if an older version made the manifest":
        "The source had the role before and after the globals were written, and they lack it. Older versions looked only afterwards, so that it may have been created in between.",
        "Check whether the globals are those of the same server, and of the same time.",
        "role app: it is not in the restored server";
    ROLE_ADDED = "role_added", "warning":
        "The set's globals have a role that the source did not have when it was dumped. What it may do are findings of their own.",
        "If it was not created while the backup ran, find out who wrote the globals.",
        "role ghost: the source did not have it";
    ROLE_ATTRIBUTE_DIFFERS = "role_attribute_differs", "error; warning if an older version made the manifest":
        "The role may do something to the server that it could not in the source, or the other way round. SUPERUSER, CREATEROLE, CREATEDB, REPLICATION or BYPASSRLS that the source's record does not have is always an error, also of a role that it does not have.",
        "Compare `\\du` in the source.",
        "role app: it has CREATEROLE, which it had not";
    ROLE_SETTING_DIFFERS = "role_setting_differs", "error; warning if an older version made the manifest":
        "A setting of the role is not as in the source. Values are not shown.",
        "Compare `\\drds` in the source.",
        "role app: search_path has another value";
    MEMBERSHIP_MISSING = "membership_missing", "error; warning if an older version made the manifest":
        "The role was a member of another in the source. It lacks what that one may do.",
        "Compare `\\du` in the source.",
        "role app: it is not a member of readers";
    MEMBERSHIP_ADDED = "membership_added", "error; warning for a role that the source did not have, or if an older version made the manifest":
        "The role is a member of one that it was not in the source, and may do what that one may.",
        "Treat it as an intrusion until it is explained: find out who wrote the globals.",
        "role app: it is a member of admins, which it was not";
    MEMBERSHIP_DIFFERS = "membership_differs", "error; warning if an older version made the manifest":
        "The membership has another ADMIN, INHERIT or SET option.",
        "Compare `pg_auth_members` in the source.",
        "role app: member of readers with ADMIN, which it had not";
    PRIVILEGE_MISSING = "privilege_missing", "error":
        "A rule says that the role may do this, and it may not.",
        "Compare the grants in the source, and look at the other findings.",
        "shop.public.orders: app may not SELECT";
    PRIVILEGE_EXCESS = "privilege_excess", "error":
        "A rule says that the role may not do this, and it may: by itself, or as a role that it can become.",
        "Compare the grants in the source. If they are the same there, the source is wrong as well.",
        "shop.public.audit_log: app may DELETE";
    RULE_SUBJECT_ABSENT = "rule_subject_absent", "error":
        "The role, the table or the column that a rule names is not there.",
        "Check whether the rule has the right name. `if_role_exists = true` lets a rule pass that is about a role which not every set has.",
        "shop.public.orders: the role app is not there";
    RULE_NOT_JUDGED = "rule_not_judged", "warning; error with `require_manifest`":
        "The rule could not be judged: the drill did not restore access, or the role is not there and `if_role_exists` permits that.",
        "Make backups with `restore-drill backup`, which keeps roles and privileges.",
        "shop.public.orders: the role app is not there";
    NOT_TRIED = "not_tried", "warning":
        "The server refused the statement for another reason than privileges, so trying it decides nothing. What the catalog says was judged.",
        "Look at the SQLSTATE. A policy that fails, for example, fails for the application too.",
        "shop.public.orders: SELECT as app ended with SQLSTATE 42P17";
    ACCESS_NOT_COMPARED = "access_not_compared", "warning; error with `require_manifest`":
        "Who may do what was not compared with the source. The finding gives the reason.",
        "Make backups with `restore-drill backup`, which records it in the manifest and keeps roles and privileges.",
        "shop: there is no manifest_20260517T083111Z.json.age";
    OBJECT_ADDED = "object_added", "error; warning if the template runs SQL in the database":
        "The restored database has an object that the source did not have. Dump and record are of one snapshot, so it did not come from there.",
        "Treat it as an intrusion until it is explained: find out who wrote the dump. Services of the stack run while databases are restored: one that migrates its database makes objects too, so have it not migrate in a drill.",
        "shop.public.become_admin(): the function was not in the source";
    OBJECT_NOT_COMPARED = "object_not_compared", "warning":
        "The object is not in the restored database, so its owner and privileges were not compared.",
        "Whether it should be there is for the other checks.",
        "shop.public.orders_view: the view is not in the restored database";
    ACCESS_LEFT_OUT = "access_left_out", "warning":
        "`ignore` or `ignore_extensions` of the database leaves out the entry of the archive that says the owner, the privileges or a policy, so it was not compared. What was restored all the same is. Where the entry takes something away (a `RESTRICTIVE` policy, `ROW SECURITY`, an `ACL` that revokes what everybody has by default), somebody may do more than in the source, and that is not seen.",
        "Leave out less, if that matters.",
        "shop.public.big: privileges as in the source: left out";
    EXPRESSIONS_NOT_COMPARED = "expressions_not_compared", "warning":
        "Source and drill run different major versions, which write expressions differently; or the backup could not read them, since somebody waited to change a table. Of policies all but these was compared.",
        "Drill with an image of the source's major version.",
        "shop: the expressions of 3 policies, written by PostgreSQL 15 and 17";
    MANIFEST_UNREADABLE = "manifest_unreadable", "error":
        "The manifest is there and cannot be opened or read.",
        "Check whether the identities of the template include that of the backup.",
        "shop: the manifest cannot be opened";
}
