//! `hooks`: the template's SQL around a restore, for the real restore.

use std::io::IsTerminal;

use super::common::{self, TemplateArg};
use super::output;
use crate::check;
use crate::model::codes;
use crate::model::exit::ExitCode;
use crate::model::failure::{Failure, Result};
use crate::model::names::DatabaseName;
use crate::model::verdict::HookPoint;
use crate::target::postgres::hooks::script;
use crate::template::{Environment, Purpose};

const EXAMPLES: &str = "\
Prints a script for psql that runs the SQL as a drill does: each statement of the list as a whole, on a connection of its own,
with the same settings. `fetch` prints the command that runs it. Values of variables are in it, and may be secret: it is not
written to a terminal.

Example:
  restore-drill hooks -t shop --database orders after_restore | psql --no-psqlrc --quiet --dbname=orders

Exit codes: 0 printed · 2 configuration, or the template has no such SQL · 3 it could not be written";

/// Arguments of `hooks`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    template: TemplateArg,
    /// The database
    #[arg(long, value_name = "DB", value_parser = common::parse_database)]
    database: DatabaseName,
    /// Which SQL
    at: When,
}

/// When the SQL runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum When {
    /// Before anything is restored
    BeforeRestore,
    /// Once all is restored
    AfterRestore,
}

/// Prints the SQL.
pub fn run(args: Args) -> Result<ExitCode> {
    if std::io::stdout().is_terminal() {
        let message = "SQL of a template is not written to a terminal: it may hold a secret";
        return Err(Failure::config(codes::OUTPUT_UNWRITABLE, message).hint("`… | psql …` runs it"));
    }
    let at = match args.at {
        When::BeforeRestore => HookPoint::BeforeRestore,
        When::AfterRestore => HookPoint::AfterRestore,
    };
    let template = check::load(&args.template.template, &Environment::of_process(), Purpose::Drill)?;
    template.require_known(std::slice::from_ref(&args.database), "--database")?;
    let statements = template.database(&args.database).map(|database| database.hooks(at)).unwrap_or_default();
    if statements.is_empty() {
        let message = format!("{} has no {at} in the template", args.database);
        return Err(Failure::config(codes::NO_HOOKS, message).hint(
            "a drill runs nothing there; the template may have changed since the commands were printed",
        ));
    }
    let script = script(statements.iter().map(|statement| statement.sql.as_str()));
    Ok(output::delivered(output::print_as_is(&script), ExitCode::Ok))
}
