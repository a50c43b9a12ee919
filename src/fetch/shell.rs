//! Command lines for a shell (POSIX).

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::model::human;
use crate::model::names::{DatabaseName, ObjectKey};
use crate::model::verdict::HookPoint;
use crate::target::postgres::MAINTENANCE;

/// One line: words that a shell would take apart or replace are quoted.
pub(super) fn line(words: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| human::shell_word(word.as_ref())).collect();
    quoted.join(" ")
}

/// SQL that runs in a database, and ends with an error if the server does not take it.
pub(super) fn psql(database: &str, sql: &str) -> String {
    line(&["psql", "--no-psqlrc", &format!("--dbname={database}"), &format!("--command={sql}")])
}

/// The same for SQL that may hold a secret: psql reads it, since every user of a machine sees the arguments of its programs.
/// `printf` is part of the shell, and no program.
pub(super) fn psql_reads(database: &str, sql: &str) -> String {
    let words = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", &format!("--dbname={database}")];
    let statement = human::shell_word(&format!("{sql};"));
    format!("printf '%s\\n' {statement} | psql {}", line(&words))
}

/// The command that fetches the globals of this time to a file, and restores the roles in them. `arguments` name the template.
/// Without a drill that used them they are not proved, and have to be asked for as such.
pub(super) fn fetch_globals(
    arguments: &[String],
    key: &ObjectKey,
    taken_at: DateTime<Utc>,
    proved: bool,
) -> String {
    let name = key.as_str().rsplit('/').next().unwrap_or_default();
    let file = Path::new(name.strip_suffix(".age").or(name.strip_suffix(".gpg")).unwrap_or(name));
    let mut words = ["restore-drill", "fetch"].map(str::to_owned).to_vec();
    words.extend_from_slice(arguments);
    let at = taken_at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    words.extend(["--globals".to_owned(), "--at".to_owned(), at]);
    words.extend((!proved).then(|| "--unproved".to_owned()));
    words.extend(["-o".to_owned(), path_word(file)]);
    format!("{} && {}", line(&words), psql_file(file))
}

/// The command that runs SQL of the template around a restore. The SQL goes from one program to the other: it may hold a
/// secret. If the first fails, nothing runs.
pub(super) fn run_hooks(arguments: &[String], database: &DatabaseName, at: HookPoint) -> String {
    let words = ["restore-drill", "hooks"].map(str::to_owned);
    let database_words = ["--database".to_owned(), database.to_string(), at.to_string()];
    let words = [&words[..], arguments, &database_words].concat();
    let psql = line(&["psql", "--no-psqlrc", "--quiet", &format!("--dbname={database}")]);
    format!("sql=$({}) && printf '%s\\n' \"$sql\" | {psql}", line(&words))
}

/// Entries of an archive as a filter of what `pg_restore --list` prints: with `-v` those that it has not. The list is in the
/// encoding of the dump. A line that is not text in the locale would be dropped, and its entry not restored.
pub(super) fn grep(ids: &BTreeSet<i32>, inverted: bool) -> String {
    let ids: Vec<String> = ids.iter().map(i32::to_string).collect();
    // One argument has at most 128 KiB.
    let patterns = ids.chunks(10_000).flat_map(|ids| ["-e".to_owned(), format!("^({});", ids.join("|"))]);
    let grep = if inverted { "LC_ALL=C grep -vE" } else { "LC_ALL=C grep -E" };
    format!("{grep} {}", line(&patterns.collect::<Vec<_>>()))
}

/// A path that no program takes for an option.
pub(super) fn path_word(path: &Path) -> String {
    match path.to_string_lossy() {
        path if path.starts_with('-') => format!("./{path}"),
        path => path.into_owned(),
    }
}

/// A script for the whole server. An error in it ends nothing: roles may be there already.
pub(super) fn psql_file(file: &Path) -> String {
    let (database, file) = (format!("--dbname={MAINTENANCE}"), format!("--file={}", path_word(file)));
    line(&["psql", "--no-psqlrc", "--quiet", &database, &file])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_entries_and_hooks_are_words_of_a_shell() {
        let ids = BTreeSet::from([7, 12]);
        assert_eq!(
            (grep(&ids, false), grep(&ids, true)),
            (r"LC_ALL=C grep -E -e '^(7|12);'".to_owned(), r"LC_ALL=C grep -vE -e '^(7|12);'".to_owned())
        );
        let many = grep(&(0..25_000).collect(), true);
        assert_eq!(many.matches(" -e ").count(), 3);
        let arguments = ["-t".to_owned(), "it's.toml".to_owned()];
        assert_eq!(
            run_hooks(&arguments, &"shop".parse().unwrap(), HookPoint::AfterRestore),
            r#"sql=$(restore-drill hooks -t 'it'\''s.toml' --database shop after_restore) && printf '%s\n' "$sql" | psql --no-psqlrc --quiet --dbname=shop"#
        );
    }

    #[test]
    fn entries_whose_names_are_no_text_in_the_locale_are_restored_all_the_same() {
        let list = r"printf '7; 0 1 TABLE public stra\337e o\n8; 0 2 TABLE public stra\337e o\n9; 0 3 TABLE public a o\n'";
        for (inverted, kept) in [(true, &b"89"[..]), (false, b"7")] {
            let filter = grep(&BTreeSet::from([7]), inverted);
            let output = said_by(&format!("{list} | {filter} | LC_ALL=C cut -c 1 | tr -d '\\n'"));
            assert_eq!(output, kept, "{filter}");
        }
    }

    fn said_by(script: &str) -> Vec<u8> {
        let shell = std::process::Command::new("sh").args(["-c", script]).env("LC_ALL", "C.UTF-8").output();
        shell.unwrap().stdout
    }

    #[test]
    fn what_a_shell_would_take_apart_stays_one_word() {
        assert_eq!(line(&["a=b", "", "$(x)", "it's"]), r"a=b '' '$(x)' 'it'\''s'");
        let sql = r#"ALTER DATABASE "d" SET "app.x" TO 'y'"#;
        assert_eq!(
            psql("postgres", sql),
            r#"psql --no-psqlrc --dbname=postgres '--command=ALTER DATABASE "d" SET "app.x" TO '\''y'\'''"#
        );
        assert_eq!(
            psql_reads("postgres", sql),
            r#"printf '%s\n' 'ALTER DATABASE "d" SET "app.x" TO '\''y'\'';' | psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres"#
        );
    }

    #[test]
    fn a_statement_reaches_psql_as_it_is_and_no_argument_has_it() {
        let sql = r#"ALTER DATABASE "d%s\n" SET "app.x" TO  E'it''s \\ a "%" :x $HOME'"#;
        let script = psql_reads("postgres", sql);
        assert_eq!(said_by(&format!("psql() {{ cat; }}; {script}")), format!("{sql};\n").as_bytes());
        let arguments = String::from_utf8(said_by(&format!("psql() {{ echo \"$@\"; }}; {script}"))).unwrap();
        assert!(arguments.contains("--dbname=postgres") && !arguments.contains("app.x"), "{arguments}");
    }
}
