//! Floor 1: all connections. Who is registered, who is there, what waits for whom.
//!
//! No socket, no clock, no disk, no randomness: they come in as arguments. The one rule for whoever drives
//! it stands at [`Gateway`].

pub mod accounts;
pub mod clock_hints;
pub mod commits;
pub mod delivery;
pub mod devices;
pub mod domain;
pub mod event;
mod fields;
pub mod gateway;
pub mod idle;
pub mod ledger;
pub mod loading;
pub mod local;
pub mod memory_store;
pub mod notification;
pub mod presence;
pub mod record;
pub mod registration;
mod row;
pub mod store;
pub mod views;
pub mod wheel;

pub use event::{Action, Answer, AskId, ConnId, Done, Draft, Event, Refusal, Request};
pub use gateway::{Entropy, Gateway};
