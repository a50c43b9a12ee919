//! The program gpg: how it is run, what it says, and the keys that it has.

mod keyring;
pub(super) mod process;
mod recipient;
pub(super) mod words;

pub use keyring::Keyring;
#[cfg(test)]
pub(super) use keyring::agent_runs;
pub use recipient::GpgRecipient;
