//! The engine: it answers, is new enough, has the images, the memory and the disk, and nothing of earlier drills.

use chrono::{DateTime, Utc};
use futures_util::future::join_all;

use super::{Item, ItemStatus};
use crate::check::DrillTemplate;
use crate::model::codes;
use crate::model::failure::{Failure, MAKE_ROOM, Result};
use crate::model::human;
use crate::plan::forecast::Room;
use crate::sandbox::disk::free_bytes;
use crate::sandbox::docker::{Engine, EngineInfo, LabelFilter, Owned};
use crate::sandbox::teardown::may_reap;
use crate::target::postgres::needs;
use crate::template::{Template, TemplateServer};

/// The server itself and its write-ahead log, whatever the dumps: measured with the sample data, about 200 MiB.
const DISK_OF_SERVER: u64 = 512 * 1024 * 1024;
/// With less Postgres is slow to restore.
const LITTLE_MEMORY: u64 = 1024 * 1024 * 1024;

/// What was seen of the engine.
#[derive(Default)]
pub(super) struct OnEngine {
    pub items: Vec<Item>,
    /// The free space on its disk, where that is known.
    pub free_disk_bytes: Option<u64>,
}

/// Looks at the engine.
pub(super) async fn examine(template: &DrillTemplate, at: DateTime<Utc>) -> OnEngine {
    let engine = match Engine::connect().await {
        Ok(engine) => engine,
        Err(failure) => {
            return OnEngine { items: vec![Item::failure("Docker engine", failure)], ..OnEngine::default() };
        }
    };
    let info = engine.info();
    let mut items = vec![Item::ok("Docker engine", place(info))];
    items.extend(join_all(template.images().into_iter().map(|name| image(&engine, template, name))).await);
    items.push(judge_memory(template, info));
    items.extend(judge_libraries(template));
    items.push(match engine.owned(LabelFilter::Any).await {
        Ok(owned) => judge_leftovers(&owned, at),
        Err(failure) => Item::failure("leftovers of drills", failure),
    });
    OnEngine { items, free_disk_bytes: free_disk(info) }
}

/// Which engine: production data must not be restored on another one than was meant.
fn place(info: &EngineInfo) -> String {
    let by = info.context.as_ref().map(|name| format!(", by the context {name}")).unwrap_or_default();
    format!("{}, API {}, at {}{by}", info.version, info.api_version, info.endpoint)
}

async fn image(engine: &Engine, template: &Template, name: &str) -> Item {
    let what = format!("image {name}{}", servers_with(template, name));
    match engine.find_image(name).await {
        Ok(Some(_)) => Item::ok(what, "on the engine"),
        Ok(None) => judge_absent_image(what, engine.can_pull(name).await),
        Err(failure) => Item::failure(what, failure),
    }
}

/// Which servers run an image, where there are several.
fn servers_with(template: &Template, image: &str) -> String {
    let with_it = template.servers().filter(|server| server.image == image);
    let names: Vec<String> = with_it.map(|server| server.name.to_string()).collect();
    if template.has_only_the_default_server() || names.is_empty() {
        return String::new();
    }
    format!(" of {}", names.join(", "))
}

fn judge_absent_image(what: String, pullable: Result<()>) -> Item {
    match pullable {
        Ok(()) => Item::new(what, ItemStatus::Warning, "not on the engine; its registry has it")
            .advice("the first drill pulls it, which counts towards the RTO: `docker pull` it before"),
        Err(failure) => Item::failure(what, failure),
    }
}

/// The stack's containers against the engine's memory.
fn judge_memory(template: &Template, info: &EngineInfo) -> Item {
    let what = "memory";
    let services: u64 = template.services.values().map(|service| service.memory.as_u64()).sum();
    let given: Vec<u64> = template.servers().filter_map(|server| Some(server.memory?.as_u64())).collect();
    let wanted = given.iter().sum::<u64>().saturating_add(services);
    let seen = if given.is_empty() {
        format!("{} on the engine", human::bytes(info.memory_bytes))
    } else {
        format!(
            "{} on the engine; the stack may use {}",
            human::bytes(info.memory_bytes),
            human::bytes(wanted)
        )
    };
    if wanted > info.memory_bytes {
        return Item::failure(what, Failure::config(codes::MEMORY_SHORT, seen))
            .advice("lower the memory of servers or services in the template, or give the engine more");
    }
    if info.memory_bytes < LITTLE_MEMORY {
        return Item::new(what, ItemStatus::Warning, seen)
            .advice("a drill will be slow: give the engine more");
    }
    Item::ok(what, seen)
}

/// What the template's own settings of libraries lack. Without such a setting a drill loads what is needed.
fn judge_libraries(template: &Template) -> Vec<Item> {
    let judge = |server: TemplateServer<'_>| {
        let section = server.name.section();
        let extensions = server.extensions.iter().map(String::as_str);
        let (lacking, all) = needs::lacking_libraries(&server.settings.settings, extensions)?;
        let seen =
            format!("{section}.settings do not load {}, which {section}.extensions need", lacking.join(", "));
        let advice = needs::preload_advice(&server.name, &all);
        Some(Item::new(needs::PRELOAD, ItemStatus::Warning, seen).advice(advice))
    };
    template.servers().filter_map(judge).collect()
}

fn judge_leftovers(owned: &[Owned], at: DateTime<Utc>) -> Item {
    let what = "leftovers of drills";
    let left = owned.iter().filter(|owned| may_reap(owned, at)).count() as u64;
    let rest = owned.len() as u64 - left;
    let others = match rest {
        0 => String::new(),
        n => format!("; {} of drills that run or are kept", human::things(n, "thing")),
    };
    if left == 0 {
        return Item::ok(what, format!("none{others}"));
    }
    Item::new(
        what,
        ItemStatus::Warning,
        format!("{} of drills that ended{others}", human::things(left, "thing")),
    )
    .advice("`restore-drill reap --dry-run` lists them, `restore-drill reap` removes them")
}

/// The room a drill needs, against what there is.
pub(super) fn judge_disk(free_bytes: Option<u64>, room: &Room) -> Item {
    let what = "disk";
    let needed = room.needed_bytes.saturating_add(DISK_OF_SERVER);
    let estimate = format!("about {} needed ({})", human::bytes(needed), room.basis);
    match free_bytes {
        None => Item::new(
            what,
            ItemStatus::Unknown,
            format!("{estimate}; the engine's free space cannot be seen from here"),
        )
        .advice("`df` on the engine's machine shows it"),
        Some(free) if free < needed => {
            let seen = format!("{} free, {estimate}", human::bytes(free));
            if room.measured {
                Item::failure(what, Failure::inconclusive(codes::DISK_SHORT, seen).hint(MAKE_ROOM))
            } else {
                Item::new(what, ItemStatus::Warning, seen).advice(MAKE_ROOM)
            }
        }
        Some(free) => Item::ok(what, format!("{} free, {estimate}", human::bytes(free))),
    }
}

/// What is free where the engine keeps its data, if that is a disk of this machine.
fn free_disk(info: &EngineInfo) -> Option<u64> {
    let root = info.root_directory.as_ref().filter(|_| info.local)?;
    // A user who may not read the directory may read the one above, which usually is on the same disk.
    root.ancestors().find_map(free_bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::template::testing::minimal_with;
    use crate::template::{Environment, Purpose, parse};

    fn info(memory_bytes: u64) -> EngineInfo {
        EngineInfo {
            version: "28.0.0".to_owned(),
            api_version: "1.48".to_owned(),
            cpus: 2,
            memory_bytes,
            seccomp: true,
            rootless: false,
            endpoint: "unix:///var/run/docker.sock".to_owned(),
            context: None,
            local: true,
            root_directory: None,
        }
    }

    #[test]
    fn the_stack_must_fit_into_the_engines_memory() {
        let template = crate::template::parse(
            include_str!("../../drill-templates/aegis.toml"),
            "aegis.toml",
            &[("ACP_BACKUP_S3_BUCKET", "s3://b/p"), ("ACP_BACKUP_AGE_IDENTITY", "k")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            crate::template::Purpose::Drill,
        )
        .unwrap();
        // Its Redis alone may use 256 MiB.
        for (memory, status) in
            [(16 << 30, ItemStatus::Ok), (512 << 20, ItemStatus::Warning), (128 << 20, ItemStatus::Failed)]
        {
            assert_eq!(judge_memory(&template, &info(memory)).status, status, "{memory}");
        }
    }

    #[test]
    fn an_image_is_shown_with_its_servers_where_there_are_several() {
        let text = crate::template::testing::minimal_with(
            "[[checks]]",
            "[servers.legacy]\nimage = \"postgres:15\"\nmemory = \"2GiB\"\n[[databases]]\nname = \"old\"\nserver = \"legacy\"\n[[checks]]",
        );
        let template =
            crate::template::parse(&text, "t.toml", &Default::default(), crate::template::Purpose::Drill);
        let template = template.unwrap();
        assert_eq!(servers_with(&template, "postgres:15"), " of legacy");
        assert_eq!(servers_with(&crate::template::testing::template(), "postgres:17"), "");
        assert_eq!(judge_memory(&template, &info(1 << 30)).status, ItemStatus::Failed);
    }

    #[test]
    fn a_setting_of_libraries_that_lacks_one_is_told_with_the_whole_value() {
        let judged = |settings: &str| {
            let text = minimal_with(
                "image = \"postgres:17\"",
                &format!("image = \"postgres:17\"\nextensions = [\"pg_cron\"]\n{settings}"),
            );
            let template = parse(&text, "shop.toml", &Environment::default(), Purpose::Drill).unwrap();
            judge_libraries(&template)
        };
        assert_eq!(judged(""), []);
        assert_eq!(judged("settings = { shared_preload_libraries = \"pg_cron\" }"), []);
        let items = judged("settings = { shared_preload_libraries = \"pgaudit\" }");
        assert_eq!(items[0].status, ItemStatus::Warning);
        assert!(items[0].advice.as_ref().unwrap().contains("\"pgaudit,pg_cron\""));
    }

    #[test]
    fn a_disk_that_is_too_small_is_told_before_it_is_full() {
        let room = |measured| Room {
            needed_bytes: 100,
            basis: String::new(),
            measured,
            free: None,
            restored_bytes: BTreeMap::new(),
        };
        let needed = 100 + DISK_OF_SERVER;
        for (free, measured, status) in [
            (None, true, ItemStatus::Unknown),
            (Some(needed), true, ItemStatus::Ok),
            (Some(needed - 1), true, ItemStatus::Failed),
            (Some(needed - 1), false, ItemStatus::Warning),
        ] {
            assert_eq!(judge_disk(free, &room(measured)).status, status, "{free:?} {measured}");
        }
    }

    #[test]
    fn an_image_that_can_be_pulled_is_a_warning_and_one_that_cannot_a_failure() {
        let absent = |pullable| judge_absent_image("image x".to_owned(), pullable).status;
        assert_eq!(absent(Ok(())), ItemStatus::Warning);
        assert_eq!(absent(Err(Failure::inconclusive(codes::IMAGE_UNAVAILABLE, "no"))), ItemStatus::Failed);
    }
}
