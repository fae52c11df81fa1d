//! Floor 1: all connections. Who is registered, who is there, what waits for whom.
//!
//! No socket, no clock, no disk, no randomness: they come in as arguments. The one rule for whoever drives
//! it stands at [`Gateway`].

pub mod abilities;
pub mod accept;
pub mod accounts;
pub mod androidpn;
mod attempts;
pub mod between;
pub mod blocking;
pub mod bounds;
pub mod carbons;
pub mod chat;
pub mod circle;
pub mod client_state;
pub mod clock_hints;
pub mod commits;
pub mod contact;
mod credentials;
#[cfg(test)]
mod crowd;
pub mod delivery;
pub mod devices;
pub mod disk_figures;
pub mod domain;
mod entries;
pub mod event;
pub mod expiry;
pub mod export;
mod fields;
pub mod forms;
pub mod gateway;
pub mod head;
pub mod idle;
pub mod invitations;
mod keeper;
mod late_answers;
pub mod ledger;
pub mod loading;
pub mod local;
pub mod management;
pub mod memory_store;
pub mod notification;
pub mod offline_messages;
pub mod outbound;
pub mod parcel;
pub mod personal_documents;
pub mod phone_book;
pub mod presence;
pub mod receipt;
pub mod record;
pub mod registration;
mod registration_rate;
mod requests;
mod resumption;
pub mod roster;
pub mod rosters;
mod row;
mod row_key;
pub mod schedule;
pub mod series;
pub mod spread;
mod sql;
pub mod store;
pub mod subscriptions;
pub mod tag_expression;
mod tags;
pub mod targets;
pub mod timetable;
mod token_view;
pub mod topics;
mod undelivered;
pub mod unread;
pub mod unwritten;
pub mod views;
pub mod waiting;
pub mod wheel;

pub use event::{
    Action, Answer, AskId, ConnId, Done, Draft, Event, Refusal, Request, TopicOf, Until, Withdrawal,
};
pub use gateway::{Entropy, Gateway};
