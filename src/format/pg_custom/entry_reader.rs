//! Reading entries one after the other (`ReadToc`, and `_ReadExtraToc` of each format).

use std::mem;

use super::{
    entry::{Data, Entry, Section},
    input::{Input, Stop, little_endian, malformed},
    version::{FormatVersion, Layout},
};

/// The fields of an entry, in the order in which they are written.
#[derive(Clone, Copy)]
enum Field {
    DumpId,
    HasData,
    TableOid,
    Oid,
    Tag,
    Desc,
    Section,
    Defn,
    DropStmt,
    CopyStmt,
    Namespace,
    Tablespace,
    TableAccessMethod,
    Relkind,
    Owner,
    WithOids,
    Dependencies,
    Data,
}

/// Reads one [`Entry`] after the other, each as it arrives.
pub(super) struct EntryReader {
    version: FormatVersion,
    layout: Layout,
    field: Field,
    entry: Entry,
}

impl EntryReader {
    pub fn new(version: FormatVersion, layout: Layout) -> Self {
        Self { version, layout, field: Field::DumpId, entry: Entry::default() }
    }

    /// The next entry, once all of it has arrived.
    pub fn advance(&mut self, input: &mut Input) -> Result<Entry, Stop> {
        let entry = &mut self.entry;
        loop {
            self.field = match self.field {
                Field::DumpId => {
                    entry.dump_id = read_dump_id(input)?;
                    Field::HasData
                }
                Field::HasData => {
                    entry.has_data = input.int("data flag")? != 0;
                    Field::TableOid
                }
                Field::TableOid => {
                    entry.catalog_id.table_oid = required(input, "catalog's oid", Input::number)?;
                    Field::Oid
                }
                Field::Oid => {
                    entry.catalog_id.oid = required(input, "object's oid", Input::number)?;
                    Field::Tag
                }
                Field::Tag => {
                    entry.tag = required(input, "name of an entry", Input::text)?;
                    Field::Desc
                }
                Field::Desc => {
                    entry.desc = required(input, "type of an entry", Input::text)?;
                    Field::Section
                }
                Field::Section => {
                    entry.section = read_section(input)?;
                    Field::Defn
                }
                Field::Defn => {
                    entry.defn = input.text("definition")?.unwrap_or_default();
                    Field::DropStmt
                }
                Field::DropStmt => {
                    entry.drop_stmt = optional(input, "drop statement")?;
                    Field::CopyStmt
                }
                Field::CopyStmt => {
                    entry.copy_stmt = optional(input, "copy statement")?;
                    Field::Namespace
                }
                Field::Namespace => {
                    entry.namespace = optional(input, "schema")?;
                    Field::Tablespace
                }
                Field::Tablespace => {
                    entry.tablespace = optional(input, "tablespace")?;
                    Field::TableAccessMethod
                }
                Field::TableAccessMethod => {
                    if self.version >= FormatVersion::TABLE_ACCESS_METHOD {
                        entry.table_access_method = optional(input, "table access method")?;
                    }
                    Field::Relkind
                }
                Field::Relkind => {
                    if self.version >= FormatVersion::RELATION_KIND {
                        entry.relkind = read_relkind(input)?;
                    }
                    Field::Owner
                }
                Field::Owner => {
                    entry.owner = optional(input, "owner")?;
                    Field::WithOids
                }
                Field::WithOids => {
                    entry.with_oids = input.text("oids flag")?.is_some_and(|flag| flag == "true");
                    Field::Dependencies
                }
                Field::Dependencies => {
                    while let Some(dependency) = input.number("dependency")? {
                        entry.dependencies.push(dependency);
                    }
                    Field::Data
                }
                Field::Data => {
                    entry.data = match self.layout {
                        Layout::Custom => read_data(input)?,
                        // The name of a file.
                        Layout::Files => match optional(input, "name of a file")? {
                            Some(_) => Data::Unplaced,
                            None => Data::None,
                        },
                    };
                    self.field = Field::DumpId;
                    return Ok(mem::take(entry));
                }
            };
        }
    }
}

fn required<T>(
    input: &mut Input,
    what: &str,
    read: impl FnOnce(&mut Input, &str) -> Result<Option<T>, Stop>,
) -> Result<T, Stop> {
    let at = input.position();
    read(input, what)?.ok_or_else(|| malformed(format!("the {what} is missing"), at))
}

fn optional(input: &mut Input, what: &str) -> Result<Option<String>, Stop> {
    Ok(input.text(what)?.filter(|text| !text.is_empty()))
}

fn read_dump_id(input: &mut Input) -> Result<i32, Stop> {
    let at = input.position();
    match input.int("number of an entry")? {
        id if id > 0 => Ok(id),
        id => Err(malformed(format!("an entry has the number {id}"), at)),
    }
}

/// `teSection` in `pg_backup.h`.
fn read_section(input: &mut Input) -> Result<Section, Stop> {
    let at = input.position();
    match input.int("section")? {
        1 => Ok(Section::None),
        2 => Ok(Section::PreData),
        3 => Ok(Section::Data),
        4 => Ok(Section::PostData),
        other => Err(malformed(format!("section {other} is not known"), at)),
    }
}

/// A `char` that is written as an integer, and zero for what is no relation.
fn read_relkind(input: &mut Input) -> Result<Option<char>, Stop> {
    let at = input.position();
    match u8::try_from(input.int("kind of relation")?) {
        Ok(0) => Ok(None),
        Ok(kind) if kind.is_ascii_graphic() => Ok(Some(char::from(kind))),
        _ => Err(malformed("the kind of relation is no letter", at)),
    }
}

/// A byte of state, then a position that means something in one state only (`ReadOffset`).
fn read_data(input: &mut Input) -> Result<Data, Stop> {
    let at = input.position();
    let bytes = input.take(input.offset_size.saturating_add(1))?;
    let (state, position) = bytes.split_first().ok_or(Stop::NeedMore)?;
    match (state, little_endian(position)) {
        (1, _) => Ok(Data::Unplaced),
        (2, Some(position)) => Ok(Data::At(position)),
        (2, None) => Err(malformed("the position of data is too large", at)),
        (3, _) => Ok(Data::None),
        (other, _) => Err(malformed(format!("data state {other} is not known"), at)),
    }
}
