//! What is mounted where: the tables of the kernel and of `/etc/fstab`, read as text.

use std::path::{Path, PathBuf};

/// The kernel's table of this process (proc(5), `/proc/[pid]/mountinfo`).
const MOUNTED: &str = "/proc/self/mountinfo";
/// What is to be mounted (fstab(5)).
const WANTED: &str = "/etc/fstab";

/// Something mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    pub point: PathBuf,
    pub file_system: String,
}

/// All that is mounted.
pub(super) fn mounted() -> std::io::Result<Vec<Mount>> {
    Ok(parse(&std::fs::read_to_string(MOUNTED)?))
}

fn parse(mountinfo: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?;
        let file_system = after.split(' ').next()?.to_owned();
        Some(Mount { point: unescaped(point), file_system })
    };
    mountinfo.lines().filter_map(mount).collect()
}

/// The one that a path lies on: the innermost, and of several in one place the last.
pub(super) fn of_path<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    let above = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    above.max_by_key(|mount| mount.point.components().count())
}

/// A mount point of `/etc/fstab` that this path is, or lies below, and where nothing is mounted.
pub(super) fn unmounted(mounts: &[Mount], path: &Path) -> std::io::Result<Option<String>> {
    let wanted = match std::fs::read_to_string(WANTED) {
        // Containers have none.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read?,
    };
    Ok(missing(&wanted, mounts, path))
}

/// The same, of a path that leads to nothing; nothing if it is not known.
pub(super) fn unmounted_on(path: &Path) -> Option<String> {
    let mounts = mounted().ok()?;
    let target = std::fs::read_link(path).ok();
    [Some(path), target.as_deref()].into_iter().flatten().find_map(|path| unmounted(&mounts, path).ok()?)
}

fn missing(fstab: &str, mounts: &[Mount], path: &Path) -> Option<String> {
    let lines = fstab.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let points = lines.filter_map(|line| line.split_whitespace().nth(1).map(unescaped));
    let missing =
        points.filter(|point| point.is_absolute() && point != Path::new("/") && path.starts_with(point));
    let missing = missing.filter(|point| mounts.iter().all(|mount| mount.point != *point));
    missing.max_by_key(|point| point.components().count()).map(|point| point.display().to_string())
}

/// Both tables write spaces and their like as `\040`.
fn unescaped(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let octal =
            more.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => (bytes, rest) = ([&bytes[..], &[byte]].concat(), &more[3..]),
            None => (bytes, rest) = ([&bytes[..], &[*first]].concat(), more),
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
23 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
45 23 8:17 / /mnt/usb\\040disk rw - vfat /dev/sdb1 rw,fmask=0022
46 23 0:40 / /srv rw - autofs systemd-1 rw,fd=31
47 46 0:41 / /srv rw - nfs4 nas:/srv rw,vers=4.2
cut off";

    fn of(path: &str) -> String {
        let mounts = parse(MOUNTINFO);
        of_path(&mounts, Path::new(path)).unwrap().file_system.clone()
    }

    #[test]
    fn a_path_lies_on_the_innermost_and_last_mount() {
        assert_eq!(of("/home/backups"), "ext4");
        assert_eq!(of("/mnt/usb disk/backups"), "vfat");
        assert_eq!(of("/mnt/usb diskette"), "ext4");
        assert_eq!(of("/srv/backups"), "nfs4");
    }

    #[test]
    fn a_mount_point_of_fstab_without_a_mount_is_missed() {
        let fstab = "\
# /mnt/comment
UUID=1 /                ext4 defaults 0 1
UUID=2 none             swap sw 0 0
UUID=3 /mnt/usb\\040disk vfat defaults 0 2
nas:/b /mnt/backups     nfs  noauto 0 0
";
        let missed = |path: &str| missing(fstab, &parse(MOUNTINFO), Path::new(path));
        assert_eq!(missed("/mnt/backups").as_deref(), Some("/mnt/backups"));
        assert_eq!(missed("/mnt/backups/nightly").as_deref(), Some("/mnt/backups"));
        for sound in ["/mnt/usb disk/nightly", "/home/backups", "/mnt/backups2", "/mnt/comment", "/srv"] {
            assert_eq!(missed(sound), None, "{sound}");
        }
    }
}
