//! One feature, one file: each starts with its specification and exports its rows of the router's table.

pub mod auth;
pub mod bind;
pub mod blocking;
pub mod carbons;
pub mod client_state;
pub mod confirm;
pub mod disco;
pub mod invitation;
pub mod labels;
pub mod last_activity;
pub mod management;
pub mod message;
pub mod notification;
pub mod ping;
pub mod presence;
pub mod private;
pub mod push_message;
pub mod register;
pub mod roster;
pub mod starttls;
pub mod time;
pub mod topics;
pub mod vcard;
pub mod version;
