//! A crank as a service.

use super::*;
use backstop_keeper::crank::monitor::Endpoint;
use backstop_keeper::crank::{Health, Monitor};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Status and body of an answer.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn start(interval: Duration) -> (Arc<Health>, Arc<Monitor>, Endpoint) {
    let health = Arc::new(Health::with_patience(3 * interval));
    let monitor = Arc::new(Monitor::new(health.clone()));
    let endpoint = Endpoint::start("127.0.0.1:0".parse().unwrap(), monitor.clone()).unwrap();
    (health, monitor, endpoint)
}

#[test]
fn metrics_count_what_passes_did() {
    let world = World::unsigned();
    let (_, product) = stage(&world);
    let payer = operator(&world);
    owed(&world, &product, 9, &payer);
    let (_, monitor, endpoint) = start(Duration::from_secs(10));
    let mut crank = crank(&world.cluster, &payer, options());
    loop {
        let report = crank.pass().unwrap();
        monitor.passed(&report);
        if !report.did_anything() {
            break;
        }
    }
    monitor.failed("gone");
    let lamports = world.cluster.account(&payer.pubkey()).unwrap().unwrap().lamports;
    let (status, text) = get(endpoint.address(), "/metrics");
    assert_eq!(status, 200);
    for line in [
        "backstop_crank_work_total{kind=\"settle_cover\"} 9",
        "backstop_crank_work_total{kind=\"fund_incident\"} 1",
        "backstop_crank_passes_total{result=\"failed\"} 1",
        "backstop_crank_transactions_total{result=\"confirmed\"} 6",
        "backstop_crank_fees_lamports_total 30000",
        "backstop_crank_skipped 0",
        "backstop_crank_unknown 0",
        "backstop_crank_stale_feeds 0",
        "backstop_crank_out_of_budget 0",
        &format!("backstop_crank_payer_lamports {lamports}"),
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert_eq!(get(endpoint.address(), "/nothing").0, 404);
}

#[test]
fn health_fails_three_intervals_after_the_last_good_pass_and_comes_back() {
    let interval = Duration::from_millis(50);
    let (health, monitor, endpoint) = start(interval);
    assert_eq!(get(endpoint.address(), "/health"), (200, "ok\n".into()));
    monitor.failed("the node is gone");
    assert_eq!(get(endpoint.address(), "/health").0, 200, "one failure is no emergency");
    std::thread::sleep(4 * interval);
    let (status, why) = get(endpoint.address(), "/health");
    assert_eq!(status, 503);
    assert!(why.contains("no successful pass for 0 s: the node is gone"), "{why}");
    health.beat();
    assert_eq!(get(endpoint.address(), "/live").0, 200, "it gets on");
    assert_eq!(get(endpoint.address(), "/ready").0, 503, "and does nothing that it is for");
    health.progressed();
    assert_eq!(get(endpoint.address(), "/health").0, 200, "a long pass that confirms transactions is at work");
    std::thread::sleep(4 * interval);
    assert_eq!(["/live", "/ready", "/health"].map(|path| get(endpoint.address(), path).0), [503; 3]);
    monitor.passed(&Report::default());
    assert_eq!(get(endpoint.address(), "/health").0, 200);
}

#[test]
fn a_crank_is_given_three_minutes_whatever_its_interval() {
    // A transaction may take a minute and a half to expire: at an interval of a second that is no emergency.
    for (interval, patience) in [(1, 180), (10, 180), (60, 180), (61, 183), (600, 1_800)] {
        let health = format!("{:?}", Health::new(Duration::from_secs(interval)));
        assert!(health.contains(&format!("patience: {patience}s")), "{health}");
    }
}

#[test]
fn a_crank_that_sees_no_price_or_cannot_pay_is_alive_and_not_ready() {
    let world = World::new();
    stage(&world);
    let payer = operator(&world);
    let (health, monitor, endpoint) = start(Duration::from_secs(60));
    let mut crank = crank(&world.cluster, &payer, options());
    monitor.passed(&crank.pass().unwrap());
    let (status, why) = get(endpoint.address(), "/ready");
    assert!(status == 503 && why.contains("nobody has seen a price of it"), "{status} {why}");
    assert_eq!(["/live", "/health"].map(|path| get(endpoint.address(), path).0), [200, 503]);
    assert!(monitor.text().contains("backstop_crank_stale_feeds 1"));
    publish(&world, PAR);
    monitor.passed(&crank.pass().unwrap());
    assert_eq!(health.complaint(), None);
    assert!(monitor.text().contains(&format!("backstop_crank_feed_age_seconds{{feed=\"{}\"}} 0", "07".repeat(32))));
    let purse = world.cluster.account(&payer.pubkey()).unwrap().unwrap();
    world.cluster.set_account(payer.pubkey(), Account { lamports: 19_999_999, ..purse });
    monitor.passed(&crank.pass().unwrap());
    let (status, why) = get(endpoint.address(), "/ready");
    assert!(status == 503 && why.contains("19999999 lamports left"), "{status} {why}");
}

#[test]
fn a_service_settles_what_falls_due_survives_a_cluster_that_breaks_off_and_stops_when_asked() {
    let world = World::unsigned();
    let (pool, product) = stage(&world);
    let payer = operator(&world);
    let holders = owed(&world, &product, 12, &payer);
    let stop = Arc::new(AtomicBool::new(false));
    let (health, monitor, _endpoint) = start(Duration::from_millis(20));
    // Gone after four transactions.
    let lossy = Lossy::after(4, &world.cluster);
    let mut broken = crank(&lossy, &payer, options());
    broken.stop_on(stop.clone());
    std::thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            stop.store(true, Ordering::Relaxed);
        });
        broken.serve(Duration::from_millis(20), &monitor);
    });
    assert!(health.complaint().is_some_and(|why| why.contains("killed")), "{:?}", health.complaint());
    assert!(monitor.text().contains("passes_total{result=\"failed\"}"));
    // The next one goes on.
    stop.store(false, Ordering::Relaxed);
    let mut next = crank(&world.cluster, &payer, options());
    next.stop_on(stop.clone());
    let start = Instant::now();
    std::thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            stop.store(true, Ordering::Relaxed);
        });
        next.serve(Duration::from_secs(600), &monitor);
    });
    assert!(start.elapsed() < Duration::from_secs(5), "a long interval does not keep it from stopping");
    assert_paid_once(&world, &pool, &product, &holders);
}
