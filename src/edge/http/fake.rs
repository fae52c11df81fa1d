//! Stand-ins for tests: a desk that keeps what it is asked, and a stream read from memory.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use smol::io::{self, AsyncRead, AsyncWrite};

use super::Desk;
use crate::config::Config;
use crate::edge::export::{ExportError, Page};
use crate::push::invitations::{NewToken, Token};
use crate::push::notification::{DeliveryState, Extras, Notification, NotificationId, Target};
use crate::push::store::StoreError;
use crate::push::views::{
    DeliveryView, DeviceView, NotificationView, SessionView, Status, TokenView, UserDetails,
    UserView,
};
use crate::push::{Answer, Done, Draft, Refusal, Request, TopicOf, Until, Withdrawal};
use crate::time::{Instant, Now, Wall};

/// 2026-11-20 16:33:00.
pub(super) const NOW: u64 = 1_795_192_380;

/// The one token of the desk.
fn token() -> TokenView {
    TokenView {
        id: "00ff00ff".into(),
        uses: 2,
        created: NOW,
        expires: Some(NOW + 86_400),
        expired: false,
        note: "<office>".into(),
    }
}

/// A desk with users `sam` and whatever a test adds.
pub(super) struct FakeDesk {
    /// Everything asked, in order.
    pub(super) asked: RefCell<Vec<Request>>,
    /// Given instead of an answer.
    pub(super) refusal: Cell<Option<Refusal>>,
    /// Never answers.
    pub(super) hangs: Cell<bool>,
    /// Has no place for those who wait.
    pub(super) crowded: Cell<bool>,
    /// Cannot read its store.
    pub(super) broken: Cell<bool>,
    pub(super) config: RefCell<Config>,
    pub(super) status: RefCell<Status>,
    pub(super) users: RefCell<Vec<UserView>>,
    pub(super) sessions: RefCell<Vec<SessionView>>,
    pub(super) notifications: RefCell<Vec<NotificationView>>,
    /// What time it was last told.
    pub(super) told: Cell<Option<u64>>,
}

impl FakeDesk {
    pub(super) fn new() -> Self {
        Self {
            asked: RefCell::default(),
            refusal: Cell::default(),
            hangs: Cell::default(),
            crowded: Cell::default(),
            broken: Cell::default(),
            config: RefCell::default(),
            status: RefCell::default(),
            users: RefCell::new(vec![user("sam", true), user("mia", false)]),
            sessions: RefCell::default(),
            notifications: RefCell::default(),
            told: Cell::default(),
        }
    }

    /// The pushes asked for.
    pub(super) fn drafts(&self) -> Vec<Draft> {
        let asked = self.asked.borrow();
        let drafts = asked.iter().filter_map(|request| match request {
            Request::Notify(draft) => Some(draft.clone()),
            _ => None,
        });
        drafts.collect()
    }

    fn answer(&self, request: &Request) -> Answer {
        if let Some(refusal) = self.refusal.take() {
            return Err(refusal);
        }
        let known = |name: &String| self.users.borrow().iter().any(|user| user.name == *name);
        let unknown = |name: &String| Err(Refusal::Unknown(Target::User(name.clone())));
        match request {
            Request::Notify(Draft {
                target: Target::User(name),
                ..
            }) if !known(name) => unknown(name),
            Request::Notify(_) => Ok(Done::Accepted {
                id: id(7),
                queued: 3,
                sent: 2,
            }),
            Request::AddUser { name, .. } if known(name) => Err(Refusal::Taken),
            Request::SetPassword { name, .. }
            | Request::SetTags { name, .. }
            | Request::RemoveUser { name }
                if !known(name) =>
            {
                unknown(name)
            }
            Request::Withdraw(Withdrawal::Id(wanted)) if self.view(*wanted).is_none() => {
                Err(Refusal::NoNotification)
            }
            Request::Withdraw(_) => Ok(Done::Withdrawn { spared: 2, told: 1 }),
            Request::Wait { id, until } => match self.view(*id) {
                Some(view) => Ok(settled(&view, *until)),
                None => Err(Refusal::NoNotification),
            },
            Request::Subscribe(TopicOf { user, .. })
            | Request::Unsubscribe(TopicOf { user, .. })
                if !known(user) =>
            {
                unknown(user)
            }
            Request::RemoveToken { id } if *id != token().id => Err(Refusal::NoToken),
            Request::AddToken(draft) => Ok(Done::Invited(Box::new(NewToken {
                token: Token("5ec4e7".into()),
                view: TokenView {
                    uses: draft.uses,
                    note: draft.note.clone(),
                    ..token()
                },
            }))),
            _ => Ok(Done::Changed),
        }
    }

    fn view(&self, id: NotificationId) -> Option<NotificationView> {
        let views = self.notifications.borrow();
        views
            .iter()
            .find(|view| view.notification.id == id)
            .cloned()
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.broken.get() {
            true => Err(StoreError::Failed("torn".into())),
            false => Ok(()),
        }
    }
}

impl Desk for FakeDesk {
    fn export(&self, from: &[u8]) -> Result<Page, ExportError> {
        Ok(Page {
            lines: format!("from {from:?}\n"),
            next: Some(vec![1, 0xff]),
        })
    }

    async fn ask(&self, request: Request) -> Answer {
        if self.hangs.get() {
            std::future::pending::<()>().await;
        }
        let answer = self.answer(&request);
        self.asked.borrow_mut().push(request);
        answer
    }

    fn config(&self) -> Rc<Config> {
        Rc::new(self.config.borrow().clone())
    }

    fn now(&self) -> Now {
        Now {
            mono: Instant(5000),
            wall: Wall {
                millis: NOW * 1000,
                trusted: true,
            },
        }
    }

    fn hint_time(&self, millis: u64) {
        self.told.set(Some(millis));
    }

    fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    fn users(
        &self,
        online: Option<bool>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<UserView>, StoreError> {
        self.check()?;
        let users = self.users.borrow();
        let wanted = users
            .iter()
            .filter(|user| online.is_none_or(|online| user.online == online));
        Ok(wanted.skip(skip).take(limit).cloned().collect())
    }

    fn user(&self, name: &str) -> Result<Option<UserDetails>, StoreError> {
        self.check()?;
        let users = self.users.borrow();
        let user = users.iter().find(|user| user.name == name);
        let device = |resource: &str, presence| DeviceView {
            resource: resource.into(),
            presence,
            last_seen: NOW - 90,
            waiting: 2,
        };
        let devices = || vec![device("phone", Some("Away")), device("tab<let>", None)];
        Ok(user.map(|user| UserDetails {
            user: user.clone(),
            devices: devices(),
        }))
    }

    fn sessions(&self, limit: usize) -> Vec<SessionView> {
        self.sessions.borrow().iter().take(limit).cloned().collect()
    }

    fn notifications(
        &self,
        limit: usize,
        devices: usize,
    ) -> Result<Vec<NotificationView>, StoreError> {
        self.check()?;
        let mut views: Vec<_> = self
            .notifications
            .borrow()
            .iter()
            .take(limit)
            .cloned()
            .collect();
        views
            .iter_mut()
            .for_each(|view| view.deliveries.truncate(devices));
        Ok(views)
    }

    fn notification(
        &self,
        id: NotificationId,
        skip: usize,
        devices: usize,
    ) -> Result<Option<NotificationView>, StoreError> {
        self.check()?;
        Ok(self.view(id).map(|view| NotificationView {
            deliveries: view
                .deliveries
                .iter()
                .skip(skip)
                .take(devices)
                .cloned()
                .collect(),
            ..view
        }))
    }

    fn topics(&self, user: &str) -> Option<Vec<TopicOf>> {
        let topic = |topic: &str, resource: Option<&str>| TopicOf {
            topic: topic.into(),
            user: user.into(),
            resource: resource.map(Into::into),
        };
        (user == "sam").then(|| vec![topic("doors", None), topic("a b", Some("phone"))])
    }

    fn tokens(&self) -> Vec<TokenView> {
        vec![token()]
    }

    fn seat_to_wait(&self) -> Option<impl Sized> {
        (!self.crowded.get()).then_some(())
    }
}

/// What the gateway says to whoever waits for this.
fn settled(view: &NotificationView, until: Until) -> Done {
    let enough = match until {
        Until::Sent => DeliveryState::Sent,
        Until::Acknowledged => DeliveryState::Acknowledged,
        Until::Confirmed => DeliveryState::Confirmed,
    };
    let far =
        |delivery: &&DeliveryView| (enough..=DeliveryState::Confirmed).contains(&delivery.state);
    Done::Settled {
        reached: view.deliveries.iter().filter(far).count(),
        devices: view.total,
    }
}

/// A user of that name.
pub(super) fn user(name: &str, online: bool) -> UserView {
    UserView {
        name: name.into(),
        online,
        created: NOW - 86_400,
        ..UserView::default()
    }
}

/// A connection of that user, logged in.
pub(super) fn session(user: &str, presence: &'static str) -> SessionView {
    SessionView {
        user: user.into(),
        resource: "AndroidpnClient".into(),
        status: "AUTHENTICATED",
        presence,
        peer: "::ffff:192.168.1.23".parse().unwrap(),
        created: NOW - 3600,
    }
}

/// An id made `age` seconds ago.
pub(super) fn id(age: u64) -> NotificationId {
    let millis = (NOW - age) * 1000;
    NotificationId::next(
        None,
        Wall {
            millis,
            trusted: true,
        },
        [7; 10],
    )
}

/// A notification sent `age` seconds ago, with one delivery per device.
pub(super) fn notification(
    age: u64,
    target: &str,
    [title, message, uri]: [&str; 3],
    devices: &[(&str, DeliveryState)],
) -> NotificationView {
    let delivery = |(device, state): &(&str, DeliveryState)| DeliveryView {
        device: (*device).into(),
        state: *state,
        at: NOW - age + 1,
        queued: NOW - age,
        sent: 0,
        acknowledged: 0,
    };
    NotificationView {
        notification: Notification {
            id: id(age),
            target: target.parse().unwrap(),
            title: title.into(),
            message: message.into(),
            uri: uri.into(),
            extras: Extras::default(),
        },
        total: devices.len(),
        counts: DeliveryState::ALL
            .map(|state| devices.iter().filter(|(_, own)| *own == state).count()),
        deliveries: devices.iter().map(delivery).collect(),
        scheduled: false,
        expires: None,
        over: None,
    }
}

/// One end of a connection: gives the pieces it was made of, one per read, and keeps what is written.
pub(super) struct Stream {
    input: VecDeque<Vec<u8>>,
    /// What reading gives when the pieces are used up: the end, or silence.
    ends: bool,
    /// Whether writing ever gets through.
    takes: bool,
    /// Everything written.
    pub(super) output: Rc<RefCell<Vec<u8>>>,
    /// Bytes read, and whether our side has been closed.
    pub(super) seen: Rc<Cell<(usize, bool)>>,
}

impl Stream {
    /// A client that sends the pieces and then waits for the answer.
    pub(super) fn new(pieces: &[&[u8]]) -> Self {
        Self {
            input: pieces.iter().map(|piece| piece.to_vec()).collect(),
            ends: true,
            takes: true,
            output: Rc::default(),
            seen: Rc::default(),
        }
    }

    /// A client that falls silent after its pieces.
    pub(super) fn silent(pieces: &[&[u8]]) -> Self {
        Self {
            ends: false,
            ..Self::new(pieces)
        }
    }

    /// A client that never reads.
    pub(super) fn deaf(pieces: &[&[u8]]) -> Self {
        Self {
            takes: false,
            ..Self::new(pieces)
        }
    }

    fn note(&self, read: usize, closed: bool) {
        let (bytes, was_closed) = self.seen.get();
        self.seen.set((bytes + read, was_closed || closed));
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let Some(mut piece) = self.input.pop_front() else {
            return if self.ends {
                Poll::Ready(Ok(0))
            } else {
                Poll::Pending
            };
        };
        let read = piece.len().min(buffer.len());
        let rest = piece.split_off(read);
        buffer[..read].copy_from_slice(&piece);
        if !rest.is_empty() {
            self.input.push_front(rest);
        }
        self.note(read, false);
        Poll::Ready(Ok(read))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.takes {
            return Poll::Pending;
        }
        // A socket that takes little at a time.
        let taken = bytes.len().min(1000);
        self.output.borrow_mut().extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.note(0, true);
        Poll::Ready(Ok(()))
    }
}
