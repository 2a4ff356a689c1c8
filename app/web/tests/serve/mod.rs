//! A page that runs beside a test.

use backstop_web::chain;
use backstop_web::server::Server;
use backstop_web::site::{Settings, Site};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// A page that answers on a port of this machine until it is dropped.
pub struct Page {
    /// Where: `http://127.0.0.1:PORT`.
    pub url: String,
    /// What its handlers know.
    pub site: Site,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Page {
    /// A page on a cluster.
    pub fn on(node: chain::Node, settings: Settings) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
            let runtime = runtime.expect("a runtime starts");
            runtime.block_on(async {
                let server = Server::bind(settings, node).await.expect("a port is free");
                let address = server.address().expect("it has one");
                tell.send((format!("http://{address}"), server.site().clone())).expect("somebody waits");
                let stopped = async {
                    let _ = stopped.await;
                };
                server.run(stopped).await.expect("it ends well");
            });
            runtime.shutdown_timeout(Duration::from_millis(100));
        });
        let (url, site) = told.recv().expect("it started");
        Self { url, site, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
