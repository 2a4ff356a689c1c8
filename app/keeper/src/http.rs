//! A small HTTP server for what anybody may read: health, metrics, signatures.
//!
//! It answers GET, reads no body, and gives every connection one answer, little time and little room: whoever sends
//! slowly, much, or many at once keeps nobody else from being answered for long, and costs no memory.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the server looks for connections, and whether it should end.
const LOOK: Duration = Duration::from_millis(20);
/// How long a connection may take for its question, and for each part of the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of a question: its first line and its headers.
const MOST_HEAD: usize = 8_192;
/// Most connections at once. Those beyond are closed.
const MOST_CONNECTIONS: usize = 64;
/// Bytes of what was not asked for that are read and dropped, so that the answer arrives before the connection ends.
const DRAINED: usize = 16_384;

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The type of the content.
    pub kind: &'static str,
    /// The content.
    pub body: Vec<u8>,
}

impl Answer {
    /// Text for people.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", body: body.into().into_bytes() }
    }

    /// A verdict of health: well, or why not.
    pub fn verdict(complaint: Option<String>) -> Self {
        match complaint {
            None => Self::text(200, "ok\n"),
            Some(why) => Self::text(503, format!("{why}\n")),
        }
    }
}

/// What is asked: the path, and after its question mark the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// The path.
    pub path: &'a str,
    /// The query, empty if there is none.
    pub query: &'a str,
}

impl<'a> Question<'a> {
    /// A part of the query by its name, as it was sent.
    pub fn part(&self, name: &str) -> Option<&'a str> {
        let parts = self.query.split('&').filter_map(|part| part.split_once('='));
        parts.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// A server in threads of its own. It ends with this value.
pub struct Server {
    address: SocketAddr,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens. A port of 0 takes a free one.
    ///
    /// Errors: the address cannot be listened on.
    pub fn start(
        address: SocketAddr,
        answer: impl Fn(&Question) -> Answer + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let failed = |why: io::Error| format!("cannot listen on {address}: {why}");
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let end = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let end = end.clone();
            move || accept(&listener, &end, &Arc::new(answer))
        });
        Ok(Self { address, end, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic of the server is no reason for another.
            let _ = thread.join();
        }
    }
}

fn accept(
    listener: &TcpListener,
    end: &AtomicBool,
    answer: &Arc<impl Fn(&Question) -> Answer + Send + Sync + 'static>,
) {
    let open = Arc::new(AtomicUsize::new(0));
    while !end.load(Ordering::Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            std::thread::sleep(LOOK);
            continue;
        };
        let place = Place::take(&open);
        if open.load(Ordering::Relaxed) > MOST_CONNECTIONS {
            continue;
        }
        let answer = answer.clone();
        // Without a thread the connection is closed; another may come when there is one.
        let _ = std::thread::Builder::new().spawn(move || {
            let _place = place;
            // Whoever asked may be gone.
            let _ = serve(stream, answer.as_ref());
        });
    }
}

/// One of the connections that are open.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn serve(mut stream: TcpStream, answer: &impl Fn(&Question) -> Answer) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let given = match read_head(&mut stream)? {
        Head::Whole(head) => reply(&head, answer),
        Head::TooLong => Answer::text(431, "the question is too long\n"),
        Head::TooSlow => Answer::text(408, "the question takes too long\n"),
        Head::Gone => return Ok(()),
    };
    let Answer { status, kind, body } = given;
    let allow = if status == 405 { "Allow: GET\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}Cache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        reason(status),
        body.len(),
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    stream.shutdown(Shutdown::Write)?;
    // A connection that is closed with something unread takes the answer with it.
    stream.set_read_timeout(Some(LOOK))?;
    let mut rest = [0; 1_024];
    for _ in 0..DRAINED / rest.len() {
        if !matches!(stream.read(&mut rest), Ok(1..)) {
            break;
        }
    }
    Ok(())
}

enum Head {
    Whole(Vec<u8>),
    TooLong,
    TooSlow,
    Gone,
}

/// Reads up to the empty line after the headers.
fn read_head(stream: &mut TcpStream) -> io::Result<Head> {
    let begun = Instant::now();
    let (mut head, mut piece) = (Vec::new(), [0; 1_024]);
    loop {
        let Some(left) = PATIENCE.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else {
            return Ok(Head::TooSlow);
        };
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(Head::Gone),
            Ok(length) => head.extend_from_slice(&piece[..length]),
            Err(why) if matches!(why.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Ok(Head::TooSlow);
            }
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
        let end = head.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        match end {
            Some(end) if end <= MOST_HEAD => {
                head.truncate(end);
                return Ok(Head::Whole(head));
            }
            None if head.len() <= MOST_HEAD => {}
            _ => return Ok(Head::TooLong),
        }
    }
}

fn reply(head: &[u8], answer: &impl Fn(&Question) -> Answer) -> Answer {
    let wrong = || Answer::text(400, "this is no question that is answered here\n");
    let Ok(head) = std::str::from_utf8(head) else { return wrong() };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return wrong();
    };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return wrong();
    }
    if method != "GET" {
        return Answer::text(405, "here one only reads: GET\n");
    }
    let has_body = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let empty = name.eq_ignore_ascii_case("content-length") && value.trim() == "0";
        let tells = ["content-length", "transfer-encoding"].iter().any(|known| name.eq_ignore_ascii_case(known));
        tells && !empty
    };
    if lines.any(has_body) {
        return Answer::text(413, "a question has no body here\n");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    answer(&Question { path, query })
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        let answer = |question: &Question| match question.path {
            "/long" => Answer::text(200, "~".repeat(1 << 20)),
            path => Answer::text(200, format!("{path} since {:?}", question.part("since"))),
        };
        Server::start("127.0.0.1:0".parse().expect("an address"), answer).expect("a port is free")
    }

    fn ask(server: &Server, question: &[u8]) -> String {
        let mut stream = TcpStream::connect(server.address()).expect("it listens");
        stream.write_all(question).expect("it is sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it is answered");
        String::from_utf8(answer).expect("it is text")
    }

    #[test]
    fn what_is_asked_for_is_answered_once() {
        let server = server();
        let answer = ask(&server, b"GET /signed?since=5&since=6 HTTP/1.1\r\nHost: here\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("/signed since Some(\"5\")"), "{answer}");
        assert!(ask(&server, b"GET / HTTP/1.0\r\n\r\n").ends_with("/ since None"));
        assert_eq!(ask(&server, b"GET /long HTTP/1.1\r\n\r\n").matches('~').count(), 1 << 20);
    }

    #[test]
    fn nothing_but_reading_is_answered() {
        let server = server();
        let status = |question: &[u8]| ask(&server, question)[9..12].to_owned();
        for method in ["POST", "HEAD", "PUT", "OPTIONS", "get"] {
            assert_eq!(status(format!("{method} / HTTP/1.1\r\n\r\n").as_bytes()), "405", "{method}");
        }
        assert_eq!(status(b"GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), "200");
        for body in ["Content-Length: 5\r\n\r\nhello", "Content-Length: 99999999999999999999\r\n\r\n"] {
            assert_eq!(status(format!("GET / HTTP/1.1\r\n{body}").as_bytes()), "413", "{body}");
        }
        assert_eq!(status(b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"), "413");
        for wrong in ["GET\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET http://elsewhere/ HTTP/1.1\r\n\r\n", "\r\n\r\n"] {
            assert_eq!(status(wrong.as_bytes()), "400", "{wrong}");
        }
        assert_eq!(status(b"GET /\xff HTTP/1.1\r\n\r\n"), "400");
        let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(MOST_HEAD));
        assert_eq!(status(long.as_bytes()), "431");
    }

    #[test]
    fn whoever_is_slow_keeps_nobody_waiting_and_is_sent_away() {
        let server = server();
        let mut slow: Vec<TcpStream> =
            (0..20).map(|_| TcpStream::connect(server.address()).expect("it listens")).collect();
        for stream in &mut slow {
            stream.write_all(b"GET / HTTP/1.1\r\nA: ").expect("it is sent");
        }
        let begun = Instant::now();
        assert!(ask(&server, b"GET / HTTP/1.1\r\n\r\n").contains("200"));
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        let mut answer = String::new();
        slow[0].read_to_string(&mut answer).expect("it is answered");
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}
