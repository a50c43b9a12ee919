//! Where a template was read, for errors that show its lines.

use crate::model::codes;
use crate::model::failure::Failure;
use crate::model::human::inert;

/// Where the keys of a template are explained.
const REFERENCE: &str = "docs/templates.md lists every key";

/// Where a template was read: errors that are found later show its lines, too.
#[derive(Clone, Default)]
pub(super) struct Source {
    origin: String,
    text: String,
}

/// Without the text: it may hold a password.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Source {
    /// A text, and what names it in errors.
    pub(super) fn new(origin: &str, text: &str) -> Self {
        Self { origin: origin.to_owned(), text: text.to_owned() }
    }

    /// The failure of what the types refuse, with its line.
    pub(super) fn invalid(&self, error: &toml::de::Error) -> Failure {
        let mut error = error.clone();
        error.set_input(Some(&self.text));
        let message = format!("{}: {}", inert(&self.origin), error.to_string().trim_end());
        Failure::in_file(codes::TEMPLATE_INVALID, &message).hint(REFERENCE)
    }

    /// The failure of what contradicts itself.
    pub(super) fn inconsistent(&self, message: &str) -> Failure {
        Failure::config(codes::TEMPLATE_INVALID, format!("{}: {message}", self.origin)).hint(REFERENCE)
    }
}
