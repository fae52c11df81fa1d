//! What senders and administrators ask for, and which file carries it out.

use super::domain::Domain;
use super::event::{AskId, Refusal, Request};
use crate::time::Now;

impl Domain {
    /// Carries out a request, or begins to; its answer comes as an effect.
    pub(super) fn carry_out_request(
        &mut self,
        ask: AskId,
        request: Request,
        now: Now,
    ) -> Result<(), Refusal> {
        match request {
            Request::Notify(draft) => self.notify(draft, ask, now),
            Request::AddUser { name, password } => self.add_user(&name, password, ask, now),
            Request::PutAccount { account, replace } => self.put_account(account, replace, ask),
            Request::SetPassword { name, password } => self.set_password(&name, password, ask, now),
            Request::SetTags { name, tags } => self.set_tags(&name, &tags, ask, now),
            Request::AddToken(draft) => self.add_token(draft, ask, now),
            Request::RemoveToken { id } => self.remove_token(&id, ask),
            Request::RemoveUser { name } => self.remove_user(&name, ask),
            Request::Withdraw(withdrawal) => self.withdraw(&withdrawal, ask, now),
            Request::Wait { id, until } => self.wait(id, until, ask),
            Request::Subscribe(topic) => self.subscribe(topic, true, ask, now),
            Request::Unsubscribe(topic) => self.subscribe(topic, false, ask, now),
        }
    }
}
