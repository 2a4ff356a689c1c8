//! The server: routes, the guard around them, and an end that lets answers under way arrive.

use crate::chain::{Chain, Node};
use crate::error::PageError;
use crate::guard::{self, MOST_BODY};
use crate::site::{Settings, Site};
use crate::{actions, assets, local, metadata, pages, sign};
use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// A page that listens, and does not answer yet.
pub struct Server {
    listener: TcpListener,
    site: Site,
}

impl Server {
    /// Takes the port and reads the chain once. Must be called within a runtime of tokio.
    ///
    /// Errors: those of taking the port. A chain that does not answer is none: pages say so.
    pub async fn bind(settings: Settings, node: Node) -> io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let bound = listener.local_addr()?;
        let refresh = settings.refresh;
        let follow = tokio::task::spawn_blocking(move || Chain::follow(node, refresh));
        let chain = follow.await.map_err(io::Error::other)?;
        Ok(Self { listener, site: Site::new(settings, bound, chain) })
    }

    /// Where it listens.
    ///
    /// Errors: the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What its handlers know.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// Answers until `stop` is ready, and then until what is under way is done.
    ///
    /// Errors: the system closes the port.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let app = routes(self.site).into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(self.listener, app).with_graceful_shutdown(stop).await
    }
}

/// Every path that is answered.
pub fn routes(site: Site) -> Router {
    Router::new()
        .merge(pages::routes())
        .merge(sign::routes())
        .merge(actions::routes(&site))
        .merge(metadata::routes())
        .merge(local::routes(&site))
        .merge(assets::routes())
        .fallback(|| async { PageError::NoPage })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(middleware::from_fn_with_state(site.clone(), guard::guard))
        .with_state(site)
}
