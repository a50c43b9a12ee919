//! The scratch volume: where a decrypted dump lies while it is restored. `pg_restore --jobs` needs a regular file,
//! and this one exists only inside the drill's own anonymous volume.

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::Server;
use crate::failure::{Failure, Result};
use crate::names::DatabaseName;
use crate::stack::docker::{Exec, ExecSpec};
use crate::stack::spec::SCRATCH;

/// Bytes kept of what the container says about a write.
const WORDS_LIMIT: usize = 4096;

/// The path of a database's dump inside the container.
pub fn path(database: &DatabaseName) -> String {
    format!("{SCRATCH}/{database}.dump")
}

impl Server {
    /// Writes chunks to a file in the scratch volume, calling `progress` with each chunk's size. Returns the bytes
    /// that the container says it wrote.
    ///
    /// # Errors
    /// `disk_full`, `scratch_failed`.
    pub async fn write_scratch(
        &self,
        database: &DatabaseName,
        mut chunks: mpsc::Receiver<Bytes>,
        mut progress: impl FnMut(u64),
    ) -> Result<u64> {
        // The volume belongs to root, and the container's own user only needs to read what is in it.
        let script = r#"umask 022; cat > "$0" && wc -c < "$0""#;
        let spec = ExecSpec::new(&self.container, ["sh", "-c", script, &path(database)]).user("0");
        let mut exec = self.engine.exec(spec).await?;
        while let Some(chunk) = chunks.recv().await {
            if exec.input.write_all(&chunk).await.is_err() {
                // `cat` has ended: its own words say why.
                break;
            }
            progress(chunk.len() as u64);
        }
        // Whoever feeds us must not wait for a reader that has stopped reading.
        drop(chunks);
        written(exec).await
    }

    /// Removes a database's dump from the scratch volume.
    pub async fn remove_scratch(&self, database: &DatabaseName) -> Result<()> {
        let spec = ExecSpec::new(&self.container, ["rm", "-f", &path(database)]).user("0");
        self.engine.capture(spec, 1024).await.map(drop)
    }
}

async fn written(exec: Exec) -> Result<u64> {
    let captured = exec.capture(WORDS_LIMIT).await?;
    if let (true, Ok(bytes)) = (captured.ok(), captured.stdout.trim().parse()) {
        return Ok(bytes);
    }
    let status = captured.exit_code;
    let said = crate::human::one_line(captured.stderr.trim(), 300);
    if said.contains("No space left") {
        return Err(Failure::inconclusive(
            "disk_full",
            "the engine's disk is full: the dump does not fit the scratch volume",
        )
        .hint(
            "`docker system df` shows what uses it; `restore-drill reap` removes what crashed drills left",
        ));
    }
    Err(Failure::inconclusive(
        "scratch_failed",
        format!("the container did not take the dump in (status {status}): {said}"),
    ))
}
