//! The task of one connection. It holds no buffer and no timer, so an idle phone costs little.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;

use smol::Timer;
use smol::future::{or, yield_now};

use super::hub::Hub;
use super::peer::{Opening, Peer, Phase, Wake};
use crate::limits::LINGER;
use crate::push::Event;
use crate::xmpp::error::StreamError;
use crate::xmpp::header;

/// First byte of every TLS handshake (RFC 8446 §5.1).
pub(super) const HANDSHAKE: u8 = 22;

/// Serves a phone until it or the gateway ends the connection, and reports the end.
#[expect(
    clippy::manual_async_fn,
    reason = "an async fn would keep its arguments twice, in every connection"
)]
pub(super) fn run(hub: Rc<Hub>, peer: Rc<Peer>) -> impl Future<Output = ()> {
    async move {
        serve(&hub, &peer).await;
        if peer.phase() == Phase::Closing {
            // Boxed, because it is larger than everything an idle connection needs.
            let parting: Pin<Box<dyn Future<Output = ()>>> = Box::pin(part(&hub, &peer));
            parting.await;
        }
        hub.forget(&peer);
    }
}

async fn serve(hub: &Hub, peer: &Peer) {
    // Clients speak first, and often before they are accepted.
    let mut readable = true;
    while peer.phase() == Phase::Open {
        if readable && !hub.is_waiting(peer.conn) {
            match begin(hub, peer).and_then(|input| input.map_or_else(|| hub.receive(peer), Ok)) {
                Ok(Input::End) => return peer.close(),
                Ok(Input::More) => {
                    yield_now().await;
                    continue;
                }
                Ok(Input::Drained) => readable = false,
                Err(error) => return fail(peer, &error),
            }
        }
        match peer.wait(!readable && !hub.is_waiting(peer.conn)).await {
            Wake::Called => {}
            Wake::Readable => readable = true,
            Wake::Writable => match peer.flush() {
                Ok(true) => hub.handle(Event::Flushed { conn: peer.conn }),
                Ok(false) => {}
                Err(error) => return fail(peer, &error),
            },
            Wake::Stalled => {
                hub.log_slow(peer.conn);
                return peer.lose();
            }
        }
    }
}

/// Looks at the first byte: that of a TLS handshake is none of XML. What there is to do is `None` once the
/// stream can be read.
fn begin(hub: &Hub, peer: &Peer) -> io::Result<Option<Input>> {
    let (opening, first) = match peer.opening() {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Some(Input::Drained)),
        result => result?,
    };
    match (opening, first) {
        (Opening::Over, _) | (_, None) => {}
        (_, Some(HANDSHAKE)) if hub.tls().is_some() => {
            hub.start_tls(peer);
            hub.handle(Event::Secured { conn: peer.conn });
        }
        (Opening::Either, _) => {}
        (Opening::Tls, _) => {
            let domain = &hub.config().server.domain;
            hub.say(peer, &header::refusal(domain, StreamError::PolicyViolation));
            return Ok(Some(Input::End));
        }
    }
    Ok(None)
}

/// What a read has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// There may be more.
    More,
    /// That was all for now.
    Drained,
    /// The phone sends nothing more.
    End,
}

fn fail(peer: &Peer, error: &io::Error) {
    log::debug!("c{}: connection lost: {error}", peer.conn.0);
    peer.lose();
}

/// Lets the last bytes arrive. A phone that gets a reset or a bare end instead of its stream error may
/// never come back, so: all bytes out, an end of ours, and reading on until the phone's end, because
/// closing a socket with unread input resets it.
async fn part(hub: &Hub, peer: &Peer) {
    peer.reset_on_close(false);
    hub.say_goodbye(peer);
    let farewell = async {
        while peer.is_behind() {
            let stalled = peer.wait(false).await == Wake::Stalled;
            if stalled || peer.flush().is_err() || peer.phase() == Phase::Lost {
                return;
            }
        }
        if peer.finish().is_err() {
            return;
        }
        loop {
            match hub.discard(peer) {
                Ok(Input::More) => yield_now().await,
                Ok(Input::Drained) => {
                    peer.wait(true).await;
                }
                Ok(Input::End) | Err(_) => return,
            }
        }
    };
    or(farewell, async {
        Timer::after(LINGER).await;
    })
    .await;
    // Half a stanza and an end would look like a stream that goes on for ever.
    peer.reset_on_close(peer.is_behind());
}
