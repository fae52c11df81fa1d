//! What a phone's socket has not taken yet. It exists only while there is something.

use std::cell::Cell;
use std::io::{self, IoSlice, Write};
use std::rc::Rc;

use heapless::Deque;
use smol::Timer;

use crate::limits::{OUT_BYTES, OUT_CHUNKS, OUT_JOINED, OUT_LARGE, OUT_TOTAL, WRITE_STALL};

/// Bytes all backlogs hold together, bounded by [`OUT_TOTAL`].
#[derive(Clone, Default)]
pub(super) struct Held(Rc<Cell<usize>>);

/// The phone reads too slowly: one more chunk would break a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// Chunks in the order they were sent.
pub(super) struct Backlog {
    chunks: Deque<Vec<u8>, OUT_CHUNKS>,
    /// Bytes of the first chunk that the socket has taken.
    taken: usize,
    /// Bytes of all chunks.
    bytes: usize,
    /// Those of the one chunk that may be larger than the bound on all others.
    large: usize,
    held: Held,
    /// Whether the gateway wants to know when all is out.
    pub(super) tell: bool,
    /// Fires when the socket has taken nothing for [`WRITE_STALL`].
    pub(super) stall: Timer,
}

impl Backlog {
    pub(super) fn new(held: Held) -> Self {
        Self {
            chunks: Deque::new(),
            taken: 0,
            bytes: 0,
            large: 0,
            held,
            tell: false,
            stall: Timer::after(WRITE_STALL),
        }
    }

    /// Appends a chunk. Short ones are put together; one at a time may be as long as [`OUT_LARGE`].
    ///
    /// # Errors
    /// [`Overflow`] if a bound would be broken; the chunk is not kept.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), Overflow> {
        let is_large = chunk.len() > OUT_BYTES;
        let fits = if is_large {
            self.large == 0 && chunk.len() <= OUT_LARGE
        } else {
            self.bytes - self.large + chunk.len() <= OUT_BYTES
        };
        let total = self.held.0.get().saturating_add(chunk.len());
        if !fits || total > OUT_TOTAL {
            return Err(Overflow);
        }
        match self.chunks.back_mut() {
            Some(last) if last.len() + chunk.len() <= OUT_JOINED => last.extend_from_slice(chunk),
            // Nothing is no chunk: a socket that takes it would seem to be closed.
            _ if chunk.is_empty() => {}
            _ => self
                .chunks
                .push_back(chunk.to_vec())
                .map_err(|_| Overflow)?,
        }
        self.bytes += chunk.len();
        if is_large {
            self.large = chunk.len();
        }
        self.held.0.set(total);
        Ok(())
    }

    /// Hands the socket what it takes; true when nothing is left.
    ///
    /// # Errors
    /// The socket's, [`io::ErrorKind::WouldBlock`] among them.
    pub(super) fn write(&mut self, mut socket: impl Write) -> io::Result<bool> {
        while !self.chunks.is_empty() {
            let result = {
                let slices: heapless::Vec<IoSlice<'_>, OUT_CHUNKS> = self.slices().collect();
                socket.write_vectored(&slices)
            };
            let taken = match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(taken) => taken,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.forget(taken);
            self.stall.set_after(WRITE_STALL);
        }
        Ok(true)
    }

    fn slices(&self) -> impl Iterator<Item = IoSlice<'_>> {
        let mut skip = self.taken;
        self.chunks.iter().map(move |chunk| {
            let rest = chunk.get(std::mem::take(&mut skip)..).unwrap_or_default();
            IoSlice::new(rest)
        })
    }

    fn forget(&mut self, taken: usize) {
        self.taken += taken;
        while let Some(first) = self.chunks.front().map(|chunk| chunk.len()) {
            if self.taken < first {
                break;
            }
            self.taken -= first;
            self.release(first);
            self.chunks.pop_front();
        }
    }

    fn release(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
        if bytes > OUT_BYTES {
            self.large = 0;
        }
        self.held.0.set(self.held.0.get().saturating_sub(bytes));
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.release(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a few bytes at a time, then blocks.
    struct Socket {
        seen: Vec<u8>,
        step: usize,
        room: usize,
    }

    impl Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.step).min(self.room);
            if taken == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.seen.extend_from_slice(&bytes[..taken]);
            self.room -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn order_is_kept_whatever_the_socket_takes() {
        let whole = b"one, two, three";
        for step in 1..=whole.len() {
            for room in 0..=whole.len() {
                let held = Held::default();
                let mut backlog = Backlog::new(held.clone());
                for chunk in [&b"one, "[..], b"two, ", b"three"] {
                    backlog.push(chunk).unwrap();
                }
                let mut socket = Socket {
                    seen: Vec::new(),
                    step,
                    room,
                };
                let first = backlog.write(&mut socket).map_err(|error| error.kind());
                if room < whole.len() {
                    assert_eq!(first, Err(io::ErrorKind::WouldBlock));
                    socket.room = whole.len();
                    assert!(backlog.write(&mut socket).unwrap());
                } else {
                    assert_eq!(first, Ok(true));
                }
                assert_eq!(socket.seen, whole, "step {step}, room {room}");
                assert_eq!(held.0.get(), 0);
            }
        }
    }

    #[test]
    fn many_short_chunks_are_few() {
        let held = Held::default();
        let mut backlog = Backlog::new(held.clone());
        let mut whole = Vec::new();
        for number in 0..1000 {
            let chunk = format!("<presence from='{number}'/>");
            backlog.push(chunk.as_bytes()).unwrap();
            whole.extend_from_slice(chunk.as_bytes());
        }
        assert!(backlog.chunks.len() <= whole.len() / (OUT_JOINED / 2) + 1);
        let mut socket = Socket {
            seen: Vec::new(),
            step: 1000,
            room: usize::MAX,
        };
        assert!(backlog.write(&mut socket).unwrap());
        assert_eq!((socket.seen, held.0.get()), (whole, 0));
    }

    #[test]
    fn bounds() {
        let held = Held::default();
        let mut many = Backlog::new(held.clone());
        let too_long_to_join = [0; OUT_JOINED / 2 + 1];
        for _ in 0..OUT_CHUNKS {
            many.push(&too_long_to_join).unwrap();
        }
        many.push(&[]).unwrap();
        assert_eq!(many.push(&too_long_to_join), Err(Overflow), "chunks");

        let mut large = Backlog::new(held.clone());
        large.push(&[0; OUT_BYTES]).unwrap();
        assert_eq!(large.push(b"x"), Err(Overflow), "bytes");

        let mut one_large = Backlog::new(held.clone());
        let roster = vec![0; OUT_BYTES + 1];
        one_large.push(&roster).unwrap();
        assert_eq!(one_large.push(&roster), Err(Overflow), "two large ones");
        one_large.push(&[0; OUT_BYTES]).unwrap();
        assert_eq!(one_large.push(b"x"), Err(Overflow), "bytes behind it");
        one_large.forget(roster.len());
        assert_eq!(
            one_large.push(&vec![0; OUT_LARGE + 1]),
            Err(Overflow),
            "too large"
        );
        one_large.push(&roster).unwrap();
        drop(one_large);

        let mut others = Vec::new();
        let overflow = loop {
            let mut other = Backlog::new(held.clone());
            if let Err(overflow) = other.push(&[0; OUT_BYTES]) {
                break overflow;
            }
            others.push(other);
        };
        assert_eq!(overflow, Overflow, "total");
        assert!(held.0.get() <= OUT_TOTAL && held.0.get() > OUT_TOTAL - OUT_BYTES);
        drop((many, large, others));
        assert_eq!(held.0.get(), 0);
    }
}
