//! What the HTTP side talks to: a gateway on the stage of `tests/conversations`, with users, a topic and a push.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use lanpush::config::Config;
use lanpush::edge::export::{ExportError, Page};
use lanpush::edge::http::{Desk, Peer, serve};
use lanpush::push::notification::{NotificationId, Target};
use lanpush::push::store::{Account, StoreError, Subscription};
use lanpush::push::views::{
    NotificationView, SessionView, Status, TokenView, UserDetails, UserView,
};
use lanpush::push::{Answer, Done, Draft, Gateway, Request, TopicOf};
use lanpush::time::Now;
use smol::io::{self, AsyncRead, AsyncWrite};

use crate::runner::stage::Stage;

/// A desk over a gateway of its own.
pub struct World {
    stage: RefCell<Stage>,
    config: Rc<Config>,
}

impl World {
    /// # Panics
    /// If the gateway does not start.
    #[must_use]
    pub fn new() -> Self {
        let mut stage = Stage::new(false);
        stage.begin().expect("a server that starts");
        let mut config = Config::default();
        config.server.domain = "push.lan".to_owned();
        let world = Self {
            stage: RefCell::new(stage),
            config: Rc::new(config),
        };
        for name in ["sam", "kim"] {
            let subscription = Subscription {
                topic: "doors".to_owned(),
                device: None,
            };
            let account = Account {
                name: name.to_owned(),
                password: "secret".to_owned(),
                alias: "kitchen".to_owned(),
                tags: vec!["office".to_owned()],
                subscriptions: vec![subscription],
                ..Account::default()
            };
            let replace = false;
            let put = world.carry_out(Request::PutAccount { account, replace });
            put.expect("an account that can be kept");
        }
        let pushed = world.carry_out(Request::Notify(Draft {
            target: Target::Everyone,
            title: "<title>".to_owned(),
            message: "message".to_owned(),
            uri: String::new(),
            extras: Box::default(),
        }));
        pushed.expect("a push that is taken");
        world
    }

    /// Who waits for what no device will ever do waits for a minute.
    fn carry_out(&self, request: Request) -> Answer {
        let waits = matches!(request, Request::Wait { .. });
        let mut stage = self.stage.borrow_mut();
        let ask = stage.ask(request).expect("a server that comes to rest");
        if waits && !stage.answers.contains_key(&ask) {
            let wait = Duration::from_secs(60);
            stage.advance(wait).expect("a server that comes to rest");
            stage.forget(ask).expect("a server that comes to rest");
            let (reached, devices) = (0, 0);
            return Ok(Done::Settled { reached, devices });
        }
        stage
            .answers
            .remove(&ask)
            .expect("every request is answered")
    }

    fn with<T>(&self, look: impl FnOnce(&Gateway) -> T) -> T {
        let mut stage = self.stage.borrow_mut();
        look(stage.gateway().expect("a server that runs"))
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk for World {
    async fn ask(&self, request: Request) -> Answer {
        self.carry_out(request)
    }

    fn config(&self) -> Rc<Config> {
        Rc::clone(&self.config)
    }

    fn now(&self) -> Now {
        self.stage.borrow().now
    }

    fn hint_time(&self, millis: u64) {
        let told = self.stage.borrow_mut().tell_time(millis / 1000);
        told.expect("a server that comes to rest");
    }

    fn status(&self) -> Status {
        let now = self.now();
        self.with(|gateway| gateway.status(now))
    }

    fn users(
        &self,
        online: Option<bool>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<UserView>, StoreError> {
        self.with(|gateway| gateway.users(online, skip, limit))
    }

    fn user(&self, name: &str) -> Result<Option<UserDetails>, StoreError> {
        self.with(|gateway| gateway.user(name))
    }

    fn sessions(&self, limit: usize) -> Vec<SessionView> {
        let now = self.now();
        self.with(|gateway| gateway.sessions(0, limit, now))
    }

    fn notifications(
        &self,
        limit: usize,
        devices: usize,
    ) -> Result<Vec<NotificationView>, StoreError> {
        self.with(|gateway| gateway.notifications(0, limit, devices))
    }

    fn export(&self, _: &[u8]) -> Result<Page, ExportError> {
        let (lines, next) = (String::new(), None);
        Ok(Page { lines, next })
    }

    fn notification(
        &self,
        id: NotificationId,
        skip: usize,
        devices: usize,
    ) -> Result<Option<NotificationView>, StoreError> {
        self.with(|gateway| gateway.notification(id, skip, devices))
    }

    fn topics(&self, user: &str) -> Option<Vec<TopicOf>> {
        self.with(|gateway| gateway.topics_of(user))
    }

    fn tokens(&self) -> Vec<TokenView> {
        self.with(Gateway::tokens)
    }

    fn seat_to_wait(&self) -> Option<impl Sized> {
        Some(())
    }
}

/// What a client sends, so many bytes at a time; then it closes its side.
struct Socket<'a> {
    rest: &'a [u8],
    step: usize,
    answer: &'a mut Vec<u8>,
}

impl AsyncRead for Socket<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let length = self.step.min(buffer.len()).min(self.rest.len());
        let (now, later) = self.rest.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.rest = later;
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Socket<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.answer.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What a client that sends `request` is answered.
#[must_use]
pub fn answer(request: &[u8], step: usize, peer: Peer) -> Vec<u8> {
    let mut answer = Vec::new();
    let socket = Socket {
        rest: request,
        step,
        answer: &mut answer,
    };
    smol::future::block_on(serve(socket, peer, &World::new()));
    answer
}
