//! Roles, owners and privileges that are not what they should be.

use crate::demo::breakage::Expect::Failure;
use crate::demo::breakage::How::Objects;
use crate::demo::breakage::{Breakage, ObjectChange};

/// Kinds that break who may do what.
pub(super) static KINDS: &[Breakage] = &[Breakage {
    name: "lost-role",
    about: "the globals lack the role that owns a database, and there is no manifest",
    how: Objects(ObjectChange::LoseRole("aegis_owner")),
    expect: Failure("role_lost"),
}];
