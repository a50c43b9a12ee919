//! Whole files: sealed, damaged and opened.

mod compressed;
mod stacked;

use std::io::{Read, Write};

use super::testing::{Key, key, sealed};
use super::{DecryptFailure, encrypt, open};

fn opened(key: &Key, file: &[u8]) -> Result<Vec<u8>, DecryptFailure> {
    let mut plaintext = Vec::new();
    open(file, &key.identities)?.read_to_end(&mut plaintext).map_err(DecryptFailure::from_stream)?;
    Ok(plaintext)
}

fn code(key: &Key, file: &[u8]) -> &'static str {
    opened(key, file).expect_err("must not open").into_failure().code.as_str()
}

#[test]
fn what_was_sealed_opens() {
    let key = key();
    for size in [0, 1, 65_535, 65_536, 65_537, 200_000] {
        let plaintext: Vec<u8> = (0..size).map(|i| u8::try_from(i % 251).unwrap()).collect();
        assert_eq!(opened(&key, &sealed(&key, &plaintext)).unwrap(), plaintext, "{size} bytes");
    }
}

#[test]
fn every_truncation_is_seen() {
    let key = key();
    let file = sealed(&key, &vec![7; 140_000]);
    let cuts = (0..400).chain((400..file.len()).step_by(997)).chain([file.len() - 1]);
    for cut in cuts {
        let code = code(&key, &file[..cut]);
        let expected = ["empty_object", "ciphertext_truncated", "ciphertext_corrupted"];
        assert!(expected.contains(&code), "{code} at {cut}");
    }
    let chunk_boundary = file.len() - (140_000 - 2 * 65_536) - 16;
    assert_eq!(code(&key, &file[..chunk_boundary]), "ciphertext_truncated");
}

#[test]
fn every_altered_byte_is_seen() {
    let key = key();
    let file = sealed(&key, &vec![7; 70_000]);
    for at in (0..file.len()).step_by(541).chain([0, 30, 200, file.len() - 1]) {
        let mut altered = file.clone();
        altered[at] ^= 1;
        assert!(opened(&key, &altered).is_err(), "byte {at}");
    }
    let mut longer = file.clone();
    longer.push(0);
    assert_eq!(code(&key, &longer), "ciphertext_corrupted");
}

#[test]
fn the_wrong_key_is_told_with_types_and_public_keys() {
    let (mine, other) = (key(), key());
    let failure = opened(&mine, &sealed(&other, b"x")).unwrap_err().into_failure();
    assert_eq!(failure.code.as_str(), "no_identity_fits");
    assert!(failure.message.contains("type X25519"), "{failure}");
    assert!(failure.message.contains(&mine.identities.public_keys()[0]), "{failure}");
}

#[test]
fn what_is_not_an_age_file_is_told() {
    let key = key();
    assert_eq!(code(&key, b""), "empty_object");
    assert_eq!(code(&key, b"PGDMP\x01\x0e\n and so on"), "not_age");
    assert_eq!(code(&key, b"age-encryption.org/v2\n"), "not_age");
    assert_eq!(code(&key, b"<?xml version=\"1.0\"?><Error/>"), "not_age");
    assert_eq!(code(&key, &[b'x'; 3_000_000]), "not_age");
}

#[test]
fn armored_files_open_too() {
    let key = key();
    let mut armored = Vec::new();
    let mut armor =
        age::armor::ArmoredWriter::wrap_output(&mut armored, age::armor::Format::AsciiArmor).unwrap();
    let mut writer = encrypt(&mut armor, &key.recipients).unwrap();
    writer.write_all(&[9; 100_000]).unwrap();
    writer.finish().unwrap();
    armor.finish().unwrap();
    assert_eq!(opened(&key, &armored).unwrap(), vec![9; 100_000]);
    assert!(opened(&key, &armored[..armored.len() / 2]).is_err());
}
