//! What can be known of the Postgres image without asking an engine.

use schemars::JsonSchema;
use serde::Serialize;

use crate::template::TemplateServer;

/// What is known of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ImageFacts {
    /// The image as the template names it.
    pub image: String,
    /// PostgreSQL's major version in it.
    pub major: Option<u32>,
    /// How that is known, or why it is not.
    pub basis: String,
}

/// What the template says, or else the last drill that ran with this image.
pub fn facts(server: &TemplateServer<'_>, last_drill: Option<(&str, u32)>) -> ImageFacts {
    let section = server.name.section();
    let (major, basis) = if let Some(version) = server.version {
        (Some(version), format!("{section}.version in the template"))
    } else if let Some(major) = major_of_tag(&server.image) {
        (Some(major), "the image's tag".to_owned())
    } else if let Some((when, major)) = last_drill {
        (Some(major), format!("the drill of {when} with this image"))
    } else {
        (None, format!("not known without the engine: set {section}.version in the template"))
    };
    ImageFacts { image: server.image.clone(), major, basis }
}

/// The major version in an image's tag: `postgres:17-alpine`, `timescaledb:2.14-pg16`. A number alone counts
/// only where the image is named for PostgreSQL itself: others count their own versions.
fn major_of_tag(image: &str) -> Option<u32> {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    let last = image.rsplit('/').next()?;
    let (name, tag) = last.split_once(':')?;
    let named = tag.split(['-', '_', '.']).find_map(|part| number(part.strip_prefix("pg")?));
    let own = || if matches!(name, "postgres" | "postgresql" | "postgis") { number(tag) } else { None };
    named.or_else(own).filter(|major| (9..100).contains(major))
}

fn number(text: &str) -> Option<u32> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

/// Extensions that come with PostgreSQL (its `contrib` modules and `plpgsql`), in every version from 13 on. The official
/// image has them all. Source: "Additional Supplied Modules" in PostgreSQL's documentation, and the control files of
/// 15 and 17.
const SUPPLIED: [&str; 43] = [
    "amcheck",
    "autoinc",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dblink",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "file_fdw",
    "fuzzystrmatch",
    "hstore",
    "insert_username",
    "intagg",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "moddatetime",
    "pageinspect",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_trgm",
    "pg_visibility",
    "pgcrypto",
    "pgrowlocks",
    "pgstattuple",
    "plpgsql",
    "postgres_fdw",
    "refint",
    "seg",
    "sslinfo",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "xml2",
];

/// Those that came or went: the first version that has it, and the last.
const SUPPLIED_IN: [(&str, u32, u32); 6] = [
    ("adminpack", 9, 16),
    ("old_snapshot", 14, 16),
    ("pg_logicalinspect", 18, u32::MAX),
    ("pg_surgery", 14, u32::MAX),
    ("pg_walinspect", 15, u32::MAX),
    ("timetravel", 9, 11),
];

/// Whether an extension comes with PostgreSQL of this major version; with any, if it is not known.
pub fn is_supplied(extension: &str, major: Option<u32>) -> bool {
    SUPPLIED.contains(&extension)
        || SUPPLIED_IN.iter().any(|(name, first, last)| {
            *name == extension && major.is_none_or(|major| (*first..=*last).contains(&major))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_the_major_version_only_where_they_mean_it() {
        for (image, major) in [
            ("postgres:17-alpine", Some(17)),
            ("postgres:17.2-bookworm", Some(17)),
            ("registry.example.org:5000/mirror/postgres:16@sha256:00", Some(16)),
            ("timescale/timescaledb:2.14-pg16", Some(16)),
            ("pgvector/pgvector:pg17", Some(17)),
            ("postgis/postgis:16-3.4", Some(16)),
            ("postgres:latest", None),
            ("postgres", None),
            ("registry.example.org:5000/postgres", None),
            ("citusdata/citus:12.1", None),
            ("our/database:17", None),
            ("postgres:20260517", None),
        ] {
            assert_eq!(major_of_tag(image), major, "{image}");
        }
    }

    #[test]
    fn supplied_extensions_go_by_the_version() {
        assert!(is_supplied("pgcrypto", Some(17)) && is_supplied("pgcrypto", None));
        assert!(is_supplied("adminpack", Some(15)) && !is_supplied("adminpack", Some(17)));
        assert!(!is_supplied("postgis", None) && !is_supplied("pg_walinspect", Some(14)));
    }

    /// The control files of the images that the tests use.
    #[test]
    fn the_lists_are_those_of_real_servers() {
        let common = "amcheck autoinc bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance \
            file_fdw fuzzystrmatch hstore insert_username intagg intarray isn lo ltree moddatetime pageinspect \
            pg_buffercache pgcrypto pg_freespacemap pg_prewarm pgrowlocks pg_stat_statements pgstattuple pg_surgery \
            pg_trgm pg_visibility pg_walinspect plpgsql postgres_fdw refint seg sslinfo tablefunc tcn tsm_system_rows \
            tsm_system_time unaccent uuid-ossp xml2";
        for (major, more) in [(15, "adminpack old_snapshot"), (17, "")] {
            let mut real: Vec<&str> = common.split_whitespace().chain(more.split_whitespace()).collect();
            real.sort_unstable();
            let mut ours: Vec<&str> =
                SUPPLIED.into_iter().chain(SUPPLIED_IN.map(|(name, ..)| name)).collect();
            ours.retain(|name| is_supplied(name, Some(major)));
            ours.sort_unstable();
            assert_eq!(ours, real, "{major}");
        }
    }
}
