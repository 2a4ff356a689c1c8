//! Who may ask for what, and what a browser may do with the answer.
//!
//! The page signs nothing and holds no key; what is guarded is that no other site can use it in a visitor's browser, by a
//! name that points here (DNS rebinding), by a form or a script of its own, or by text that comes from the chain.

use crate::site::Site;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most bytes of a request's body.
pub const MOST_BODY: usize = 4_096;

/// What a browser may load and do on every page: what this server sends, and nothing else.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                                           connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Paths that any site may ask, once they are switched on: Solana Actions, which wallets and other sites call, and files
/// that wallets show, which are the same for everybody.
const OPEN: [&str; 3] = ["/actions.json", "/actions/", "/metadata/"];

/// Whether any site may ask for this path.
pub fn is_open(path: &str) -> bool {
    OPEN.iter().any(|open| path == *open || open.ends_with('/') && path.starts_with(open))
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is for a name that is not this page's.
    Host,
    /// It comes from another site.
    Origin,
    /// Its body is too long, or of unknown length.
    Body,
    /// Too many came from there.
    Rate,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, says) = match self {
            Self::Host => (StatusCode::MISDIRECTED_REQUEST, "This page does not answer under this name.\n"),
            Self::Origin => (StatusCode::FORBIDDEN, "Another site asks: this page answers only itself.\n"),
            Self::Body => (StatusCode::PAYLOAD_TOO_LARGE, "The request is too long: 4,096 bytes at most.\n"),
            Self::Rate => (StatusCode::TOO_MANY_REQUESTS, "Too many requests: wait some seconds.\n"),
        };
        let mut response = (status, says).into_response();
        if self == Self::Rate {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// Checks a request, hands it on, and puts the headers on its answer.
pub async fn guard(State(site): State<Site>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = match check(&site, &request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            tracing::info!(?refusal, path, "a request was refused");
            refusal.into_response()
        }
    };
    protect(response.headers_mut());
    response
}

fn check(site: &Site, request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    let is_ours = |host: &str| site.hosts().iter().any(|ours| ours.eq_ignore_ascii_case(host));
    let host = one(headers, header::HOST).or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    if !host.is_some_and(is_ours) {
        return Err(Refusal::Host);
    }
    let path = request.uri().path();
    if headers.contains_key(header::ORIGIN) && !is_open(path) {
        let origin = one(headers, header::ORIGIN);
        let host = origin.and_then(|origin| origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")));
        if !host.is_some_and(is_ours) {
            return Err(Refusal::Origin);
        }
    }
    // A browser says so of itself, also where it sends no origin.
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_reading && !is_open(path) && one(headers, "sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(Refusal::Origin);
    }
    let length = one(headers, header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if headers.contains_key(header::TRANSFER_ENCODING) || length.unwrap_or(0) > MOST_BODY {
        return Err(Refusal::Body);
    }
    let settings = site.settings();
    if settings.limit || !settings.is_local() {
        let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|from| from.0.ip());
        let forwarded = settings.behind_proxy.then(|| forwarded_for(headers)).flatten();
        if let Some(from) = forwarded.or(address)
            && !site.rates().take(from, Instant::now())
        {
            return Err(Refusal::Rate);
        }
    }
    Ok(())
}

/// The value of a header that is there once.
fn one(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Who asked, as the proxy in front says: the entry that it added, which is the last.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
}

/// The headers of every answer.
fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Other sites hear nothing; our own forms need it, as browsers else hide where they are sent from.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (header::HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Requests that may come at once from one place.
const BURST: f64 = 60.0;
/// Requests a second from one place after that.
const A_SECOND: f64 = 10.0;
/// Most places that are remembered.
const MOST_PLACES: usize = 10_000;

/// Who asked how often: a bucket of requests for each place, which fills again.
#[derive(Debug, Default)]
pub struct Rates(Mutex<HashMap<IpAddr, (f64, Instant)>>);

impl Rates {
    /// Takes one request of a place; `false` if it has none left.
    pub fn take(&self, from: IpAddr, now: Instant) -> bool {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MOST_PLACES {
            // Whoever has been away long enough to have all of them again is forgotten.
            let full = Duration::from_secs_f64(BURST / A_SECOND);
            places.retain(|_, (_, at)| now.saturating_duration_since(*at) < full);
            if places.len() >= MOST_PLACES {
                return false;
            }
        }
        let (left, at) = places.entry(place(from)).or_insert((BURST, now));
        *left = (*left + now.saturating_duration_since(*at).as_secs_f64() * A_SECOND).min(BURST);
        *at = now;
        let taken = *left >= 1.0;
        if taken {
            *left -= 1.0;
        }
        taken
    }
}

/// Who counts as one: of IPv6 whoever has the same 64 bits, which one customer is given whole.
fn place(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_its_burst_and_then_its_rate() {
        let (rates, begun) = (Rates::default(), Instant::now());
        let from = IpAddr::from([203, 0, 113, 5]);
        assert_eq!((0..100).filter(|_| rates.take(from, begun)).count(), 60);
        assert!(rates.take(IpAddr::from([203, 0, 113, 6]), begun), "another place has its own");
        let later = begun + Duration::from_secs(1);
        assert_eq!((0..100).filter(|_| rates.take(from, later)).count(), 10);
    }

    #[test]
    fn a_customer_of_ipv6_is_one_place_and_mapped_ipv4_is_itself() {
        let of = |text: &str| place(text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:203.0.113.5"), of("203.0.113.5"));
    }

    #[test]
    fn only_actions_and_files_for_wallets_are_open_to_other_sites() {
        for (path, open) in [
            ("/actions.json", true),
            ("/actions/buy/x", true),
            ("/metadata/x", true),
            ("/actionsx", false),
            ("/", false),
        ] {
            assert_eq!(is_open(path), open, "{path}");
        }
    }
}
