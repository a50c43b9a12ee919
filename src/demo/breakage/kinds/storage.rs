//! What happens to recovery points after they were made.

use crate::demo::breakage::Expect::Failure;
use crate::demo::breakage::How::{Aged, Objects};
use crate::demo::breakage::{Breakage, ObjectChange};

/// Kinds that break recovery points.
pub(super) static KINDS: &[Breakage] = &[
    Breakage {
        name: "stale",
        about: "the backup job has not run for 30 hours",
        how: Aged { hours: 30 },
        expect: Failure("rpo_missed"),
    },
    Breakage {
        name: "truncated-object",
        about: "an upload broke off: the encrypted object lacks its end",
        how: Objects(ObjectChange::Truncate("acp_audit")),
        expect: Failure("ciphertext_corrupted"),
    },
    Breakage {
        name: "flipped-bit",
        about: "one bit of an encrypted object is another",
        how: Objects(ObjectChange::FlipBit("acp_audit")),
        expect: Failure("ciphertext_corrupted"),
    },
    Breakage {
        name: "empty-object",
        about: "an object has no bytes at all",
        how: Objects(ObjectChange::Empty("acp_audit")),
        expect: Failure("empty_object"),
    },
    Breakage {
        name: "missing-object",
        about: "a database has no recovery point",
        how: Objects(ObjectChange::Remove("acp_audit")),
        expect: Failure("no_recovery_point"),
    },
    Breakage {
        name: "truncated-dump",
        about: "pg_dump broke off and was encrypted all the same: its first tables restore",
        how: Objects(ObjectChange::TruncateDump("acp_audit")),
        expect: Failure("dump_truncated"),
    },
    Breakage {
        name: "empty-dump",
        about: "pg_dump failed at once and was encrypted all the same",
        how: Objects(ObjectChange::EmptyDump("acp_audit")),
        expect: Failure("empty_dump"),
    },
    Breakage {
        name: "terminal",
        about: "the dump was taken with docker exec -t: a terminal changed its line feeds",
        how: Objects(ObjectChange::Terminal("acp_audit")),
        expect: Failure("dump_crlf"),
    },
    Breakage {
        name: "other-key",
        about: "a dump is encrypted to a key that nobody here has",
        how: Objects(ObjectChange::OtherKey("acp_audit")),
        expect: Failure("no_identity_fits"),
    },
    Breakage {
        name: "wrong-database",
        about: "a recovery point holds the dump of another database",
        how: Objects(ObjectChange::Swap("acp_audit", "acp_usage")),
        expect: Failure("wrong_database"),
    },
];
