//! The vector of the specification, files with a salt, and every way to damage a token.

use super::*;

fn cases() -> Vec<serde_json::Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/fernet.json");
    let vectors: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    vectors["cases"].as_array().unwrap().clone()
}

fn text<'a>(case: &'a serde_json::Value, field: &str) -> &'a str {
    case[field].as_str().unwrap()
}

#[test]
fn the_vector_of_the_specification_opens() {
    let case = &cases()[0];
    let key = FernetKey::parse(&Secret::new(text(case, "key"))).unwrap();
    let opened = key.open(text(case, "token")).unwrap();
    assert_eq!(opened.plaintext, text(case, "plaintext").as_bytes());
    assert_eq!(opened.made_at.unwrap().timestamp(), case["time"].as_i64().unwrap());
}

#[test]
fn files_with_a_salt_open_with_the_passphrase() {
    for case in &cases()[1..] {
        let passphrase = Secret::new(text(case, "passphrase"));
        let opened = open_with_passphrase(text(case, "file_text"), &passphrase).unwrap();
        assert_eq!(opened.plaintext, text(case, "plaintext").as_bytes(), "{}", text(case, "name"));
        if let Some(inner) = case["inner_value_plaintext"].as_str() {
            let vault: serde_json::Value = serde_json::from_slice(&opened.plaintext).unwrap();
            let token = vault["secrets"]["EXAMPLE_TOKEN"]["value"].as_str().unwrap();
            let key = FernetKey::parse(&Secret::new(text(case, "derived_fernet_key"))).unwrap();
            assert_eq!(key.open(token).unwrap().plaintext, inner.as_bytes());
        }
    }
    let file = text(&cases()[1], "file_text").to_owned();
    let opened =
        |file: &str, passphrase: &str| open_with_passphrase(file, &Secret::new(passphrase)).map(drop);
    assert_eq!(opened(&file, "another"), Err(FernetError::Unauthentic));
    for malformed in ["", ":", "00:x", &file[1..], &file.replacen('0', "g", 1), &file.replace(':', "")] {
        assert_eq!(opened(malformed, "x"), Err(FernetError::Salt), "{malformed:.20}");
    }
}

#[test]
fn no_altered_bit_and_no_cut_opens() {
    let case = &cases()[0];
    let key = FernetKey::parse(&Secret::new(text(case, "key"))).unwrap();
    let bytes = URL_SAFE.decode(text(case, "token")).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut altered = bytes.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit < 8 { FernetError::Malformed } else { FernetError::Unauthentic };
        assert_eq!(key.open(&URL_SAFE.encode(altered)).unwrap_err(), expected, "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(key.open(&URL_SAFE.encode(&bytes[..length])).is_err(), "{length} bytes");
    }
    let token = text(case, "token");
    for wrong in [&token[..token.len() - 1], &format!("{token}A"), &token.replace('_', "/"), "", "hello"] {
        assert_eq!(key.open(wrong).unwrap_err(), FernetError::Malformed, "{wrong}");
    }
    assert_eq!(key.open(&"A".repeat(SIZE_LIMIT + 1)).unwrap_err(), FernetError::TooLarge);
    // A file may end with a line feed.
    assert!(key.open(&format!("{token}\n")).is_ok());
}

#[test]
fn what_is_authentic_may_have_no_padding() {
    let key = FernetKey { signing: [1; 16], encryption: [2; 16] };
    let mut token = [&[VERSION][..], &[0; 8], &[0; 16], &[9; 16]].concat();
    let mut hmac = Hmac::<Sha256>::new_from_slice(&key.signing).unwrap();
    hmac.update(&token);
    token.extend_from_slice(&hmac.finalize().into_bytes());
    assert_eq!(key.open(&URL_SAFE.encode(token)).unwrap_err(), FernetError::Padding);
}

#[test]
fn keys_are_32_bytes_and_never_shown() {
    for wrong in ["", "x", &URL_SAFE.encode([0; 31]), &URL_SAFE.encode([0; 33])] {
        assert_eq!(FernetKey::parse(&Secret::new(wrong)).unwrap_err(), FernetError::Key);
    }
    let key = FernetKey::parse(&Secret::new(URL_SAFE.encode([7; 32]))).unwrap();
    assert_eq!(format!("{key:?}"), "FernetKey(***)");
}
