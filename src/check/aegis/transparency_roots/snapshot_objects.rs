//! The objects of a snapshot of roots: JSON lines below a prefix of the store, encrypted or not.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::snapshot::{Snapshot, SnapshotRoot};
use crate::check::Findings;
use crate::check::aegis::transparency_roots::code;
use crate::layer::Identities;
use crate::layer::pipe::{CHANNEL_DEPTH, PARTS_WAITING, decrypt_blocking};
use crate::model::codes;
use crate::model::failure::{Class, Failure, Result};
use crate::model::human;
use crate::model::verdict::{Finding, Severity};
use crate::store::{self, ObjectMeta, Store};

/// Endings of the objects that are read, and of their encrypted form.
const ENDINGS: [&str; 3] = [".jsonl", ".ndjson", ".json"];
const ENCRYPTED: [&str; 2] = [".age", ".gpg"];
/// The longest line that is read. A root is a few hundred bytes, and what a line says may be held.
const LONGEST_LINE: usize = 4 * 1024;
/// Roots that are held at once: some 300 MB of ordinary ones.
const MOST_ROOTS: usize = 1_000_000;

/// Reads every object below a prefix. What cannot be read of them is a finding.
///
/// # Errors
/// If the store does not answer, or there are more roots than can be held.
pub async fn read(
    store: &Arc<dyn Store>,
    identities: &Arc<Identities>,
    prefix: &str,
    findings: &mut Findings,
) -> Result<Snapshot> {
    let prefix = format!("{}/", prefix.trim_matches('/'));
    let mut objects = store.list(&prefix).await?;
    objects.retain(|object| {
        let key = object.key.as_str();
        let plain = ENCRYPTED.iter().find_map(|ending| key.strip_suffix(ending)).unwrap_or(key);
        ENDINGS.iter().any(|ending| plain.ends_with(ending))
    });
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    if objects.is_empty() {
        findings.push(Finding {
            severity: Severity::Error,
            code: code::SNAPSHOT_MISSING,
            subject: format!("snapshot of the roots below {}", human::one_line(&prefix, 200)),
            expected: "objects with roots, as .jsonl or .jsonl.age".to_owned(),
            actual: "none: is the prefix right, and does the job that writes the snapshot still run?"
                .to_owned(),
        });
    }
    let mut snapshot = Snapshot::default();
    for object in objects {
        match read_object(store, identities, &object, &mut snapshot, findings).await {
            // A bad object is what this check is there to find; a store that does not answer is not.
            Err(failure) if failure.class == Class::Bad => {
                findings.push(unreadable(&object, &failure.message))
            }
            other => other?,
        }
    }
    Ok(snapshot)
}

fn unreadable(object: &ObjectMeta, why: &str) -> Finding {
    Finding {
        severity: Severity::Error,
        code: code::SNAPSHOT_UNREADABLE,
        subject: format!("snapshot {}", human::one_line(object.key.as_str(), 200)),
        expected: "one JSON object a line, each a root".to_owned(),
        actual: human::one_line(why, 300),
    }
}

async fn read_object(
    store: &Arc<dyn Store>,
    identities: &Arc<Identities>,
    object: &ObjectMeta,
    snapshot: &mut Snapshot,
    findings: &mut Findings,
) -> Result<()> {
    let (parts_in, parts) = mpsc::channel(PARTS_WAITING);
    let pumping =
        store::pump(Arc::clone(store), object.key.clone(), object.etag.clone(), object.size_bytes, parts_in);
    let mut lines = Lines::default();
    if !ENCRYPTED.iter().any(|ending| object.key.as_str().ends_with(ending)) {
        let reading = async {
            // Ends with this block, so that nothing waits for a reader that has stopped.
            let mut parts = parts;
            while let Some(part) = parts.recv().await {
                lines.take(&part?, snapshot, findings)?;
            }
            Ok(())
        };
        tokio::join!(pumping, reading).1?;
        return lines.finish(snapshot, findings);
    }
    let (plaintext_in, plaintext) = mpsc::channel::<Bytes>(CHANNEL_DEPTH);
    let identities = Arc::clone(identities);
    let decrypting =
        tokio::task::spawn_blocking(move || decrypt_blocking(parts, &plaintext_in, &identities, |_| Ok(())));
    let reading = async {
        let mut plaintext = plaintext;
        while let Some(chunk) = plaintext.recv().await {
            lines.take(&chunk, snapshot, findings)?;
        }
        Ok(())
    };
    let ((), decrypted, read) = tokio::join!(pumping, decrypting, reading);
    // If reading stopped, decryption stopped because it had no reader.
    read?;
    decrypted.expect("decryption does not panic and is not aborted")?;
    lines.finish(snapshot, findings)
}

/// Puts lines together from chunks.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
    number: u64,
}

impl Lines {
    fn take(&mut self, chunk: &[u8], snapshot: &mut Snapshot, findings: &mut Findings) -> Result<()> {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.begin(&rest[..end])?;
            rest = &rest[end + 1..];
            self.finish(snapshot, findings)?;
        }
        self.begin(rest)
    }

    fn begin(&mut self, more: &[u8]) -> Result<()> {
        if self.begun.len() + more.len() > LONGEST_LINE {
            let message = format!("line {} is longer than 4 KiB", self.number + 1);
            return Err(Failure::bad(code::SNAPSHOT_UNREADABLE, message));
        }
        self.begun.extend_from_slice(more);
        Ok(())
    }

    /// Takes the line that was begun.
    fn finish(&mut self, snapshot: &mut Snapshot, findings: &mut Findings) -> Result<()> {
        self.number += 1;
        let line = std::mem::take(&mut self.begun);
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let root: SnapshotRoot = serde_json::from_slice(&line).map_err(|error| {
            Failure::bad(code::SNAPSHOT_UNREADABLE, format!("line {} is no root: {error}", self.number))
        })?;
        if snapshot.len() >= MOST_ROOTS {
            return Err(Failure::inconclusive(
                codes::SNAPSHOT_TOO_LARGE,
                format!("the snapshot has more than {} roots", human::count(MOST_ROOTS as u64)),
            )
            .hint("name a narrower prefix, such as that of this year"));
        }
        snapshot.add(root, findings);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&str]) -> (Result<()>, usize) {
        let (mut snapshot, mut findings, mut lines) =
            (Snapshot::default(), Findings::default(), Lines::default());
        let outcome = chunks
            .iter()
            .try_for_each(|chunk| lines.take(chunk.as_bytes(), &mut snapshot, &mut findings))
            .and_then(|()| lines.finish(&mut snapshot, &mut findings));
        (outcome, snapshot.len())
    }

    #[test]
    fn lines_may_be_cut_anywhere() {
        let text = "{\"tenant_id\": \"a\", \"root_date\": \"2026-05-01\", \"root_hash\": \"x\", \"prev_root_hash\": null, \
                    \"leaf_count\": 3, \"more\": true}\n\n{\"tenant_id\":\"a\",\"root_date\":\"2026-05-02\",\
                    \"root_hash\":\"y\",\"prev_root_hash\":\"x\",\"leaf_count\":0}";
        for cut in 0..text.len() {
            assert_eq!(lines(&[&text[..cut], &text[cut..]]), (Ok(()), 2));
        }
    }

    #[test]
    fn a_line_that_is_no_root_is_told_by_its_number() {
        let (outcome, _) = lines(&["\n{\"tenant_id\": \"a\"}\n"]);
        assert!(outcome.unwrap_err().message.starts_with("line 2 is no root: missing field"));
        let (outcome, _) = lines(&[&"x".repeat(LONGEST_LINE + 1)]);
        assert_eq!(outcome.unwrap_err().code.as_str(), "snapshot_unreadable");
        // Whole, in one chunk, and put together from several.
        let long = format!("{{\"tenant_id\": \"{}\"}}\n", "x".repeat(LONGEST_LINE));
        let (outcome, _) = lines(&[&long]);
        assert_eq!(outcome.unwrap_err().message, "line 1 is longer than 4 KiB");
        let (outcome, _) = lines(&["\n", &long[..3000], &long[3000..]]);
        assert_eq!(outcome.unwrap_err().message, "line 2 is longer than 4 KiB");
    }
}
