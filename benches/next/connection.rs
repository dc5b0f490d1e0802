//! A keep-alive HTTP/1.1 connection with one request in flight: as little of HTTP as a fair client needs.
//!
//! The client runs on the cores it measures, so it builds no header maps: it looks for the status, the
//! `Content-Length` and the end of the head.

use std::{future::poll_fn, net::SocketAddr, pin::Pin, str};

use anyhow::{Context, bail, ensure};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    /// Some servers close after each answer.
    closed: bool,
    /// Holds at most one answer: with one request in flight nothing can follow it.
    answer: Vec<u8>,
}

pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = connect(address).await?;
        Ok(Self { address, stream, closed: false, answer: vec![0; 64 * 1024] })
    }

    /// Sends one request and waits for the whole answer; connects anew when the server closed after the last one.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        if self.closed {
            self.stream = connect(self.address).await?;
            self.closed = false;
        }
        self.write(request).await?;
        let mut filled = 0;
        let head = loop {
            filled += self.read(filled).await?;
            let received = self.answer.get(..filled).unwrap_or_default();
            if let Some(head) = Head::read(received)? {
                break head;
            }
        };
        let end = head.bytes + head.content_length;
        while filled < end {
            filled += self.read(filled).await?;
        }
        ensure!(filled == end, "the answer goes on after its Content-Length");
        self.closed = head.closes;
        let body = self.answer.get(head.bytes..end).context("the answer has a body")?;
        Ok(Answer { status: head.status, body })
    }

    async fn write(&mut self, mut request: &[u8]) -> anyhow::Result<()> {
        while !request.is_empty() {
            let written = poll_fn(|context| Pin::new(&mut self.stream).poll_write(context, request)).await?;
            request = request.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Polls instead of `try_read`: a short read tells tokio that the socket is empty, which saves a system call.
    async fn read(&mut self, filled: usize) -> anyhow::Result<usize> {
        let free = self.answer.get_mut(filled..).unwrap_or_default();
        ensure!(!free.is_empty(), "the answer is longer than {filled} bytes");
        let mut buffer = ReadBuf::new(free);
        poll_fn(|context| Pin::new(&mut self.stream).poll_read(context, &mut buffer)).await?;
        match buffer.filled().len() {
            0 => bail!("the server closed the connection within an answer"),
            read => Ok(read),
        }
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

struct Head {
    status: u16,
    closes: bool,
    content_length: usize,
    bytes: usize,
}

impl Head {
    /// `None` until the head is complete.
    fn read(received: &[u8]) -> anyhow::Result<Option<Self>> {
        let mut bytes = 0;
        let mut content_length = None;
        let mut closes = received.starts_with(b"HTTP/1.0");
        for line in received.split_inclusive(|&byte| byte == b'\n') {
            bytes += line.len();
            if line == b"\r\n" {
                let status = received.get(9..12).and_then(digits);
                let (Some(status), Some(content_length)) = (status, content_length) else {
                    bail!("an answer this client cannot read:\n{}", String::from_utf8_lossy(received));
                };
                return Ok(Some(Self { status: u16::try_from(status)?, closes, content_length, bytes }));
            }
            if let Some(value) = value_of(line, b"content-length:") {
                content_length = digits(value);
            } else if let Some(value) = value_of(line, b"connection:") {
                closes = value.trim_ascii().eq_ignore_ascii_case(b"close");
            }
        }
        Ok(None)
    }
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(value)
}

fn digits(text: &[u8]) -> Option<usize> {
    str::from_utf8(text.trim_ascii()).ok()?.parse().ok()
}
