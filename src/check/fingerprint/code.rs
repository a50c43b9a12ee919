//! Codes of the findings of `fingerprint`.

use crate::model::finding_code::findings;

findings! {
    DUMP_REPLACED = "dump_replaced", "error":
        "The recovery point decrypts to another dump than the one that was backed up under its key.",
        "Find out who wrote it. The other findings say which tables differ. Object lock or versions of the bucket keep this from happening.",
        "shop: the dump has another hash than the one that was backed up";
    DUMP_REENCRYPTED = "dump_reencrypted", "warning":
        "It is the same dump, encrypted anew, for example to a new key.",
        "Make sure that it was meant.",
        "shop: the dump is the same, and its encryption another";
    TABLE_MISSING = "table_missing", "error":
        "The source had the table, and the restored database does not.",
        "Compare the dump's list (`pg_restore --list`) with the source.",
        "shop.public.orders: the table is not in the restored database";
    TABLE_UNEXPECTED = "table_unexpected", "error":
        "The restored database has a table that the source did not have.",
        "Find out where it comes from. It does not come from a template database of the image: dumps are restored into an empty database.",
        "shop.public.orders_copy: a table of 3 columns";
    COLUMNS_DIFFER = "columns_differ", "error":
        "The table has other columns, or columns of other types. The rows are not compared.",
        "Look at the dump, and at extensions of another version that bring types.",
        "shop.public.orders: the column reason is text, not varchar(64)";
    ROW_COUNT_DIFFERS = "row_count_differs", "error":
        "There are more or fewer rows.",
        "Treat it as lost data until it is explained.",
        "crm.public.tenants: 12 rows, expected exactly 13 rows";
    CONTENT_DIFFERS = "content_differs", "error":
        "There are as many rows as there should be, but not the same ones.",
        "Compare the rows with an older recovery point, or with the source if it has kept them.",
        "shop.public.orders: as many rows, and not the same ones";
    EXTENSION_DIFFERS = "extension_differs", "warning":
        "An extension has another version, or is not there.",
        "Use an image with the version that production has, if that matters.",
        "shop extension pgcrypto: 1.3, expected 1.4";
    COLLATION_DIFFERS = "collation_differs", "warning":
        "The restored database, or a collation in it, compares texts by another provider, locale or rules than the source. The rows are the same; what is unique among them, and their order, may not be. It is in `not_verified`.",
        "Use an image that has the source's locale. After a real recovery, look for duplicates before an application writes.",
        "shop: texts are compared by libc C, and in the source by libc de_DE.utf8: what is unique, and the order of rows, may differ";
    COLLATION_VERSION_DIFFERS = "collation_version_differs", "warning":
        "The same provider in another version, such as another glibc, musl in place of glibc, or another ICU. The order of some texts may differ. Indexes are built anew by a restore, and are right in the version at hand. Or: the source's own library has changed since its indexes were made.",
        "Use an image with the source's version if order matters (partitions by text, queries by ranges). For the source, the finding says what to do.",
        "shop: libc version 2.41 compares texts here, and version 2.36 in the source: the order of some texts may differ";
    COLLATION_NOT_COMPARED = "collation_not_compared", "info":
        "The manifest does not have the source's collations.",
        "Make a backup with this version of `restore-drill`.",
        "shop: collations are not compared: the manifest is of a version that did not record them";
    NO_MANIFEST = "no_manifest", "warning; error with `require_manifest`":
        "There is no manifest of that time, or it does not have the database. The database is not compared.",
        "Make backups with `restore-drill backup`.",
        "shop: there is no manifest_20260517T083111Z.json.age";
    NO_FINGERPRINT = "no_fingerprint", "warning; error with `require_manifest`":
        "The backup could not read the database or the table. The finding gives the reason.",
        "See [the manifest](manifest.md#why-a-database-or-a-table-is-unread).",
        "shop.public.jobs: the backup could not read it: it was locked";
    FOREIGN_TYPE = "foreign_type", "info":
        "Columns have types that an extension or the backup defines. They are compared as those types write their values; for its own types, the backup decides that.",
        "Nothing, if you know the types.",
        "shop: columns are of the type citext, and compared as that type writes its values";
    MANIFEST_UNREADABLE = "manifest_unreadable", "error":
        "There is a manifest, and it is encrypted to another key, damaged, or something else.",
        "Find the identity of the recipient, or who wrote the object.",
        "shop: no identity opens the manifest";
}
