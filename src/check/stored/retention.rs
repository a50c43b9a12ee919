//! `retention`: how many recovery points of each tier are kept, whether some are missing, and what lies among them that is none.

mod judge;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use self::judge::{JudgedTier, Rules, judge};
use super::key_glob::KeyGlob;
use super::reading::{Place, refused};
use crate::check::context::Context;
use crate::check::entry::{Check, Entry, keys, read};
use crate::check::findings::Outcome;
use crate::clock::Clock;
use crate::model::dataset::DatabaseSystem;
use crate::model::failure::Result;
use crate::model::finding_code::findings;
use crate::model::names::DatabaseName;
use crate::template::Template;

findings! {
    TIER_TOO_FEW = "tier_too_few", "error":
        "A tier has fewer recovery points than `keep` less `tolerance`, and it is old enough to have them.",
        "Check what removes them: the retention job, a lifecycle rule, or a person. The check `history` finds what was removed too early.",
        "hourly: 31 recovery points, expected 48 (± 1)";
    TIER_YOUNG = "tier_young", "warning":
        "A tier has fewer recovery points than `keep`, but as many as there can be since its oldest one. Backups began recently, or the \
         oldest ones were removed: a listing does not distinguish the two.",
        "Set `since` to when backups began: then what is missing after it is an error.",
        "weekly: 2 of 4 recovery points; the oldest is of 2026-05-10 00:00:00Z";
    TIER_TOO_MANY = "tier_too_many", "warning":
        "A tier has more recovery points than `keep` and `tolerance`: old ones are not removed.",
        "Check whether the retention job runs, before the disk is full.",
        "hourly: 112 recovery points, expected 48 (± 1)";
    TIER_GAP = "tier_gap", "error, or warning if no more than `tolerance` are missing":
        "Recovery points are missing between others of their tier.",
        "Find out why the backup did not run, or what removed it.",
        "hourly: 2 are missing, about 2026-05-17 03:00:00Z, 2026-05-17 04:00:00Z";
    TIER_STALE = "tier_stale", "error":
        "The newest recovery point of a tier is older than `every` and `slack`.",
        "Check the schedule of the backup job, and its last log.",
        "hourly: the newest is of 2026-05-17 03:00:00Z, 5h ago";
    TIER_SHRUNK = "tier_shrunk", "warning":
        "The newest recovery point of a tier is much smaller than the median of the others.",
        "Check whether tables were left out of the dump, or much was deleted.",
        "daily: 2026-05-17.sql.gz has 1.0 MiB, and the median of the others is 9.8 MiB";
    TIER_EMPTY_OBJECT = "tier_empty_object", "error":
        "A recovery point has no bytes.",
        "Check the disk of the backup job, and whether it verifies what it wrote.",
        "active/hourly/2026-05-17_03-00-00.sql.gz: it has no bytes";
    LEFTOVER_TEMPORARY = "leftover_temporary", "warning":
        "A temporary file is older than `leftover_age`: a backup was broken off.",
        "Find out why, and remove the file.",
        "staging/dump.tmp: it was written 3d ago";
    STRAY_OBJECT = "stray_object", "warning":
        "An object in the folder of a tier is no recovery point, nothing that belongs to one, and in no pattern of `ignore`. A `*` in its \
         name is the trace of a shell that did not expand a pattern, such as a script that tries to overwrite backups.",
        "Remove it, or add it to `ignore`. With a `*` in its name: find the script, and do not run it again, since the next one may hit.",
        "active/daily/*.sql.gz: it is no recovery point";
}

/// What the program knows of this type.
pub const ENTRY: Entry = Entry {
    kind: "retention",
    read: read::<Retention>,
    keys: keys::<Retention>,
    skipped: "it was not verified how many recovery points are kept",
    findings: FINDINGS,
};

/// Tiers of recovery points.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The check's name.
    pub name: String,
    /// The tiers.
    pub tiers: Vec<Tier>,
    /// When backups began.
    #[serde(default)]
    pub since: Option<DateTime<Utc>>,
    /// What temporary files are called.
    #[serde(default)]
    pub leftovers: Vec<KeyGlob>,
    /// How old one must be to be left over.
    #[serde(with = "humantime_serde", default = "a_day")]
    pub leftover_age: Duration,
    /// What names of objects that belong to a recovery point end with, behind its own.
    #[serde(default = "sidecars")]
    pub sidecars: Vec<String>,
    /// Objects in folders of tiers that may be there.
    #[serde(default)]
    pub ignore: Vec<KeyGlob>,
    /// The part of the median that the newest one must have.
    #[serde(default = "half")]
    pub shrunk_below: f64,
    #[serde(skip)]
    place: Place,
}

/// Recovery points that are made at one interval.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Its name.
    pub name: String,
    /// The pattern of its keys.
    pub key: String,
    /// How their times are written.
    #[serde(default)]
    pub timestamp: Option<String>,
    /// How often one is made.
    #[serde(with = "humantime_serde")]
    pub every: Duration,
    /// How many are kept.
    pub keep: u32,
    /// How many more or fewer are right.
    #[serde(default = "one")]
    pub tolerance: u32,
    /// How much later than `every` the next one may be.
    #[serde(with = "humantime_serde", default)]
    pub slack: Option<Duration>,
}

fn a_day() -> Duration {
    Duration::from_secs(86_400)
}

fn sidecars() -> Vec<String> {
    [".sha256", ".manifest.json"].map(str::to_owned).into()
}

fn half() -> f64 {
    0.5
}

fn one() -> u32 {
    1
}

const DAY: Duration = Duration::from_secs(86_400);
const FOUR_WEEKS: Duration = Duration::from_secs(28 * 86_400);

impl Tier {
    fn slack(&self) -> Duration {
        // Months have 28 to 31 days.
        let most = if self.every >= FOUR_WEEKS { 3 * DAY } else { DAY / 4 };
        self.slack.unwrap_or_else(|| (self.every / 2).min(most))
    }
}

impl Retention {
    fn rules<'a>(&'a self) -> std::result::Result<Rules<'a>, String> {
        let delta = |duration| TimeDelta::from_std(duration).map_err(|_| format!("{duration:?} is too long"));
        let tier = |tier: &'a Tier| -> std::result::Result<JudgedTier<'a>, String> {
            let Tier { name, key, timestamp, every, keep, tolerance, .. } = tier;
            let glob = self.place.timed(key, timestamp.as_deref())?;
            let (every, slack) = (delta(*every)?, delta(tier.slack())?);
            Ok(JudgedTier { name, glob, every, keep: *keep, tolerance: *tolerance, slack })
        };
        Ok(Rules {
            tiers: self.tiers.iter().map(tier).collect::<std::result::Result<_, _>>()?,
            since: self.since,
            leftovers: &self.leftovers,
            leftover_age: delta(self.leftover_age)?,
            sidecars: &self.sidecars,
            ignore: &self.ignore,
            shrunk_below: self.shrunk_below,
        })
    }
}

#[async_trait]
impl Check for Retention {
    fn entry(&self) -> &'static Entry {
        &ENTRY
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn databases(&self) -> BTreeSet<&DatabaseName> {
        BTreeSet::new()
    }

    fn works_on(&self, _: DatabaseSystem) -> bool {
        true
    }

    fn looks_at_store(&self) -> bool {
        true
    }

    fn complete(&mut self, template: &Template) {
        self.place = Place::of(template);
    }

    fn validate(&self, _: &Template) -> std::result::Result<(), String> {
        let name = &self.name;
        let rules = self.rules().map_err(|why| format!("check {name}: {why}"))?;
        if rules.tiers.is_empty() {
            return Err(format!("check {name} has no tiers"));
        }
        let mut names = BTreeSet::new();
        for tier in &self.tiers {
            let bad = match tier {
                _ if !names.insert(&tier.name) => "is listed twice",
                Tier { every, .. } if *every < Duration::from_secs(60) => {
                    "needs an `every` of a minute at least"
                }
                Tier { every, .. } if *every > Duration::from_secs(10 * 366 * 86_400) => {
                    "needs an `every` of ten years at most"
                }
                Tier { keep: 0, .. } => "needs a `keep` of 1 at least",
                Tier { keep, .. } if *keep > 100_000 => "needs a `keep` of 100000 at most",
                Tier { tolerance, keep, .. } if tolerance >= keep => "needs a `tolerance` below its `keep`",
                _ => continue,
            };
            return Err(format!("check {name}: tier {} {bad}", tier.name));
        }
        if !(0.0..=1.0).contains(&self.shrunk_below) {
            return Err(format!("check {name}: shrunk_below must be from 0 to 1"));
        }
        Ok(())
    }

    async fn run(&self, context: &Context<'_>) -> Result<Outcome> {
        let rules = self.rules().map_err(refused)?;
        let folders = rules.tiers.iter().map(|tier| tier.glob.folder());
        let prefixes = folders.chain(self.leftovers.iter().map(KeyGlob::prefix));
        let objects = self.place.list(&context.tools.store, prefixes).await?;
        Ok(judge(&rules, &objects, Clock::system().now()))
    }
}
