//! What the check does not look at, by the template.

use serde::Deserialize;

use crate::model::manifest::ObjectKind;
use crate::model::wildcard::fits;

/// Objects that are not looked at: of a kind, of a name, or both.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ignored {
    /// The kind; all, if absent.
    #[serde(default)]
    pub kind: Option<ObjectKind>,
    /// The name, with its schema and its table: `public.orders.tmp_*`. A `*` stands for any text; all, if absent.
    #[serde(default)]
    pub name: Option<String>,
}

impl Ignored {
    /// Whether an object of this kind and path is meant.
    pub fn means(&self, kind: ObjectKind, path: &str) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind)
            && self.name.as_deref().is_none_or(|name| fits(name, path))
    }

    /// Whether it means this object, and says its name.
    pub fn names(&self, kind: ObjectKind, path: &str) -> bool {
        self.name.is_some() && self.means(kind, path)
    }

    /// Whether it means everything, which is a slip.
    pub fn means_everything(&self) -> bool {
        self.kind.is_none() && self.name.as_deref().is_none_or(|name| name.chars().all(|c| c == '*'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_and_name_must_both_fit() {
        let ignored = |kind, name: Option<&str>| Ignored { kind, name: name.map(str::to_owned) };
        let index = Some(ObjectKind::Index);
        assert!(ignored(index, None).means(ObjectKind::Index, "s.t.i"));
        assert!(!ignored(index, None).means(ObjectKind::View, "s.v"));
        assert!(ignored(index, Some("s.t.*")).means(ObjectKind::Index, "s.t.i"));
        assert!(!ignored(index, Some("x.*")).means(ObjectKind::Index, "s.t.i"));
        assert!(ignored(None, Some("**")).means_everything() && Ignored::default().means_everything());
        assert!(!ignored(index, None).means_everything());
    }
}
