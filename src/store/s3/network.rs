//! The way to the store: whom TLS trusts, and through which proxy.
//!
//! The SDK for Rust heeds neither `AWS_CA_BUNDLE` nor the variables that name proxies, as every other one does. A drill
//! in a company's network needs both.

use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::failure::{Failure, Result};

/// Never through a proxy: this machine itself, and the addresses where clouds hand out credentials. What `NO_PROXY`
/// names comes on top.
const NEVER: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::254";

/// A variable of the environment; empty ones are none.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The way to a store.
#[derive(Debug)]
pub(super) struct Network {
    tls: TlsContext,
    proxy: ProxyConfig,
    /// The proxy that is used unless `NO_PROXY` names the host, as it may be shown.
    pub proxy_shown: Option<String>,
}

impl Network {
    /// What the environment says of the way to this endpoint; AWS's where there is none.
    ///
    /// # Errors
    /// `ca_bundle_unreadable`, `proxy_invalid`: configuration errors.
    pub fn of_environment(endpoint: Option<&str>, variable: Variable<'_>) -> Result<Self> {
        let tls = TlsContext::builder().with_trust_store(trust_store(variable)?).build();
        let tls = tls.map_err(|error| Failure::config("ca_bundle_unreadable", error.to_string()))?;
        let http = endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"));
        let (proxy, proxy_shown) = match proxy(http, variable)? {
            Some(Proxy { config, shown }) => (config, Some(shown)),
            None => (ProxyConfig::disabled(), None),
        };
        Ok(Self { tls, proxy, proxy_shown })
    }

    /// A client that goes this way. Connections are kept by it.
    pub fn client(&self) -> SharedHttpClient {
        let (context, proxy) = (self.tls.clone(), self.proxy.clone());
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut connector = Connector::builder().proxy_config(proxy.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            connector
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
                .tls_context(context.clone())
                .build()
        })
    }
}

/// The authorities of `AWS_CA_BUNDLE`, and no others, as everywhere else; without it those of the machine.
fn trust_store(variable: Variable<'_>) -> Result<TrustStore> {
    let Some(path) = variable("AWS_CA_BUNDLE") else { return Ok(TrustStore::default()) };
    let bad = |why: String| {
        Failure::config("ca_bundle_unreadable", format!("AWS_CA_BUNDLE names {path}, which {why}"))
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

struct Proxy {
    config: ProxyConfig,
    shown: String,
}

/// The proxy for requests over `http` or over TLS. As curl and the other SDKs do, lower case is looked at first.
fn proxy(http: bool, variable: Variable<'_>) -> Result<Option<Proxy>> {
    let names = if http { ["http_proxy", "HTTP_PROXY"] } else { ["https_proxy", "HTTPS_PROXY"] };
    let named = names.into_iter().chain(["all_proxy", "ALL_PROXY"]);
    let Some((name, value)) = named.filter_map(|name| Some((name, variable(name)?))).next() else {
        return Ok(None);
    };
    let url = if value.contains("://") { value } else { format!("http://{value}") };
    let config = if http { ProxyConfig::http(url.as_str()) } else { ProxyConfig::https(url.as_str()) };
    // The value may hold a password, and so may the error.
    let config = config.map_err(|_| {
        Failure::config("proxy_invalid", format!("{name} is not the URL of an HTTP proxy"))
            .hint("write it as http://HOST:PORT or http://USER:PASSWORD@HOST:PORT; proxies of other kinds are not used, and NO_PROXY names hosts that need none")
    })?;
    let others = ["no_proxy", "NO_PROXY"].into_iter().find_map(variable);
    let config =
        config.no_proxy(others.map_or_else(|| NEVER.to_owned(), |others| format!("{others},{NEVER}")));
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", &url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Ok(Some(Proxy { config, shown: format!("{scheme}://{host}") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(endpoint: Option<&str>, set: &[(&str, &str)]) -> Result<Network> {
        Network::of_environment(endpoint, &|name| {
            set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_proxy_is_that_of_the_scheme_and_its_password_is_not_shown() {
        let set = [
            ("HTTPS_PROXY", "http://drill:hunter2@proxy.example:3128/"),
            ("http_proxy", "plain.example:8080"),
            ("HTTP_PROXY", "http://other.example:1"),
        ];
        let shown = |endpoint| network(endpoint, &set).unwrap().proxy_shown;
        assert_eq!(shown(None).as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(shown(Some("https://s3.example")).as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(shown(Some("http://s3.example")).as_deref(), Some("http://plain.example:8080"));
        let all = network(None, &[("ALL_PROXY", "http://all.example:1")]).unwrap().proxy_shown;
        assert_eq!(all.as_deref(), Some("http://all.example:1"));
        assert_eq!(network(None, &[("NO_PROXY", "*")]).unwrap().proxy_shown, None);
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_without_its_value() {
        for value in ["socks5://user:hunter2@h:1", "http://", "http://h:hunter2:x"] {
            let failure = network(None, &[("HTTPS_PROXY", value)]).unwrap_err();
            assert_eq!(failure.code, "proxy_invalid", "{value}");
            assert!(
                failure.message.contains("HTTPS_PROXY") && !failure.message.contains("hunter2"),
                "{failure}"
            );
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
        assert!(network(None, &[("AWS_CA_BUNDLE", &file("good.pem", &certificate))]).is_ok());
        let rubbish = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (path, words) in [
            ("/nonexistent/ca.pem".to_owned(), "cannot be read"),
            (file("empty.pem", ""), "holds no certificate"),
            (file("rubbish.pem", rubbish), "cannot be used, number 1"),
            (file("second.pem", &format!("{certificate}{rubbish}")), "cannot be used, number 2"),
            (file("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA"), "is not in PEM form"),
        ] {
            let failure = network(None, &[("AWS_CA_BUNDLE", &path)]).unwrap_err();
            assert_eq!(failure.code, "ca_bundle_unreadable");
            assert!(failure.message.contains(words) && failure.message.contains(&path), "{failure}");
        }
    }
}
