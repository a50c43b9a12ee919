//! Codes of the findings of `objects`, and which kind of object gives which.

use crate::model::code::Code;
use crate::model::finding_code::findings;
use crate::model::manifest::ObjectKind;

findings! {
    SCHEMA_MISSING = "schema_missing", "error":
        "A schema is not there, nor anything that was in it.",
        "Check whether the backup job leaves schemas out.",
        "shop: schema reporting: the schema is not in the restored database";
    EXTENSION_MISSING = "extension_missing", "error":
        "An extension is not there: functions, types and indexes that it brings are gone.",
        "Check whether the dump was made without it; `postgres.image` must have it.",
        "shop: extension pg_trgm: the extension is not in the restored database";
    EXTENSION_VERSION_DIFFERS = "extension_version_differs", "warning":
        "An extension has another version than in the source.",
        "Use an image with the version that production has, if that matters.",
        "shop: extension pg_trgm: version 1.5, and the source had 1.6";
    TYPE_MISSING = "type_missing", "error":
        "A type or a domain is not there.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: type public.order_state: the type is not in the restored database";
    TYPE_DIFFERS = "type_differs", "error":
        "A type or a domain has another definition: the labels of an enumeration, the attributes of a composite type, a default.",
        "Find out what changed it after the backup was read.",
        "shop: type public.order_state: its definition is another";
    FUNCTION_MISSING = "function_missing", "error":
        "A function, a procedure or an aggregate is not there.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: function public.order_total(uuid): the function is not in the restored database";
    FUNCTION_DIFFERS = "function_differs", "error":
        "A function has another body or other attributes, SECURITY DEFINER and its settings among them.",
        "Find out who changed it: what the application calls does something else.",
        "shop: function public.order_total(uuid): its definition is another";
    TABLE_MISSING = "table_missing", "error":
        "The source had the table, and the restored database does not. What belonged to it is not told one by one.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: table public.orders: the table is not in the restored database, nor 7 objects that belonged to it";
    TABLE_DIFFERS = "table_differs", "error":
        "A table has other columns, is partitioned otherwise, or has other settings.",
        "Look at the dump, and at extensions of another version that bring types.",
        "shop: table public.orders: its definition is another";
    NOT_NULL_MISSING = "not_null_missing", "error":
        "A column may be null, and could not in the source.",
        "Look at the dump: the rule is part of the table.",
        "shop: table public.orders: the column total may be null";
    SEQUENCE_MISSING = "sequence_missing", "error":
        "A sequence is not there: inserts that take a number from it fail.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: sequence public.invoice_number: the sequence is not in the restored database";
    SEQUENCE_DIFFERS = "sequence_differs", "error":
        "A sequence counts in other steps, between other bounds, or belongs to another column. Where it stands is for `sequences`.",
        "Look at the dump.",
        "shop: sequence public.invoice_number: its definition is another";
    VIEW_MISSING = "view_missing", "error":
        "A view or a materialized view is not there.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: view public.open_orders: the view is not in the restored database";
    VIEW_DIFFERS = "view_differs", "error":
        "A view or a materialized view has another query or other options, `security_invoker` among them.",
        "Find out who changed it: what the application reads is something else.",
        "shop: view public.open_orders: its definition is another";
    MATVIEW_NOT_POPULATED = "matview_not_populated", "error":
        "A materialized view has no rows, and reading it is an error, while the source could read its own.",
        "Look at the drill's warnings: its REFRESH may have failed. Otherwise it was dumped in that state.",
        "shop: materialized view public.sales_by_day: it is not populated";
    DEFAULT_MISSING = "default_missing", "error":
        "A column lost its default, the expression that generates it, or that it is an identity column.",
        "Look at the dump: inserts that leave the column out fail, or write null.",
        "shop: default public.orders.state: the default is not in the restored database";
    DEFAULT_DIFFERS = "default_differs", "error":
        "A column has another default, is generated otherwise, or is another kind of identity column.",
        "Look at the dump.",
        "shop: default public.orders.state: its definition is another";
    INDEX_MISSING = "index_missing", "error":
        "An index is not there: queries are slow that were not, and a unique one guards nothing.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: index public.orders.orders_total_idx: the index is not in the restored database";
    INDEX_DIFFERS = "index_differs", "error":
        "An index has other columns, another condition or another method.",
        "Find out who made it anew.",
        "shop: index public.orders.orders_total_idx: its definition is another";
    CONSTRAINT_MISSING = "constraint_missing", "error":
        "A primary key, a foreign key, a unique, check or exclusion constraint is not there.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: constraint public.orders.orders_pkey: the constraint is not in the restored database";
    CONSTRAINT_DIFFERS = "constraint_differs", "error":
        "A constraint has another definition, NOT VALID among them.",
        "Look at the dump.",
        "shop: constraint public.orders.orders_total_check: its definition is another";
    TRIGGER_MISSING = "trigger_missing", "error":
        "A trigger is not there: what it enforced or recorded is not any more.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: trigger public.orders.orders_audit: the trigger is not in the restored database";
    TRIGGER_DIFFERS = "trigger_differs", "error":
        "A trigger fires at other times, for other rows, calls another function, or is enabled otherwise.",
        "Find out who changed it.",
        "shop: trigger public.orders.orders_audit: its definition is another";
    TRIGGER_DISABLED = "trigger_disabled", "error":
        "A trigger, a rule or an event trigger is disabled, and was not in the source.",
        "Look at the dump: somebody disabled it and did not enable it again.",
        "shop: trigger public.orders.orders_audit: it is disabled";
    RULE_MISSING = "rule_missing", "error":
        "A rule is not there.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: rule public.orders.protect: the rule is not in the restored database";
    RULE_DIFFERS = "rule_differs", "error":
        "A rule does something else, or is enabled otherwise.",
        "Find out who changed it.",
        "shop: rule public.orders.protect: its definition is another";
    STATISTICS_MISSING = "statistics_missing", "error":
        "An object of extended statistics is not there: plans may be worse.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: statistics public.orders.orders_city_zip: the statistics is not in the restored database";
    STATISTICS_DIFFERS = "statistics_differs", "error":
        "Extended statistics are about other columns.",
        "Look at the dump.",
        "shop: statistics public.orders.orders_city_zip: its definition is another";
    PUBLICATION_MISSING = "publication_missing", "error":
        "A publication is not there: whoever replicates from the recovered server gets nothing.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: publication warehouse: the publication is not in the restored database";
    PUBLICATION_DIFFERS = "publication_differs", "error":
        "A publication has other tables, filters or operations.",
        "Look at the dump.",
        "shop: publication warehouse: its definition is another";
    EVENT_TRIGGER_MISSING = "event_trigger_missing", "error":
        "An event trigger is not there.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop: event trigger no_drops: the event trigger is not in the restored database";
    EVENT_TRIGGER_DIFFERS = "event_trigger_differs", "error":
        "An event trigger fires for something else, calls another function, or is enabled otherwise.",
        "Find out who changed it.",
        "shop: event trigger no_drops: its definition is another";
    OBJECT_ADDED = "object_added", "error; warning if the template runs SQL in the database":
        "The restored database has something that the source did not have. Dump and record are of one snapshot, so it did not come from there.",
        "Treat it as an intrusion until it is explained: find out who wrote the dump. Services of the stack run while databases are restored: one that migrates its database makes objects too, so have it not migrate in a drill.",
        "shop: trigger public.orders.copy_out: the source did not have it";
    NO_OBJECT_RECORD = "no_object_record", "warning; error with `require_manifest`":
        "There is no manifest of that time, it does not have the database, or an older version made it. The database is held against the dump's own list of objects: what the dump was made without is not seen.",
        "Make backups with `restore-drill backup`.",
        "shop: there is no manifest_20260517T083111Z.json.age";
    DEFINITIONS_NOT_COMPARED = "definitions_not_compared", "warning":
        "The source runs another major version than the drill, which prints definitions otherwise. Only kinds, names and states are compared.",
        "Use an image of the source's major version.",
        "shop: the source ran PostgreSQL 15.4, and the drill runs 17";
    MANIFEST_UNREADABLE = "manifest_unreadable", "error":
        "There is a manifest, and it is encrypted to another key, damaged, or something else.",
        "Find the identity of the recipient, or who wrote the object.",
        "shop: no identity opens the manifest";
}

/// What it is called that an object of this kind is not there, and that it is another one.
pub fn of(kind: ObjectKind) -> (Code, Code) {
    match kind {
        ObjectKind::Schema => (SCHEMA_MISSING, SCHEMA_MISSING),
        ObjectKind::Extension => (EXTENSION_MISSING, EXTENSION_VERSION_DIFFERS),
        ObjectKind::Type | ObjectKind::Domain => (TYPE_MISSING, TYPE_DIFFERS),
        ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate => {
            (FUNCTION_MISSING, FUNCTION_DIFFERS)
        }
        ObjectKind::Table => (TABLE_MISSING, TABLE_DIFFERS),
        ObjectKind::Sequence => (SEQUENCE_MISSING, SEQUENCE_DIFFERS),
        ObjectKind::View | ObjectKind::MaterializedView => (VIEW_MISSING, VIEW_DIFFERS),
        ObjectKind::Default => (DEFAULT_MISSING, DEFAULT_DIFFERS),
        ObjectKind::Index => (INDEX_MISSING, INDEX_DIFFERS),
        ObjectKind::Constraint => (CONSTRAINT_MISSING, CONSTRAINT_DIFFERS),
        ObjectKind::Trigger => (TRIGGER_MISSING, TRIGGER_DIFFERS),
        ObjectKind::Rule | ObjectKind::Policy | ObjectKind::Other => (RULE_MISSING, RULE_DIFFERS),
        ObjectKind::Statistics => (STATISTICS_MISSING, STATISTICS_DIFFERS),
        ObjectKind::Publication => (PUBLICATION_MISSING, PUBLICATION_DIFFERS),
        ObjectKind::EventTrigger => (EVENT_TRIGGER_MISSING, EVENT_TRIGGER_DIFFERS),
    }
}
