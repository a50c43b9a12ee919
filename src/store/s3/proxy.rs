//! The proxy that the environment names, and what goes through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;

use crate::model::codes;
use crate::model::failure::Failure;

/// Never through a proxy: this machine itself, and the addresses where clouds hand out credentials. What `NO_PROXY`
/// names comes on top.
const NEVER: &str = "localhost,127.0.0.0/8,::1,169.254.0.0/16,fd00:ec2::254";

/// A variable of the environment; empty ones are none.
pub(super) type Variable<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

/// A proxy, of a kind that can be used or not.
#[derive(Debug)]
pub(super) struct Proxy {
    /// The variable that names it.
    name: &'static str,
    /// None if it is of no kind that can be used.
    config: Option<ProxyConfig>,
    /// As it may be shown.
    pub shown: String,
    /// What goes through it.
    through: Matcher,
    /// A request had to go through it, and could not.
    refused: AtomicBool,
}

impl Proxy {
    /// The proxy for requests with the scheme and the port of this URL. As with curl and the other SDKs, lower case
    /// takes precedence.
    pub fn of_environment(url: &str, variable: Variable<'_>) -> Option<Self> {
        let http = url.starts_with("http://");
        let names = if http { ["http_proxy", "HTTP_PROXY"] } else { ["https_proxy", "HTTPS_PROXY"] };
        let named = names.into_iter().chain(["all_proxy", "ALL_PROXY"]);
        let (name, value) = named.filter_map(|name| Some((name, variable(name)?))).next()?;
        let port =
            url.parse().ok().and_then(|url: Uri| url.port_u16()).unwrap_or(if http { 80 } else { 443 });
        let others = ["no_proxy", "NO_PROXY"].into_iter().find_map(variable).unwrap_or_default();
        let never = format!("{},{NEVER}", without_proxy(&others, port));
        let address = if value.contains("://") { value } else { format!("http://{value}") };
        let config =
            if http { ProxyConfig::http(address.as_str()) } else { ProxyConfig::https(address.as_str()) };
        Some(Self {
            name,
            config: config.ok().map(|config| config.no_proxy(&never)),
            shown: shown(&address),
            // It is asked what goes through a proxy, and not through which.
            through: Matcher::builder().all("http://proxy").no(never).build(),
            refused: AtomicBool::new(false),
        })
    }

    /// Whether a request for this URL goes through it.
    pub fn takes(&self, url: &str) -> bool {
        url.parse().map_or(true, |url: Uri| self.through.intercept(&url).is_some())
    }

    pub fn config(&self) -> ProxyConfig {
        self.config.clone().unwrap_or_else(ProxyConfig::disabled)
    }

    /// That it cannot be used. The value may hold a password.
    pub fn unusable(&self) -> Option<Failure> {
        self.config.is_none().then(|| {
            Failure::config(codes::PROXY_INVALID, format!("{} is not the URL of an HTTP proxy", self.name))
                .hint("write it as http://HOST:PORT or http://USER:PASSWORD@HOST:PORT; proxies of other kinds are not used, and NO_PROXY names hosts that need none")
        })
    }

    /// That it cannot be used, and was needed.
    pub fn refused(&self) -> Option<Failure> {
        self.refused.load(Ordering::Relaxed).then(|| self.unusable()).flatten()
    }
}

/// Lets only those requests pass that need no proxy: the others must not go past it.
#[derive(Debug)]
pub(super) struct Guard {
    inner: SharedHttpConnector,
    proxy: Arc<Proxy>,
}

impl Guard {
    pub fn before(inner: SharedHttpConnector, proxy: Arc<Proxy>) -> SharedHttpConnector {
        SharedHttpConnector::new(Self { inner, proxy })
    }
}

impl HttpConnector for Guard {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if !self.proxy.takes(request.uri()) {
            return self.inner.call(request);
        }
        self.proxy.refused.store(true, Ordering::Relaxed);
        HttpConnectorFuture::ready(Err(ConnectorError::user("the proxy cannot be used".into())))
    }
}

/// The hosts, domains and networks of `NO_PROXY` that hold for this port, separated by commas alone.
fn without_proxy(others: &str, port: u16) -> String {
    let entries = others.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
    let entries = entries.filter_map(|entry| {
        let (host, only) = host_and_port(entry);
        only.is_none_or(|only| only == port).then_some(host)
    });
    entries.collect::<Vec<_>>().join(",")
}

/// `HOST`, `HOST:PORT`, `[V6]`, `[V6]:PORT`; what has more colons is an address of IPv6, or a network of such.
fn host_and_port(entry: &str) -> (&str, Option<u16>) {
    let (host, port) = match entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match entry.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (entry, None),
        },
    };
    (host, port.and_then(|port| port.parse().ok()))
}

fn shown(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every request with the same error.
    #[derive(Debug)]
    struct Direct;

    impl HttpConnector for Direct {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            HttpConnectorFuture::ready(Err(ConnectorError::io("went straight".into())))
        }
    }

    #[tokio::test]
    async fn nobody_is_asked_past_a_proxy_that_cannot_be_used() {
        let variable = |name: &str| (name == "ALL_PROXY").then(|| "socks5h://h:1".to_owned());
        let proxy = Arc::new(Proxy::of_environment("https://credentials", &variable).unwrap());
        let guard = Guard::before(SharedHttpConnector::new(Direct), Arc::clone(&proxy));
        let ask = async |url| guard.call(HttpRequest::get(url).unwrap()).await.unwrap_err();
        assert!(ask("http://169.254.169.254/latest").await.is_io(), "it needs no proxy");
        assert!(proxy.refused().is_none());
        assert!(ask("https://sso.example/token").await.is_user());
        assert_eq!(proxy.refused().unwrap().code.as_str(), "proxy_invalid");
    }
}
