//! Bad frames, fragments, garbage, giants: a documented error or close, and the others go on.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::street::{Street, authorization, pair};

#[tokio::test]
async fn a_frame_that_nobody_understands_is_answered_and_changes_nothing() {
    let street = Street::open().await;
    let ada = street.house.customer(100).await;
    let mut socket = street.listener(&ada).await;
    let bad = [
        ("hello", "a frame is a JSON object with an action"),
        ("[]", "a frame is a JSON object with an action"),
        ("{\"action\":\"dance\"}", "unknown action dance"),
        ("{\"action\":\"listen\"}", "listen needs data with a list of streams"),
        (
            "{\"action\":\"listen\",\"data\":{\"streams\":[\"trade_updates\"],\"since_id\":\"999\"}}",
            "since_id names no event of this account",
        ),
    ];
    for (frame, message) in bad {
        for sent in [Message::text(frame), Message::binary(frame.as_bytes().to_vec())] {
            socket.send(sent).await;
            let told = json!({"action": "error", "data": {"error_message": message}});
            assert_eq!(socket.hear().await, told, "{frame}");
        }
    }
    street.order(&ada).await;
    assert_eq!(socket.numbers(1).await, [1]);
}

#[tokio::test]
async fn a_client_that_learns_nothing_is_closed() {
    let street = Street::open().await;
    let ada = street.house.customer(100).await;
    let mut other = street.listener(&ada).await;
    let mut socket = street.socket().await;
    for n in 0..21_u8 {
        socket.send(Message::binary(vec![n, 0xff, 0xfe])).await;
    }
    assert_eq!(
        socket.hear_the_end().await,
        (1008, "too many frames that cannot be read".to_owned())
    );
    street.order(&ada).await;
    assert_eq!(other.numbers(1).await, [1]);
}

#[tokio::test]
async fn fragments_and_binary_frames_hold_json_too() {
    let street = Street::open().await;
    let ada = street.house.customer(100).await;
    let mut socket = street.socket().await;
    let text = pair(&ada).to_string().into_bytes();
    let (first, rest) = text.split_at(20);
    let (second, third) = rest.split_at(5);
    let part = |bytes: &[u8], code, last| Message::Frame(Frame::message(bytes.to_vec(), OpCode::Data(code), last));
    socket.send(part(first, Data::Text, false)).await;
    socket.send(Message::Ping(b"in between".as_slice().into())).await;
    socket.send(part(second, Data::Continue, false)).await;
    socket.send(part(third, Data::Continue, true)).await;
    assert_eq!(socket.next().await, Message::Pong(b"in between".as_slice().into()));
    assert_eq!(socket.hear().await, authorization("authorized", "authenticate"));
    let listen = json!({"action": "listen", "data": {"streams": ["trade_updates"]}});
    socket.send(Message::binary(listen.to_string().into_bytes())).await;
    assert_eq!(socket.hear().await["stream"], "listening");
}

#[tokio::test]
async fn a_message_beyond_the_limit_closes_its_connection_and_no_other() {
    let street = Street::open().await;
    let ada = street.house.customer(100).await;
    let mut other = street.listener(&ada).await;
    let mut socket = street.listener(&ada).await;
    socket.send(Message::text("x".repeat(17 * 1024))).await;
    assert_eq!(socket.hear_the_end().await, (1009, "message too big".to_owned()));
    let mut fragments = street.listener(&ada).await;
    for n in 0..3 {
        let code = if n == 0 { Data::Text } else { Data::Continue };
        let part = Frame::message(vec![b'x'; 8 * 1024], OpCode::Data(code), false);
        fragments.send(Message::Frame(part)).await;
    }
    assert_eq!(fragments.hear_the_end().await, (1009, "message too big".to_owned()));

    // Ten megabytes: the other side may be gone before all of them are sent.
    let mut giant = street.listener(&ada).await;
    let _ = futures::SinkExt::send(&mut giant.0, Message::text("x".repeat(10 * 1024 * 1024))).await;
    while let Some(Ok(message)) = futures::StreamExt::next(&mut giant.0).await {
        assert!(!message.is_text(), "{message:?}");
    }
    street.order(&ada).await;
    assert_eq!(other.numbers(1).await, [1]);
}

/// A text frame as a client sends it, its mask all zeros.
pub fn masked(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    let mut frame = vec![0x81];
    match length {
        0..126 => frame.push(0x80 | length),
        _ => frame.extend([0x80 | 126, 0, length]),
    }
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    frame
}

/// A handshake, then these bytes; all that the other side says until it closes. No ping is answered.
pub async fn raw(street: &Street, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(street.address).await.unwrap();
    let handshake = format!(
        "GET /stream HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        street.address
    );
    stream.write_all(handshake.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn what_breaks_the_protocol_is_closed_with_its_code() {
    let street = Street::open().await;
    // Text that is not UTF-8, masked by zeros; a frame without a mask; an opcode that does not exist.
    let cases: [(&[u8], u16); 3] = [
        (&[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe], 1007),
        (&[0x81, 0x02, b'{', b'}'], 1002),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
    ];
    for (bytes, code) in cases {
        let answer = raw(&street, bytes).await;
        assert_eq!(answer.first(), Some(&0x88), "a close: {answer:?}");
        assert_eq!(answer[2..4], code.to_be_bytes(), "{bytes:?}");
    }
}
