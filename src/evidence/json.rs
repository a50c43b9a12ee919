//! JSON that is safe to display: characters that act on a terminal, reorder text or hide are written as escapes. The values
//! are what they are.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

use crate::model::human;

/// A value as JSON, with a line end.
///
/// # Panics
/// If a map of the value has keys that are no text; ours have none.
pub fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let formatter = Inert(PrettyFormatter::new());
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, formatter))
        .expect("our own types have string keys, and memory can be written to");
    bytes.push(b'\n');
    bytes
}

/// The pretty formatter, but for what stands in texts.
struct Inert(PrettyFormatter<'static>);

impl Formatter for Inert {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(human::is_active) {
            let (plain, tail) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = tail.chars();
            if let Some(active) = chars.next() {
                for unit in active.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_spelt_out() {
        let value = json!({"a\u{9b}31m": ["\u{1b}[2J", "é\u{202e}\u{2028}\u{e0041}"], "none": []});
        assert_eq!(
            String::from_utf8(pretty(&value)).unwrap(),
            "{\n  \"a\\u009b31m\": [\n    \"\\u001b[2J\",\n    \"é\\u202e\\u2028\\udb40\\udc41\"\n  ],\n  \"none\": []\n}\n"
        );
    }

    proptest! {
        #[test]
        fn values_are_what_they_were(text in any::<String>(), key in any::<String>()) {
            let value = json!({key: [text, 1, null, {"x": []}]});
            let written = String::from_utf8(pretty(&value)).unwrap();
            prop_assert!(!written.replace('\n', "").chars().any(human::is_active));
            prop_assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
        }
    }
}
