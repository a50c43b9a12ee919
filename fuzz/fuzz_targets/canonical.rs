//! The reader of canonical JSON takes any text, and agrees with `serde_json` on what is JSON and on what it says. What it
//! writes is canonical: reading that again gives the same.
#![no_main]

#[path = "../../src/check/chain/agreement.rs"]
mod agreement;

use libfuzzer_sys::fuzz_target;
use restore_drill::check::chain::{Canonicalizer, JsonError};

fuzz_target!(|text: &str| {
    let read = |text: &str| {
        let mut canonicalizer = Canonicalizer::new();
        let form = canonicalizer.canonicalize(text).map(<[u8]>::to_vec);
        form.map(|form| String::from_utf8(form).expect("text stays text"))
    };
    let ours = read(text);
    let refused = |error: &JsonError| !matches!(error, JsonError::Malformed { .. });
    let difference = agreement::disagreement(text, ours.as_deref().map_err(refused));
    assert_eq!(difference, None, "{text}");
    if let Ok(ours) = ours
        && !ours.contains("Infinity")
    {
        assert_eq!(read(&ours).as_ref(), Ok(&ours));
    }
});
