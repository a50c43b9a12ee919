//! SQL that a template has run around a restore, as the drill's superuser.

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tokio_postgres::Error;

use super::failures::{error_text, query_failure};
use super::pins::Pins;
use super::quote::quote_literal;
use super::server::Server;
use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::human::one_line;
use crate::model::names::DatabaseName;
use crate::model::verdict::{HookPoint, HookRecord};
use crate::template::Statement;

/// Characters shown of a statement.
const BEGINS: usize = 60;
/// Work that is not committed is gone with the connection, without a word. The function is older than any server that is
/// drilled, and newer names of it do the same.
const IN_A_TRANSACTION: &str = "SELECT (pg_catalog.txid_current_if_assigned() IS NOT NULL)::pg_catalog.int4";

/// Keeps statements of a template out of the log of a server that is not the drill's: they may hold secrets.
const UNLOGGED: [(&str, &str); 3] =
    [("log_statement", "none"), ("log_min_duration_statement", "-1"), ("log_min_error_statement", "panic")];
/// Words that values stand behind.
const BEFORE_VALUES: [&str; 3] = ["TO", "PASSWORD", "VALUES"];
/// SQLSTATEs whose messages name what is missing, and nothing else: a table, an object, a function.
const MISSING: [&str; 3] = ["42P01", "42704", "42883"];
const SYNTAX: &str = "42601";
const DISK_FULL: &str = "53100";

/// A statement to run, and when.
#[derive(Debug, Clone, Copy)]
pub struct Hook<'a> {
    /// When it runs.
    pub at: HookPoint,
    /// The extension that needs it; none for SQL of the template.
    pub extension: Option<&'a str>,
    /// The SQL.
    pub sql: &'a str,
    /// The same as the template has it, without values of variables: its hash may be seen.
    pub written: &'a str,
}

impl Server {
    /// Runs a hook in a database, on a connection of its own. What is recorded of it comes with the failure, too.
    pub async fn run_hook(&self, database: &DatabaseName, hook: Hook<'_>) -> (HookRecord, Result<()>) {
        let began = Instant::now();
        let ran = self.try_hook(database, hook).await;
        let mut record = HookRecord {
            at: hook.at,
            extension: hook.extension.map(str::to_owned),
            begins: shown(hook),
            sha256: hex::encode(Sha256::digest(hook.written)),
            seconds: began.elapsed().as_secs_f64(),
            sqlstate: None,
        };
        match ran {
            Ok(()) => (record, Ok(())),
            Err(HookError::Sql(error)) => {
                record.sqlstate = error.code().map(|code| code.code().to_owned());
                let failure = failed(hook, &record, &error);
                (record, Err(failure))
            }
            Err(HookError::Other(failure)) => (record, Err(failure)),
        }
    }

    async fn try_hook(&self, database: &DatabaseName, hook: Hook<'_>) -> Result<(), HookError> {
        let pinned = self.connect_pinned(database.as_str(), &Pins::hook()).await?;
        pinned.client.batch_execute(hook.sql).await?;
        let left_open = pinned.client.query_one(IN_A_TRANSACTION, &[]).await?;
        if left_open.try_get::<_, i32>(0)? == 0 {
            return Ok(());
        }
        let message = format!("{} does not commit what it begins: {}", name(hook), beginning(hook.sql));
        Err(HookError::Other(Failure::inconclusive(codes::HOOK_FAILED, message).hint(
            "write COMMIT at the end of its text: each statement of the list has a connection of its own",
        )))
    }
}

/// A script for `psql` that runs these as a drill does: each as a whole, on a connection of its own, with the same settings.
pub fn script<'a>(statements: impl IntoIterator<Item = &'a str>) -> String {
    let mut script = "\\set ON_ERROR_STOP on\n\\set VERBOSITY terse\n".to_owned();
    for sql in statements {
        script.push_str("\\connect\n");
        for (name, value) in Pins::hook().of_session().into_iter().chain(UNLOGGED) {
            let (name, value) = (quote_literal(name), quote_literal(value));
            script.push_str(&format!("SELECT pg_catalog.set_config({name}, {value}, false) \\g /dev/null\n"));
        }
        let mut tag = "hook".to_owned();
        while sql.contains(&format!("${tag}")) {
            tag.push('_');
        }
        script.push_str(&format!("SELECT ${tag}${sql}${tag}$ \\gexec\n"));
    }
    script
}

/// The first words of a statement of a template, without values.
pub fn begins(statement: &Statement) -> String {
    beginning(&statement.sql)
}

/// The hash of a statement as the template has it.
pub fn written_sha256(statement: &Statement) -> String {
    hex::encode(Sha256::digest(&statement.written))
}

enum HookError {
    Sql(Error),
    Other(Failure),
}

impl From<Error> for HookError {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Failure> for HookError {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

fn name(hook: Hook<'_>) -> String {
    match hook.extension {
        Some(extension) => format!("what {extension} needs at {}", hook.at),
        None => hook.at.to_string(),
    }
}

/// Only what names objects is quoted of an error: other messages quote rows, or words of the statement.
fn failed(hook: Hook<'_>, record: &HookRecord, error: &Error) -> Failure {
    let Some(state) = &record.sqlstate else {
        // The server is gone, or did not answer.
        return query_failure(&format!("running {}", name(hook)), error);
    };
    if state == DISK_FULL {
        return query_failure(&format!("running {}", name(hook)), error);
    }
    let said = match state.as_str() {
        SYNTAX => " (a syntax error)".to_owned(),
        state if MISSING.contains(&state) => format!(": {}", error_text(error)),
        _ => String::new(),
    };
    let message = format!("{} failed with SQLSTATE {state} at {}{said}", name(hook), record.begins);
    let hint = match hook.extension {
        Some(_) => {
            "the image's version of the extension may be another than the source's; name an image that has the same in postgres.image"
        }
        None => {
            "try it with psql as `postgres`, after a restore by hand; --keep leaves the server to try it on"
        }
    };
    Failure::inconclusive(codes::HOOK_FAILED, message).hint(hint)
}

/// What is shown of a hook's text: all of the program's own, and the beginning of a template's.
fn shown(hook: Hook<'_>) -> String {
    if hook.extension.is_some() { one_line(hook.sql, BEGINS + 10) } else { beginning(hook.sql) }
}

/// The first words of a statement, up to the first value: what follows may be a secret. Names in quotes and comments are cut,
/// too, and what follows words that values stand behind.
fn beginning(sql: &str) -> String {
    let sql = sql.trim_start();
    let value = |c: char| matches!(c, '\'' | '"' | '$' | '=' | ';') || c.is_ascii_digit();
    let places = [sql.find(value), sql.find("--"), sql.find("/*"), behind_a_keyword(sql)];
    let end = places.into_iter().flatten().min().unwrap_or(sql.len());
    let words = sql[..end].split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = words.chars().take(BEGINS).collect();
    let cut = shown.len() < words.len() || !sql[end..].trim_end_matches([';', ' ', '\n']).is_empty();
    one_line(&format!("{}{}", shown.trim_end(), if cut { " …" } else { "" }), BEGINS + 10)
}

/// Where the first word ends that a value stands behind.
fn behind_a_keyword(sql: &str) -> Option<usize> {
    let mut at = 0;
    for word in sql.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_')) {
        let bare = word.trim_end_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
        if BEFORE_VALUES.iter().any(|keyword| bare.eq_ignore_ascii_case(keyword)) {
            return Some(at + bare.len());
        }
        at += word.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_runs_each_statement_as_it_stands() {
        let script = script(["UPDATE t SET a = '\\x'; SELECT $hook$ 1", "VACUUM"]);
        let begins =
            "\\set ON_ERROR_STOP on\n\\set VERBOSITY terse\n\\connect\nSELECT pg_catalog.set_config(";
        assert!(script.starts_with(begins), "{script}");
        assert!(script.contains("set_config('log_statement', 'none', false)"), "{script}");
        assert!(
            script.contains("set_config('search_path', 'public,pg_temp', false) \\g /dev/null\n"),
            "{script}"
        );
        let first = "\nSELECT $hook_$UPDATE t SET a = '\\x'; SELECT $hook$ 1$hook_$ \\gexec\n\\connect\n";
        assert!(script.contains(first), "{script}");
        assert!(script.ends_with("\nSELECT $hook$VACUUM$hook$ \\gexec\n"), "{script}");
    }

    #[test]
    fn the_first_words_are_shown_and_no_value() {
        for (sql, shown) in [
            ("ALTER ROLE app PASSWORD 'secret'", "ALTER ROLE app PASSWORD …"),
            ("  CREATE TABLE t (id int);\n", "CREATE TABLE t (id int)"),
            ("DO $$ BEGIN END $$", "DO …"),
            ("UPDATE t\n   SET a = 4711", "UPDATE t SET a …"),
            ("SELECT \"x\"('y')", "SELECT …"),
            ("SET app.key TO secret", "SET app.key TO …"),
            ("alter role app password secret", "alter role app password …"),
            ("INSERT INTO tokens VALUES (secret)", "INSERT INTO tokens VALUES …"),
            ("SELECT total -- secret", "SELECT total …"),
            ("SELECT total /* secret */", "SELECT total …"),
            ("TRUNCATE a; TRUNCATE b", "TRUNCATE a …"),
            ("DROP TABLE t\u{202e}", "DROP TABLE t\u{fffd}"),
            ("'secret'", " …"),
        ] {
            assert_eq!(beginning(sql), shown, "{sql}");
        }
        let long = beginning(&"word ".repeat(50));
        assert!(long.ends_with(" …") && long.chars().count() <= BEGINS + 2, "{long}");
    }
}
