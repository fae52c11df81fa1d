//! Floor 2: sockets, HTTP, the disk, the clock and the signals. It performs, and decides nothing.

mod backlog;
mod bell;
mod clock;
mod connection;
mod descriptors;
mod entropy;
mod hub;
mod lan;
mod listener;
mod peer;
mod phones;
mod seldom;
mod signals;
mod summary;
mod table;
mod timer;
