//! Writes tables of contents in any version, as `WriteHead`, `WriteToc` and `_WriteExtraToc` do.

use chrono::{Datelike, Timelike};

use crate::format::pg_custom::{Compression, Data, FormatVersion, Section, Toc};

pub struct Encoder {
    pub version: FormatVersion,
    pub int_size: u8,
    pub offset_size: u8,
    /// Instead of the number of entries.
    pub entry_count: Option<i32>,
    pub out: Vec<u8>,
}

impl Encoder {
    pub fn new(minor: u8) -> Self {
        Self {
            version: FormatVersion::new(1, minor),
            int_size: 4,
            offset_size: 8,
            entry_count: None,
            out: Vec::new(),
        }
    }

    fn int(&mut self, value: i32) {
        self.out.push(u8::from(value < 0));
        let mut bytes = value.unsigned_abs().to_le_bytes().to_vec();
        bytes.resize(usize::from(self.int_size), 0);
        self.out.extend(bytes);
    }

    fn unsigned(&mut self, value: u32) {
        self.int(i32::try_from(value).unwrap());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.int(i32::try_from(bytes.len()).unwrap());
        self.out.extend(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None => self.int(-1),
        }
    }

    pub fn encode(mut self, toc: &Toc) -> Vec<u8> {
        self.header(toc);
        for entry in &toc.entries {
            self.int(entry.dump_id);
            self.int(i32::from(entry.has_data));
            self.text(&entry.catalog_id.table_oid.to_string());
            self.text(&entry.catalog_id.oid.to_string());
            self.text(&entry.tag);
            self.text(&entry.desc);
            self.int(match entry.section {
                Section::None => 1,
                Section::PreData => 2,
                Section::Data => 3,
                Section::PostData => 4,
            });
            self.text(&entry.defn);
            self.optional(entry.drop_stmt.as_deref());
            self.optional(entry.copy_stmt.as_deref());
            self.optional(entry.namespace.as_deref());
            self.optional(entry.tablespace.as_deref());
            if self.version.minor >= 14 {
                self.optional(entry.table_access_method.as_deref());
            }
            if self.version.minor >= 16 {
                self.unsigned(entry.relkind.map_or(0, u32::from));
            }
            self.optional(entry.owner.as_deref());
            self.text(if entry.with_oids { "true" } else { "false" });
            for dependency in &entry.dependencies {
                self.text(&dependency.to_string());
            }
            self.int(-1);
            let (state, position) = match entry.data {
                Data::Unplaced => (1, 0),
                Data::At(position) => (2, position),
                Data::None => (3, 0),
            };
            self.out.push(state);
            let mut position = position.to_le_bytes().to_vec();
            position.resize(usize::from(self.offset_size), 0);
            self.out.extend(position);
        }
        self.out
    }

    fn header(&mut self, toc: &Toc) {
        let header = &toc.header;
        self.out.extend(b"PGDMP");
        self.out.extend([self.version.major, self.version.minor, self.version.revision]);
        self.out.extend([self.int_size, self.offset_size, 1]);
        if self.version.minor >= 15 {
            self.out.push(match header.compression {
                Compression::None => 0,
                Compression::Gzip { .. } => 1,
                Compression::Lz4 => 2,
                Compression::Zstd => 3,
            });
        } else {
            self.int(match header.compression {
                Compression::Gzip { level } => level.unwrap_or(-1),
                _ => 0,
            });
        }
        let at = header.created_at.unwrap();
        for field in [at.second(), at.minute(), at.hour(), at.day(), at.month0()] {
            self.unsigned(field);
        }
        self.int(at.year() - 1900);
        self.int(0);
        self.text(&header.database);
        self.text(&header.server_version);
        self.text(&header.dump_version);
        self.int(self.entry_count.unwrap_or(i32::try_from(toc.entries.len()).unwrap()));
    }
}
