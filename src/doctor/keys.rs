//! Key files: present, readable, and readable by their owner only.

use std::path::Path;

use super::{Item, ItemStatus};
use crate::check::DrillTemplate;
use crate::check::chain::parse_public_key;
use crate::layer::Identities;
use crate::model::codes;
use crate::model::failure::Failure;

/// Looks at the key files a template names. The identities are handed on if they can be used.
pub(super) fn examine(template: &DrillTemplate) -> (Vec<Item>, Option<Identities>) {
    let paths = &template.encryption.identities;
    let mut items = Vec::new();
    let identities = match Identities::of(template) {
        Ok(identities) => {
            items.extend(openers(&identities));
            if !identities.passed_over().is_empty() {
                let advice =
                    "recovery points for these keys cannot be opened here: encrypt to a native key, too";
                let seen = format!("not used here: {}", identities.passed_over().join(", "));
                items.push(Item::new("other age identities", ItemStatus::Unknown, seen).advice(advice));
            }
            Some(identities)
        }
        Err(failure) => {
            let of_gpg = [codes::GPG_MISSING, codes::GPG_HOMEDIR_UNUSABLE].contains(&failure.code);
            items.push(Item::failure(if of_gpg { "gpg keyring" } else { "age identities" }, failure));
            None
        }
    };
    items.extend(paths.iter().filter(|path| !path.as_os_str().is_empty()).filter_map(|path| mode(path)));
    items.extend(template.encryption.gpg_homedir().and_then(mode));
    items.extend(template.checks.iter().filter_map(|check| check.public_key()).map(public_key));
    (items, identities)
}

/// What opens recovery points.
fn openers(identities: &Identities) -> Vec<Item> {
    let mut items = Vec::new();
    if !identities.public_keys().is_empty() {
        items.push(Item::ok("age identities", identities.public_keys().join(", ")));
    }
    if let Some(keyring) = identities.keyring() {
        let seen = format!("{}; secret keys {}", keyring.version(), keyring.secret_keys().join(", "));
        items.push(Item::ok(format!("gpg keyring {}", keyring.homedir().display()), seen));
    }
    if items.is_empty() {
        let seen = "none: what is encrypted cannot be opened, and what is not is taken as it is";
        items.push(Item::ok("identities", seen));
    }
    items
}

/// Who else may read a private key, or a directory of them.
#[cfg(unix)]
fn mode(path: &Path) -> Option<Item> {
    use std::os::unix::fs::PermissionsExt;
    // A file that cannot be read is reported already.
    let metadata = std::fs::metadata(path).ok()?;
    Some(judge_mode(path, metadata.permissions().mode() & 0o777, metadata.is_dir()))
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<Item> {
    None
}

fn judge_mode(path: &Path, mode: u32, directory: bool) -> Item {
    let what = format!("mode of {}", path.display());
    if mode & 0o077 == 0 {
        return Item::ok(what, format!("{mode:04o}"));
    }
    Item::new(
        what,
        ItemStatus::Warning,
        format!("{mode:04o}: others on this machine may open the private key"),
    )
    .advice(format!("chmod {} {}", if directory { "700" } else { "600" }, path.display()))
}

fn public_key(path: &Path) -> Item {
    let what = format!("public key {}", path.display());
    let parsed = std::fs::read_to_string(path)
        .map_err(|error| error.to_string())
        .and_then(|pem| parse_public_key(&pem).map_err(|error| error.to_string()));
    match parsed {
        Ok(_) => Item::ok(what, "an Ed25519 public key"),
        Err(why) => Item::failure(
            what,
            Failure::config(codes::PUBLIC_KEY_UNREADABLE, why)
                .hint("it must be an Ed25519 public key in PEM form"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_others_may_open_is_a_warning() {
        for (mode, status) in [(0o600, ItemStatus::Ok), (0o400, ItemStatus::Ok), (0o640, ItemStatus::Warning)]
        {
            assert_eq!(judge_mode(Path::new("k"), mode, false).status, status, "{mode:o}");
        }
    }
}
