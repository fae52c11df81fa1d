//! HTTP (RFC 9110, RFC 9112): the page, androidpn's URLs, the JSON API. One request per connection.
//!
//! | file | what it knows |
//! |---|---|
//! | `connection` | bytes off and onto the socket, deadlines |
//! | `request`, `chunked`, `response`, `date` | the wire |
//! | `form`, `multipart` | fields of forms and queries |
//! | `access` | who may ask |
//! | `routes` | which page answers, and what an error looks like there |
//! | `console`, `androidpn`, `api` | the pages: of people, of old senders, of programs |
//! | `page`, `send_form`, `history`, `people`, `html` | what people see |
//! | `transfer` | export and import, for the command line only |
//! | `ask`, `error` | what is wanted of the gateway, and why it is not done |

mod access;
mod androidpn;
mod api;
mod ask;
mod chunked;
mod connection;
mod console;
mod date;
mod error;
mod form;
mod history;
mod html;
mod multipart;
mod page;
mod people;
mod request;
mod response;
mod routes;
mod send_form;
mod transfer;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::IpAddr;
use std::rc::Rc;

use smol::io::{AsyncRead, AsyncWrite};

use super::export::{ExportError, Page};
use crate::config::Config;
use crate::push::notification::NotificationId;
use crate::push::store::StoreError;
use crate::push::views::{NotificationView, SessionView, Status, TokenView, UserDetails, UserView};
use crate::push::{self, Answer, TopicOf};
use crate::time::{Now, Wall};
use connection::{Connection, Waits};
use error::HttpError;
use request::{Head, Request};
use response::Response;
use routes::Shape;

/// Who is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A machine on the network.
    Address(IpAddr),
    /// The command line of the same machine, through a socket file that only its user can open.
    AdminSocket,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{}", address.to_canonical()),
            Self::AdminSocket => f.write_str("admin socket"),
        }
    }
}

/// What the HTTP side may ask of the server.
pub trait Desk {
    /// Puts a request to the gateway; ready when the answer is. The future may be dropped before, when the
    /// answer takes longer than [`crate::limits::HTTP_ASK_WAIT`].
    fn ask(&self, request: push::Request) -> impl Future<Output = Answer>;

    /// The configuration in force.
    fn config(&self) -> Rc<Config>;

    /// Both clocks.
    fn now(&self) -> Now;

    /// An administrator says that it is `millis` since 1970.
    fn hint_time(&self, millis: u64);

    /// Figures of the whole gateway.
    fn status(&self) -> Status;

    /// As [`push::Gateway::users`].
    ///
    /// # Errors
    /// The store cannot be read.
    fn users(
        &self,
        online: Option<bool>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<UserView>, StoreError>;

    /// As [`push::Gateway::user`].
    ///
    /// # Errors
    /// The store cannot be read.
    fn user(&self, name: &str) -> Result<Option<UserDetails>, StoreError>;

    /// As [`push::Gateway::sessions`].
    fn sessions(&self, limit: usize) -> Vec<SessionView>;

    /// As [`push::Gateway::notifications`].
    ///
    /// # Errors
    /// The store cannot be read.
    fn notifications(
        &self,
        limit: usize,
        devices: usize,
    ) -> Result<Vec<NotificationView>, StoreError>;

    /// The piece of an export that begins with the row `from`.
    ///
    /// # Errors
    /// The store cannot be read.
    fn export(&self, from: &[u8]) -> Result<Page, ExportError>;

    /// As [`push::Gateway::notification`].
    ///
    /// # Errors
    /// The store cannot be read.
    fn notification(
        &self,
        id: NotificationId,
        skip: usize,
        devices: usize,
    ) -> Result<Option<NotificationView>, StoreError>;

    /// As [`push::Gateway::topics_of`].
    fn topics(&self, user: &str) -> Option<Vec<TopicOf>>;

    /// As [`push::Gateway::tokens`].
    fn tokens(&self) -> Vec<TokenView>;

    /// A place for a request that waits for a notification, given back when dropped; `None` when
    /// [`crate::limits::HTTP_WAITS`] are taken.
    fn seat_to_wait(&self) -> Option<impl Sized>;
}

/// Answers the one request of a connection, and closes it.
pub async fn serve<S, D>(stream: S, peer: Peer, desk: &D)
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Desk,
{
    serve_within(stream, peer, desk, &Waits::default()).await;
}

/// What a newcomer is told, without being read, when [`crate::limits::HTTP_CONNECTIONS`] are open.
#[must_use]
pub fn too_busy(now: Wall) -> Vec<u8> {
    let message = "too many requests at once; try again in a few seconds";
    let error = HttpError::new(503, "busy", message);
    Shape::Page.of_error(&error).encode(false, now)
}

async fn serve_within<S, D>(stream: S, peer: Peer, desk: &D, waits: &Waits)
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Desk,
{
    let mut connection = Connection::new(stream, waits);
    let (head, response) = match connection.read_head().await {
        // A handshake may have failed, and its alert has to arrive.
        Ok(None) => return connection.finish().await,
        Ok(Some(head)) => {
            let response = answer(&mut connection, &head, peer, desk, waits).await;
            (Some(head), response)
        }
        Err(error) => (None, Shape::Page.of_error(&error)),
    };
    log_answer(peer, head.as_ref(), response.status());
    let head_only = head.is_some_and(|head| head.method == tiny_http::Method::Head);
    let bytes = response.encode(head_only, desk.now().wall);
    if connection.write(&bytes).await.is_ok() {
        connection.finish().await;
    }
}

async fn answer<S, D>(
    connection: &mut Connection<'_, S>,
    head: &Head,
    peer: Peer,
    desk: &D,
    waits: &Waits,
) -> Response
where
    S: AsyncRead + AsyncWrite + Unpin,
    D: Desk,
{
    let shape = Shape::of(&head.path);
    if let Err(error) = access::check(head, peer, &desk.config(), routes::changes(head)) {
        return shape.of_error(&error);
    }
    match connection.read_body(head).await {
        Ok(body) => {
            let head = head.clone();
            let request = Request { head, body };
            match peer {
                Peer::AdminSocket if transfer::is_meant(&request.head) => {
                    transfer::answer(desk, &request, waits.ask).await
                }
                _ => routes::answer(desk, &request, waits.ask).await,
            }
        }
        Err(error) => shape.of_error(&error),
    }
}

/// One line per request, without its query: messages stand there.
fn log_answer(peer: Peer, head: Option<&Head>, status: u16) {
    let level = match status {
        500.. => log::Level::Warn,
        400.. => log::Level::Info,
        _ => log::Level::Debug,
    };
    match head {
        Some(head) => log::log!(
            level,
            "http {peer}: {} {:?}: {status}",
            head.method,
            head.path
        ),
        None => log::log!(level, "http {peer}: no request: {status}"),
    }
}
