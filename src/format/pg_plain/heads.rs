//! Comments that head an object, as entries of a table of contents.

use crate::format::pg_custom::{Data, Entry, Section};

/// `Name: account; Type: TABLE; Schema: app; Owner: somebody`, with a tablespace after it where there is one.
pub(super) fn entry(text: &str) -> Option<Entry> {
    let has_data = text.starts_with("Data for ");
    let rest = text.strip_prefix("Data for ").unwrap_or(text).strip_prefix("Name: ")?;
    let (rest, owner) = rest.rsplit_once("; Owner: ").or_else(|| rest.rsplit_once("; Owner:"))?;
    let (rest, schema) = rest.rsplit_once("; Schema: ")?;
    let (tag, desc) = rest.rsplit_once("; Type: ")?;
    let (owner, tablespace) = match owner.split_once("; Tablespace: ") {
        Some((owner, tablespace)) => (owner, Some(tablespace)),
        None => (owner, None),
    };
    let named = |name: &str| (!name.is_empty() && name != "-").then(|| name.to_owned());
    Some(Entry {
        tag: tag.to_owned(),
        desc: desc.to_owned(),
        section: section(desc),
        namespace: named(schema),
        owner: named(owner.trim()),
        tablespace: tablespace.and_then(named),
        has_data,
        data: if has_data { Data::Unplaced } else { Data::None },
        ..Entry::default()
    })
}

/// The section of an entry, by its type (`SECTION_…` in `pg_dump.c`).
fn section(desc: &str) -> Section {
    match desc {
        "COMMENT" | "SECURITY LABEL" | "ACL" => Section::None,
        "TABLE DATA" | "SEQUENCE SET" | "BLOBS" | "BLOB DATA" | "STATISTICS DATA" => Section::Data,
        "INDEX"
        | "INDEX ATTACH"
        | "CONSTRAINT"
        | "CHECK CONSTRAINT"
        | "FK CONSTRAINT"
        | "TRIGGER"
        | "RULE"
        | "EVENT TRIGGER"
        | "STATISTICS"
        | "POLICY"
        | "ROW SECURITY"
        | "PUBLICATION"
        | "PUBLICATION TABLE"
        | "PUBLICATION TABLES IN SCHEMA"
        | "SUBSCRIPTION"
        | "SUBSCRIPTION TABLE"
        | "MATERIALIZED VIEW DATA"
        | "DEFAULT ACL" => Section::PostData,
        _ => Section::PreData,
    }
}
