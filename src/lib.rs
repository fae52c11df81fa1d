//! lanpush: a push service for one local network.

pub mod limits;
pub mod time;

pub mod config;

pub mod xmpp;

pub mod push;

pub mod edge;
