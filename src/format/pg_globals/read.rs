//! The file, statement by statement.

use super::statement;
use super::{Globals, GlobalsError};
use crate::format::pg_custom::sql::{Token, Tokens};
use crate::model::human;

/// The first and the last comment of every file, unless its comments were taken out.
const TITLE: &str = "-- PostgreSQL database cluster dump\n";
const END: &str = "-- PostgreSQL database cluster dump complete";
/// Commands for `psql` that such a file holds since 2025: they keep other ones from being run.
const HARMLESS: [&str; 2] = ["\\restrict ", "\\unrestrict "];
/// Things left out that are named.
const NAMED: usize = 100;

impl Globals {
    /// Reads a file.
    ///
    /// # Errors
    /// If it is cut off, or is no such file.
    pub fn read(file: &[u8]) -> Result<Self, GlobalsError> {
        let text = std::str::from_utf8(file).map_err(|_| GlobalsError::Encoding)?;
        if text.contains('\0') {
            return Err(GlobalsError::Foreign("it holds a zero byte".to_owned()));
        }
        let has_comments = text.contains(TITLE) || text.contains(&TITLE.replace('\n', "\r\n"));
        if has_comments && !text.contains(END) {
            return Err(GlobalsError::CutOff);
        }
        let mut globals = Self::default();
        let mut tokens = Tokens::new(text);
        loop {
            if let Some(command) = tokens.between_statements() {
                if HARMLESS.iter().any(|harmless| command.starts_with(harmless)) {
                    continue;
                }
                return Err(GlobalsError::Foreign(format!("it has {}", human::one_line(&command, 60))));
            }
            if tokens.is_at_end() {
                break;
            }
            let mut statement = Vec::new();
            loop {
                match tokens.next().ok_or(GlobalsError::CutOff)? {
                    Token::Symbol(';') => break,
                    token => statement.push(token),
                }
            }
            globals.take(&statement)?;
        }
        if globals.roles.is_empty() {
            return Err(GlobalsError::Foreign("it has no role".to_owned()));
        }
        Ok(globals)
    }

    fn take(&mut self, tokens: &[Token]) -> Result<(), GlobalsError> {
        if statement::read(self, tokens)?.is_none() && self.left_out.len() < NAMED {
            let words: Vec<String> = tokens.iter().take(4).map(statement::shown).collect();
            self.left_out.push(format!("{} …", human::one_line(&words.join(" "), 80)));
        }
        Ok(())
    }
}
