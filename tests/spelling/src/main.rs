//! Spelling of the code, its messages and its documentation: `make spelling`.
//!
//! `typos.toml` has the project's own words. The program `typos` reads it too, but takes minutes to install.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use typos::tokens::{Case, Identifier, Tokenizer, Word};
use typos::{Dictionary, Status, check_str};
use unicase::UniCase;

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The dictionary of misspellings, but for the project's own words.
struct Misspellings(Vec<UniCase<String>>);

impl Dictionary for Misspellings {
    fn correct_ident<'s>(&'s self, _: Identifier<'_>) -> Option<Status<'s>> {
        None
    }

    fn correct_word<'s>(&'s self, word: Word<'_>) -> Option<Status<'s>> {
        let token = word.token();
        if word.case() == Case::None || self.0.iter().any(|own| *own == UniCase::new(token.to_owned())) {
            return None;
        }
        let corrections = typos_dict::WORD.find(&UniCase::new(token))?;
        Some(Status::Corrections(corrections.iter().map(|text| (*text).into()).collect()))
    }
}

fn main() -> ExitCode {
    let config = fs::read_to_string(format!("{ROOT}/typos.toml")).expect("typos.toml is there");
    let config: toml::Table = config.parse().expect("typos.toml is TOML");
    let own = config["default"]["extend-words"].as_table().expect("it is a table");
    let dictionary = Misspellings(own.keys().cloned().map(UniCase::new).collect());
    let excluded: Vec<String> = config["files"]["extend-exclude"].clone().try_into().expect("they are texts");
    let tokenizer = Tokenizer::new();
    let (mut read, mut found) = (0, 0);
    let places = std::env::args().skip(1);
    for place in places.filter(|place| !excluded.iter().any(|prefix| place.starts_with(prefix))) {
        // What is no text has no words.
        let Ok(text) = fs::read_to_string(PathBuf::from(ROOT).join(&place)) else { continue };
        read += 1;
        for (index, line) in text.lines().enumerate() {
            for typo in check_str(line, &tokenizer, &dictionary) {
                found += 1;
                let Status::Corrections(better) = typo.corrections else { continue };
                println!("{place}:{}: `{}` should be `{}`", index + 1, typo.typo, better.join("` or `"));
            }
        }
    }
    println!("{found} misspelled words in {read} files");
    if found == 0 && read > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
