//! Base64 (RFC 4648): with the URL-safe alphabet and no padding (section 5), as signatures are stored, and with the
//! usual alphabet and padding (section 4).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn encode(bytes: &[u8]) -> String {
    encode_in(ALPHABET, bytes)
}

pub(super) fn encode_padded(bytes: &[u8]) -> String {
    let mut alphabet = *ALPHABET;
    alphabet[62..].copy_from_slice(b"+/");
    let mut text = encode_in(&alphabet, bytes);
    text.extend(std::iter::repeat_n('=', text.len().next_multiple_of(4) - text.len()));
    text
}

fn encode_in(alphabet: &[u8; 64], bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            text.push(alphabet[(bits >> (18 - 6 * place) & 0x3f) as usize] as char);
        }
    }
    text
}

/// None for anything but what [`encode`] writes: padding, another alphabet, an impossible length, stray bits.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for character in group {
            let value = ALPHABET.iter().position(|letter| letter == character)?;
            bits = bits << 6 | value as u32;
        }
        let [_, decoded @ ..] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        bytes.extend_from_slice(&decoded[..group.len() - 1]);
    }
    (encode(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_vectors_of_rfc_4648() {
        let vectors = ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"];
        for (length, text) in vectors.into_iter().enumerate() {
            assert_eq!(encode(&b"foobar"[..length]), text);
            assert_eq!(decode(text).unwrap(), &b"foobar"[..length]);
        }
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
        let padded = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, text) in padded.into_iter().enumerate() {
            assert_eq!(encode_padded(&b"foobar"[..length]), text);
        }
        assert_eq!(encode_padded(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn refuses_every_other_spelling() {
        for text in ["Zg==", "+/8", "Z", "Zm9vY", "Zh", "Zm9\n", "é"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reads_back_what_it_wrote(bytes: Vec<u8>) {
            proptest::prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
