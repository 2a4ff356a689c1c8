//! The ports that people expect: the cluster picks its own, and these pass connections on to them.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Takes a port of this machine, which nobody else can then have.
pub(super) fn take(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

/// Passes every connection on to another port of this machine, for as long as this process lives.
pub(super) fn forward(listener: TcpListener, to: SocketAddr) {
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // A connection that cannot be passed on is dropped, which its client sees.
            let _ = join(connection, to);
        }
    });
}

fn join(client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(to)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy(client.try_clone()?, server.try_clone()?);
    copy(server, client);
    Ok(())
}

/// Copies what one side says to the other, until it has said everything.
fn copy(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let copied = io::copy(&mut from, &mut to);
        // A side that is gone takes the other one with it.
        let how = match copied.map_err(|why| why.kind()) {
            Ok(_) | Err(ErrorKind::UnexpectedEof) => Shutdown::Write,
            Err(_) => Shutdown::Both,
        };
        let _ = to.shutdown(how);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn what_a_client_says_reaches_the_server_and_the_answer_comes_back() {
        let server = take(0).unwrap();
        let front = take(0).unwrap();
        let at = front.local_addr().unwrap();
        forward(front, server.local_addr().unwrap());
        let answering = thread::spawn(move || {
            let (mut connection, _) = server.accept().unwrap();
            let mut heard = String::new();
            connection.read_to_string(&mut heard).unwrap();
            write!(connection, "heard: {heard}").unwrap();
        });
        let mut client = TcpStream::connect(at).unwrap();
        client.write_all(b"hello").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        answering.join().unwrap();
        assert_eq!(answer, "heard: hello");
    }

    #[test]
    fn a_port_cannot_be_taken_twice() {
        let first = take(0).unwrap();
        let second = take(first.local_addr().unwrap().port());
        assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}
