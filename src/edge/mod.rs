//! Floor 2: sockets, HTTP, the disk, the clock and the signals. It performs, and decides nothing.

mod backlog;
mod bell;
mod clock;
mod connection;
mod descriptors;
mod entropy;
mod hub;
mod listener;
mod peer;
mod seldom;
mod signals;
mod table;
mod timer;
