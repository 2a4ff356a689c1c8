//! The files of `backstop metadata build`, if they are hosted here: what wallets show of covers and shares.
//!
//! A file is named by the sha-256 of its bytes, and is handed out only if it has it: who can write to the directory can
//! take files away, and change none. Any site may read them, as wallets in browsers do.

use crate::error::PageError;
use crate::site::Site;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use backstop_client::metadata::File;

/// Most bytes of a file: a picture has some hundred kilobytes at most.
const MOST_BYTES: u64 = 1 << 20;

/// The path of files.
pub fn routes(site: &Site) -> Router<Site> {
    if site.settings().metadata.is_none() {
        return Router::new();
    }
    Router::new().route("/metadata/{name}", get(file))
}

async fn file(State(site): State<Site>, Path(name): Path<String>) -> Result<impl IntoResponse, PageError> {
    let folder = site.settings().metadata.clone().ok_or(PageError::NoPage)?;
    if !File::is_name(&name) {
        return Err(PageError::NoPage);
    }
    let kind = match name.rsplit('.').next() {
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        _ => "text/markdown; charset=utf-8",
    };
    let read = move || {
        let path = folder.join(&name);
        let length = std::fs::metadata(&path).ok().map(|file| file.len());
        let bytes = length.filter(|length| *length <= MOST_BYTES).and_then(|_| std::fs::read(&path).ok());
        bytes.filter(|bytes| File::fits(&name, bytes)).ok_or(PageError::NoPage)
    };
    let bytes = tokio::task::spawn_blocking(read).await.map_err(|_| PageError::Broken)??;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    Ok((headers, bytes))
}
