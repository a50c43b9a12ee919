//! The scratch volume: where a decrypted dump lies while it is restored. `pg_restore --jobs` needs a regular file,
//! and this one exists only inside the drill's own anonymous volume.

use bytes::Bytes;
use futures_util::TryStreamExt;
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use super::Server;
use crate::failure::{Failure, Result};
use crate::names::DatabaseName;
use crate::stack::docker::{Exec, ExecSpec, Output};
use crate::stack::spec::SCRATCH;

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

async fn written(mut exec: Exec) -> Result<u64> {
    let _ = exec.input.shutdown().await;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(output) = exec.output.try_next().await? {
        match output {
            Output::Stdout(bytes) => stdout.extend_from_slice(&bytes),
            Output::Stderr(bytes) if stderr.len() < 4096 => stderr.extend_from_slice(&bytes),
            Output::Stderr(_) => {}
        }
    }
    let status = exec.exit_code().await?;
    if let (0, Ok(bytes)) = (status, String::from_utf8_lossy(&stdout).trim().parse()) {
        return Ok(bytes);
    }
    let said = crate::human::one_line(String::from_utf8_lossy(&stderr).trim(), 300);
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
