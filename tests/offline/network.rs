//! The way to the store as the environment describes it: credentials, proxies, authorities, regions.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::support::fault_s3::{Answer, FaultS3, Request, entry};
use super::support::memory_s3::MemoryS3;
use super::support::world::{Outcome, World};

/// A world whose store is elsewhere.
fn world(name: &str, endpoint: &str) -> World {
    let mut world = World::stored_in(name, MemoryS3::default());
    world.template.endpoint = endpoint.to_owned();
    let recipient = world.recipient.clone();
    world.template.more = format!(
        "[backup]\nrecipients = [\"{recipient}\"]\nnetwork = \"host\"\nhost = \"127.0.0.1\"\nuser = \"postgres\"\n"
    );
    world.database("a", &[]).rows("rows", "a", "t", "min = 1");
    world.write_template();
    world
}

fn set(world: &mut World, name: &str, value: &str) {
    world.environment.insert(name.to_owned(), value.to_owned());
}

fn plan(world: &World) -> Outcome {
    world.run(&["plan", "-t", "./template.toml"])
}

/// A store with a key in it that is no recovery point, and that XML cannot hold.
fn strange(request: &Request) -> Answer {
    match request.is_listing() {
        true => {
            Answer::page(&format!("<EncodingType>url</EncodingType>{}", entry("nightly/a%01b")), false, None)
        }
        false => Answer::error(501, "NotImplemented", "not here"),
    }
}

/// That store was read, and there is no recovery point in it.
fn was_read(outcome: &Outcome) {
    assert_eq!(outcome.code, 1, "{outcome}");
    assert!(
        outcome.stdout.contains("no_recovery_point") || outcome.stdout.contains("no recovery point"),
        "{outcome}"
    );
}

#[test]
fn credentials_that_cannot_be_signed_with_are_refused_by_every_command() {
    let server = FaultS3::start(strange);
    let mut world = world("signing", &server.endpoint());
    let (key, secret) = ("AKIAUNFIT\n", "unfit secret\n");
    for (variable, value, words) in [
        ("AWS_ACCESS_KEY_ID", key, "AWS_ACCESS_KEY_ID has a line break at its end"),
        ("AWS_SECRET_ACCESS_KEY", secret, "AWS_SECRET_ACCESS_KEY has a line break at its end"),
        ("AWS_SESSION_TOKEN", "unfit\r\ntoken", "AWS_SESSION_TOKEN has a line break as character 6"),
        ("AWS_REGION", "eu-central-1\n", "`eu-central-1\\n` is not the name of a region"),
    ] {
        let before = world.environment.insert(variable.to_owned(), value.to_owned());
        for command in ["plan", "health", "doctor", "backup", "run"] {
            let outcome = world.run(&[command, "-t", "./template.toml"]);
            assert_eq!(outcome.code, 2, "{command}: {outcome}");
            let text = format!("{}{}", outcome.stdout, outcome.stderr);
            assert!(text.contains(words), "{command}: {outcome}");
            assert!(
                !text.contains("panicked") && !text.contains("UNFIT") && !text.contains("unfit"),
                "{outcome}"
            );
        }
        match before {
            Some(before) => world.environment.insert(variable.to_owned(), before),
            None => world.environment.remove(variable),
        };
    }
    assert!(server.asked().is_empty(), "nothing is asked of the store");
    was_read(&plan(&world));
}

#[test]
fn variables_that_are_empty_are_none() {
    let server = FaultS3::start(strange);
    let mut world = world("empty", &server.endpoint());
    for variable in ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "HTTP_PROXY", "AWS_CA_BUNDLE"] {
        set(&mut world, variable, "");
    }
    was_read(&plan(&world));
    assert!(server.asked()[0].headers["authorization"].contains("/us-east-1/s3/"));
    set(&mut world, "AWS_DEFAULT_REGION", "eu-north-1");
    was_read(&plan(&world));
    assert!(server.asked().last().unwrap().headers["authorization"].contains("/eu-north-1/s3/"));
}

#[test]
fn a_program_that_hands_out_credentials_is_run_once_and_needs_no_proxy() {
    let server = FaultS3::start(strange);
    let mut world = world("process", &server.endpoint());
    let runs = world.write("runs", "");
    let answer = r#"{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"a process's secret"}"#;
    let answer = world.write("answer.json", answer);
    let script = format!("#!/bin/sh\necho run >>{}\ncat {}\n", runs.display(), answer.display());
    let script = world.write("credentials.sh", script);
    let config = format!("[default]\ncredential_process = sh {}\n", script.display());
    let config = world.write("aws.config", config);
    set(&mut world, "AWS_CONFIG_FILE", &config.display().to_string());
    set(&mut world, "ALL_PROXY", "socks5h://127.0.0.1:1");
    for variable in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        world.environment.remove(variable);
    }
    was_read(&plan(&world));
    assert!(server.asked()[0].headers["authorization"].contains("AKIAPROCESS"));
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "run\n");
}

#[test]
fn a_store_url_with_a_password_in_it_is_refused_and_not_shown() {
    let mut world = world("url", "http://127.0.0.1:1");
    world.secrets.push("url-word".to_owned());
    for (endpoint, url) in [
        ("http://127.0.0.1:1", "https://AK:url-word@minio/b"),
        ("http://127.0.0.1:1", "s3://AK:url-word@b/nightly"),
        ("AK:url-word@minio", "s3://b/nightly"),
    ] {
        (world.template.endpoint, world.template.url) = (endpoint.to_owned(), url.to_owned());
        world.write_template();
        for command in ["plan", "health", "doctor", "run"] {
            let outcome = world.run(&[command, "-t", "./template.toml"]);
            assert_eq!(outcome.code, 2, "{command}: {outcome}");
            let text = format!("{}{}", outcome.stdout, outcome.stderr);
            assert!(text.contains("store.") && !text.contains("url-word"), "{command}: {outcome}");
        }
    }
}

#[test]
fn a_store_that_quotes_the_token_is_not_quoted() {
    let server = FaultS3::start(|request| {
        let token = request.headers.get("x-amz-security-token").cloned().unwrap_or_default();
        let message = format!("The provided token has expired. {token} {}", &token[..30]);
        Answer::error(400, "ExpiredToken", &message)
    });
    let mut world = world("token", &server.endpoint());
    let token = "FwoGZXIvYXdzEBYaDO/k+5".repeat(20);
    set(&mut world, "AWS_SESSION_TOKEN", &token);
    // Whatever is written is searched for these.
    world.secrets.extend([token[..20].to_owned(), token]);
    for command in ["plan", "health", "doctor"] {
        let outcome = world.run(&[command, "-t", "./template.toml"]);
        assert_eq!(outcome.code, 3, "{outcome}");
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(text.contains("ExpiredToken: The provided token has expired. *** ***"), "{outcome}");
    }
    let verdict = world.drill(&[]).failed(3, "credentials_expired").clone();
    assert!(verdict["failure"]["hint"].as_str().unwrap().contains("new credentials"));
}

#[test]
fn a_proxy_is_used_for_what_is_elsewhere_and_for_nothing_else() {
    let proxy = FaultS3::start(|request| match request.method.as_str() {
        "CONNECT" => Answer::new(407, ""),
        _ => strange(request),
    });
    let mut world = world("proxy", "http://store.example:9000");
    let address = proxy.endpoint().replace("http://", "http://drill:proxy-word@");
    world.secrets.push("proxy-word".to_owned());
    set(&mut world, "HTTP_PROXY", &address);
    was_read(&plan(&world));
    let asked = proxy.asked();
    assert!(asked.iter().all(|request| request.path.starts_with("http://store.example:9000/backups/")));
    assert!(asked.iter().all(|request| request.headers["proxy-authorization"].starts_with("Basic ")));

    // TLS goes through a tunnel, which this proxy does not dig.
    set(&mut world, "HTTPS_PROXY", &address);
    world.template.endpoint = "https://store.example".to_owned();
    world.write_template();
    let outcome = plan(&world);
    outcome
        .refused(3, &["cannot be reached", &format!("requests go through the proxy {}", proxy.endpoint())]);
    let tunnel = proxy.asked().pop().unwrap();
    assert_eq!((tunnel.method.as_str(), tunnel.path.as_str()), ("CONNECT", "store.example:443"));

    // This machine's own address is never asked for through one.
    let own = FaultS3::start(strange);
    world.template.endpoint = own.endpoint();
    world.write_template();
    let before = proxy.asked().len();
    was_read(&plan(&world));
    assert_eq!(proxy.asked().len(), before);

    // One that cannot be used is nothing to a store that needs none.
    set(&mut world, "HTTP_PROXY", "socks5://drill:proxy-word@127.0.0.1:1");
    was_read(&plan(&world));
    world.template.endpoint = "http://store.example:9000".to_owned();
    world.write_template();
    plan(&world).refused(2, &["HTTP_PROXY is not the URL of an HTTP proxy"]);
}

#[test]
fn a_company_s_own_authority_is_trusted_where_it_is_named() {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .unwrap();
    let server = FaultS3::start_tls(Arc::new(config), strange);
    let mut world = world("authority", &server.endpoint());
    plan(&world).refused(3, &["certificate", "AWS_CA_BUNDLE names a file"]);
    let bundle = world.write("ca.pem", root.pem());
    set(&mut world, "AWS_CA_BUNDLE", &bundle.display().to_string());
    was_read(&plan(&world));
    world.write("ca.pem", "none");
    plan(&world).refused(2, &["AWS_CA_BUNDLE names", "holds no certificate"]);
}
