//! Places for stdout that take nothing.

use std::fs::OpenOptions;
use std::io::{PipeReader, PipeWriter, Write};
use std::process::{Command, Stdio};

use super::world::{Outcome, World};

/// Runs a command whose stdout is a disk that is full, or a pipe without a reader.
pub fn unheard(world: &World, mut command: Command, stdout: Stdio) -> Outcome {
    let before = world.verdict_files();
    let output = command.stdout(stdout).output().expect("the program starts");
    world.outcome(&output, &before)
}

/// A disk without room.
pub fn full_disk() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").expect("Linux has it").into()
}

/// A pipe whose other end is closed.
pub fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    writer.into()
}

/// A pipe that has no room, and whose reader does not read.
pub fn full_pipe() -> (PipeReader, PipeWriter) {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    let (reader, mut writer) = std::io::pipe().expect("a pipe can be made");
    let flags = fcntl_getfl(&writer).expect("a pipe has flags");
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).expect("they can be set");
    while writer.write(&[b'x'; 4096]).is_ok() {}
    while writer.write(b"x").is_ok() {}
    fcntl_setfl(&writer, flags).expect("they can be set");
    (reader, writer)
}
