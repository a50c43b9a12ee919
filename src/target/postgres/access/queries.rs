//! What the catalogs say of access: one text for the source of a backup and for what a drill restored.
//!
//! Every query is written with [`qualify`](super::super::own_sql::qualify) in mind, and works on PostgreSQL 12 and later.

/// Objects with their owner and their grants, `o`. `is_own` is false for objects of extensions and of the system: those are
/// created anew by a restore, with the owner that it runs as.
///
/// `type` is what `acldefault` calls the kind. Objects that a restore gives to its superuser whatever their owner was are
/// left out: event triggers, foreign-data wrappers, publications and subscriptions.
macro_rules! objects {
    () => {
        r#"
    all_objects (kind, class, oid, sub, schema, name, arguments, owner, acl, type) AS (
        SELECT 'schema', 'pg_catalog.pg_namespace'::regclass::oid, n.oid, 0, n.nspname::text, '', '',
               n.nspowner, n.nspacl, 'n'
        FROM pg_namespace n WHERE n.nspname !~ '^pg_(toast|temp)'
        UNION ALL
        SELECT CASE WHEN c.relkind = ANY ('{r,p}'::"char"[]) THEN 'table' WHEN c.relkind = 'v' THEN 'view'
                    WHEN c.relkind = 'm' THEN 'materialized view' WHEN c.relkind = 'S' THEN 'sequence'
                    ELSE 'foreign table' END,
               'pg_catalog.pg_class'::regclass::oid, c.oid, 0, n.nspname::text, c.relname::text, '',
               c.relowner, c.relacl, CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = ANY ('{r,p,v,m,S,f}'::"char"[]) AND c.relpersistence <> 't'
        UNION ALL
        SELECT 'column', 'pg_catalog.pg_class'::regclass::oid, c.oid, a.attnum::int4, n.nspname::text, c.relname::text,
               a.attname::text, c.relowner, a.attacl, 'c'
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relpersistence <> 't'
        UNION ALL
        SELECT CASE WHEN p.prokind = 'p' THEN 'procedure' WHEN p.prokind = 'a' THEN 'aggregate' ELSE 'function' END,
               'pg_catalog.pg_proc'::regclass::oid, p.oid, 0, n.nspname::text, p.proname::text,
               '(' || array_to_string(ARRAY(
                   SELECT format_type(t.type, NULL)
                   FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS t (type, place) ORDER BY t.place), ',') || ')',
               p.proowner, p.proacl, 'f'
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE (p.proacl IS NOT NULL OR n.nspname <> 'pg_catalog')
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
                          AND d.deptype = 'i')
        UNION ALL
        SELECT CASE WHEN t.typtype = 'd' THEN 'domain' ELSE 'type' END, 'pg_catalog.pg_type'::regclass::oid, t.oid, 0,
               n.nspname::text, t.typname::text, '', t.typowner, t.typacl, 'T'
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
        WHERE t.typtype = ANY ('{b,c,d,e,r}'::"char"[]) AND t.typisdefined AND (c.relkind IS NULL OR c.relkind = 'c')
          AND (t.typacl IS NOT NULL OR n.nspname <> 'pg_catalog')
          AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
        UNION ALL
        SELECT 'language', 'pg_catalog.pg_language'::regclass::oid, l.oid, 0, '', l.lanname::text, '',
               l.lanowner, l.lanacl, 'l'
        FROM pg_language l WHERE l.lanispl
        UNION ALL
        SELECT 'foreign-data wrapper', 'pg_catalog.pg_foreign_data_wrapper'::regclass::oid, w.oid, 0, '', w.fdwname::text,
               '', w.fdwowner, w.fdwacl, 'F'
        FROM pg_foreign_data_wrapper w
        UNION ALL
        SELECT 'foreign server', 'pg_catalog.pg_foreign_server'::regclass::oid, f.oid, 0, '', f.srvname::text, '',
               f.srvowner, f.srvacl, 'S'
        FROM pg_foreign_server f
        UNION ALL
        SELECT 'collation', 'pg_catalog.pg_collation'::regclass::oid, c.oid, 0, n.nspname::text, c.collname::text, '',
               c.collowner, NULL, NULL
        FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace WHERE n.nspname <> 'pg_catalog'
        UNION ALL
        SELECT 'operator', 'pg_catalog.pg_operator'::regclass::oid, o.oid, 0, n.nspname::text, o.oprname::text,
               '(' || format_type(o.oprleft, NULL) || ',' || format_type(o.oprright, NULL) || ')', o.oprowner, NULL, NULL
        FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE n.nspname <> 'pg_catalog'
        UNION ALL
        SELECT 'operator class', 'pg_catalog.pg_opclass'::regclass::oid, o.oid, 0, n.nspname::text, o.opcname::text,
               ' ' || m.amname::text, o.opcowner, NULL, NULL
        FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace JOIN pg_am m ON m.oid = o.opcmethod
        WHERE n.nspname <> 'pg_catalog'
        UNION ALL
        SELECT 'operator family', 'pg_catalog.pg_opfamily'::regclass::oid, o.oid, 0, n.nspname::text, o.opfname::text,
               ' ' || m.amname::text, o.opfowner, NULL, NULL
        FROM pg_opfamily o JOIN pg_namespace n ON n.oid = o.opfnamespace JOIN pg_am m ON m.oid = o.opfmethod
        WHERE n.nspname <> 'pg_catalog'
        UNION ALL
        SELECT 'text search configuration', 'pg_catalog.pg_ts_config'::regclass::oid, s.oid, 0, n.nspname::text,
               s.cfgname::text, '', s.cfgowner, NULL, NULL
        FROM pg_ts_config s JOIN pg_namespace n ON n.oid = s.cfgnamespace WHERE n.nspname <> 'pg_catalog'
        UNION ALL
        SELECT 'text search dictionary', 'pg_catalog.pg_ts_dict'::regclass::oid, s.oid, 0, n.nspname::text,
               s.dictname::text, '', s.dictowner, NULL, NULL
        FROM pg_ts_dict s JOIN pg_namespace n ON n.oid = s.dictnamespace WHERE n.nspname <> 'pg_catalog'
        UNION ALL
        SELECT 'statistics object', 'pg_catalog.pg_statistic_ext'::regclass::oid, s.oid, 0, n.nspname::text,
               s.stxname::text, '', s.stxowner, NULL, NULL
        FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
    ),
    objects AS (
        SELECT a.*, a.schema !~ '^pg_' AND NOT EXISTS (
                   SELECT FROM pg_depend d WHERE d.classid = a.class AND d.objid = a.oid AND d.deptype = 'e') AS is_own
        FROM all_objects a WHERE a.schema !~ '^pg_(toast|temp)' AND a.schema <> 'information_schema'
    )"#
    };
}

/// What was granted beyond what an object of its kind has anyway, and what of that was revoked, as texts: `+SELECT*:app`
/// is a grant to a role with the grant option, `+USAGE.` one to everybody, `-UPDATE@` was taken from the owner.
///
/// `acl` and `base` are lists, `owner` a role. A role that is gone is known by its number.
macro_rules! grants {
    ($acl:literal, $base:literal, $owner:literal) => {
        concat!(
            "ARRAY(
        SELECT CASE WHEN bool_or(e.is_now) THEN '+' ELSE '-' END || e.privilege
               || CASE WHEN bool_or(e.is_now AND e.may_grant) THEN '*' ELSE '' END
               || CASE WHEN e.grantee = 0::oid THEN '.' WHEN e.grantee = ",
            $owner,
            " THEN '@' ELSE ':' || coalesce(g.rolname::text, 'role ' || e.grantee::text) END
        FROM (SELECT true, n.grantee, n.privilege_type, n.is_grantable FROM aclexplode(",
            $acl,
            ") n UNION ALL SELECT false, b.grantee, b.privilege_type, false FROM aclexplode(",
            $base,
            ") b) AS e (is_now, grantee, privilege, may_grant)
        LEFT JOIN pg_roles g ON g.oid = e.grantee
        GROUP BY e.grantee, e.privilege, g.rolname
        HAVING bool_and(e.is_now) OR bool_and(NOT e.is_now)
               OR (bool_or(e.is_now AND e.may_grant) AND e.grantee <> ",
            $owner,
            "))"
        )
    };
}

/// Every object of a user's with its owner, and whatever was granted on an object of the system or an extension.
pub const OBJECTS: &str = concat!(
    "WITH ",
    objects!(),
    "
    SELECT o.kind, o.schema, o.name, o.arguments, o.is_own,
           CASE WHEN o.is_own AND o.kind <> ALL ('{column,foreign-data wrapper}') THEN r.rolname::text END,
           CASE WHEN o.acl IS NULL THEN '{}'::text[] ELSE ",
    grants!("o.acl", "b.acl", "o.owner"),
    " END,
           CASE WHEN NOT o.is_own OR o.kind = 'foreign-data wrapper' THEN r.rolname::text END
    FROM objects o LEFT JOIN pg_roles r ON r.oid = o.owner
    LEFT JOIN pg_init_privs i ON i.classoid = o.class AND i.objoid = o.oid AND i.objsubid = o.sub AND NOT o.is_own
    CROSS JOIN LATERAL (SELECT coalesce(i.initprivs, acldefault(o.type::\"char\", o.owner))) AS b (acl)
    WHERE o.is_own OR o.acl IS NOT NULL"
);

/// The database itself: its owner and grants.
pub const DATABASE: &str = concat!(
    "SELECT r.rolname::text, CASE WHEN d.datacl IS NULL THEN '{}'::text[] ELSE ",
    grants!("d.datacl", "acldefault('d', d.datdba)", "d.datdba"),
    " END, current_setting('server_version_num')::int4 / 10000
    FROM pg_database d LEFT JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = current_database()"
);

/// Large objects in sum.
pub const LARGE_OBJECTS: &str = concat!(
    "SELECT r.rolname::text, CASE WHEN l.lomacl IS NULL THEN '{}'::text[] ELSE ",
    grants!("l.lomacl", "acldefault('L', l.lomowner)", "l.lomowner"),
    " END, l.number
    FROM (SELECT m.lomowner, m.lomacl, count(*) FROM pg_largeobject_metadata m GROUP BY m.lomowner, m.lomacl)
         AS l (lomowner, lomacl, number)
    LEFT JOIN pg_roles r ON r.oid = l.lomowner"
);

/// Default privileges: the role whose objects get them, the schema (empty for all), the kind.
pub const DEFAULT_PRIVILEGES: &str = concat!(
    "SELECT r.rolname::text, coalesce(n.nspname::text, ''), d.defaclobjtype::text, ",
    grants!(
        "d.defaclacl",
        "CASE WHEN d.defaclnamespace = 0::oid THEN acldefault(
             CASE WHEN d.defaclobjtype = 'S' THEN 's' ELSE d.defaclobjtype END::\"char\", d.defaclrole) END",
        "d.defaclrole"
    ),
    " FROM pg_default_acl d LEFT JOIN pg_roles r ON r.oid = d.defaclrole
    LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace"
);

/// Tables with row security.
pub const ROW_SECURITY: &str = "
    SELECT n.nspname::text, r.relname::text, r.relrowsecurity, r.relforcerowsecurity
    FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE (r.relrowsecurity OR r.relforcerowsecurity) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend e
                      WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = r.oid AND e.deptype = 'e')";

/// Policies, and whether each has its two expressions. No role stands for everybody.
pub const POLICIES: &str = "
    SELECT n.nspname::text, r.relname::text, p.polname::text, p.polcmd::text, p.polpermissive,
           ARRAY(SELECT coalesce(g.rolname::text, 'role ' || m.oid::text) FROM unnest(p.polroles) AS m (oid)
                 LEFT JOIN pg_roles g ON g.oid = m.oid WHERE m.oid <> 0::oid),
           p.polqual IS NOT NULL, p.polwithcheck IS NOT NULL, p.oid
    FROM pg_policy p JOIN pg_class r ON r.oid = p.polrelid JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE NOT EXISTS (SELECT FROM pg_depend e
                      WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = r.oid AND e.deptype = 'e')";

/// The expressions of some policies. Printing one locks what it looks at.
pub const EXPRESSIONS: &str = "
    SELECT p.oid, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
    FROM pg_policy p WHERE p.oid = ANY ($1::oid[])";

/// Roles, but for the system's own.
pub const ROLES: &str = "
    SELECT rolname::text, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
           rolconnlimit
    FROM pg_roles WHERE rolname !~ '^pg_'";

/// Memberships. Up to PostgreSQL 15 a member inherits as its role says, and may become the other role.
pub const MEMBERSHIPS: &str = "
    SELECT g.rolname::text, m.rolname::text, bool_or(a.admin_option),
           bool_or(coalesce((to_jsonb(a)->>'inherit_option')::bool, m.rolinherit)),
           bool_or(coalesce((to_jsonb(a)->>'set_option')::bool, true))
    FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
    WHERE g.rolname !~ '^pg_' OR m.rolname !~ '^pg_'
    GROUP BY g.rolname, m.rolname";

/// Settings of roles, in all databases.
pub const SETTINGS: &str = "
    SELECT r.rolname::text, s.setting FROM pg_db_role_setting d JOIN pg_roles r ON r.oid = d.setrole
    CROSS JOIN LATERAL unnest(d.setconfig) AS s (setting)
    WHERE d.setdatabase = 0::oid AND r.rolname !~ '^pg_'";
