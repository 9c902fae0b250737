//! The few lines of HTTP/1.1 that a benchmark speaks: one request at a time over a connection that is kept alive.
//!
//! Written by hand because client, Daybook, database and exchange share the machine's processors: what the client burns
//! is missing where it is measured. The request is bytes prepared once; of the answer the status line, the length and
//! whether the connection stays are read, and the body is taken in whole. Anything else is an error, not a guess.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Heads longer than this are not read on.
const LONGEST_HEAD: usize = 16 * 1_024;

/// A connection that waits for its next request.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// 200 and so on.
    pub status: u16,
    /// The whole body.
    pub body: &'a [u8],
    /// Whether the connection may be used again.
    pub keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    body_at: usize,
    body_len: usize,
    keep: bool,
}

impl Connection {
    /// Connects; small writes go out at once.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection {
            stream,
            received: Vec::with_capacity(4_096),
        })
    }

    /// Sends a request and waits for the whole answer.
    pub async fn call(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.received.clear();
        self.stream.write_all(request).await?;
        let head = loop {
            self.more().await?;
            if let Some(head) = head(&self.received)? {
                break head;
            }
        };
        let end = head.body_at + head.body_len;
        while self.received.len() < end {
            self.more().await?;
        }
        if self.received.len() > end {
            return Err(malformed("more than one answer to one request"));
        }
        Ok(Answer {
            status: head.status,
            body: &self.received[head.body_at..end],
            keep: head.keep,
        })
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Writes a request into `buffer`, in place of what is there. `headers` are whole lines.
pub fn request(buffer: &mut Vec<u8>, method: &str, path: &str, headers: &str, body: &str) {
    buffer.clear();
    let parts = [method, " ", path, " HTTP/1.1\r\nHost: 127.0.0.1\r\n", headers];
    buffer.extend(parts.iter().flat_map(|part| part.bytes()));
    if !body.is_empty() {
        let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        buffer.extend_from_slice(length.as_bytes());
    }
    buffer.extend_from_slice(b"\r\n");
    buffer.extend_from_slice(body.as_bytes());
}

/// The head of an answer, once all of it is there.
fn head(received: &[u8]) -> io::Result<Option<Head>> {
    let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if received.len() > LONGEST_HEAD {
            Err(malformed("an endless head"))
        } else {
            Ok(None)
        };
    };
    let text = std::str::from_utf8(&received[..end]).map_err(|_| malformed("a head that is no text"))?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(status)
        .ok_or_else(|| malformed("no HTTP/1.1 status line"))?;
    let (mut length, mut keep) = (None, true);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(
                value
                    .trim()
                    .parse()
                    .map_err(|_| malformed("a length that is no number"))?,
            );
        } else if name.eq_ignore_ascii_case("connection") {
            keep = !value.trim().eq_ignore_ascii_case("close");
        }
    }
    let bodiless = status == 204 || status == 304;
    let body_len = if bodiless {
        0
    } else {
        length.ok_or_else(|| malformed("no Content-Length"))?
    };
    Ok(Some(Head {
        status,
        body_at: end + 4,
        body_len,
        keep,
    }))
}

fn status(line: &str) -> Option<u16> {
    line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    //! Answers as servers write them, in pieces too.
    use super::*;
    use tokio::net::TcpListener;

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 2\r\n\r\n{}";

    #[test]
    fn a_head_is_read_only_once_it_is_whole() {
        assert_eq!(head(&OK.as_bytes()[..40]).expect("so far so good"), None);
        let whole = head(OK.as_bytes()).expect("it is right").expect("it is whole");
        assert_eq!((whole.status, whole.body_len, whole.keep), (200, 2, true));
        assert_eq!(&OK[whole.body_at..], "{}");
    }

    #[test]
    fn an_answer_of_unknown_length_is_an_error_and_not_a_guess() {
        for text in [
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "SSH-2.0\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\n\r\n",
        ] {
            assert!(head(text.as_bytes()).is_err(), "{text}");
        }
        let gone = head(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            .expect("it is right")
            .expect("whole");
        assert_eq!((gone.status, gone.body_len, gone.keep), (204, 0, false));
    }

    #[test]
    fn a_request_says_how_long_its_body_is() {
        let mut buffer = b"what was there before".to_vec();
        request(&mut buffer, "POST", "/v2/orders", "A: b\r\n", "{\"é\":1}");
        let text = String::from_utf8(buffer).expect("text");
        assert!(
            text.starts_with("POST /v2/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nA: b\r\n"),
            "{text}"
        );
        assert!(text.ends_with("Content-Length: 8\r\n\r\n{\"é\":1}"), "{text}");
    }

    #[tokio::test]
    async fn a_connection_serves_one_call_after_another() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut asked = [0; 64];
            for _ in 0..2 {
                let _ = stream.read(&mut asked).await?;
                // In two pieces, cut within the head.
                stream.write_all(&OK.as_bytes()[..20]).await?;
                tokio::task::yield_now().await;
                stream.write_all(&OK.as_bytes()[20..]).await?;
            }
            io::Result::Ok(())
        });
        let mut connection = Connection::open(address).await.expect("it listens");
        for _ in 0..2 {
            let answer = connection.call(b"GET / HTTP/1.1\r\n\r\n").await.expect("an answer");
            assert_eq!(
                answer,
                Answer {
                    status: 200,
                    body: b"{}",
                    keep: true
                }
            );
        }
        server.await.expect("no panic").expect("no fault");
    }
}
