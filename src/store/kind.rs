//! A kind of store, as the list of stores has it.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::facts::ObjectFacts;
use super::port::Store;
use crate::model::failure::Result;
use crate::model::names::ObjectKey;
use crate::template;

/// A kind of store.
#[derive(Debug, Clone, Copy)]
pub struct StoreKind {
    /// Its name, for people.
    pub name: &'static str,
    /// The schemes of its URLs.
    pub schemes: &'static [&'static str],
    /// The command that makes an archived object readable, where the store has an archive and a tool of its own. The place is
    /// that of its URL.
    pub restore_command: fn(&str, &ObjectKey, &ObjectFacts) -> Option<String>,
    /// Validates the template's section, and connects with the credentials of the environment. No request is sent yet.
    pub connect: fn(&template::Store) -> Connecting<'_>,
}

/// A connection to a store that is being made.
pub type Connecting<'a> = BoxFuture<'a, Result<Arc<dyn Store>>>;
