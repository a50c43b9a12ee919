//! What the exit status of a program in a container says about signals.

/// What a shell, and the engine, add to the number of the signal that ended a program (POSIX, `Shell Command Language`, 2.8.2).
const SIGNALLED: i64 = 128;
/// The status of a program that SIGKILL ended, as one that ran out of memory.
pub const KILLED: i64 = SIGNALLED + 9;

/// The signal that ended a program with this status, if one did.
pub fn signal(status: i64) -> Option<i64> {
    (status > SIGNALLED).then(|| status - SIGNALLED)
}
