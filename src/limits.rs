//! Every bound of the server: what it costs, and what happens when it is reached.
//!
//! A buffer, queue, table or wait that is not named here is a bug. Those an administrator may want to
//! change are only defaults here, and keys in `config.rs`.

mod clock;
mod contacts;
mod login;
mod management;
mod registration;
mod requests;

use std::time::Duration;

pub use clock::*;
pub use contacts::*;
pub use login::*;
pub use management::*;
pub use registration::*;
pub use requests::*;

// ---- one XMPP stream -------------------------------------------------------------------------

/// Bytes of one stanza before login; over it: stream error `policy-violation`. Worst case per connection.
pub const STANZA_BYTES_BEFORE_LOGIN: usize = 10 * 1024;
/// Bytes of one stanza after login; over it: stream error `policy-violation`.
pub const STANZA_BYTES: usize = 64 * 1024;
/// Elements inside each other, the stanza itself included; over it: `policy-violation`. Trees are dropped
/// and written recursively, so this also bounds the stack.
pub const STANZA_DEPTH: usize = 16;
/// Attributes of one element, namespace declarations included; over it: `policy-violation`.
pub const STANZA_ATTRIBUTES: usize = 32;
/// Elements and text runs of one stanza, about 112 bytes each; over it: `policy-violation`.
pub const STANZA_NODES: usize = 512;
/// Bytes of one XML name or attribute value; over it: `policy-violation`.
pub const XML_TOKEN: usize = 4096;
/// Bytes of a namespace name; over it: `policy-violation`. A tree repeats it in each element and attribute.
pub const NAMESPACE: usize = 255;
/// Bytes of an error reply with what was sent; one that would be longer goes without it (RFC 6120 §8.3.1
/// makes the echo optional). Writing can make a hostile stanza three times longer.
pub const ECHO_BYTES: usize = 16 * 1024;
/// Bytes of a local part, a domain and a resource (RFC 7622 allows 1023); over it: `jid-malformed`.
pub const JID_PART: usize = 255;
/// Bytes of a password; over it: `not-acceptable`.
pub const PASSWORD: usize = 255;
/// Bytes of the name and of the e-mail address a registration may carry; over it: `not-acceptable`.
pub const REGISTERED_FIELD: usize = 255;
/// Bytes of an alias or of one tag; over it: `not-acceptable`.
pub const LABEL: usize = 64;
/// Tags of one user; over it: `not-acceptable`. Shared ones that the phone does not name count before those it
/// names, whose last ones are left out.
pub const TAGS: usize = 32;
/// Tags and signs in one boolean tag expression, which also bounds its depth; over it: HTTP 400.
pub const TAG_TERMS: usize = 64;
/// Bytes of each part of what a client announces of its capabilities; over it they are not asked for.
pub const CAPS_PART: usize = 256;

// ---- time on a stream ------------------------------------------------------------------------

/// From connect to login; after it: stream error `connection-timeout`. Slow senders of a header end here.
pub const LOGIN_WAIT: Duration = Duration::from_secs(60);
/// Silence after which a logged-in phone is pinged (default of `xmpp.idle`). The stock client sends a
/// space every 30 to 60 s, forks every 10 s.
pub const IDLE: Duration = Duration::from_secs(120);
/// From a phone's first presence to the first push (default of `xmpp.settle`): androidpn's client announces
/// itself before it listens, and what it reads in between is lost although it answers the ping behind it.
pub const SETTLE: Duration = Duration::from_secs(2);
/// What a pinged phone has to say anything at all; after it: stream error `connection-timeout`.
pub const PING_WAIT: Duration = Duration::from_secs(30);
/// What a chat app has to say what it can do; after it, it gets its pushes as messages.
pub const CAPS_WAIT: Duration = Duration::from_secs(5);
/// Tick of the timer wheel: no deadline of a stream is finer than this.
pub const TICK: Duration = Duration::from_secs(5);
/// How long a closed connection may take to read our stream error before the socket goes away.
pub const LINGER: Duration = Duration::from_secs(2);
/// How long a phone may leave a full socket unread; after it the connection is dropped.
pub const WRITE_STALL: Duration = Duration::from_secs(30);

// ---- memory ----------------------------------------------------------------------------------

/// Bytes the machine has left for us at the start, swap included; with less the start is refused, because the
/// kernel would end the server in the middle of something.
pub const MEMORY_NEEDED: u64 = 4_000_000;
/// Bytes that 50 phones with TLS and the kernel's part in them take; with less left at the start the log has a
/// warning.
pub const MEMORY_WANTED: u64 = 12_000_000;

// ---- connections -----------------------------------------------------------------------------

/// XMPP connections at once (default of `limits.connections`), about 1.5 KB each, 5 KB more with TLS; over it
/// a newcomer gets stream error `resource-constraint`, or an alert. Lowered at start to what the file
/// descriptor limit allows.
pub const CONNECTIONS: usize = 4096;
/// File descriptors kept free of phones and HTTP: listeners, store, log, the command line
/// ([`ADMIN_CONNECTIONS`]), one spare to say no with.
pub const SPARE_DESCRIPTORS: usize = 32;
/// The shared buffer every connection reads through; one for the whole process.
pub const READ_BUFFER: usize = 16 * 1024;
/// Bytes a TLS handshake may have from the phone; over it: an alert and the end. Worst case per connection
/// before its login. A hello with post-quantum keys has about 2 KB.
pub const TLS_HANDSHAKE: usize = 16 * 1024;
/// Bytes of one TLS record (RFC 5246 §6.2.3); over it: an alert and the end. One that has not come whole is kept,
/// so this is the worst case per connection with TLS.
pub const TLS_RECORD: usize = 5 + 16 * 1024 + 2048;
/// Bytes of a certificate's file and of its key's; over it: exit code 2.
pub const PEM_BYTES: u64 = 64 * 1024;
/// Connections taken from the backlog before others get a turn.
pub const ACCEPT_BATCH: usize = 16;
/// The kernel's queue of connections not yet accepted; a reconnect storm fits in.
pub const ACCEPT_BACKLOG: i32 = 1024;
/// Pause after accept() failed for want of descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Chunks waiting for a phone that does not read; over it the phone is dropped, its pushes stay queued.
pub const OUT_CHUNKS: usize = 64;
/// Chunks up to so many bytes are put together into one: a hundred presences are not a hundred chunks.
pub const OUT_JOINED: usize = 2 * 1024;
/// Bytes waiting for a phone that does not read; over it the phone is dropped.
pub const OUT_BYTES: usize = 128 * 1024;
/// Bytes of the one chunk that may wait beside the others, which only a roster is: [`ROSTER_BYTES`], and what
/// writing some of its characters as entities adds. Over it the phone is dropped.
pub const OUT_LARGE: usize = 4 * 1024 * 1024;
/// Bytes waiting for all phones that do not read; over it the phone that wants more is dropped.
pub const OUT_TOTAL: usize = 8 * 1024 * 1024;
/// Capacity the buffer between gateway and sockets keeps when nothing is under way.
pub const SCRATCH: usize = 16 * 1024;
/// Newcomers over the limit that are being told so at once, each for up to [`LINGER`]; more are reset.
pub const REFUSALS: usize = 8;
/// Command-line clients served at once; more are let go without an answer.
pub const ADMIN_CONNECTIONS: usize = 16;
/// Shortest time between two log lines of a kind that peers can provoke.
pub const LOG_PAUSE: Duration = Duration::from_secs(60);
/// Pushes handed to one phone before its socket must have taken them.
pub const PUMP_PUSHES: usize = 32;
/// Bytes after which a phone is handed no further push before its socket has taken them. What one push adds
/// to it, every character of it escaped, fits [`OUT_BYTES`] as well, so catching up never overflows.
pub const PUMP_BYTES: usize = 16 * 1024;
/// Actions performed before other tasks get a turn: keeps a broadcast from holding up logins.
pub const ACTIONS_PER_TURN: usize = 64;
/// Bytes sent before other tasks get a turn: keeps a phone that catches up from holding up the others.
pub const BYTES_PER_TURN: usize = 64 * 1024;

// ---- users, devices, queues ------------------------------------------------------------------

/// Accounts, about 250 bytes of memory and 200 on disk each; over it registration is refused with
/// `resource-constraint`.
pub const ACCOUNTS: usize = 50_000;
/// Devices remembered per account while away; the one away longest is forgotten, what it had queued is
/// recorded as dropped. Connected devices are never forgotten.
pub const DEVICES_AWAY: usize = 16;
/// Notifications one device may have waiting (default of `push.queue`), 16 bytes each; over it the oldest of
/// the lowest priority is recorded as dropped.
pub const QUEUE: usize = 1000;
/// Notifications kept with their receipts (default of `push.history`), about 200 bytes of memory and 24 for
/// each device; over it the oldest settled one is forgotten, and if none is settled the oldest of the lowest
/// priority, its waiting deliveries counted as dropped.
pub const HISTORY: usize = 10_000;
/// Days a notification is kept (default of `push.history_days`).
pub const HISTORY_DAYS: u32 = 30;
/// Bytes of all notifications with their receipts (default of `push.history_bytes`); over it they are
/// forgotten as over [`HISTORY`].
pub const HISTORY_BYTES: u64 = 64_000_000;
/// Topics of one account, those of its devices included, about 50 bytes each; over it: `not-acceptable`.
pub const SUBSCRIPTIONS: usize = 64;
/// Earlier notifications of one series that are remembered as being on devices, 16 bytes each; the oldest
/// is no longer named as replaced then. Those on their way to the disk come on top.
pub const SERIES: usize = 16;
/// Kinds of chat apps whose capabilities are remembered, about 60 bytes each; the one known longest is asked
/// again.
pub const KNOWN_CAPS: usize = 128;
/// Age from which a push that is sent as a message says when it was meant to come.
pub const LATE: Duration = Duration::from_secs(30);
/// Requests that wait for a notification to get somewhere, about 100 bytes each; over it: HTTP 503.
pub const WAITS: usize = 256;
/// Pause before a scheduled notification is tried again that the disk has refused.
pub const SCHEDULE_RETRY: Duration = Duration::from_secs(30);
/// Bytes of a message between users as it is sent on, which may be three times what came; over it:
/// `not-acceptable`. What is kept for a reader who is away has to fit [`DOCUMENT`], or is refused likewise.
pub const CHAT_MESSAGE: usize = 80 * 1024;
/// Sessions one message goes to, and as many copies for each side (XEP-0280); further ones do not get it.
pub const CHAT_SESSIONS: usize = 16;
/// Messages that wait for one reader, about 1 KB on disk each; over it: `service-unavailable`.
pub const WAITING_MESSAGES: usize = 200;
/// Bytes of them; over it: `service-unavailable`. Each message for a reader who is away reads them all.
pub const WAITING_MESSAGE_BYTES: usize = 256 * 1024;
/// Bytes of the messages that wait for all readers; over it: `service-unavailable`.
pub const WAITING_MESSAGES_TOTAL: usize = 16 * 1024 * 1024;
/// Requests waiting for the disk at once; over it: `resource-constraint` or HTTP 503.
pub const WAITING_COMMITS: usize = 1024;

// ---- a notification --------------------------------------------------------------------------

/// Bytes of a title; over it: HTTP 413.
pub const TITLE: usize = 1024;
/// Bytes of a message; over it: HTTP 413.
pub const MESSAGE: usize = 16 * 1024;
/// Bytes of a URI, an image's and a link's included; over it: HTTP 413.
pub const URI: usize = 2048;
/// Links of one notification; over it: HTTP 400.
pub const ACTIONS: usize = 4;
/// Seconds a notification may be scheduled ahead: a year; over it: HTTP 400.
pub const SCHEDULE_AHEAD: u64 = 366 * 86_400;

// ---- HTTP ------------------------------------------------------------------------------------

/// HTTP connections at once; over it a newcomer gets 503.
pub const HTTP_CONNECTIONS: usize = 64;
/// Bytes of request line and headers; over it: 431.
pub const HTTP_HEAD: usize = 8 * 1024;
/// Headers of a request; over it: 431.
pub const HTTP_HEADERS: usize = 64;
/// Bytes of a body, uploads of old consoles included; over it: 413 before a byte of it is read.
pub const HTTP_BODY: usize = 64 * 1024;
/// Fields of a form or query; over it: 400.
pub const HTTP_FIELDS: usize = 64;
/// From accept to the last byte of the head; after it: 408.
pub const HTTP_HEAD_WAIT: Duration = Duration::from_secs(10);
/// From the head to the last byte of the body; after it: 408.
pub const HTTP_BODY_WAIT: Duration = Duration::from_secs(20);
/// For the client to take the answer; after it the connection is closed.
pub const HTTP_WRITE_WAIT: Duration = Duration::from_secs(20);
/// For the gateway to carry out what a request asks, the disk included; after it: 503.
pub const HTTP_ASK_WAIT: Duration = Duration::from_secs(60);
/// Longest an HTTP request may wait for a notification to get somewhere; over it: 400.
pub const HTTP_WAIT: Duration = Duration::from_secs(60);
/// HTTP requests that wait for a notification at once, and at most half of what open files leave of
/// [`HTTP_CONNECTIONS`]: others, those of the [`ADMIN_CONNECTIONS`] too, find a place. Over it: 503.
pub const HTTP_WAITS: usize = 12;
/// Bytes thrown away behind an answer, so that a client that still sends reads the answer and not a reset;
/// over it the connection is closed all the same.
pub const HTTP_DRAIN: usize = 256 * 1024;
/// For a client to close after its answer; after it the connection is closed.
pub const HTTP_DRAIN_WAIT: Duration = Duration::from_secs(2);
/// Bytes of a chunk's size line with its extensions; over it: 400.
pub const HTTP_CHUNK_LINE: usize = 256;
/// Bytes of the trailers behind a chunked body; over it: 400.
pub const HTTP_TRAILERS: usize = 1024;
/// Bytes of the headers of one part of a multipart form; over it: 400.
pub const HTTP_PART_HEAD: usize = 1024;
/// Bytes of an error's sentence, which may quote the request; the rest is cut off.
pub const HTTP_ERROR_TEXT: usize = 300;
/// Rows of a list the API gives at once; more are had with `offset`.
pub const API_ROWS: usize = 1000;
/// Devices the API lists under one notification.
pub const API_DEVICES: usize = 100;
/// Rows of a table on a page of its own, and notifications the API gives at once.
pub const PAGE_ROWS: usize = 100;
/// Rows of each table on the console page, which shows all of them.
pub const CONSOLE_ROWS: usize = 20;
/// Devices a page lists under one notification.
pub const PAGE_DEVICES: usize = 8;
/// Characters of a message a page shows.
pub const PAGE_MESSAGE: usize = 200;

// ---- configuration, command line, log --------------------------------------------------------

/// Bytes of a configuration file; over it: exit code 2.
pub const CONFIG_BYTES: usize = 64 * 1024;
/// Names of the server besides its domain; over it: exit code 2.
pub const ALIASES: usize = 16;
/// Networks of `http.trusted`, compared one by one for each HTTP connection; over it: exit code 2.
pub const TRUSTED_NETWORKS: usize = 64;
/// Bytes of `push.api_key`, repeated in every push; over it: exit code 2.
pub const API_KEY: usize = 64;
/// Bytes of one log line, escapes included; what is over it is counted and left out. Together with level
/// and target it stays below what a pipe takes in one piece (`PIPE_BUF`, 4096 on Linux).
pub const LOG_LINE: usize = 2048;
/// Bytes a disk must have free for a log file on it to go on; below it lines are counted and left out.
pub const LOG_ROOM: u64 = 64 * 1024;
/// Bytes the command line takes from the server as one answer; over it: exit code 1.
pub const ADMIN_ANSWER: usize = 1024 * 1024;
/// How long the command line waits for a whole answer of the server; after it: exit code 1.
pub const ADMIN_WAIT: Duration = Duration::from_secs(60);
/// Users the command line asks for at once: with every field at its limit they fit `ADMIN_ANSWER`.
pub const ADMIN_USERS: usize = 50;

// ---- storage ---------------------------------------------------------------------------------

/// Longest an acknowledged delivery stays off the disk. Losing it repeats a push with the same id.
pub const RECEIPT_DELAY: Duration = Duration::from_secs(5);
/// Free space below which a new push is refused with 507, so that the store never meets a full disk.
pub const DISK_RESERVE: u64 = 1024 * 1024;
/// Pause between two tries to bring a failed store back, or to read what it could not.
pub const STORE_RETRY: Duration = Duration::from_secs(5);
/// Longest the database may take to open: some damage makes sled search for ever. After it the start fails.
pub const STORE_OPEN: Duration = Duration::from_secs(30);
/// Longest the storage thread may be at work without a rest: a slow card takes seconds to sync, and the
/// database [`STORE_OPEN`] to open again. After it the process ends with code 1, to be started again.
pub const STORE_WORK: Duration = Duration::from_secs(90);
/// How often a storage thread that seems stuck is woken up meanwhile.
pub const STORE_NUDGE: Duration = Duration::from_secs(5);
/// Longest another program may hold the database's files at start; after it the start fails.
pub const STORE_LOCK: Duration = Duration::from_secs(5);
/// Changes written in one commit, about 150 bytes of memory each; with more the next commit begins. Reads
/// wait while a commit is applied, about 15 µs a change. A batch that alone has more is not divided.
pub const COMMIT_CHANGES: usize = 4096;
/// Longest a stop waits for phones to take their stream error.
pub const STOP_WAIT: Duration = Duration::from_secs(3);
/// Longest a relaxed store keeps a change off the disk (default of `storage.delay`).
pub const STORE_DELAY: Duration = Duration::from_secs(30);
/// Estimated memory of changes a relaxed store keeps off the disk; with more, all of them are written, and
/// new ones wait for the disk as in a strict store. A broadcast to 10 000 devices has about this size.
pub const PENDING_BYTES: usize = 2 * 1024 * 1024;
/// Estimated memory of notifications a relaxed store will not write, because every device has them; over it
/// the oldest are forgotten, and the history shows fewer.
pub const UNWRITTEN_HISTORY: usize = 512 * 1024;
/// How long a strict store gathers changes once `storage.write_budget` is used up; their senders wait.
pub const THRIFT_WAIT: Duration = Duration::from_secs(5);
/// The same for changes nobody waits for, and how many times `storage.delay` counts in a relaxed store.
pub const THRIFT_RECEIPT_DELAY: Duration = Duration::from_secs(60);
/// See [`THRIFT_RECEIPT_DELAY`].
pub const THRIFT_FACTOR: u32 = 4;
/// File size below which the database is not compacted at start, however much of it is dead.
pub const COMPACT_ABOVE: u64 = 8 * 1024 * 1024;
/// How many times its live bytes a database's file may have; with more it is compacted at start.
pub const COMPACT_RATIO: u64 = 4;
/// Rows copied in one batch by compaction, at most about 640 bytes each.
pub const COMPACT_ROWS: usize = 512;
/// Damaged records named in the log, one line each; more are only counted.
pub const DAMAGE_LINES: u64 = 10;

// ---- export, import, repair ------------------------------------------------------------------

/// Columns of one row of a foreign database; over it the row is left out.
pub const SQL_COLUMNS: usize = 64;
/// Bytes of a foreign database's text, read into memory as a whole; over it the import fails.
pub const SQL_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of one line of an export: a notification with every character escaped fits; a longer one is left
/// out of an import.
pub const EXPORT_LINE: usize = 256 * 1024;
/// Changes an import writes in one commit, about 150 bytes of memory each.
pub const IMPORT_CHANGES: usize = 1000;
/// Lines of an import that are named because something is wrong with them; more are only counted.
pub const IMPORT_COMPLAINTS: usize = 20;
/// Bytes of waiting notifications in the automatic export, newest first; accounts and devices are always in
/// it.
pub const BACKUP_QUEUE: usize = 1024 * 1024;
/// From a start to its first automatic export: soon enough that a server that restarts often makes some, late
/// enough that a start which changes nothing leaves the flash alone for a good while.
pub const BACKUP_FIRST: Duration = Duration::from_secs(20 * 60);
/// Damaged databases kept aside; of more the oldest is removed.
pub const BAD_DATABASES: usize = 2;
/// Repairs remembered in `repairs.txt`, about 300 bytes each; of more the oldest is forgotten.
pub const REPAIRS: usize = 20;
/// Bytes of database pages kept in memory while the database is tried before a start.
pub const TRIAL_CACHE: u64 = 100_000;
/// Bytes of a piece of an export that the running server gives at once; a row more may fit in. Written as
/// JSON it stays below [`ADMIN_ANSWER`].
pub const EXPORT_PAGE: usize = 128 * 1024;
/// Bytes of accounts that the command line sends to the running server at once; below [`HTTP_BODY`].
pub const IMPORT_PAGE: usize = 32 * 1024;

/// Bytes of a document's text; the stored form has no room for more. Features have lower limits of their own.
pub const DOCUMENT: usize = 60_000;
/// Bytes of a document's name: the longest bare JID, or the name and namespace of an element.
pub const DOCUMENT_NAME: usize = 2 * JID_PART + 1;
