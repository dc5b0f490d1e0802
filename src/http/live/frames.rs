//! The frames of a WebSocket, made harmless before the WebSocket library reads them.
//!
//! tungstenite reserves a frame's length as soon as the head of the frame announces it: 14 bytes
//! from a client would cost the server megabytes. So a long frame is handed on as several short
//! ones (RFC 6455, section 5.4), each of at most [`PIECE_BYTES`]. The limit of a message and the
//! memory budget apply to what the client sends, here.
//!
//! **Invariant:** the library reads nothing beyond the end of a message before that message has
//! been handled.

use std::fmt;
use std::io::{self, Cursor};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut as _, BytesMut};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::http::memory_budget::{Charge, Overdrawn};

/// The longest frame that the library sees. A multiple of 4, so that the masking key fits each
/// piece of a frame.
pub(super) const PIECE_BYTES: usize = 2048;
/// Bytes that are read from the connection at once.
const READ_BYTES: usize = 2048;
/// A message before `connection_init`, which has a token at most.
pub(super) const MAX_INIT_BYTES: usize = 4096;
/// A control frame (RFC 6455, section 5.5).
const MAX_CONTROL_BYTES: u64 = 125;
/// The library gathers a message in a buffer of up to twice its length.
const BUFFER_FACTOR: usize = 2;

/// The reason why a client's frames are not read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefusedFrame {
    /// It is no frame that RFC 6455 allows here.
    Malformed,
    /// The message is larger than it may be.
    TooLarge,
    /// The message is larger than it may be before `connection_init`.
    TooLargeBeforeInit,
    /// The memory budget has no room for more of the message.
    Overdrawn,
}

impl fmt::Display for RefusedFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for RefusedFrame {}

impl From<RefusedFrame> for io::Error {
    fn from(refused: RefusedFrame) -> Self {
        Self::other(refused)
    }
}

impl From<Overdrawn> for RefusedFrame {
    fn from(_: Overdrawn) -> Self {
        Self::Overdrawn
    }
}

/// A connection whose client sends WebSocket frames.
pub(super) struct Frames<S> {
    connection: BufReader<S>,
    /// After `connection_init`.
    max_message_bytes: Option<usize>,
    /// Bytes of the next frame's head that have arrived.
    head: Vec<u8>,
    /// The head of the next piece, which the library has still to read.
    piece_head: BytesMut,
    piece: Piece,
    /// The frame that the piece is of, and its bytes after the piece.
    frame: Option<(FrameHeader, u64)>,
    message: Message,
}

/// The frame that the library reads at present.
struct Piece {
    /// Bytes of it that are still to come.
    rest: usize,
    kind: PieceKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PieceKind {
    Control,
    Data,
    /// The last one of a message.
    LastData,
}

/// The message that is being received.
struct Message {
    /// The lengths of its frames so far.
    announced: u64,
    /// Bytes of it that have arrived.
    arrived: usize,
    charge: Charge,
}

impl<S: AsyncRead> Frames<S> {
    /// The frames on `connection`, whose messages are charged to `charge` beyond the first
    /// [`MAX_INIT_BYTES`].
    pub(super) fn new(connection: S, charge: Charge) -> Self {
        Self {
            connection: BufReader::with_capacity(READ_BYTES, connection),
            max_message_bytes: None,
            head: Vec::new(),
            piece_head: BytesMut::new(),
            piece: Piece { rest: 0, kind: PieceKind::Control },
            frame: None,
            message: Message { announced: 0, arrived: 0, charge },
        }
    }

    /// Allows messages of so many bytes from now on, as after `connection_init`, and charges them
    /// to `charge`.
    pub(super) fn allow(&mut self, max_message_bytes: usize, charge: Charge) {
        self.max_message_bytes = Some(max_message_bytes);
        self.message.charge = charge;
    }

    /// Gives back the charge of the messages that have been handled.
    pub(super) fn settle(&mut self) {
        // A control frame may come in the middle of a message.
        if self.message.arrived == 0 {
            self.message.charge.release();
        }
    }
}

impl<S: AsyncRead + Unpin> Frames<S> {
    /// Reads and drops everything until the client hangs up.
    pub(super) async fn discard(&mut self) {
        while let Ok(bytes @ [_, ..]) = self.connection.fill_buf().await {
            let length = bytes.len();
            self.connection.consume(length);
        }
    }

    /// Makes the head of the next piece ready; returns false at the end of the connection.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let (header, rest) = match self.frame.take() {
            Some(frame) => frame,
            None => match ready!(self.poll_frame(context))? {
                Some(frame) => frame,
                None => return Poll::Ready(Ok(false)),
            },
        };
        let length = rest.min(PIECE_BYTES as u64);
        let after = rest - length;
        let kind = match header.opcode {
            OpCode::Control(_) => PieceKind::Control,
            OpCode::Data(_) if header.is_final && after == 0 => PieceKind::LastData,
            OpCode::Data(_) => PieceKind::Data,
        };
        let is_final = kind != PieceKind::Data;
        let head = FrameHeader { is_final, ..header };
        let mut bytes = BytesMut::with_capacity(head.len(length)).writer();
        head.format(length, &mut bytes).map_err(io::Error::other)?;
        self.piece_head = bytes.into_inner();
        // At most PIECE_BYTES.
        self.piece = Piece { rest: usize::try_from(length).unwrap_or_default(), kind };
        if after > 0 {
            self.frame = Some((FrameHeader { opcode: OpCode::Data(Data::Continue), ..header }, after));
        }
        self.finish_piece();
        Poll::Ready(Ok(true))
    }

    /// Forgets the message when its last byte has been read.
    fn finish_piece(&mut self) {
        if self.piece.rest == 0 && self.piece.kind == PieceKind::LastData {
            (self.message.announced, self.message.arrived) = (0, 0);
        }
    }

    /// Reads bytes of the piece, and charges them.
    fn poll_payload(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let bytes = ready!(Pin::new(&mut self.connection).poll_fill_buf(context))?;
        let length = bytes.len().min(self.piece.rest).min(buffer.remaining());
        buffer.put_slice(bytes.get(..length).unwrap_or_default());
        self.connection.consume(length);
        self.piece.rest -= length;
        if self.piece.kind != PieceKind::Control {
            let Message { arrived, charge, .. } = &mut self.message;
            *arrived = arrived.saturating_add(length);
            let grown = charge.grow(arrived.saturating_mul(BUFFER_FACTOR), BUFFER_FACTOR * MAX_INIT_BYTES);
            grown.map_err(RefusedFrame::from)?;
        }
        self.finish_piece();
        Poll::Ready(Ok(()))
    }

    /// Reads the head of the client's next frame.
    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<(FrameHeader, u64)>>> {
        loop {
            let bytes = ready!(Pin::new(&mut self.connection).poll_fill_buf(context))?;
            let Some(byte) = bytes.first().copied() else { return Poll::Ready(Ok(None)) };
            self.connection.consume(1);
            self.head.push(byte);
            let parsed = FrameHeader::parse(&mut Cursor::new(&self.head)).map_err(|_| RefusedFrame::Malformed)?;
            if let Some((header, length)) = parsed {
                self.head.clear();
                self.check(&header, length)?;
                return Poll::Ready(Ok(Some((header, length))));
            }
        }
    }

    /// No extension is negotiated, and clients mask their frames (RFC 6455, sections 5.1 and 5.2).
    fn check(&mut self, header: &FrameHeader, length: u64) -> Result<(), RefusedFrame> {
        if header.mask.is_none() || header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(RefusedFrame::Malformed);
        }
        if let OpCode::Control(_) = header.opcode {
            let is_allowed = header.is_final && length <= MAX_CONTROL_BYTES;
            return if is_allowed { Ok(()) } else { Err(RefusedFrame::Malformed) };
        }
        self.message.announced = self.message.announced.saturating_add(length);
        match self.max_message_bytes {
            Some(limit) if self.message.announced > limit as u64 => Err(RefusedFrame::TooLarge),
            None if self.message.announced > MAX_INIT_BYTES as u64 => Err(RefusedFrame::TooLargeBeforeInit),
            _ => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Frames<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let frames = self.get_mut();
        if frames.piece_head.is_empty() {
            if frames.piece.rest > 0 {
                return frames.poll_payload(context, buffer);
            }
            if !ready!(frames.poll_piece(context))? {
                return Poll::Ready(Ok(()));
            }
        }
        let length = frames.piece_head.len().min(buffer.remaining());
        buffer.put_slice(&frames.piece_head.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.get_mut().connection.get_mut()).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().connection.get_mut()).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().connection.get_mut()).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests;
