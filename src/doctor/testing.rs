//! What a doctor saw, for tests.

use super::{Examination, Item, ItemStatus};
use crate::model::codes;
use crate::model::failure::Failure;

/// An examination with something of every kind.
pub fn troubled() -> Examination {
    Examination {
        schema_version: 1,
        template: "shop".to_owned(),
        at: "2026-05-17T08:31:11Z".parse().unwrap(),
        status: ItemStatus::Failed,
        items: vec![
            Item::ok("age identities", "age1shop"),
            Item::failure(
                "header of shop_20260517T033111Z.dump.age",
                Failure::bad(codes::NO_IDENTITY_FITS, "no identity opens it").hint("look for the key"),
            ),
            Item::new("memory", ItemStatus::Warning, "512 MiB on the engine").advice("give the engine more"),
            Item::new("disk", ItemStatus::Unknown, "about 2 GiB needed"),
        ],
    }
}
