//! Which table an index, a key or a trigger of a script belongs to: an archive lists it, a script only says it in SQL.

use std::collections::HashMap;

use crate::format::pg_custom::Entry;
use crate::format::pg_custom::sql::{Token, Tokens};

/// Kinds that others belong to.
const OWNERS: [&str; 5] = ["TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "DOMAIN"];
/// Kinds that are named after what they belong to.
const NAMED_AFTER: [&str; 7] =
    ["DEFAULT", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "TRIGGER", "RULE", "POLICY"];

/// Has each entry depend on the table that it belongs to.
pub(super) fn tie(entries: &mut [Entry]) {
    let owners: HashMap<(String, String), i32> = entries
        .iter()
        .filter(|entry| OWNERS.contains(&entry.desc.as_str()))
        .map(|entry| ((entry.namespace.clone().unwrap_or_default(), entry.tag.clone()), entry.dump_id))
        .collect();
    for entry in entries {
        let schema = entry.namespace.clone().unwrap_or_default();
        let owner = match entry.desc.as_str() {
            "INDEX" => relation(&entry.defn, &["on", "only"]),
            "STATISTICS" => entry.defn.rsplit_once(" FROM ").and_then(|(_, rest)| relation(rest, &[])),
            desc if NAMED_AFTER.contains(&desc) => {
                let mut ends = entry.tag.match_indices(' ').map(|(at, _)| &entry.tag[..at]);
                let known = |table: &&str| owners.contains_key(&(schema.clone(), (*table).to_owned()));
                ends.rfind(known).map(|table| (None, table.to_owned()))
            }
            _ => None,
        };
        let owner = owner.map(|(own, table)| (own.unwrap_or(schema), table));
        entry.dependencies.extend(owner.and_then(|owner| owners.get(&owner)));
    }
}

/// The relation that follows the last of these words, or that comes at once.
fn relation(sql: &str, after: &[&str]) -> Option<(Option<String>, String)> {
    let mut tokens = Tokens::new(sql);
    if let [first, may_follow @ ..] = after {
        tokens.find(|token| *token == Token::Word((*first).to_owned()))?;
        for word in may_follow {
            tokens.next_if_word(word);
        }
    }
    tokens.qualified_name()
}
