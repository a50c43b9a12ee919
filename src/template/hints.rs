//! What a template says about failures and findings in its system.

use super::schema::Template;
use crate::model::code::Code;
use crate::model::failure::Failure;

impl Template {
    /// The failure with what this system's template says about its code.
    #[must_use]
    pub fn hinted(&self, failure: Failure) -> Failure {
        match self.own_hint(failure.code, failure.hint.as_deref()) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// The general hint for a code with what this system's template says about it behind it; none if it says nothing.
    pub fn own_hint(&self, code: Code, general: Option<&str>) -> Option<String> {
        let own = self.hints.get(code.as_str())?;
        Some(match general {
            // A failure of a database is the drill's, too.
            Some(hint) if hint.ends_with(own.as_str()) => hint.to_owned(),
            Some(hint) => format!("{hint}; {own}"),
            None => own.clone(),
        })
    }
}
