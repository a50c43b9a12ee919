//! `completions`: scripts for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use super::output;
use crate::model::exit::ExitCode;
use crate::model::failure::Result;

const EXAMPLES: &str = "\
Examples:
  restore-drill completions bash > ~/.local/share/bash-completion/completions/restore-drill
  restore-drill completions fish > ~/.config/fish/completions/restore-drill.fish";

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
#[expect(
    clippy::unnecessary_wraps,
    clippy::needless_pass_by_value,
    reason = "every command has the same shape"
)]
pub fn run(args: Args) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "restore-drill", &mut script);
    Ok(output::delivered(output::print(&String::from_utf8_lossy(&script)), ExitCode::Ok))
}
