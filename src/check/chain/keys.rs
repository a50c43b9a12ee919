//! The keys that sign daily roots: Ed25519, public halves as PEM, known by the hash of that PEM text.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::DecodePublicKey;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use super::canonical::{Canonicalizer, JsonError};
use super::digest::HexDigest;

/// Why a key or a signature does not hold.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The PEM text is not an Ed25519 public key.
    #[error("the text is not an Ed25519 public key in PEM form")]
    NotAPublicKey(#[source] ed25519_dalek::pkcs8::spki::Error),
    /// The receipt is not JSON, so nothing can have been signed.
    #[error("the receipt is {0}")]
    Receipt(#[from] JsonError),
    /// The signature is not 64 bytes in base64url without padding.
    #[error("the signature is not 64 bytes in base64url")]
    MalformedSignature,
    /// The signature was made with another key or over another receipt.
    #[error("the signature does not belong to this receipt and key")]
    WrongSignature,
}

/// The name of a public key: the SHA-256 of its PEM text, byte for byte.
pub fn fingerprint(public_key_pem: &str) -> HexDigest {
    HexDigest::of(public_key_pem.as_bytes())
}

/// Whether two fingerprints name the same key: they are equal, or one is the first half of the other, as older rows
/// carry it.
pub fn same_fingerprint(a: &str, b: &str) -> bool {
    let (short, whole) = if a.len() < b.len() { (a, b) } else { (b, a) };
    a == b || (short.len() == 32 && whole.len() == 64 && whole.starts_with(short))
}

/// Reads an Ed25519 public key from PEM (`SubjectPublicKeyInfo`, RFC 8410).
///
/// # Errors
/// When the text is anything else.
pub fn parse_public_key(public_key_pem: &str) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::from_public_key_pem(public_key_pem).map_err(KeyError::NotAPublicKey)
}

/// Signs a receipt given in its canonical form ([`Receipt::canonical_json`](super::Receipt::canonical_json)).
/// The signature is base64url without padding.
pub fn sign_receipt(key: &SigningKey, canonical_receipt: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key.sign(canonical_receipt.as_bytes()).to_bytes())
}

/// Checks a signature over a receipt, given as any JSON text of it, such as a `jsonb` printed by Postgres.
///
/// # Errors
/// When the receipt or the signature is malformed, or the two do not belong together under `key`.
pub fn verify_receipt(key: &VerifyingKey, receipt: &str, signature: &str) -> Result<(), KeyError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| KeyError::MalformedSignature)?;
    let signature = Signature::from_slice(&bytes).map_err(|_| KeyError::MalformedSignature)?;
    let mut canonicalizer = Canonicalizer::new();
    let signed = canonicalizer.canonicalize(receipt)?;
    key.verify_strict(signed, &signature).map_err(|_| KeyError::WrongSignature)
}

/// The public keys a drill knows: those in `transparency_historical_keys` and the active one.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: Vec<(HexDigest, VerifyingKey)>,
}

impl KeyRing {
    /// Without any key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key and returns its fingerprint. Adding one twice changes nothing.
    ///
    /// # Errors
    /// When the text is not an Ed25519 public key.
    pub fn insert(&mut self, public_key_pem: &str) -> Result<HexDigest, KeyError> {
        let key = parse_public_key(public_key_pem)?;
        let fingerprint = fingerprint(public_key_pem);
        if self.find(fingerprint.as_str()).is_none() {
            self.keys.push((fingerprint, key));
        }
        Ok(fingerprint)
    }

    /// The key of that fingerprint: all of its 64 characters, or the first 32 as older rows carry them.
    ///
    /// None when no key has it. A caller must report that and not try the other keys: a signature that holds
    /// under a key the row does not name proves nothing about the row.
    pub fn find(&self, fingerprint: &str) -> Option<&VerifyingKey> {
        self.keys.iter().find(|(whole, _)| same_fingerprint(whole.as_str(), fingerprint)).map(|(_, key)| key)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::pkcs8::EncodePublicKey;
    use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;

    use super::*;

    fn key(seed: u8) -> (SigningKey, String) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let pem = key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap();
        (key, pem)
    }

    #[test]
    fn a_signature_survives_the_receipt_being_stored_as_jsonb() {
        let (secret, pem) = key(1);
        let signature = sign_receipt(&secret, r#"{"kind":"root","leaf_count":2,"tenant_id":"é"}"#);
        let public = parse_public_key(&pem).unwrap();
        let stored = r#"{"kind": "root", "tenant_id": "é", "leaf_count": 2}"#;
        verify_receipt(&public, stored, &signature).unwrap();
    }

    #[test]
    fn another_receipt_key_or_spelling_of_the_signature_does_not_verify() {
        let (secret, pem) = key(1);
        let signature = sign_receipt(&secret, r#"{"leaf_count":2}"#);
        let public = parse_public_key(&pem).unwrap();
        let wrong = |result| assert!(matches!(result, Err(KeyError::WrongSignature)), "{result:?}");
        wrong(verify_receipt(&public, r#"{"leaf_count":3}"#, &signature));
        wrong(verify_receipt(&key(2).0.verifying_key(), r#"{"leaf_count":2}"#, &signature));
        for malformed in [format!("{signature}=="), signature[1..].to_string(), String::new()] {
            let result = verify_receipt(&public, r#"{"leaf_count":2}"#, &malformed);
            assert!(matches!(result, Err(KeyError::MalformedSignature)), "{result:?}");
        }
        let result = verify_receipt(&public, "{", &signature);
        assert!(matches!(result, Err(KeyError::Receipt(_))), "{result:?}");
    }

    #[test]
    fn keys_are_found_by_their_whole_fingerprint_or_its_first_half_only() {
        let mut ring = KeyRing::new();
        let full = ring.insert(&key(1).1).unwrap();
        ring.insert(&key(1).1).unwrap();
        ring.insert(&key(2).1).unwrap();
        assert_eq!(ring.len(), 2);
        let expected = key(1).0.verifying_key();
        assert_eq!(ring.find(full.as_str()), Some(&expected));
        assert_eq!(ring.find(&full.as_str()[..32]), Some(&expected));
        assert_eq!(ring.find(&full.as_str()[..31]), None);
        assert_eq!(ring.find(&full.as_str()[32..]), None);
        assert_eq!(ring.find(""), None);
        assert_eq!(ring.find(&"0".repeat(64)), None);
    }

    #[test]
    fn a_fingerprint_is_that_of_the_same_key_whole_or_in_its_first_half() {
        let (whole, other) = (fingerprint(&key(1).1), fingerprint(&key(2).1));
        let (whole, other) = (whole.as_str(), other.as_str());
        for (a, b, same) in [
            (whole, whole, true),
            (whole, &whole[..32], true),
            (&whole[..32], &whole[..32], true),
            (whole, other, false),
            (whole, &other[..32], false),
            (whole, &whole[32..], false),
            (whole, &whole[..31], false),
            (&whole[..32], &whole[..31], false),
            (whole, "", false),
        ] {
            assert_eq!((same_fingerprint(a, b), same_fingerprint(b, a)), (same, same), "{a} {b}");
        }
    }

    #[test]
    fn text_that_is_no_public_key_is_refused() {
        assert!(matches!(KeyRing::new().insert("-----BEGIN"), Err(KeyError::NotAPublicKey(_))));
    }

    /// Key pair and PEM of RFC 8410, section 10.1 (public key only).
    #[test]
    fn reads_the_public_key_of_rfc_8410() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let key = parse_public_key(pem).unwrap();
        assert_eq!(key.as_bytes()[..4], [0x19, 0xbf, 0x44, 0x09]);
    }
}
