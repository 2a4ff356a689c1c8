//! What pages load beside themselves: it is compiled in.

use crate::site::Site;
use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;

/// The style of every page.
pub const STYLE: &str = concat!(include_str!("assets/style.css"), include_str!("assets/sign.css"));

/// What lets wallets sign.
pub const WALLET: &str = include_str!("assets/wallet.js");

/// The paths of what pages load.
pub fn routes() -> Router<Site> {
    Router::new()
        .route("/assets/style.css", get(|| async { asset("text/css; charset=utf-8", STYLE) }))
        .route("/assets/wallet.js", get(|| async { asset("text/javascript; charset=utf-8", WALLET) }))
        .route("/favicon.ico", get(|| async { asset("image/svg+xml", include_str!("assets/icon.svg")) }))
}

/// Something that is compiled in. Browsers ask each time, as a new version may be running.
pub fn asset(kind: &'static str, body: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], body)
}
