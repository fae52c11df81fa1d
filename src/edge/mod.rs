//! Floor 2: sockets, HTTP, the disk, the clock and the signals. It performs, and decides nothing.

pub mod http;
