//! Command lines for a shell (POSIX).

use crate::model::human;

/// One line: words that a shell would take apart or replace are quoted.
pub(super) fn line(words: &[impl AsRef<str>]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| human::shell_word(word.as_ref())).collect();
    quoted.join(" ")
}

/// SQL that runs in a database, and ends with an error if the server does not take it.
pub(super) fn psql(database: &str, sql: &str) -> String {
    line(&["psql", "--no-psqlrc", &format!("--dbname={database}"), &format!("--command={sql}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_stays_one_word() {
        assert_eq!(line(&["a=b", "", "$(x)", "it's"]), r"a=b '' '$(x)' 'it'\''s'");
        let sql = r#"ALTER DATABASE "d" SET "app.x" TO 'y'"#;
        assert_eq!(
            psql("postgres", sql),
            r#"psql --no-psqlrc --dbname=postgres '--command=ALTER DATABASE "d" SET "app.x" TO '\''y'\'''"#
        );
    }
}
