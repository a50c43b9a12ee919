//! A program between pipes, from one thread: none of its pipes may fill up while another is waited for.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::words::Said;

/// A program that neither takes nor gives anything for so long hangs. An agent that asks a person would, too.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take to end once all was read.
const END: Duration = Duration::from_secs(30);
/// How often it is asked whether it ended.
const LOOK: Duration = Duration::from_millis(5);
/// A line that is longer is cut: it is none for programs.
const LONGEST_LINE: usize = 4096;

/// What moved.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::layer) enum Moved {
    /// So many bytes of its output.
    Out(usize),
    /// So many bytes of its input.
    In(usize),
    /// It takes no more input.
    Refused,
    /// Its output is at its end.
    Ended,
    /// Nothing can move now.
    Nothing,
}

/// A program that runs. It is killed when it is dropped.
pub(in crate::layer) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    line: Vec<u8>,
    said: Said,
}

impl Process {
    /// Starts gpg with these arguments, and those that every call has: it asks nobody, and says what it does on stderr.
    pub(in crate::layer) fn gpg<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> io::Result<Self> {
        let mut command = Command::new("gpg");
        command
            .args(["--batch", "--yes", "--no-tty", "--pinentry-mode", "error", "--status-fd", "2"])
            .args(arguments)
            .env("LC_ALL", "C")
            .env_remove("LANGUAGE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let process = Self { child, stdin, stdout, stderr, line: Vec::new(), said: Said::default() };
        if let Some(stdin) = &process.stdin {
            rustix::io::ioctl_fionbio(stdin, true)?;
        }
        Ok(process)
    }

    /// Whether it still takes input.
    pub(in crate::layer) fn takes_input(&self) -> bool {
        self.stdin.is_some()
    }

    /// Ends its input.
    pub(in crate::layer) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Moves bytes in or out, whichever can; its output comes first. Waits until something can if `wait`.
    pub(in crate::layer) fn turn(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        wait: bool,
    ) -> io::Result<Moved> {
        loop {
            let ready = self.poll(!input.is_empty(), true, if wait { PATIENCE } else { Duration::ZERO })?;
            if ready.stderr {
                self.hear()?;
            }
            if let (true, Some(stdout)) = (ready.stdout, &mut self.stdout) {
                match stdout.read(output) {
                    Ok(0) => {
                        self.stdout = None;
                        return Ok(Moved::Ended);
                    }
                    Ok(count) => return Ok(Moved::Out(count)),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            if let (true, Some(stdin)) = (ready.stdin, &mut self.stdin) {
                match stdin.write(input) {
                    Ok(count) => return Ok(Moved::In(count)),
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                        self.stdin = None;
                        return Ok(Moved::Refused);
                    }
                    Err(error)
                        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    }
                    Err(error) => return Err(error),
                }
            }
            if ready.nothing() {
                if !wait {
                    return Ok(Moved::Nothing);
                }
                let message = format!("nothing came from it for {} seconds", PATIENCE.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
        }
    }

    /// Waits until it has ended, and gives what it said.
    pub(in crate::layer) fn finish(mut self) -> io::Result<(ExitStatus, Said)> {
        self.stdin = None;
        let began = Instant::now();
        loop {
            let status = self.child.try_wait()?;
            // Whoever it started may hold its stderr open.
            while self.poll(false, false, if status.is_some() { Duration::ZERO } else { LOOK })?.stderr {
                self.hear()?;
            }
            if let Some(status) = status {
                if !self.line.is_empty() {
                    self.line.push(b'\n');
                    self.take_lines();
                }
                return Ok((status, std::mem::take(&mut self.said)));
            }
            if self.stderr.is_none() {
                std::thread::sleep(LOOK);
            }
            if began.elapsed() > END {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it does not end"));
            }
        }
    }

    fn poll(&self, wants_in: bool, wants_out: bool, wait: Duration) -> io::Result<Ready> {
        let mut fds = Vec::with_capacity(3);
        let mut which = Vec::with_capacity(3);
        if let (true, Some(stdin)) = (wants_in, &self.stdin) {
            fds.push(PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::OUT));
            which.push(Pipe::In);
        }
        if let (true, Some(stdout)) = (wants_out, &self.stdout) {
            fds.push(PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::IN));
            which.push(Pipe::Out);
        }
        if let Some(stderr) = &self.stderr {
            fds.push(PollFd::from_borrowed_fd(stderr.as_fd(), PollFlags::IN));
            which.push(Pipe::Err);
        }
        let mut ready = Ready::default();
        if fds.is_empty() {
            return Ok(ready);
        }
        let wait = Timespec::try_from(wait).map_err(io::Error::other)?;
        loop {
            match poll(&mut fds, Some(&wait)) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for (_, pipe) in fds.iter().zip(which).filter(|(fd, _)| !fd.revents().is_empty()) {
            match pipe {
                Pipe::In => ready.stdin = true,
                Pipe::Out => ready.stdout = true,
                Pipe::Err => ready.stderr = true,
            }
        }
        Ok(ready)
    }

    /// Reads what it says.
    fn hear(&mut self) -> io::Result<()> {
        let Some(stderr) = &mut self.stderr else { return Ok(()) };
        let mut chunk = [0; 4096];
        match stderr.read(&mut chunk) {
            Ok(0) => self.stderr = None,
            Ok(count) => self.line.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        self.take_lines();
        Ok(())
    }

    fn take_lines(&mut self) {
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            self.said.take(&String::from_utf8_lossy(&line[..end]));
        }
        self.line.truncate(LONGEST_LINE);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is no error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Copy)]
enum Pipe {
    In,
    Out,
    Err,
}

#[derive(Default)]
struct Ready {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Ready {
    fn nothing(&self) -> bool {
        !(self.stdin || self.stdout || self.stderr)
    }
}

/// Runs gpg on nothing, and gives its output, up to `limit` bytes.
pub(in crate::layer) fn output_of<I: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = I>,
    limit: usize,
) -> io::Result<(ExitStatus, String, Said)> {
    let mut process = Process::gpg(arguments)?;
    process.end_input();
    let (mut output, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        match process.turn(&[], &mut chunk, true)? {
            Moved::Out(count) if output.len() < limit => output.extend_from_slice(&chunk[..count]),
            Moved::Ended => break,
            _ => {}
        }
    }
    let (status, said) = process.finish()?;
    Ok((status, String::from_utf8_lossy(&output).into_owned(), said))
}
