//! One form for what a server prints of one thing, hashed.
//!
//! A server prints a definition from its parse tree, and a restore makes a new tree of what was printed. Of the two, a few
//! are not the same although they mean the same, and the first restore changes them (a second one changes nothing more):
//!
//! - `kind IN ('a', 'b')` on a varchar is printed as `(kind)::text = ANY ((ARRAY['a'::character varying, …])::text[])`,
//!   and after a restore as `… ANY (ARRAY[('a'::character varying)::text, …])`: the parser hands the cast of an array to
//!   its elements (`transformArrayExpr` in `parse_expr.c`).
//! - `n BETWEEN 1 AND 5 AND b` is printed as `(((n >= 1) AND (n <= 5)) AND b)`, and after a restore as
//!   `((n >= 1) AND (n <= 5) AND b)`: the parser flattens what AND or OR join (`makeAndExpr` in `gram.y`).
//!
//! So a definition is read into a tree of parentheses, these two are brought into one form, and nothing else is: what
//! differs then means something else, or at least may.

mod form;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The version of the form. Definitions that were hashed in another one cannot be compared.
pub const FORM: u32 = 1;

/// The SHA-256 of a definition in its one form, in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Definition(String);

impl Definition {
    /// That of a definition as a server printed it.
    pub fn of(printed: &str) -> Self {
        Self(hex::encode(Sha256::digest(form::form(printed))))
    }

    /// The first digits, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}
