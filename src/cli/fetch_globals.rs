//! What `fetch --globals` prints.

use super::fetch_proofs::proofs;
use crate::fetch::GlobalsReport;
use crate::model::human;
use crate::view::Page;

/// The report for people.
pub fn text(report: &GlobalsReport) -> String {
    let mut out = Page::default();
    let globals = &report.globals;
    writeln!(out, "Globals         {}", globals.key);
    writeln!(out, "Taken           {}", human::moment(globals.taken_at));
    writeln!(out, "Object          SHA-256 {}", globals.ciphertext_sha256);
    writeln!(out, "SQL             SHA-256 {}", globals.plaintext_sha256);
    proofs(&mut out, report.proved_by.as_ref(), &report.manifest, &report.warnings);
    for what in &report.beyond {
        writeln!(out, "Not in a drill  {what}");
    }
    out.blank();
    writeln!(out, "To restore the roles, as a superuser, before any database:");
    writeln!(out, "  {}", report.command);
    let beyond = report.beyond.len() as u64;
    if beyond > 0 {
        let things = human::things(beyond, "thing");
        writeln!(
            out,
            "psql does {things} more by it than a drill (`Not in a drill`): read the file before you run it."
        );
    }
    writeln!(
        out,
        "That a role exists already is an error to pass over: every server has its first superuser."
    );
    if report.restricted {
        writeln!(
            out,
            "It has \\restrict: psql before 13.22, 14.19, 15.14, 16.10 and 17.6 reports an invalid command, and goes on."
        );
    }
    if report.passwords > 0 {
        writeln!(out, "It holds {}, as the server keeps them.", human::things(report.passwords, "password"));
    } else {
        writeln!(out, "It holds no passwords.");
    }
    if !report.passwords_to_set.is_empty() {
        let names = human::one_line(&report.passwords_to_set.join(", "), 400);
        writeln!(
            out,
            "Roles that log in and need a new password (\\password ROLE in psql sets one): {names}"
        );
    }
    out.blank();
    out.ending(&last_line(report))
}

/// The last line.
pub fn last_line(report: &GlobalsReport) -> String {
    let proved = match (&report.proved_by, &report.failed_later) {
        (Some(_), None) => "the bytes that a drill restored roles from and passed with",
        (Some(_), Some(_)) => {
            "the bytes that a drill restored roles from and passed with; a later drill with them FAILED"
        }
        (None, None) => "NOT proved: no drill that passed has restored roles from them",
        (None, Some(_)) => {
            "NOT proved: no drill that passed has restored roles from them; a drill with them FAILED"
        }
    };
    let (roles, taken) = (human::things(report.roles, "role"), human::moment(report.globals.taken_at));
    format!("Fetched globals with {roles}, taken {taken}: {proved}")
}
