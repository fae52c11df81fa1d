//! What the HTTP side sees of the hub.

use std::rc::Rc;

use super::export::{ExportError, Page};
use super::http::Desk;
use super::hub::Hub;
use super::tls::Acceptor;
use crate::config::Config;
use crate::push::notification::NotificationId;
use crate::push::store::StoreError;
use crate::push::views::{NotificationView, SessionView, Status, TokenView, UserDetails, UserView};
use crate::push::{Answer, Request, TopicOf};
use crate::time::{Hinter, Now};

impl Desk for Hub {
    async fn ask(&self, request: Request) -> Answer {
        Hub::ask(self, request).await
    }

    fn config(&self) -> Rc<Config> {
        Hub::config(self)
    }

    fn now(&self) -> Now {
        Hub::now(self)
    }

    fn status(&self) -> Status {
        let now = Hub::now(self);
        let mut status = Status {
            clock: self.clock.basis(),
            written: self.written(),
            fingerprint: self.tls().map(Acceptor::fingerprint),
            repaired: self.repaired(),
            ..self.gateway().status(now)
        };
        status.warnings.extend(self.warnings());
        status
    }

    fn hint_time(&self, millis: u64) {
        self.clock.hint(Hinter::Administrator, millis);
    }

    fn users(
        &self,
        online: Option<bool>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<UserView>, StoreError> {
        self.gateway().users(online, skip, limit)
    }

    fn user(&self, name: &str) -> Result<Option<UserDetails>, StoreError> {
        self.gateway().user(name)
    }

    fn sessions(&self, limit: usize) -> Vec<SessionView> {
        self.gateway().sessions(0, limit, Hub::now(self))
    }

    fn notifications(
        &self,
        limit: usize,
        devices: usize,
    ) -> Result<Vec<NotificationView>, StoreError> {
        self.gateway().notifications(0, limit, devices)
    }

    fn export(&self, from: &[u8]) -> Result<Page, ExportError> {
        self.export_page(from)
    }

    fn notification(
        &self,
        id: NotificationId,
        skip: usize,
        devices: usize,
    ) -> Result<Option<NotificationView>, StoreError> {
        self.gateway().notification(id, skip, devices)
    }

    fn topics(&self, user: &str) -> Option<Vec<TopicOf>> {
        self.gateway().topics_of(user)
    }

    fn tokens(&self) -> Vec<TokenView> {
        self.gateway().tokens()
    }

    fn seat_to_wait(&self) -> Option<impl Sized> {
        Hub::seat_to_wait(self)
    }
}
