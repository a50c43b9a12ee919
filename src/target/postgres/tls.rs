//! TLS to a database, with the meanings `sslmode` has for libpq (PostgreSQL documentation, 32.19.1).

use std::convert::Infallible;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::client::drive;
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Not at all.
    Disable,
    /// Encrypted if the server can; its identity is not checked.
    Prefer,
    /// Encrypted; its identity is checked only if roots are given.
    Require,
    /// Encrypted, and the certificate comes from a known authority.
    VerifyCa,
    /// That, and it is the certificate of this host.
    VerifyFull,
}

impl FromStr for SslMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "disable" => Self::Disable,
            "prefer" | "allow" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                return Err("sslmode must be disable, prefer, require, verify-ca or verify-full".to_owned());
            }
        })
    }
}

/// A way to connect.
#[derive(Clone)]
pub struct Tls {
    mode: SslMode,
    connector: Option<MakeRustlsConnect>,
}

impl Tls {
    /// Prepares it. Without `roots`, those of the system are trusted.
    ///
    /// # Errors
    /// `tls_roots_unreadable`, a configuration error.
    pub fn new(mode: SslMode, roots: Option<&Path>) -> Result<Self> {
        // As libpq does: with roots, require verifies the authority.
        let mode = if mode == SslMode::Require && roots.is_some() { SslMode::VerifyCa } else { mode };
        if mode == SslMode::Disable {
            return Ok(Self { mode, connector: None });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match mode {
            SslMode::Disable | SslMode::Prefer | SslMode::Require => {
                Arc::new(AnyName { provider: Arc::clone(&provider), authority: None })
            }
            SslMode::VerifyCa => {
                let authority = Some(authority(roots, &provider)?);
                Arc::new(AnyName { provider: Arc::clone(&provider), authority })
            }
            SslMode::VerifyFull => authority(roots, &provider)?,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unreadable(&error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok(Self { mode, connector: Some(MakeRustlsConnect::new(config)) })
    }

    /// What the server is asked for.
    pub fn negotiation(&self) -> tokio_postgres::config::SslMode {
        match self.mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => {
                tokio_postgres::config::SslMode::Require
            }
        }
    }

    /// Connects over a stream that is there already, and sees to it that the connection is served. `host` is what a
    /// certificate would have to be for.
    pub async fn connect_over<S>(
        &self,
        config: &Config,
        stream: S,
        host: &str,
    ) -> Result<Client, tokio_postgres::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(connector) = &self.connector else {
            let (client, connection) = config.connect_raw(stream, NoTls).await?;
            drive(connection);
            return Ok(client);
        };
        let tls = MakeTlsConnect::<S>::make_tls_connect(&mut connector.clone(), host)
            .unwrap_or_else(|never: Infallible| match never {});
        let (client, connection) = config.connect_raw(stream, tls).await?;
        drive(connection);
        Ok(client)
    }

    /// Connects, and sees to it that the connection is served.
    pub async fn connect(&self, config: &Config) -> Result<Client, tokio_postgres::Error> {
        Ok(match &self.connector {
            None => {
                let (client, connection) = config.connect(NoTls).await?;
                drive(connection);
                client
            }
            Some(connector) => {
                let (client, connection) = config.connect(connector.clone()).await?;
                drive(connection);
                client
            }
        })
    }
}

fn authority(roots: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    let (found, place) = match roots {
        Some(path) => {
            (rustls_native_certs::load_certs_from_paths(Some(path), None), path.display().to_string())
        }
        None => (rustls_native_certs::load_native_certs(), "the system's".to_owned()),
    };
    let mut store = RootCertStore::empty();
    let (known, _) = store.add_parsable_certificates(found.certs);
    if known == 0 {
        let why = found.errors.first().map_or_else(|| "there is none".to_owned(), ToString::to_string);
        return Err(unreadable(&format!("no certificate authority can be read from {place}: {why}")));
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|error| unreadable(&error.to_string()))
}

fn unreadable(why: &str) -> Failure {
    Failure::config(codes::TLS_ROOTS_UNREADABLE, why)
        .hint("sslrootcert in the URL, or PGSSLROOTCERT, names a file in PEM form")
}

/// Trusts certificates of a known authority, whatever host they are for. Without an authority it trusts every certificate:
/// encryption without checking the identity, which is what `prefer` and `require` mean.
#[derive(Debug)]
struct AnyName {
    provider: Arc<CryptoProvider>,
    authority: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(authority) = &self.authority else { return Ok(ServerCertVerified::assertion()) };
        match authority.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
