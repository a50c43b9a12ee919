//! The engine behind a socket of the test's own, for faults that a real one shows only when it is restarted.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;

use super::world::{RUNTIME, World};

/// Where the real engine listens.
const ENGINE: &str = "/var/run/docker.sock";

/// How the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// It answers.
    Up,
    /// It takes requests and answers none.
    Hangs,
    /// It is gone: connections end at once, those that there were too.
    Down,
    /// It answers until it is asked to remove a container, and is down from then on.
    DownAtRemoval,
}

/// The socket.
pub struct Proxy {
    /// Its address, as `DOCKER_HOST` has it.
    pub endpoint: String,
    state: watch::Sender<Engine>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// A socket in the world's directory, with an engine behind it that is up. Nothing uses it yet.
    pub fn start(world: &World) -> Self {
        let path: PathBuf = world.path("engine.sock");
        let state = watch::Sender::new(Engine::Up);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let _entered = RUNTIME.enter();
        let listener = UnixListener::bind(&path).expect("a socket can be made");
        let (served, heard) = (state.clone(), Arc::clone(&asked));
        RUNTIME.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, served.clone(), Arc::clone(&heard)));
            }
        });
        Self { endpoint: format!("unix://{}", path.display()), state, asked }
    }

    /// As [`Proxy::start`], behind a port of this machine: what is behind it may be any machine's.
    pub fn start_remote() -> Self {
        let state = watch::Sender::new(Engine::Up);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let listener = RUNTIME.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("there is a port");
        let address = listener.local_addr().expect("it has one");
        let (served, heard) = (state.clone(), Arc::clone(&asked));
        RUNTIME.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, served.clone(), Arc::clone(&heard)));
            }
        });
        Self { endpoint: format!("tcp://{address}"), state, asked }
    }

    /// Makes the world's programs use it.
    pub fn is_engine_of(&self, world: &mut World) {
        world.environment.insert("DOCKER_HOST".to_owned(), self.endpoint.clone());
    }

    /// Changes how the engine is.
    pub fn set(&self, engine: Engine) {
        self.state.send_replace(engine);
    }

    /// How it is.
    pub fn state(&self) -> Engine {
        *self.state.borrow()
    }

    /// How many requests have come, answered or not.
    pub fn requests(&self) -> usize {
        self.asked.lock().expect("no thread panics while it holds the lock").len()
    }

    /// How many commands it was asked to run in containers.
    pub fn commands(&self) -> usize {
        let asked = self.asked.lock().expect("no thread panics while it holds the lock");
        asked.iter().filter(|request| request.starts_with("POST ") && request.contains("/exec/")).count()
    }
}

/// Serves one connection: clients of the engine make one for each request.
async fn serve(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    state: watch::Sender<Engine>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if !matches!(client.read_buf(&mut head).await, Ok(1..)) {
            return;
        }
    }
    let request = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let removes = request.starts_with("DELETE ") && request.contains("/containers/");
    asked.lock().expect("no thread panics while it holds the lock").push(request);
    if removes && *state.borrow() == Engine::DownAtRemoval {
        state.send_replace(Engine::Down);
    }
    let mut changes = state.subscribe();
    let engine = *state.borrow();
    match engine {
        Engine::Down => return,
        Engine::Hangs => {
            let _ = changes.wait_for(|engine| *engine != Engine::Hangs).await;
            return;
        }
        Engine::Up | Engine::DownAtRemoval => {}
    }
    let forwarding = async {
        let mut engine = UnixStream::connect(ENGINE).await?;
        engine.write_all(&head).await?;
        copy_bidirectional(&mut client, &mut engine).await
    };
    let cut = async { drop(changes.wait_for(|engine| *engine == Engine::Down).await) };
    tokio::select! {
        () = cut => {}
        _ = forwarding => {}
    }
}
