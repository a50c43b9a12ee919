//! What commands print: results to stdout, messages to stderr.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

use crate::evidence::json;
use crate::model::code::Code;
use crate::model::exit::ExitCode;
use crate::model::failure::Failure;
use crate::model::human;
use crate::view::stderr;

/// How results are written to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
}

/// The exit code of a command whose result was printed. If it was not, the caller does not have it, and success becomes
/// inconclusive.
pub fn delivered(printed: io::Result<()>, code: ExitCode) -> ExitCode {
    let Err(error) = printed else { return code };
    complain(&format!("the result could not be written to stdout: {error}"), None);
    match code {
        ExitCode::Ok | ExitCode::Leaked => ExitCode::Inconclusive,
        graver => graver,
    }
}

/// Prints a result as JSON.
///
/// # Errors
/// As [`print()`].
pub fn print_json(value: &impl Serialize) -> io::Result<()> {
    print(&String::from_utf8_lossy(&json(value)))
}

/// Prints a result, to its end.
///
/// # Errors
/// Those of stdout: a full disk, a closed pipe. See [`delivered`].
pub fn print(text: &str) -> io::Result<()> {
    // On a terminal both are one: what led to the result comes before it.
    stderr::flush();
    let mut stdout = anstream::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints text for another program as it stands.
///
/// # Errors
/// As [`print()`].
pub fn print_as_is(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Prints a summary, its last line in the colour of its outcome where stdout is a terminal.
///
/// # Errors
/// As [`print()`].
pub fn print_summary(text: &str, last_line: &str, good: bool) -> io::Result<()> {
    let colour = if good { AnsiColor::Green } else { AnsiColor::Red };
    let style = Style::new().bold().fg_color(Some(colour.into()));
    let body = text.trim_end().strip_suffix(last_line).unwrap_or(text);
    print(&format!("{body}{style}{last_line}{style:#}\n"))
}

/// Reports on stderr what was done.
pub fn report(message: &str) {
    let _ = stderr::say(format!("{}\n", human::inert(message)));
}

/// Reports on stderr what went wrong, and what to do about it.
pub fn complain(message: &str, hint: Option<&str>) {
    complain_of(&Failure::config(Code::new(""), message), hint);
}

/// As [`complain`]: a failure's message is safe to show, and may have the lines of a template that is wrong.
pub fn complain_of(failure: &Failure, hint: Option<&str>) {
    let message = &failure.message;
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    let mut text = format!("{style}error:{style:#} {message}\n");
    if let Some(hint) = hint {
        text.push_str(&format!("hint: {hint}\n"));
    }
    let _ = stderr::say(text);
}
