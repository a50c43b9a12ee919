//! How much of the engine's memory each server of a stack may use.

use crate::model::human;
use crate::template::Template;

/// The least that is given to a server whose limit the template leaves open.
const LEAST: u64 = 256 * 1024 * 1024;

/// The memory limit of each server, in the template's order. What the template says is respected, up to all that the engine
/// has. Three quarters of the engine's memory are shared; what is left of that is divided among the others.
pub fn of_servers(template: &Template, engine_bytes: u64) -> Vec<u64> {
    let given: Vec<Option<u64>> = template
        .servers()
        .map(|server| server.memory.map(|memory| memory.as_u64().min(engine_bytes)))
        .collect();
    let taken: u64 = given.iter().flatten().sum();
    let open = given.iter().filter(|given| given.is_none()).count().max(1) as u64;
    let share = ((engine_bytes / 4 * 3).saturating_sub(taken) / open).max(LEAST).min(engine_bytes);
    given.into_iter().map(|given| given.unwrap_or(share)).collect()
}

/// That several servers may together use more than the engine has, in words.
pub fn overcommitted(limits: &[u64], engine_bytes: u64) -> Option<String> {
    let sum = limits.iter().fold(0u64, |sum, limit| sum.saturating_add(*limit));
    (limits.len() > 1 && sum > engine_bytes).then(|| {
        format!(
            "the servers may use {} of memory together, and the engine has {}: set `memory` of each in the template, or \
             give the engine more",
            human::bytes(sum),
            human::bytes(engine_bytes)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::testing::minimal_with;
    use crate::template::{Environment, Purpose, parse};

    const GIB: u64 = 1 << 30;

    fn limits(default: &str, legacy: &str, engine_bytes: u64) -> Vec<u64> {
        let text = minimal_with(
            "[[checks]]",
            &format!(
                "[servers.legacy]\nimage = \"p\"\n{legacy}\n[[databases]]\nname = \"old\"\nserver = \"legacy\"\n[[checks]]"
            ),
        );
        let text = text.replacen("[postgres]", &format!("[postgres]\n{default}"), 1);
        let template = parse(&text, "t.toml", &Environment::default(), Purpose::Drill).unwrap();
        of_servers(&template, engine_bytes)
    }

    #[test]
    fn three_quarters_are_shared_and_what_the_template_says_is_respected() {
        let template = crate::template::testing::template();
        assert_eq!(of_servers(&template, 16 * GIB), [12 * GIB], "one server has all of it");
        assert_eq!(limits("", "", 16 * GIB), [6 * GIB, 6 * GIB]);
        assert_eq!(limits("memory = \"10GiB\"", "", 16 * GIB), [10 * GIB, 2 * GIB]);
        assert_eq!(limits("memory = \"64GiB\"", "", 16 * GIB), [16 * GIB, LEAST]);
        assert_eq!(limits("memory = \"1GiB\"", "memory = \"2GiB\"", 16 * GIB), [GIB, 2 * GIB]);
    }

    #[test]
    fn more_than_the_engine_has_is_said_of_several() {
        assert_eq!(overcommitted(&[6 * GIB, 6 * GIB], 16 * GIB), None);
        assert_eq!(overcommitted(&[32 * GIB], 16 * GIB), None, "one is given what there is");
        let said = overcommitted(&[10 * GIB, 10 * GIB], 16 * GIB).unwrap();
        assert!(
            said.starts_with("the servers may use 20.0 GiB of memory together, and the engine has 16.0 GiB"),
            "{said}"
        );
    }
}
