//! The password file (PostgreSQL documentation, 32.16): `host:port:database:user:password`, one a line.

use std::path::PathBuf;

use crate::model::secret::Secret;

/// Looks up a variable of the environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a password is wanted for.
pub(super) struct PasswordQuery<'a> {
    pub host: &'a str,
    pub port: u16,
    pub database: &'a str,
    pub user: &'a str,
}

/// The password for this, from the file that `PGPASSFILE` names, or `~/.pgpass`. A file that others may read is
/// not used, as psql does not use it.
pub(super) fn look_up(wanted: &PasswordQuery<'_>, variable: Lookup<'_>) -> Option<Secret> {
    let path = match variable("PGPASSFILE").filter(|path| !path.is_empty()) {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(variable("HOME")?).join(".pgpass"),
    };
    let metadata = std::fs::metadata(&path).ok()?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
        tracing::warn!("the password file {} is not used: others than its owner may read it", path.display());
        return None;
    }
    if !metadata.is_file() {
        return None;
    }
    find(&std::fs::read_to_string(path).ok()?, wanted)
}

fn find(text: &str, wanted: &PasswordQuery<'_>) -> Option<Secret> {
    let port = wanted.port.to_string();
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let fields: Vec<String> = fields(line);
        let [host, its_port, database, user, password] = fields.as_slice() else { return None };
        let matches =
            [(host, wanted.host), (its_port, &*port), (database, wanted.database), (user, wanted.user)]
                .into_iter()
                .all(|(pattern, value)| pattern == "*" || pattern == value);
        matches.then(|| Secret::new(password.clone()))
    })
}

/// Splits at colons that no backslash precedes.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let last = fields.last_mut().expect("there is one from the start");
        match character {
            '\\' => last.extend(characters.next()),
            ':' => fields.push(String::new()),
            other => last.push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let text = "# a comment\nh:5432:other:me:no\nh:*:shop:me:a\\:b\\\\c\n*:*:*:*:last\n";
        let wanted = |host, database| PasswordQuery { host, port: 5432, database, user: "me" };
        assert_eq!(find(text, &wanted("h", "shop")).unwrap().expose(), "a:b\\c");
        assert_eq!(find(text, &wanted("x", "shop")).unwrap().expose(), "last");
        assert!(find("h:1:2\n", &wanted("h", "shop")).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pass");
        std::fs::write(&path, "*:*:*:*:secret\n").unwrap();
        let look = || {
            let variable = |name: &str| (name == "PGPASSFILE").then(|| path.display().to_string());
            look_up(&PasswordQuery { host: "h", port: 1, database: "d", user: "u" }, &variable)
        };
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(look().is_none());
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(look().unwrap().expose(), "secret");
    }
}
