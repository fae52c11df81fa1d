//! androidpn forks: `deliverconfirm` and `receipt`, the app's word that it has a notification.

use crate::xmpp::error::StanzaError;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{Iq, child_text};

/// samuelhehe, lijian17, 4WX.
pub const DELIVER_CONFIRM: &str = "androidpn:iq:deliverconfirm";
/// meijieman.
pub const RECEIPT: &str = "androidpn:iq:receipt";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::set(DELIVER_CONFIRM, confirm),
    Route::set(RECEIPT, receipt),
];

/// Of the forks only this one keeps silent pushes from the person, which is what taking back needs.
fn receipt(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    context.host.takes_back();
    confirm(iq, context)
}

/// The same answer whether the id is known or not: a late confirmation is no fault of the phone.
fn confirm(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    let uuid = child_text(iq.payload, "uuid");
    if uuid.is_empty() {
        return Err(StanzaError::BadRequest);
    }
    context.host.confirmed(&uuid);
    Ok(Reply::Empty)
}
