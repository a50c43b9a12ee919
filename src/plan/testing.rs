//! A plan, for tests.

use std::collections::BTreeMap;

use super::{Cost, DrillPlan, Unnamed, forecast, image};
use crate::model::names::DatabaseName;
use crate::model::testing::{point, start};
use crate::model::verdict::{Objective, RecoverySet, Status};
use crate::template::testing::template;

/// A plan of the drill of `model::testing`, with these databases missing.
pub fn plan(missing: &[&str]) -> DrillPlan {
    let names: Vec<DatabaseName> = ["a", "b"].map(|name| name.parse().unwrap()).into();
    let missing: Vec<DatabaseName> = missing.iter().map(|name| name.parse().unwrap()).collect();
    let there = names.iter().filter(|name| !missing.contains(name));
    let set = RecoverySet::of(there.map(|name| point(name.as_str(), 5, 1 << 20)).collect());
    DrillPlan {
        schema_version: 1,
        template: "shop".to_owned(),
        status: Status::DryRun,
        at: start(),
        store: "s3://backups".to_owned(),
        sound: missing.is_empty(),
        room: forecast::room(&set, &BTreeMap::new(), &[], None),
        recovery_set: set,
        points: Vec::new(),
        unnamed: Unnamed::default(),
        bucket: None,
        image: image::facts(&template().postgres, None),
        forecast: None,
        cost: Cost::default(),
        waves: names.iter().map(|name| vec![name.clone()]).collect(),
        missing,
        rpo: Objective { target_seconds: Some(86_400.0), actual_seconds: Some(18_000.0), met: Some(true) },
        findings: Vec::new(),
    }
}
