//! The command `verify-chain`, run to its end.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

/// How a run of the command ended.
pub struct Verified {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Verified {
    pub fn record(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}\n{}{}", self.stdout, self.stderr))
    }

    /// Asserts that every chain holds. What the sample data's writers are known for, forks and hashes without a time, is
    /// said and no fault.
    pub fn holds(&self, rows: u64, chains: &str) {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        let record = self.record();
        assert_eq!(record["status"], "pass");
        assert_eq!(record["rows_verified"], rows, "{record}");
        assert!(record["summary"].as_str().unwrap().contains(chains), "{record}");
        for finding in record["findings"].as_array().unwrap() {
            assert!(["fork", "untimed_hash"].contains(&finding["code"].as_str().unwrap()), "{record}");
        }
    }

    /// Codes of the errors and the rows they name.
    pub fn findings(&self) -> Vec<(String, String)> {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        let record = self.record();
        let row = |finding: &Value| {
            let subject = finding["subject"].as_str().unwrap();
            let row = subject.strip_prefix("row ").unwrap().split(" of the chain").next().unwrap().to_owned();
            (finding["code"].as_str().unwrap().to_owned(), row)
        };
        let findings = record["findings"].as_array().unwrap().iter();
        findings.filter(|finding| finding["severity"] == "error").map(row).collect()
    }

    pub fn found(&self, expected: &[(&str, &str)]) {
        let expected: Vec<_> =
            expected.iter().map(|(code, row)| ((*code).to_owned(), (*row).to_owned())).collect();
        assert_eq!(self.findings(), expected);
    }
}

/// Runs the command with JSON on stdout and nothing of this process's environment.
pub fn verify(arguments: &[&str], environment: &[(&str, &str)], input: &[u8]) -> Verified {
    let mut child = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
        .args(["verify-chain", "--format", "json"])
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that does not read its input reports why.
    let _ = child.stdin.take().expect("it is piped").write_all(input);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    let verified = Verified {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    };
    for text in [&verified.stdout, &verified.stderr] {
        for (_, secret) in environment.iter().filter(|(name, _)| *name == "PGPASSWORD") {
            assert!(!text.contains(secret), "the password is shown: {text}");
        }
    }
    verified
}
