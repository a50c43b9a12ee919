//! gzip and zstd: whole, cut, altered, and followed by something.

use std::io::{Read, Write};

use super::super::testing::{gzipped, no_identities, zstandard};
use super::super::{DecryptFailure, open};

/// What compresses to several blocks, and not to almost nothing.
fn content(size: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 % 32
    };
    (0..size).map(|_| next()).collect()
}

fn opened(file: &[u8]) -> Result<Vec<u8>, &'static str> {
    let code = |failure: DecryptFailure| failure.into_failure().code.as_str();
    let mut plaintext = Vec::new();
    let mut reader = open(file, &no_identities(2000)).map_err(code)?;
    match reader.read_to_end(&mut plaintext) {
        Ok(_) => Ok(plaintext),
        Err(error) => {
            assert!(reader.read(&mut [0; 10]).is_err(), "an error stays one");
            Err(code(DecryptFailure::from_stream(error)))
        }
    }
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[test]
fn what_was_compressed_is_decompressed_and_named() {
    for size in [0, 1, 100, 300_000] {
        let content = content(size);
        assert_eq!(opened(&gzipped(&content)), Ok(content.clone()), "gzip of {size}");
        assert_eq!(opened(&zstandard(&content)), Ok(content.clone()), "zstd of {size}");
    }
    let none = no_identities(2000);
    assert_eq!(open(&*gzipped(b"x"), &none).unwrap().layers, ["gzip"]);
    assert_eq!(open(&*zstandard(b"x"), &none).unwrap().layers, ["zstd"]);
}

#[test]
fn several_members_and_frames_are_one_file() {
    let (a, b) = (content(70_000), content(200_000));
    let both = joined(&[&a, &b]);
    assert_eq!(opened(&joined(&[&gzipped(&a), &gzipped(b""), &gzipped(&b)])), Ok(both.clone()));
    let skippable = b"\x50\x2a\x4d\x18\x05\0\0\0hello";
    let frames = joined(&[&zstandard(&a), skippable, &zstandard(&b), skippable]);
    assert_eq!(opened(&frames), Ok(both));
}

#[test]
fn every_cut_is_seen() {
    let content = content(20_000);
    for (name, one) in [("gzip", gzipped(&content)), ("zstd", zstandard(&content))] {
        for cut in (0..60).chain((60..one.len()).step_by(37)).chain(one.len() - 10..one.len()) {
            let expected = if cut == 0 {
                "empty_object"
            } else if cut < 3 || name == "zstd" && cut < 4 {
                "ciphertext_truncated"
            } else {
                "layer_truncated"
            };
            assert_eq!(opened(&one[..cut]), Err(expected), "{name} at {cut} of {}", one.len());
            if cut > 0 {
                let second = joined(&[&one, &one[..cut]]);
                assert_eq!(opened(&second), Err("layer_truncated"), "{name}, the second at {cut}");
            }
        }
    }
}

#[test]
fn no_altered_bit_gives_other_content() {
    let content = content(3000);
    for (name, file) in [("gzip", gzipped(&content)), ("zstd", zstandard(&content))] {
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1 << (at % 8);
            match opened(&altered) {
                // Bits that say nothing of the content, as the time in a header of gzip; or not a layer any more.
                Ok(plaintext) => {
                    assert!(plaintext == content || at < 4 && plaintext == altered, "{name} {at}")
                }
                Err(code) => assert!(
                    ["layer_corrupted", "layer_truncated", "layer_unsupported"].contains(&code),
                    "{name} {at}: {code}"
                ),
            }
        }
    }
    for at in 1..=8 {
        let mut altered = gzipped(&content);
        let place = altered.len() - at;
        altered[place] ^= 0x10;
        assert_eq!(opened(&altered), Err("layer_corrupted"), "trailer of gzip, {at} from the end");
    }
}

#[test]
fn what_follows_the_end_is_an_error() {
    for file in [gzipped(b"rows"), zstandard(b"rows")] {
        for tail in [b"\0".as_slice(), &[0; 5000], b"garbage", b"\x1f\x8b\x09 and so on", b"PGDMP"] {
            assert_eq!(opened(&joined(&[&file, tail])), Err("layer_corrupted"), "{tail:?}");
        }
    }
    let said = |tail: &[u8]| {
        let file = joined(&[&gzipped(b"rows"), tail]);
        open(&*file, &no_identities(2000)).err().unwrap().into_failure().message
    };
    assert!(said(&[0; 512]).contains("followed by zeros"), "{}", said(&[0; 512]));
    assert!(said(b"garbage").contains("bytes that are no gzip"), "{}", said(b"garbage"));
}

#[test]
fn a_bomb_ends_where_the_template_says() {
    let mut file = Vec::new();
    let mut encoder = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
    for _ in 0..100 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    encoder.finish().unwrap();
    let read = |max_expansion| {
        let identities = no_identities(max_expansion);
        let mut opened = open(&*file, &identities).unwrap();
        std::io::copy(&mut opened, &mut std::io::sink()).map_err(DecryptFailure::from_stream)
    };
    assert_eq!(read(2000).unwrap(), 100 << 20);
    let failure = read(10).unwrap_err().into_failure();
    assert_eq!(
        (failure.code.as_str(), failure.class),
        ("expansion_limit", crate::model::failure::Class::Inconclusive)
    );
    assert!(failure.hint.as_ref().unwrap().contains("layers.max_expansion"), "{failure:?}");
    // What is inside counts for the object, not for the layer around it.
    let twice = gzipped(&file);
    let identities = no_identities(2000);
    let error = std::io::copy(&mut open(&*twice, &identities).unwrap(), &mut std::io::sink()).unwrap_err();
    assert_eq!(DecryptFailure::from_stream(error).into_failure().code.as_str(), "expansion_limit");
}

#[test]
fn a_window_that_is_too_large_says_nothing_of_the_backup() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(&content(1000)).unwrap();
    assert_eq!(opened(&encoder.finish().unwrap()), Err("layer_unsupported"));
}
