//! lanpush: a push service for one local network. Phones stay connected over XMPP, senders speak HTTP.
//!
//! # Floors
//! A file imports only from its own floor or from one below; `tests/floors.rs` holds us to it.
//!
//! | floor | where | what |
//! |---|---|---|
//! | 3 | `main.rs`, `cli/` | the command line: arguments to a configuration, the exit code |
//! | 2 | [`edge`] | sockets, HTTP, the disk, clock, randomness, signals: performs, decides nothing |
//! | 1 | [`push`] | all connections: accounts, devices, queues, the store's port |
//! | 0 | [`xmpp`], [`limits`], [`time`], [`config`] | one connection: parser, session, features |
//!
//! Floors 0 and 1 have no socket, no clock, no disk and no randomness: these come in as arguments, so whole
//! evenings of protocol are tested in milliseconds of virtual time (`tests/conversations/`).
//!
//! # One thread owns all state
//! The main thread runs everything above on one smol `LocalExecutor`. Helper threads touch no state: smol's
//! reactor, sled's own, one storage thread that writes batches and syncs them, and one that writes automatic
//! exports.
//!
//! # How a stanza flows
//! ```text
//! socket -> edge/connection.rs -> edge/hub.rs --Event::Received--> push/gateway.rs
//!   -> xmpp/session.rs -> xmpp/stream/ (bytes to frames) -> xmpp/router.rs (the table)
//!   -> xmpp/feature/*.rs --xmpp/host.rs--> push/local.rs -> push/{registration,presence,delivery}.rs
//! socket <- edge/hub.rs <--Action::Send-- Gateway::poll_action, drained after every event
//! ```
//! What has to be durable before it is answered goes to the store as a batch of changes; the session stands
//! still until [`push::Event::Stored`] brings the outcome.
//!
//! # How a push flows
//! ```text
//! POST /api/v1/notifications, /notification.do, /, lanpush send
//!   -> edge/http/ -> Event::Ask -> push/accept.rs: resolve the target, enter the ledger, submit
//!   -> edge/storage.rs: one batch, flush, sync_data -> Event::Stored
//!   -> Action::Answer to the sender; Action::Send to every available device, a ping behind it
//! phone answers the ping, or confirms -> push/delivery.rs: settled, never sent again
//! phone away -> stays in its device's queue (push/devices.rs) until its next presence
//! ```
//!
//! # Where do I put it?
//! | a new ... | goes to |
//! |---|---|
//! | IQ namespace or XEP | its own file in `xmpp/feature/`, its rows into `xmpp/router.rs` |
//! | stream negotiation step | `xmpp/session/negotiation.rs`; a way to log in: `xmpp/sasl.rs` |
//! | rule about passwords at rest | `push/credentials.rs`; about guessing them: `push/attempts.rs` |
//! | rule about who may register | `push/invitations.rs` (tokens), `push/registration_rate.rs` (how fast) |
//! | rule about who is meant | `push/targets.rs`, `topics.rs`, `tag_expression.rs`; about who is there: `presence.rs` |
//! | rule about who may see whom | `xmpp/subscription.rs`, `push/subscriptions.rs`; contacts: `roster.rs`, `phone_book.rs`, who is in it: `tags.rs`; who is told: `circle.rs`, `spread.rs` |
//! | rule about messages between users | `push/chat.rs`; copies: `carbons.rs`; who is away: `offline_messages.rs`; who is blocked: `blocking.rs` |
//! | rule about lost connections | `push/management.rs`; going on: `resumption.rs`; what nobody acknowledged: `undelivered.rs`, `parcel.rs`; what can wait: `client_state.rs` |
//! | form a push has on the wire | `xmpp/feature/notification.rs`, `push_message.rs`; which one a session gets: `push/forms.rs`, `abilities.rs` |
//! | text a feature keeps for an account | a [`push::store::Document`] |
//! | way of bytes to the wire | `push/outbound.rs`, where they are counted |
//! | rule about what is accepted | `push/accept.rs`; sent and acknowledged: `delivery.rs`; waited for: `waiting.rs` |
//! | rule about what is given up | `push/bounds.rs`; what time ends or begins: `expiry.rs`, `schedule.rs`; what a newer one replaces: `series.rs` |
//! | doubt about the time | `time/keeper.rs`; where it is asked: `push/clock_hints.rs` |
//! | way to spare the flash | `edge/pending.rs`, `edge/wear.rs`, `edge/compaction.rs` |
//! | thing that must survive a restart | a [`push::store::Change`], its bytes in `push/record.rs` |
//! | failure of the disk that passes | `push/unwritten.rs`; what could not be read: `unread.rs` |
//! | URL | `edge/http/routes.rs`; its page in `page.rs`, its JSON in `api.rs` |
//! | bound or wait | `limits.rs`; if an administrator may set it, a key in `config.rs` |
//! | word on certificates or ciphers | `edge/tls/` |
//! | command | `cli/` |
//! | promise | a text under `tests/conversations/` |

pub mod limits;
pub mod time;

pub mod config;

pub mod xmpp;

pub mod push;

pub mod edge;
