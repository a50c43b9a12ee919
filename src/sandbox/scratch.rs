//! The scratch volume of a container of the stack: where what was taken out of its layers lies while it is restored or opened.

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::docker::{Captured, Engine, Exec, ExecSpec};
use super::spec::SCRATCH;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// What programs in the container say of a full disk (`strerror` of ENOSPC).
pub const NO_SPACE: &str = "No space left on device";
/// Bytes kept of what the container says about a write.
const WORDS_LIMIT: usize = 4096;
/// The volume belongs to root, and the container's own user only needs to read what is in it.
const TAKE: &str = r#"umask 022; cat > "$0" && wc -c < "$0""#;

/// Writes chunks to a file in the scratch volume, calling `progress` with each chunk's size. Returns the bytes
/// that the container says it wrote.
///
/// # Errors
/// `disk_full`, `scratch_failed`.
pub async fn write(
    engine: &Engine,
    container: &str,
    path: &str,
    mut chunks: mpsc::Receiver<Bytes>,
    mut progress: impl FnMut(u64),
) -> Result<u64> {
    let mut exec = take(engine, container, path).await?;
    while let Some(chunk) = chunks.recv().await {
        if exec.input.write_all(&chunk).await.is_err() {
            // `cat` has ended: its own words say why.
            break;
        }
        progress(chunk.len() as u64);
    }
    // The sender must not wait for a reader that has stopped reading.
    drop(chunks);
    written(exec).await
}

/// As [`write()`], of what fits into memory.
///
/// # Errors
/// Those of [`write()`].
pub async fn write_whole(engine: &Engine, container: &str, path: &str, bytes: &[u8]) -> Result<u64> {
    let mut exec = take(engine, container, path).await?;
    // A container that stops reading says why.
    let _ = exec.input.write_all(bytes).await;
    written(exec).await
}

async fn take(engine: &Engine, container: &str, path: &str) -> Result<Exec> {
    engine.exec(ExecSpec::new(container, ["sh", "-c", TAKE, path]).user("0")).await
}

/// Unpacks a tar file, of which the folder is then what lies in its place. Its members were looked at before: none leaves
/// the folder, and there are no links among them.
///
/// # Errors
/// `disk_full`, `scratch_failed`.
pub async fn unpack(engine: &Engine, container: &str, path: &str, folder: &str) -> Result<()> {
    let unpacked = if folder.is_empty() { "." } else { folder };
    // Without an owner: it is root without the right to give files away.
    let script = r#"umask 022; mkdir "$0.d" && tar -x -o -f "$0" -C "$0.d" && rm -f "$0" && mv "$0.d/$1" "$0" \
        && chmod -R u+rwX "$0" && echo 0"#;
    let script = if folder.is_empty() { script.replace("$0.d/$1", "$0.d") } else { script.to_owned() };
    let spec = ExecSpec::new(container, ["sh", "-c", &script, path, unpacked]).user("0");
    let mut exec = engine.exec(spec).await?;
    let _ = exec.input.shutdown().await;
    written(exec).await.map(drop)
}

/// Removes files from the scratch volume.
///
/// # Errors
/// Those of the engine.
pub async fn remove(engine: &Engine, container: &str, paths: &[&str]) -> Result<()> {
    let command = ["rm", "-rf", "--"].iter().chain(paths).copied();
    engine.capture(ExecSpec::new(container, command).user("0"), 1024).await.map(drop)
}

/// Bytes free on the disk that the scratch volume is on. `None` if the image cannot tell: a drill goes on without knowing.
pub async fn disk_free(engine: &Engine, container: &str) -> Option<u64> {
    let spec = ExecSpec::new(container, ["df", "-Pk", SCRATCH]);
    let said = engine.capture(spec, WORDS_LIMIT).await.ok().filter(Captured::ok)?;
    available(&said.stdout)
}

/// The least room that `df -Pk` saw, of all that it printed.
#[derive(Debug, Default)]
pub struct Room {
    partial: Vec<u8>,
    lowest: Option<u64>,
}

impl Room {
    /// Takes in more of what it printed.
    pub fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte != b'\n' {
                // A line of `df` is short, whatever else may be written there.
                if self.partial.len() < WORDS_LIMIT {
                    self.partial.push(*byte);
                }
                continue;
            }
            let seen = available_on(&String::from_utf8_lossy(&self.partial));
            self.lowest = self.lowest.into_iter().chain(seen).min();
            self.partial.clear();
        }
    }

    /// The least bytes that were free; none if nothing was seen.
    pub fn lowest(&self) -> Option<u64> {
        self.lowest
    }
}

/// The bytes available, from what `df -Pk` prints: a line of headings, then one line of which the fourth word counts.
fn available(df: &str) -> Option<u64> {
    available_on(df.lines().nth(1)?)
}

fn available_on(line: &str) -> Option<u64> {
    let kibibytes: u64 = line.split_whitespace().nth(3)?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

async fn written(exec: Exec) -> Result<u64> {
    let captured = exec.capture(WORDS_LIMIT).await?;
    if let (true, Ok(bytes)) = (captured.ok(), captured.stdout.trim().parse()) {
        return Ok(bytes);
    }
    let status = captured.exit_code;
    let said = crate::model::human::one_line(captured.stderr.trim(), 300);
    if said.contains(NO_SPACE) {
        let message = "the engine's disk is full: the dump does not fit the scratch volume";
        return Err(Failure::disk_full(message));
    }
    Err(Failure::inconclusive(
        codes::SCRATCH_FAILED,
        format!("the container did not take the dump in (status {status}): {said}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_room_is_read_from_what_df_prints() {
        let said = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n\
                    /dev/vda1        102400000 62400000  40000000      61% /scratch\n";
        assert_eq!(available(said), Some(40_960_000_000));
        assert_eq!(available("df: /scratch: No such file or directory\n"), None);
        assert_eq!(available(""), None);
        let mut room = Room::default();
        for piece in said.replace("40000000", "7").as_bytes().chunks(5).chain(said.as_bytes().chunks(9)) {
            room.push(piece);
        }
        assert_eq!((room.lowest(), Room::default().lowest()), (Some(7 * 1024), None));
    }
}
