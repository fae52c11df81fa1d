//! Floor 1: all connections. Who is registered, who is there, what waits for whom.
//!
//! No socket, no clock, no disk, no randomness: they come in as arguments. The one rule for whoever drives
//! it stands at [`Gateway`].

pub mod event;
mod fields;
pub mod gateway;
pub mod memory_store;
pub mod notification;
pub mod record;
mod row;
pub mod store;
pub mod views;

pub use event::{Action, Answer, AskId, ConnId, Done, Draft, Event, Refusal, Request};
pub use gateway::Gateway;
