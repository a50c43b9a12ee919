//! The queries. Each returns kind, schema, table, name, state, definition and columns that may not be null.
//!
//! Left out is what a dump leaves out: what belongs to an extension, what the system made itself, what is temporary, an
//! index that is not valid, the copies that foreign keys have on partitions. What a version does not have is asked for
//! through `to_jsonb`.

use crate::target::postgres::catalog::of_users;

/// What is printed from the catalogs alone.
pub(super) const AT_ONCE: &[&str] = &[
    SCHEMAS,
    EXTENSIONS,
    TYPES,
    TABLES,
    SEQUENCES,
    DEFAULTS,
    INDEXES,
    CONSTRAINTS,
    TRIGGERS,
    STATISTICS,
    PUBLICATIONS,
    EVENT_TRIGGERS,
];

/// What is printed with the relations that it names locked. The first column is a number of the server's, for the next
/// portion to begin after.
pub(super) const IN_PORTIONS: &[&str] = &[VIEWS, RULES, FUNCTIONS];

/// The last two columns of what has neither state nor definition nor columns.
macro_rules! nothing_else {
    () => {
        "NULL::text, NULL::text, '{}'::text[]"
    };
}

/// That the object `$object` of the catalog `$catalog` belongs to no extension.
macro_rules! of_no_extension {
    ($catalog:literal, $object:literal) => {
        concat!(
            "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_catalog.",
            $catalog,
            "'::regclass AND e.objid = ",
            $object,
            " AND e.deptype = 'e')"
        )
    };
}

/// That the schema `n` is none of the system's.
macro_rules! of_a_user {
    () => {
        "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    };
}

/// The collation of `$of`, if it is another than that of the type `$type`.
macro_rules! collation {
    ($of:literal, $type:literal) => {
        concat!(
            "CASE WHEN ",
            $of,
            " <> ",
            $type,
            " THEN (SELECT format(' COLLATE %I.%I', m.nspname, l.collname)
                    FROM pg_collation l JOIN pg_namespace m ON m.oid = l.collnamespace WHERE l.oid = ",
            $of,
            ") END"
        )
    };
}

/// Options as they are stored, in one order.
macro_rules! sorted {
    ($options:literal) => {
        concat!("ARRAY(SELECT o FROM unnest(", $options, ") AS u (o) ORDER BY o COLLATE pg_catalog.\"C\")")
    };
}

/// Every database has `public`.
const SCHEMAS: &str = concat!(
    "SELECT 'schema', '', '', n.nspname::text, ",
    nothing_else!(),
    " FROM pg_namespace n WHERE n.nspname <> 'public' AND ",
    of_a_user!(),
    " AND ",
    of_no_extension!("pg_namespace", "n.oid")
);

const EXTENSIONS: &str = "
    SELECT 'extension', '', '', x.extname::text, x.extversion, NULL::text, '{}'::text[] FROM pg_extension x";

/// Types of users: no arrays, no rows of tables, no multiranges, which come with their ranges.
const TYPES: &str = concat!(
    "SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, n.nspname::text, '', t.typname::text, NULL::text,
       CASE t.typtype
       WHEN 'e' THEN (SELECT string_agg(quote_literal(l.enumlabel), ', ' ORDER BY l.enumsortorder)
                      FROM pg_enum l WHERE l.enumtypid = t.oid)
       WHEN 'd' THEN format('%s%s %s %s', format_type(t.typbasetype, t.typtypmod), ",
    collation!("t.typcollation", "(SELECT b.typcollation FROM pg_type b WHERE b.oid = t.typbasetype)"),
    ", t.typnotnull, pg_get_expr(t.typdefaultbin, 0))
       WHEN 'c' THEN (SELECT string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod), ",
    collation!("a.attcollation", "(SELECT b.typcollation FROM pg_type b WHERE b.oid = a.atttypid)"),
    "                                  ), ', ' ORDER BY a.attnum)
                      FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
       WHEN 'r' THEN (SELECT format('%s %s %s %s', format_type(g.rngsubtype, NULL), c.opcname, g.rngcanonical, g.rngsubdiff)
                      FROM pg_range g JOIN pg_opclass c ON c.oid = g.rngsubopc WHERE g.rngtypid = t.oid)
       ELSE format('%s %s %s %s', t.typinput, t.typoutput, t.typlen, t.typbyval) END, '{}'::text[]
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE t.typisdefined AND t.typtype = ANY ('{b,c,d,e,r}'::\"char\"[])
       AND NOT EXISTS (SELECT FROM pg_type b WHERE b.typarray = t.oid)
       AND NOT EXISTS (SELECT FROM pg_class r WHERE r.oid = t.typrelid AND r.relkind <> 'c') AND ",
    of_a_user!(),
    " AND ",
    of_no_extension!("pg_type", "t.oid")
);

/// Tables, with their columns in the order of their names: heirs may get them in another order by being restored.
const TABLES: &str = concat!(
    "SELECT 'table', n.nspname::text, '', r.relname::text, NULL::text,
       format('%s %s %s (%s) %s %s inherits %s with %s on %s', r.relkind, r.relpersistence, r.relreplident,
         (SELECT string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod), ",
    collation!("a.attcollation", "(SELECT b.typcollation FROM pg_type b WHERE b.oid = a.atttypid)"),
    "                      ), ', ' ORDER BY a.attname)
          FROM pg_attribute a WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped),
         pg_get_partkeydef(r.oid), pg_get_expr(r.relpartbound, r.oid),
         ARRAY(SELECT format('%s', i.inhparent::regclass) FROM pg_inherits i WHERE i.inhrelid = r.oid ORDER BY i.inhseqno), ",
    sorted!("r.reloptions"),
    ",   (SELECT v.srvname FROM pg_foreign_table f JOIN pg_foreign_server v ON v.oid = f.ftserver WHERE f.ftrelid = r.oid)),
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull ORDER BY a.attname)
     FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE r.relkind = ANY ('{r,p,f}'::\"char\"[]) AND ",
    of_users!()
);

/// Sequences, with the column that owns each.
const SEQUENCES: &str = concat!(
    "SELECT 'sequence', n.nspname::text, '', r.relname::text, NULL::text,
       format('%s %s start %s by %s from %s to %s cache %s cycle %s owned by %s', r.relpersistence,
         format_type(q.seqtypid, NULL), q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, q.seqcycle,
         (SELECT string_agg(format('%s %s.%I', d.deptype, d.refobjid::regclass, a.attname), ', ' ORDER BY a.attname)
          FROM pg_depend d JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
          WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype = ANY ('{a,i}'::\"char\"[]))),
       '{}'::text[]
     FROM pg_sequence q JOIN pg_class r ON r.oid = q.seqrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE ",
    of_users!()
);

/// Defaults, expressions that generate a column, and identity columns: a column has one of them at most.
const DEFAULTS: &str = concat!(
    "SELECT 'default', n.nspname::text, r.relname::text, a.attname::text, NULL::text,
       format('%s%s %s', a.attgenerated, a.attidentity, pg_get_expr(d.adbin, d.adrelid)), '{}'::text[]
     FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE (d.oid IS NOT NULL OR a.attidentity <> '') AND a.attnum > 0 AND NOT a.attisdropped AND ",
    of_users!()
);

/// Indexes that no constraint has made. A dump leaves one out that was never built to its end.
const INDEXES: &str = concat!(
    "SELECT 'index', n.nspname::text, r.relname::text, x.relname::text, NULL::text, pg_get_indexdef(x.oid), '{}'::text[]
     FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
     JOIN pg_class r ON r.oid = i.indrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE r.relkind = ANY ('{r,p,m}'::\"char\"[]) AND (i.indisvalid OR r.relkind = 'p')
       AND NOT EXISTS (SELECT FROM pg_constraint c
                       WHERE c.conindid = x.oid AND c.conrelid = r.oid AND c.contype = ANY ('{p,u,x}'::\"char\"[])) AND ",
    of_users!()
);

/// Constraints of tables and domains. Whether one is valid stands in what is printed.
const CONSTRAINTS: &str = concat!(
    "SELECT 'constraint', n.nspname::text, r.relname::text, c.conname::text, NULL::text, pg_get_constraintdef(c.oid),
       '{}'::text[]
     FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE c.contype = ANY ('{c,f,p,u,x}'::\"char\"[]) AND NOT (c.contype = 'f' AND c.conparentid <> 0) AND ",
    of_users!(),
    " UNION ALL
     SELECT 'constraint', n.nspname::text, t.typname::text, c.conname::text, NULL::text, pg_get_constraintdef(c.oid),
       '{}'::text[]
     FROM pg_constraint c JOIN pg_type t ON t.oid = c.contypid JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE c.contype = 'c' AND ",
    of_a_user!(),
    " AND ",
    of_no_extension!("pg_type", "t.oid")
);

/// Triggers of users; those that keep foreign keys come with these.
const TRIGGERS: &str = concat!(
    "SELECT 'trigger', n.nspname::text, r.relname::text, t.tgname::text, t.tgenabled::text, pg_get_triggerdef(t.oid),
       '{}'::text[]
     FROM pg_trigger t JOIN pg_class r ON r.oid = t.tgrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE NOT t.tgisinternal AND ",
    of_users!()
);

const STATISTICS: &str = concat!(
    "SELECT 'statistics', m.nspname::text, r.relname::text, s.stxname::text, NULL::text, pg_get_statisticsobjdef(s.oid),
       '{}'::text[]
     FROM pg_statistic_ext s JOIN pg_namespace m ON m.oid = s.stxnamespace
     JOIN pg_class r ON r.oid = s.stxrelid JOIN pg_namespace n ON n.oid = r.relnamespace
     WHERE ",
    of_users!()
);

/// Publications; one of all tables names none.
const PUBLICATIONS: &str = concat!(
    "SELECT 'publication', '', '', p.pubname::text, NULL::text,
       format('%s %s', to_jsonb(p) - 'oid' - 'pubowner' - 'pubname', CASE WHEN NOT p.puballtables THEN
         (SELECT string_agg(format('%I.%I %s %s', v.schemaname, v.tablename,
                   ARRAY(SELECT c FROM jsonb_array_elements_text(to_jsonb(v)->'attnames') AS u (c)
                         ORDER BY c COLLATE pg_catalog.\"C\"),
                   to_jsonb(v)->>'rowfilter'), ', ' ORDER BY v.schemaname, v.tablename)
          FROM pg_publication_tables v WHERE v.pubname = p.pubname) END), '{}'::text[]
     FROM pg_publication p WHERE ",
    of_no_extension!("pg_publication", "p.oid")
);

const EVENT_TRIGGERS: &str = concat!(
    "SELECT 'event trigger', '', '', v.evtname::text, v.evtenabled::text,
       format('%s %s %s', v.evtevent, v.evtfoid::regproc, ",
    sorted!("v.evttags"),
    "), '{}'::text[]
     FROM pg_event_trigger v WHERE ",
    of_no_extension!("pg_event_trigger", "v.oid")
);

const VIEWS: &str = concat!(
    "SELECT r.oid, CASE r.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, n.nspname::text, '', r.relname::text,
       CASE WHEN r.relkind = 'm' THEN CASE WHEN r.relispopulated THEN 'populated' ELSE 'not populated' END END,
       format('%s %s', ",
    sorted!("r.reloptions"),
    ", pg_get_viewdef(r.oid)), '{}'::text[]
     FROM (SELECT r.oid FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
           WHERE r.relkind = ANY ('{v,m}'::\"char\"[]) AND r.oid > $1 AND ",
    of_users!(),
    "      ORDER BY r.oid LIMIT 100) portion
     JOIN pg_class r ON r.oid = portion.oid JOIN pg_namespace n ON n.oid = r.relnamespace ORDER BY r.oid"
);

/// Rules, but for those that views are made of.
const RULES: &str = concat!(
    "SELECT w.oid, 'rule', n.nspname::text, r.relname::text, w.rulename::text, w.ev_enabled::text, pg_get_ruledef(w.oid),
       '{}'::text[]
     FROM (SELECT w.oid FROM pg_rewrite w JOIN pg_class r ON r.oid = w.ev_class JOIN pg_namespace n ON n.oid = r.relnamespace
           WHERE w.rulename <> '_RETURN' AND w.oid > $1 AND ",
    of_users!(),
    "      ORDER BY w.oid LIMIT 100) portion
     JOIN pg_rewrite w ON w.oid = portion.oid
     JOIN pg_class r ON r.oid = w.ev_class JOIN pg_namespace n ON n.oid = r.relnamespace ORDER BY w.oid"
);

/// Functions, known by the types of their arguments; the system makes those of ranges itself. An aggregate is not printed by
/// the server.
const FUNCTIONS: &str = concat!(
    "SELECT p.oid, CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END, n.nspname::text,
       '', format('%s(%s)', p.proname, oidvectortypes(p.proargtypes)), NULL::text,
       CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) ELSE
         (SELECT format('%s %s %s %s %s %s %s %s %s %s %s %s %s', g.aggkind, g.aggnumdirectargs, g.aggtransfn,
                   format_type(g.aggtranstype, NULL), g.aggfinalfn, g.aggfinalextra, g.aggcombinefn, g.agginitval,
                   g.aggmtransfn, g.aggminvtransfn, g.aggminitval, g.aggsortop::regoperator, p.proparallel)
          FROM pg_aggregate g WHERE g.aggfnoid = p.oid) END, '{}'::text[]
     FROM (SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
           WHERE p.oid > $1 AND ",
    of_a_user!(),
    "        AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid
                             AND e.deptype = ANY ('{e,i}'::\"char\"[]))
           ORDER BY p.oid LIMIT 500) portion
     JOIN pg_proc p ON p.oid = portion.oid JOIN pg_namespace n ON n.oid = p.pronamespace ORDER BY p.oid"
);
