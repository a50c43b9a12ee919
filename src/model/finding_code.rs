//! The codes of findings: each is a constant beside the check or the judgement that gives it.

use super::code::Code;

/// A code of a finding, and what the documentation says about it.
#[derive(Debug, Clone, Copy)]
pub struct FindingCode {
    /// The code.
    pub code: Code,
    /// How grave it is: a severity, and where another holds, when.
    pub severity: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do about it; empty if nothing.
    pub remedy: &'static str,
    /// A finding of this code, as a summary shows it.
    pub example: &'static str,
}

/// Constants for codes, and a list of them with what the documentation says:
/// `NAME = "code", "severity": "meaning", "remedy", "example";`.
macro_rules! findings {
    ($($name:ident = $code:literal, $severity:literal: $meaning:literal, $remedy:literal, $example:literal;)*) => {
        $(
            #[doc = $meaning]
            pub const $name: $crate::model::code::Code = $crate::model::code::Code::new($code);
        )*
        /// The codes of the findings that are given here.
        pub static FINDINGS: &[$crate::model::finding_code::FindingCode] = &[
            $($crate::model::finding_code::FindingCode {
                code: $name,
                severity: $severity,
                meaning: $meaning,
                remedy: $remedy,
                example: $example,
            }),*
        ];
    };
}
pub(crate) use findings;
