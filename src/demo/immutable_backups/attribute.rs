//! The attribute `i` of files (`chattr +i`), which the agent of that system sets, or tries to.

use std::io;
use std::path::Path;

/// Sets the attribute of a file, or clears it.
///
/// # Errors
/// The caller lacks `CAP_LINUX_IMMUTABLE`, or the file system has no such attribute.
#[cfg(target_os = "linux")]
pub(super) fn set(path: &Path, immutable: bool) -> io::Result<()> {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    let file = std::fs::File::open(path)?;
    let mut flags = ioctl_getflags(&file)?;
    flags.set(IFlags::IMMUTABLE, immutable);
    Ok(ioctl_setflags(&file, flags)?)
}

/// Other systems have no such attribute.
#[cfg(not(target_os = "linux"))]
pub(super) fn set(_: &Path, _: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
