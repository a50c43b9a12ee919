//! Layers over layers.

use std::io::Read;

use super::super::testing::{gzipped, key, no_identities, sealed, zstandard};
use super::super::{DecryptFailure, Identities, open};

/// The layers of a file, and what is in them.
fn opened(file: &[u8], identities: &Identities) -> Result<(String, Vec<u8>), &'static str> {
    let code = |failure: DecryptFailure| failure.into_failure().code.as_str();
    let mut reader = open(file, identities).map_err(code)?;
    let mut plaintext = Vec::new();
    reader.read_to_end(&mut plaintext).map_err(|error| code(DecryptFailure::from_stream(error)))?;
    Ok((reader.layers.join(" "), plaintext))
}

#[test]
fn the_content_picks_the_layers() {
    let (key, none) = (key(), no_identities(2000));
    let content = vec![7; 100_000];
    let expected = |layers: &str| Ok((layers.to_owned(), content.clone()));
    let plain = opened(&content, &none);
    assert_eq!(plain, expected(""));
    assert_eq!(opened(&gzipped(&gzipped(&content)), &none), expected("gzip gzip"));
    assert_eq!(opened(&zstandard(&gzipped(&content)), &none), expected("zstd gzip"));
    let identities = &key.identities;
    assert_eq!(opened(&sealed(&key, &content), identities), expected("age"));
    assert_eq!(opened(&sealed(&key, &gzipped(&content)), identities), expected("age gzip"));
    assert_eq!(opened(&gzipped(&sealed(&key, &content)), identities), expected("gzip age"));
    let twice = sealed(&key, &gzipped(&gzipped(&content)));
    assert_eq!(opened(&twice, identities), expected("age gzip gzip"));
    assert_eq!(opened(&sealed(&key, &sealed(&key, &content)), identities), expected("age age"));
    // What only begins like a layer is content.
    for content in [b"\x1f\x8b".as_slice(), b"\x1f\x8b\x09", b"age-encryption.org", b"\x28\xb5", b""] {
        assert_eq!(opened(&sealed(&key, content), identities), Ok(("age".to_owned(), content.to_vec())));
    }
}

#[test]
fn there_is_a_bound() {
    let none = no_identities(2000);
    let mut file = b"content".to_vec();
    for _ in 0..8 {
        file = gzipped(&file);
    }
    assert_eq!(opened(&file, &none).unwrap().1, b"content");
    assert_eq!(opened(&gzipped(&file), &none), Err("layer_unsupported"));
}

#[test]
fn what_must_be_encrypted_is_refused_otherwise() {
    let (key, none) = (key(), no_identities(2000));
    for file in [b"PGDMP".to_vec(), gzipped(b"PGDMP"), gzipped(&zstandard(b"PGDMP"))] {
        assert_eq!(opened(&file, &key.identities), Err("not_age"));
        assert!(opened(&file, &none).is_ok());
    }
    let failure = open(&*gzipped(b"PGDMP"), &key.identities).err().unwrap().into_failure();
    assert!(failure.message.contains("it is gzip, and what is inside begins with `PGDMP`"), "{failure}");
    // Without any identity the message says what is missing.
    let failure = open(&*sealed(&key, b"x"), &none).err().unwrap().into_failure();
    assert_eq!(failure.code.as_str(), "no_identity_fits");
    assert!(failure.message.contains("names no identity"), "{failure}");
}

#[test]
fn damage_is_told_for_the_layer_it_is_in() {
    let key = key();
    let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let inner = gzipped(&content);
    let file = sealed(&key, &inner);
    let code = |file: &[u8]| opened(file, &key.identities).unwrap_err();
    // Of the outer one, also in its last chunk, where the inner one is at its end already.
    for at in [file.len() / 2, file.len() - 1] {
        let mut altered = file.clone();
        altered[at] ^= 1;
        assert_eq!(code(&altered), "ciphertext_corrupted", "at {at} of {}", file.len());
    }
    assert!(["ciphertext_truncated", "ciphertext_corrupted"].contains(&code(&file[..file.len() - 20])));
    // Of the inner one.
    assert_eq!(code(&sealed(&key, &inner[..inner.len() - 1])), "layer_truncated");
    let mut altered = inner.clone();
    let end = altered.len() - 5;
    altered[end] ^= 1;
    assert_eq!(code(&sealed(&key, &altered)), "layer_corrupted");
    assert_eq!(code(&sealed(&key, &[&inner[..], b"\0"].concat())), "layer_corrupted");
    // The other way round: what is inside gzip is cut.
    assert!(code(&gzipped(&file[..file.len() - 1])).starts_with("ciphertext_"));
    assert_eq!(code(&gzipped(&file)[..1000]), "layer_truncated");
}

#[test]
fn a_source_that_breaks_off_is_no_damage() {
    struct Breaks;
    impl Read for Breaks {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            // As a library would say of its own input.
            Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "connection lost"))
        }
    }
    let key = key();
    for file in [sealed(&key, &vec![1; 300_000]), gzipped(&sealed(&key, &vec![1; 300_000])), zstandard(&[])] {
        let cut = file.len() / 2;
        let broken = (&file[..cut]).chain(Breaks);
        let outcome = open(broken, &key.identities).and_then(|mut opened| {
            std::io::copy(&mut opened, &mut std::io::sink()).map_err(DecryptFailure::from_stream)
        });
        assert_eq!(outcome.unwrap_err().into_failure().code.as_str(), "transfer_broken");
    }
}
