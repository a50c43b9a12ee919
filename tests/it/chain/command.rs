//! The command `verify-chain`: the audit log in a database and in its export, and ways to reach a server.

use std::process::Command;

use super::super::fixtures::reload;
use super::super::support::verify_chain::verify;
use super::super::world::docker_with;
use super::audit_sql;
use super::server::{PASSWORD, Server};

#[test]
fn the_audit_log_holds_in_a_database_and_in_its_export_and_both_tell_the_same() {
    let server = Server::start(&audit_sql());
    let table = ["--scheme", "aegis-audit", "--table", "audit_logs"];
    let export = || server.sql("SELECT row_to_json(a) FROM audit_logs a ORDER BY chain_sequence");
    server.verify(&table).holds(600, "600 rows in ");
    let jsonl = ["--scheme", "aegis-audit", "--jsonl", "-"];
    verify(&jsonl, &[], export().as_bytes()).holds(600, "600 rows in ");
    server.sql(
        "UPDATE audit_logs SET decision = 'deny' WHERE chain_sequence = 77;
         UPDATE audit_logs SET hash_version = 7 WHERE chain_sequence = 300;
         UPDATE audit_logs SET prev_hash = repeat('f', 64) WHERE chain_sequence = 400;",
    );
    let id =
        |sequence: u32| server.sql(&format!("SELECT id FROM audit_logs WHERE chain_sequence = {sequence}"));
    let (of_table, of_export) = (server.verify(&table), verify(&jsonl, &[], export().as_bytes()));
    let mut found = of_table.findings();
    found.sort();
    let mut expected = [
        ("broken_link".to_owned(), id(400)),
        ("hash_mismatch".to_owned(), id(77)),
        ("hash_mismatch".to_owned(), id(400)),
        ("unknown_version".to_owned(), id(300)),
    ];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(of_table.record()["findings"], of_export.record()["findings"]);
    assert_eq!(of_export.code, 1);
}

#[test]
fn exit_codes_tell_what_is_wrong_with_the_question_and_what_with_the_answer() {
    let server = Server::start(&audit_sql());
    let table = ["--scheme", "aegis-audit", "--table", "audit_logs"];
    let url = format!("postgres://postgres@{}/postgres", server.address);
    let with_url =
        |url: &str, password: &str| verify(&table, &[("DATABASE_URL", url), ("PGPASSWORD", password)], b"");
    with_url(&url, PASSWORD).holds(600, "600 rows in ");
    with_url(&format!("{url}?sslmode=disable"), PASSWORD).holds(600, "600 rows in ");
    for (url, password, code, words) in [
        (url.clone(), "wrong", 3, "refused the credentials"),
        (format!("{url}?sslmode=require"), PASSWORD, 3, "cannot connect"),
        (format!("{url}?sslmode=never"), PASSWORD, 2, "sslmode must be"),
        ("postgres://postgres@127.0.0.1:1/postgres".to_owned(), PASSWORD, 3, "cannot connect"),
        ("mysql://me@h/d".to_owned(), PASSWORD, 2, "postgres://"),
    ] {
        let outcome = with_url(&url, password);
        assert_eq!(outcome.code, code, "{url}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(words), "{url}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("hint: ") && outcome.stdout.is_empty(), "{url}: {}", outcome.stderr);
    }
    let missing = server.verify(&["--scheme", "aegis-audit", "--table", "nowhere"]);
    assert_eq!(missing.code, 1, "{}", missing.stderr);
    assert!(missing.stderr.contains("there is no table public.nowhere"), "{}", missing.stderr);
    server.sql("CREATE TABLE nobody AS TABLE audit_logs WITH NO DATA");
    let none = server.verify(&["--scheme", "aegis-audit", "--table", "nobody"]);
    assert_eq!(none.code, 3, "{}", none.stderr);
    assert!(none.stderr.contains("the table has no rows"), "{}", none.stderr);
    // It is no drill: there is no server to keep.
    server.sql(&format!("CREATE ROLE stranger LOGIN PASSWORD '{PASSWORD}'"));
    let denied = with_url(&url.replace("postgres@", "stranger@"), PASSWORD);
    assert_eq!(denied.code, 3, "{}", denied.stderr);
    assert!(denied.stderr.contains("may this user read the table?"), "{}", denied.stderr);
    assert!(!denied.stderr.contains("--keep"), "{}", denied.stderr);
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let file = directory.path().join("url");
    std::fs::write(
        &file,
        format!("postgres://postgres:{}@{}/postgres\n", PASSWORD.replace(' ', "%20"), server.address),
    )
    .expect("the file can be written");
    let path = file.display().to_string();
    verify(&[&table[..], &["--database-url-file", &path]].concat(), &[], b"").holds(600, "600 rows in ");
    // The connection only reads.
    let human = Command::new(env!("CARGO_BIN_EXE_restore-drill"))
        .args(["verify-chain", "--database-url-file", &path])
        .args(table)
        .env_clear()
        .output()
        .expect("the program starts");
    let text = String::from_utf8(human.stdout).expect("it is text");
    let last = text.lines().last().unwrap_or_default();
    assert!(
        last.starts_with("Chain verification HELD — 600 rows in ") && last.contains(" forks, "),
        "{text}"
    );
}

/// Certificates for the server: of one authority for its address and for another name, and a foreign authority.
const CERTIFICATES: &str = r#"
cd "$PGDATA"
authority() { openssl req -x509 -days 2 -nodes -newkey rsa:2048 -subj "/CN=$1" -keyout "$1.key" -out "$1.crt"; }
certificate() {
    openssl req -nodes -newkey rsa:2048 -subj /CN=server -keyout "$1.key" -out "$1.csr"
    openssl x509 -req -days 2 -in "$1.csr" -CA ours.crt -CAkey ours.key -CAcreateserial -out "$1.crt" -extfile <(echo "subjectAltName=$2")
    chmod 600 "$1.key"
}
authority ours && authority foreign && certificate right "IP:$ADDRESS" && certificate wrong DNS:elsewhere.example
"#;

impl Server {
    /// From now on it answers with this certificate.
    fn present(&self, certificate: &str) {
        self.sql(&format!(
            "ALTER SYSTEM SET ssl_cert_file = '{certificate}.crt'; ALTER SYSTEM SET ssl_key_file = '{certificate}.key';
             ALTER SYSTEM SET ssl = on;"
        ));
        reload(|sql| self.sql(sql));
    }
}

#[test]
fn certificates_are_verified_as_sslmode_asks() {
    let server = Server::start(&audit_sql());
    let address = format!("--env=ADDRESS={}", server.address);
    docker_with(
        &["exec", "-i", &address, "--user=postgres", &server.name, "bash", "-eu"],
        CERTIFICATES.as_bytes(),
    );
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let roots = |authority: &str| {
        let path = directory.path().join(authority);
        let sql = format!("SELECT pg_read_file('{authority}.crt')");
        std::fs::write(&path, server.sql(&sql)).expect("the file can be written");
        path.display().to_string()
    };
    let (ours, foreign) = (roots("ours"), roots("foreign"));
    let run = |mode: &str, roots: &str| {
        let url = format!("postgres://postgres@{}/postgres?sslmode={mode}", server.address);
        let environment = [("DATABASE_URL", &*url), ("PGPASSWORD", PASSWORD), ("PGSSLROOTCERT", roots)];
        let environment = &environment[..if roots.is_empty() { 2 } else { 3 }];
        verify(&["--scheme", "aegis-audit", "--table", "audit_logs"], environment, b"")
    };
    let accepts = |mode: &str, roots: &str| run(mode, roots).holds(600, "600 rows in ");
    let rejects = |mode: &str, roots: &str| {
        let outcome = run(mode, roots);
        assert_eq!(outcome.code, 3, "{mode}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("certificate"), "{mode}: {}", outcome.stderr);
    };
    server.present("right");
    accepts("require", "");
    for mode in ["require", "verify-ca", "verify-full"] {
        accepts(mode, &ours);
        rejects(mode, &foreign);
    }
    server.present("wrong");
    accepts("require", "");
    accepts("verify-ca", &ours);
    rejects("verify-ca", &foreign);
    rejects("verify-full", &ours);
}
