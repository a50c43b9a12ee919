//! Parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    restore_drill::cli::main().into()
}
