//! Cross-origin requests of browsers: the pages that may call the API and read its responses.
//!
//! Credentials are sent in a header and never in a cookie, so a page has no more rights than whoever opened it has given
//! it. The decision is the same for requests, WebSockets and uploads.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError, RwLock};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::config::{AllowedOrigin, BaseUrl, Config};

/// Request headers that a page of an allowed origin may send, beside those that it asks for: one preflight then serves
/// several kinds of request.
const HEADERS: &str = "authorization,content-type,accept,idempotency-key,apollo-require-preflight,\
                       x-apollo-operation-name,graphql-preflight";
const METHODS: HeaderValue = HeaderValue::from_static("GET,POST");
const MAX_AGE_SECONDS: HeaderValue = HeaderValue::from_static("3600");
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after,www-authenticate,x-request-id");
const TRUE: HeaderValue = HeaderValue::from_static("true");
/// A response to one origin is not for another.
const VARY: HeaderValue = HeaderValue::from_static("origin");
const VARY_OF_PREFLIGHT: HeaderValue = HeaderValue::from_static(
    "origin,access-control-request-method,access-control-request-headers,access-control-request-private-network",
);
/// The specification of private network access.
const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");
/// The message for a page whose origin is not allowed.
pub(super) const REFUSED_ORIGIN: &str = "Origin not allowed; add it to http.cors_origins.";
/// Refused origins that are logged, each once.
const MAX_LOGGED: usize = 64;
const MAX_LOGGED_CHARS: usize = 256;

/// The origins that are allowed, and those that were refused.
pub struct Cors {
    policy: RwLock<Policy>,
    logged: Mutex<HashSet<String>>,
}

#[derive(Default)]
struct Policy {
    named: Vec<HeaderValue>,
    any: bool,
    loopback: bool,
    /// `server.public_url`, as browsers name it as an origin.
    own: Option<String>,
}

/// The decision about the origin of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The request names none: it does not come from a page, or it needs no permission.
    None,
    /// A page of this server.
    Own,
    /// Named in `http.cors_origins`.
    Named(HeaderValue),
    /// Of this machine, as is the server.
    Loopback(HeaderValue),
    /// Any origin is allowed.
    Any,
    Refused,
}

impl Cors {
    /// # Errors
    /// An origin in `http.cors_origins` that is not one.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Self { policy: RwLock::new(Policy::of(config)?), logged: Mutex::default() })
    }

    /// Allows the origins of other settings from now on.
    ///
    /// # Errors
    /// An origin in `http.cors_origins` that is not one; the settings before stay in force.
    pub fn reload(&self, config: &Config) -> anyhow::Result<()> {
        let policy = Policy::of(config)?;
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    /// Decides about the origin of a request.
    pub(super) fn decide(&self, headers: &HeaderMap) -> Origin {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return Origin::None };
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner);
        let decision = match origins.next() {
            None => policy.decide(origin, headers.get(header::HOST)),
            Some(_) => Origin::Refused,
        };
        drop(policy);
        if decision == Origin::Refused {
            self.log_once(origin);
        }
        decision
    }

    fn log_once(&self, origin: &HeaderValue) {
        let Some(text) = origin.to_str().ok().filter(|text| text.len() <= MAX_LOGGED_CHARS) else { return };
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() >= MAX_LOGGED || !logged.insert(text.to_owned()) {
            return;
        }
        tracing::info!(origin = ?text, "refused a page of another origin: add it to http.cors_origins to allow it");
        if logged.len() == MAX_LOGGED {
            tracing::info!("further refused origins are not logged");
        }
    }
}

impl Policy {
    fn of(config: &Config) -> anyhow::Result<Self> {
        let origins = &config.http.cors_origins;
        let any = origins.contains(&AllowedOrigin::Any);
        let named = origins.iter().filter_map(|origin| match origin {
            AllowedOrigin::Any => None,
            AllowedOrigin::Named(origin) => Some(HeaderValue::try_from(origin)),
        });
        let loopback = config.http.cors_loopback_origins && config.server.listen.is_loopback();
        let own = config.server.public_url.as_ref().map(BaseUrl::origin);
        Ok(Self { named: named.collect::<Result<_, _>>()?, any, loopback, own })
    }

    fn decide(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> Origin {
        if self.named.contains(origin) {
            return Origin::Named(origin.clone());
        }
        let text = origin.to_str().unwrap_or_default();
        if self.loopback && is_loopback(text) {
            return Origin::Loopback(origin.clone());
        }
        if self.any {
            return Origin::Any;
        }
        let authority = text.split_once("://").map(|(_, authority)| authority.as_bytes());
        let is_own = self.own.as_deref() == Some(text) && text != "null"
            || authority.is_some_and(|authority| host.is_some_and(|host| host.as_bytes() == authority));
        if is_own { Origin::Own } else { Origin::Refused }
    }
}

/// Returns true for `http` and `https` origins on the loopback interface, on any port.
fn is_loopback(origin: &str) -> bool {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let Some(authority) = authority else { return false };
    // The colons of an IPv6 address are in brackets.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let address = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(host) => host.parse().map(IpAddr::V6),
        None => host.parse().map(IpAddr::V4),
    };
    port.is_none_or(is_port) && (host == "localhost" || address.is_ok_and(|address| address.is_loopback()))
}

impl Origin {
    /// Returns true unless the request comes from a page that may not send it.
    pub(super) fn is_welcome(&self) -> bool {
        *self != Self::Refused
    }

    /// The response to a preflight request of an allowed origin (Fetch, section 3.3.3); `None` for any other request.
    pub(super) fn preflight(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        let is_preflight =
            request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight || !matches!(self, Self::Named(_) | Self::Loopback(_) | Self::Any) {
            return None;
        }
        let mut response = StatusCode::OK.into_response();
        let allowed = response.headers_mut();
        allowed.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        allowed.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed_headers(headers));
        allowed.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        // Not where any origin is allowed: the network may be private without anybody having thought of it.
        if *self != Self::Any && headers.get(REQUEST_PRIVATE_NETWORK).is_some_and(|value| value == TRUE) {
            allowed.insert(ALLOW_PRIVATE_NETWORK, TRUE);
        }
        Some(response)
    }

    /// Adds to any response, an error too, what lets a page of an allowed origin read it.
    pub(super) fn complete(self, is_preflight: bool, headers: &mut HeaderMap) {
        headers.append(header::VARY, if is_preflight { VARY_OF_PREFLIGHT } else { VARY });
        let (origin, is_named) = match self {
            Self::None | Self::Own | Self::Refused => return,
            Self::Named(origin) => (origin, true),
            Self::Loopback(origin) => (origin, false),
            Self::Any => (HeaderValue::from_static("*"), false),
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if is_named {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        if !is_preflight {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

/// The headers that a page asks for, whatever they are: none of them grants a right, but `Authorization`, which the page
/// must know to send. Unlike `*`, a list includes that one.
fn allowed_headers(headers: &HeaderMap) -> HeaderValue {
    let fixed = HeaderValue::from_static(HEADERS);
    let requested = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).map(HeaderValue::as_bytes).unwrap_or_default();
    let known: HashSet<&str> = HEADERS.split(',').collect();
    let requested = String::from_utf8_lossy(requested).to_lowercase();
    let further = requested.split(',').map(str::trim).filter(|name| HeaderName::try_from(*name).is_ok());
    let further: Vec<&str> = further.filter(|name| !known.contains(name)).collect();
    if further.is_empty() {
        return fixed;
    }
    HeaderValue::try_from(format!("{HEADERS},{}", further.join(","))).unwrap_or(fixed)
}
