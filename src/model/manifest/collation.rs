//! How texts were compared in the source: what is unique, and in which order rows are, depends on it.

use serde::{Deserialize, Serialize};

/// A database's collations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collations {
    /// The database's own.
    pub database: Collation,
    /// Others that columns and indexes use, by name.
    pub others: Vec<NamedCollation>,
}

/// How texts are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collation {
    /// What compares them: `libc`, `icu` or `builtin`.
    pub provider: String,
    /// The provider's locale.
    pub locale: String,
    /// The locale for telling letters from digits, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctype: Option<String>,
    /// Rules on top of the locale (ICU).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
    /// The provider's version when the database or the collation was made; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The provider's version on the server's machine now; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_version: Option<String>,
}

/// A collation that has a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCollation {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub collation: Collation,
}

impl Collation {
    /// Whether another one compares texts by the same rules, whatever the versions.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let ctype = |it: &Self| it.ctype.as_deref().map_or_else(|| spelled(&it.locale), spelled);
        self.provider == other.provider
            && spelled(&self.locale) == spelled(&other.locale)
            && ctype(self) == ctype(other)
            && self.rules == other.rules
    }

    /// Whether its order never changes: it is that of bytes or of code points.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.provider == "builtin"
            || self.provider == "libc" && ["C", "POSIX"].contains(&self.locale.as_str())
    }

    /// The version that its indexes were made with.
    #[must_use]
    pub fn used_version(&self) -> Option<&str> {
        self.version.as_deref().or(self.actual_version.as_deref())
    }
}

/// One spelling for all: C libraries differ in `UTF-8` and `utf8`, and versions of PostgreSQL in `en-u-kn` and
/// `en-u-kn-true`.
fn spelled(locale: &str) -> String {
    let plain = locale.to_ascii_lowercase().replace("-true", "");
    match plain.split_once('.') {
        Some((name, encoding)) => format!("{name}.{}", encoding.replace('-', "")),
        None => plain,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A collation of this provider and locale, in this version.
    pub fn collation(provider: &str, locale: &str, version: Option<&str>) -> Collation {
        Collation {
            provider: provider.to_owned(),
            locale: locale.to_owned(),
            ctype: None,
            rules: None,
            version: version.map(str::to_owned),
            actual_version: version.map(str::to_owned),
        }
    }

    #[test]
    fn spellings_of_a_locale_are_one() {
        let same = |provider: &str, one: &str, other: &str| {
            collation(provider, one, None).is_same_as(&collation(provider, other, Some("1")))
        };
        assert!(same("libc", "en_US.UTF-8", "en_US.utf8") && same("icu", "en-u-kn-true", "en-u-kn"));
        assert!(!same("libc", "en_US.utf8", "de_DE.utf8") && !same("icu", "und", "und-u-ks-level2"));
        assert!(!collation("icu", "C", None).is_same_as(&collation("libc", "C", None)));
        let mut letters = collation("libc", "C", None);
        letters.ctype = Some("en_US.utf8".to_owned());
        assert!(!letters.is_same_as(&collation("libc", "C", None)));
    }

    #[test]
    fn the_order_of_code_points_never_changes() {
        assert!(
            collation("libc", "C", None).is_fixed() && collation("builtin", "C.UTF-8", Some("1")).is_fixed()
        );
        assert!(!collation("libc", "C.UTF-8", None).is_fixed() && !collation("icu", "C", None).is_fixed());
    }
}
