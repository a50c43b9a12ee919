//! The way to the store: which certificates TLS trusts, and which proxy is used.
//!
//! Unlike the other SDKs, the one for Rust ignores `AWS_CA_BUNDLE` and the variables that name proxies. A drill
//! in a company's network needs both.

use std::sync::Arc;

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::{HttpClient as _, http_client_fn};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::proxy::{Guard, Proxy, Variable};
use crate::model::codes;
use crate::model::failure::{Failure, Result};

/// The way to a store, or to the service that issues its credentials.
#[derive(Debug)]
pub(super) struct Network {
    tls: TlsContext,
    /// None where nothing goes through one.
    proxy: Option<Arc<Proxy>>,
}

impl Network {
    /// What the environment says of the way to this URL.
    ///
    /// # Errors
    /// `ca_bundle_unreadable`; and `proxy_invalid`, if requests would go through a proxy that cannot be used.
    pub fn to(url: &str, variable: Variable<'_>) -> Result<Self> {
        let proxy = Proxy::of_environment(url, variable).filter(|proxy| proxy.takes(url));
        if let Some(failure) = proxy.as_ref().and_then(Proxy::unusable) {
            return Err(failure);
        }
        Self::through(proxy, variable)
    }

    /// The way to the service that issues credentials: over TLS, or on this machine's own network. It may never be asked,
    /// so a proxy that cannot be used is an error only once it is.
    ///
    /// # Errors
    /// `ca_bundle_unreadable`.
    pub fn to_credentials(variable: Variable<'_>) -> Result<Self> {
        Self::through(Proxy::of_environment("https://credentials", variable), variable)
    }

    fn through(proxy: Option<Proxy>, variable: Variable<'_>) -> Result<Self> {
        let tls = TlsContext::builder().with_trust_store(trust_store(variable)?).build();
        let tls = tls.map_err(|error| Failure::config(codes::CA_BUNDLE_UNREADABLE, error.to_string()))?;
        Ok(Self { tls, proxy: proxy.map(Arc::new) })
    }

    /// The proxy that requests go through, as it may be shown.
    pub fn proxy_shown(&self) -> Option<String> {
        self.proxy.as_ref().map(|proxy| proxy.shown.clone())
    }

    /// That requests were not made, since they would have gone through a proxy that cannot be used.
    pub fn refused(&self) -> Option<Failure> {
        self.proxy.as_ref().and_then(|proxy| proxy.refused())
    }

    /// A client that goes this way. Connections are kept by it.
    pub fn client(&self) -> SharedHttpClient {
        let context = self.tls.clone();
        let config = self.proxy.as_ref().map_or_else(ProxyConfig::disabled, |proxy| proxy.config());
        let client = Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder().proxy_config(config.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            connector
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
                .tls_context(context.clone())
                .build()
        });
        match self.proxy.clone().filter(|proxy| proxy.unusable().is_some()) {
            None => client,
            Some(proxy) => http_client_fn(move |settings, components| {
                Guard::before(client.http_connector(settings, components), Arc::clone(&proxy))
            }),
        }
    }
}

/// Where AWS has a bucket.
pub(super) fn of_aws(bucket: &str, region: &str) -> String {
    format!("https://{bucket}.s3.{region}.amazonaws.com")
}

/// The authorities of `AWS_CA_BUNDLE`, and no others, as everywhere else; without it those of the machine.
fn trust_store(variable: Variable<'_>) -> Result<TrustStore> {
    let Some(path) = variable("AWS_CA_BUNDLE") else { return Ok(TrustStore::default()) };
    let bad = |why: String| {
        Failure::config(codes::CA_BUNDLE_UNREADABLE, format!("AWS_CA_BUNDLE names {path}, which {why}"))
            .hint("it must be a file of certificates in PEM form: those of the authorities that the store's certificate comes from")
    };
    let pem = std::fs::read(&path).map_err(|error| bad(format!("cannot be read: {error}")))?;
    // The SDK takes for granted that they can be read, and panics otherwise.
    let mut authorities = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| bad("is not in PEM form".to_owned()))?;
        authorities.add(certificate).map_err(|_| {
            bad(format!("has a certificate that cannot be used, number {}", authorities.len() + 1))
        })?;
    }
    if authorities.is_empty() {
        return Err(bad("holds no certificate".to_owned()));
    }
    Ok(TrustStore::empty().with_pem_certificate(pem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(url: &str, set: &[(&str, &str)]) -> Result<Network> {
        Network::to(url, &|name| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_proxy_is_that_of_the_scheme_and_its_password_is_not_shown() {
        let set = [
            ("HTTPS_PROXY", "http://drill:hunter2@proxy.example:3128/"),
            ("http_proxy", "plain.example:8080"),
            ("HTTP_PROXY", "http://other.example:1"),
        ];
        let shown = |url: &str| network(url, &set).unwrap().proxy_shown();
        assert_eq!(shown(&of_aws("b", "eu-north-1")).as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(shown("https://s3.example").as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(shown("http://s3.example").as_deref(), Some("http://plain.example:8080"));
        let all = network("https://s3.example", &[("ALL_PROXY", "http://all.example:1")]).unwrap();
        assert_eq!(all.proxy_shown().as_deref(), Some("http://all.example:1"));
        assert_eq!(network("https://s3.example", &[("NO_PROXY", "*")]).unwrap().proxy_shown(), None);
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_without_its_value() {
        for value in ["socks5://user:hunter2@h:1", "http://", "http://h:hunter2:x"] {
            let failure = network("https://s3.example", &[("HTTPS_PROXY", value)]).unwrap_err();
            assert_eq!(failure.code.as_str(), "proxy_invalid", "{value}");
            assert!(
                failure.message.contains("HTTPS_PROXY") && !failure.message.contains("hunter2"),
                "{failure}"
            );
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_nothing_to_a_store_that_needs_none() {
        let is_fine = |url: &str, others: &str| {
            network(url, &[("ALL_PROXY", "socks5h://h:1"), ("NO_PROXY", others)]).is_ok()
        };
        for (url, others) in [
            ("http://127.0.0.1:9000", ""),
            ("https://minio.example:9000", "minio.example"),
            ("https://minio.example:9000", "a.example minio.example:9000"),
            ("https://minio.example", "a.example, .example:443 b.example"),
            ("https://[fd00::9]:9000", "a,[fd00::9]:9000"),
            ("https://[fd00::9]:9000", "fd00::/8"),
            ("https://b.s3.eu-north-1.amazonaws.com", ".amazonaws.com"),
            ("http://minio.example", "*"),
        ] {
            assert!(is_fine(url, others), "{url} with {others}");
        }
        for (url, others) in [
            ("https://minio.example:9000", ""),
            ("https://minio.example:9000", "minio.example:9001 other.example"),
            ("https://minio.example", "minio.example:80"),
        ] {
            assert!(!is_fine(url, others), "{url} with {others}");
        }
    }

    #[test]
    fn a_bundle_that_cannot_be_used_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let certificate = rcgen::generate_simple_self_signed(["s3.example".to_owned()]).unwrap().cert.pem();
        assert!(network("https://s3.example", &[("AWS_CA_BUNDLE", &file("good.pem", &certificate))]).is_ok());
        let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (path, words) in [
            ("/nonexistent/ca.pem".to_owned(), "cannot be read"),
            (file("empty.pem", ""), "holds no certificate"),
            (file("rubbish.pem", rubbish), "cannot be used, number 1"),
            (file("second.pem", &format!("{certificate}{rubbish}")), "cannot be used, number 2"),
            (file("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA"), "is not in PEM form"),
        ] {
            let failure = network("https://s3.example", &[("AWS_CA_BUNDLE", &path)]).unwrap_err();
            assert_eq!(failure.code.as_str(), "ca_bundle_unreadable");
            assert!(failure.message.contains(words) && failure.message.contains(&path), "{failure}");
        }
    }
}
