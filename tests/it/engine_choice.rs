//! Which engine a command talks to, and what it pulls with: what the docker command would.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::fixtures::dump;
use super::proxy::Proxy;
use super::world::World;

/// A world whose home has these settings of the docker command.
fn world(name: &str, config: &Value) -> World {
    let mut world = World::new(name);
    world.dumped("registry", &[], dump("registry")).rows("rows", "registry", "Select", "exact = 2");
    world.environment.remove("DOCKER_HOST");
    world.write(".docker/config.json", config.to_string());
    world
}

fn context(world: &World, name: &str, endpoint: &str) {
    let id = hex::encode(Sha256::digest(name.as_bytes()));
    let meta = serde_json::json!({ "Name": name, "Endpoints": { "docker": { "Host": endpoint } } });
    world.write(&format!(".docker/contexts/meta/{id}/meta.json"), meta.to_string());
}

/// The exit code of `doctor`, and what it says of the engine.
fn engine(world: &World) -> (i32, Value) {
    world.write_template();
    let outcome = world.run(&["doctor", "-t", "./template.toml", "--format", "json"]);
    let examination: Value =
        serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}\n{outcome}"));
    let items = examination["items"].as_array().expect("an array");
    (
        outcome.code,
        items.iter().find(|item| item["what"] == "Docker engine").expect("it is looked at").clone(),
    )
}

#[test]
fn the_engine_of_a_context_is_used_and_named_and_never_another() {
    let mut world = world("engine-context", &serde_json::json!({ "currentContext": "chosen" }));
    let proxy = Proxy::start(&world);
    context(&world, "chosen", &proxy.endpoint);
    let (code, item) = engine(&world);
    assert_eq!((code, &item["status"]), (0, &"ok".into()), "{item}");
    let place = format!("at {}, by the context chosen", proxy.endpoint);
    assert!(item["seen"].as_str().is_some_and(|seen| seen.ends_with(&place)), "{item}");
    assert!(proxy.requests() > 0);

    let outcome = world.drill(&[]);
    let runner = &outcome.passed()["runner"];
    assert_eq!(
        (&runner["engine_endpoint"], &runner["engine_context"]),
        (&proxy.endpoint.clone().into(), &"chosen".into())
    );

    // Of an engine that may be elsewhere every connection to the server goes through the engine, and it is the same drill.
    let remote = Proxy::start_remote();
    context(&world, "chosen", &remote.endpoint);
    let outcome = world.drill(&[]);
    let isolation = &outcome.passed()["isolation"];
    let not_probed = isolation["not_probed"][0].as_str().unwrap_or_default();
    assert!(not_probed.ends_with("the engine is not on this machine"), "{outcome}");
    assert!(remote.commands() > 10, "{}", remote.commands());

    // Nothing answers there, though another engine runs on this machine.
    context(&world, "chosen", "unix:///nonexistent/docker.sock");
    assert_eq!(engine(&world).0, 3);
    for (context, words) in [("absent", "there is no Docker context absent"), ("chosen", "over ssh")] {
        if context == "chosen" {
            self::context(&world, context, "ssh://somebody@192.0.2.7");
        }
        world.environment.insert("DOCKER_CONTEXT".to_owned(), context.to_owned());
        let (code, item) = engine(&world);
        assert_eq!(code, 2, "{item}");
        assert!(item["seen"].as_str().is_some_and(|seen| seen.contains(words)), "{item}");
    }
}

/// An empty registry that records the credentials of requests.
fn registry() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let port = listener.local_addr().expect("it has one").port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut request = vec![0; 16 * 1024];
            let read = client.read(&mut request).unwrap_or_default();
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            let authorization = text.lines().find_map(|line| line.strip_prefix("Authorization: "));
            heard
                .lock()
                .expect("no thread panics while it holds the lock")
                .extend(authorization.map(str::to_owned));
            let status = if authorization.is_some() {
                "404 Not Found"
            } else {
                "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"test\""
            };
            let _ = client.write_all(
                format!("HTTP/1.1 {status}\r\nDocker-Distribution-Api-Version: registry/2.0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .as_bytes(),
            );
        }
    });
    (port, asked)
}

#[test]
fn images_are_asked_for_with_the_credentials_of_docker_login() {
    // `drill:p?ss~word>>` and `helper:s3cret`; the first is written with both characters that URL-safe base64 lacks.
    let (stored, helped) = ("ZHJpbGw6cD9zc353b3JkPj4=", "aGVscGVyOnMzY3JldA==");
    let (port, asked) = registry();
    let host = format!("127.0.0.1:{port}");
    let mut world = world("engine-login", &serde_json::json!({ "auths": { &*host: { "auth": stored } } }));
    world.template.image = format!("{host}/team/postgres:1");
    engine(&world);
    let seen = std::mem::take(&mut *asked.lock().unwrap());
    assert!(seen.contains(&format!("Basic {stored}")), "{seen:?}");

    let helper = world.write(
        "bin/docker-credential-test",
        "#!/bin/sh\nread -r server\necho \"{\\\"ServerURL\\\":\\\"$server\\\",\\\"Username\\\":\\\"helper\\\",\\\"Secret\\\":\\\"s3cret\\\"}\"\n",
    );
    std::process::Command::new("chmod").arg("755").arg(&helper).status().expect("chmod runs");
    let path = format!("{}:{}", world.path("bin").display(), world.environment["PATH"]);
    world.environment.insert("PATH".to_owned(), path);
    world.write(".docker/config.json", serde_json::json!({ "credHelpers": { &*host: "test" } }).to_string());
    engine(&world);
    let seen = asked.lock().unwrap().clone();
    assert!(seen.contains(&format!("Basic {helped}")), "{seen:?}");
}
