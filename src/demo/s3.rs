//! An S3 server inside this process, on a directory: for the demo and for tests. Only ever listens on loopback.

use std::net::SocketAddr;
use std::path::Path;

use async_trait::async_trait;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::access::S3Access;
use s3s::auth::SimpleAuth;
use s3s::dto::ListObjectsV2Input;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Request, S3Result};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::model::codes;
use crate::model::failure::{Failure, Result};
use crate::model::secret::Secret;

fn failed(why: impl std::fmt::Display) -> Failure {
    Failure::inconclusive(codes::DEMO_S3_FAILED, format!("the demo's S3 server does not start: {why}"))
}

/// Lists keys without encoding. `s3s-fs` would answer that they are URL-encoded, and would not encode them.
struct PlainKeys;

#[async_trait]
impl S3Access for PlainKeys {
    async fn list_objects_v2(&self, request: &mut S3Request<ListObjectsV2Input>) -> S3Result<()> {
        request.input.encoding_type = None;
        Ok(())
    }
}

/// A running S3 server. It stops when this value is dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    access_key: String,
    secret_key: Secret,
    _stop: DropGuard,
}

impl S3Server {
    /// Serves a directory, whose subdirectories are the buckets, with fresh credentials.
    ///
    /// # Errors
    /// `demo_s3_failed`.
    pub async fn start(directory: &Path) -> Result<Self> {
        let files = FileSystem::new(directory).map_err(|error| failed(format!("{error:?}")))?;
        Self::serve(files).await
    }

    /// Serves any implementation of S3, with fresh credentials.
    ///
    /// # Errors
    /// `demo_s3_failed`.
    pub async fn serve(s3: impl s3s::S3) -> Result<Self> {
        let access_key = "restore-drill-demo".to_owned();
        let secret_key = Secret::random();
        let mut builder = S3ServiceBuilder::new(s3);
        builder.set_auth(SimpleAuth::from_single(access_key.clone(), secret_key.expose().to_owned()));
        builder.set_access(PlainKeys);
        let service = builder.build();
        let listener =
            TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| failed(error.to_string()))?;
        let address = listener.local_addr().map_err(|error| failed(error.to_string()))?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            loop {
                let connection = tokio::select! {
                    () = stopped.cancelled() => return,
                    accepted = listener.accept() => accepted,
                };
                let Ok((socket, _)) = connection else { continue };
                let service = service.clone();
                tokio::spawn(async move {
                    let server = auto::Builder::new(TokioExecutor::new());
                    // A client that disconnects is not an error of the server.
                    let _ = server.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Ok(Self { address, access_key, secret_key, _stop: stop.drop_guard() })
    }

    /// The URL of the server.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The access key.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The secret key.
    pub fn secret_key(&self) -> &Secret {
        &self.secret_key
    }
}
