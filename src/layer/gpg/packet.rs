//! How OpenPGP messages begin: a packet with a session key, for a public key (tag 1) or for a passphrase (tag 3).

use crate::layer::kind::Recognised;

const ARMOR: &[u8] = b"-----BEGIN PGP MESSAGE-----";
/// Versions of a packet with a session key for a public key: RFC 4880, RFC 9580.
const FOR_A_KEY: [u8; 2] = [3, 6];
/// Versions of one for a passphrase: RFC 4880, and two later ones.
const FOR_A_PASSPHRASE: [u8; 3] = [4, 5, 6];

/// One byte alone would find too much, so the length and the version behind it are read too.
pub(super) fn recognise(start: &[u8]) -> Recognised {
    if start.starts_with(ARMOR) {
        return Recognised::Yes;
    }
    let Some(&first) = start.first() else { return Recognised::CutOff };
    // How long the length is stands in two bits of the old form, and in the length itself in the new one.
    let (tag, length_bytes) = match (first, start.get(1)) {
        (0x80..=0xbf, _) => ((first >> 2) & 0x0f, [1, 2, 4, 0][usize::from(first & 3)]),
        (0xc0..=0xff, Some(192..=223)) => (first & 0x3f, 2),
        (0xc0..=0xff, _) => (first & 0x3f, 1),
        _ => return Recognised::No,
    };
    let versions: &[u8] = match tag {
        1 => &FOR_A_KEY,
        3 => &FOR_A_PASSPHRASE,
        _ => return Recognised::No,
    };
    match start.get(1 + length_bytes) {
        _ if length_bytes == 0 => Recognised::No,
        None => Recognised::CutOff,
        Some(version) if versions.contains(version) => Recognised::Yes,
        Some(_) => Recognised::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_from_other_bytes() {
        for (start, expected) in [
            (b"\x85\x01\x8c\x03\x47".as_slice(), Recognised::Yes),
            (b"\x84\x5e\x03\x47", Recognised::Yes),
            (b"\xc1\xc0\x4c\x03\x47", Recognised::Yes),
            (b"\xc1\x5e\x03\x47", Recognised::Yes),
            (b"\x8c\x0d\x04\x09", Recognised::Yes),
            (b"\xc3\x0d\x04\x09", Recognised::Yes),
            (b"-----BEGIN PGP MESSAGE-----\n\nhQ", Recognised::Yes),
            (b"\x85\x01", Recognised::CutOff),
            (b"\xc1", Recognised::CutOff),
            (b"\x85\x01\x8c\x07", Recognised::No),
            (b"\x87\x03\x03\x03", Recognised::No),
            // A key block and a signed message in the clear are no encrypted messages.
            (b"\x99\x01\x0d\x04", Recognised::No),
            (b"-----BEGIN PGP SIGNED MESSAGE-----", Recognised::No),
            (b"PGDMP\x01\x0e", Recognised::No),
            (b"\x1f\x8b\x08\x00", Recognised::No),
        ] {
            assert_eq!(recognise(start), expected, "{start:x?}");
        }
    }
}
