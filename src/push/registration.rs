//! Accounts come, change and go: from phones in-band, from the administrator through the API.

use std::net::IpAddr;
use std::rc::Rc;

use super::commits::{Then, Waiter};
use super::domain::{Domain, Effect, waiting_device};
use super::event::{AskId, ConnId, Refusal};
use super::notification::Target;
use super::store::{Account, Change};
use super::topics;
use crate::limits;
use crate::time::{Instant, Now};
use crate::xmpp::error::{StanzaError, StreamError};
use crate::xmpp::feature;
use crate::xmpp::host::{AccountChange, Attempt, NewPassword, Registration};
use crate::xmpp::jid;

impl Domain {
    /// Registers an account for a phone. `Ok(false)` if it exists with this very password.
    pub(super) fn register_in_band(
        &mut self,
        registration: Registration,
        conn: ConnId,
        peer: IpAddr,
        now: Now,
    ) -> Result<bool, StanzaError> {
        let user = &registration.user;
        if self.accounts.get(user).is_some() {
            let account = self.account(user)?;
            if account.is_some_and(|account| account.is_password(&registration.password.text)) {
                return Ok(false);
            }
            // Registering once more tells whether a password is right.
            self.attempts.failed(peer, user, now.mono);
            return Err(StanzaError::Conflict);
        }
        let invitation = self.invitations.of(conn, now.wall);
        if invitation.is_none() && !self.lets_register(peer) {
            return Err(StanzaError::NotAllowed);
        }
        self.register(registration, invitation, Waiter::Conn(conn), now)
    }

    /// Whether another account may be registered from an address now. A token has a bound of its own.
    pub(super) fn pace(&mut self, conn: ConnId, peer: IpAddr, now: Instant) -> Attempt {
        if self.invitations.has_shown(conn) || !self.lets_register(peer) {
            return Attempt::Now;
        }
        match self.registration_rate.admit(peer, now) {
            Some(at) if at <= now => Attempt::Now,
            Some(at) => {
                self.attempts.line_up(at, conn);
                Attempt::Later
            }
            None => Attempt::Never,
        }
    }

    /// Registers an account that is not there, which costs a token one use if there is one.
    fn register(
        &mut self,
        registration: Registration,
        invitation: Option<Rc<str>>,
        waiter: Waiter,
        now: Now,
    ) -> Result<bool, StanzaError> {
        if let Some((account, device)) = self.commits.registering(&registration.user) {
            // Some clients connect twice at once: the second waits for the disk like the first.
            if !account.is_password(&registration.password.text) {
                return Err(StanzaError::Conflict);
            }
            let (account, device) = (account.clone(), device);
            let changes = vec![
                Change::PutAccount(account.clone()),
                Change::PutDevice(waiting_device(device, &account.name)),
            ];
            let then = Then::Registered {
                account,
                device,
                invitation: None,
            };
            self.submit(changes, then, waiter);
            return Ok(true);
        }
        // Pushes come from it.
        if registration.user == self.config.push.from {
            return Err(StanzaError::Conflict);
        }
        if self.accounts.len() >= limits::ACCOUNTS || self.commits.is_full() {
            return Err(StanzaError::ResourceConstraint);
        }
        let seconds = now.wall.seconds();
        let mut account = Account {
            name: registration.user,
            full_name: registration.name,
            email: registration.email,
            created: seconds,
            updated: seconds,
            ..Account::default()
        };
        self.set_credentials(&mut account, registration.password);
        let device = self.devices.fresh_id();
        let mut changes = vec![
            Change::PutAccount(account.clone()),
            Change::PutDevice(waiting_device(device, &account.name)),
        ];
        let used = invitation.as_ref();
        changes.extend(used.and_then(|digest| self.invitations.use_once(digest)));
        let then = Then::Registered {
            account,
            device,
            invitation,
        };
        self.submit(changes, then, waiter);
        Ok(true)
    }

    /// Replaces fields of an account.
    pub(super) fn change_account(
        &mut self,
        user: &str,
        change: AccountChange,
        waiter: Waiter,
        now: Now,
    ) -> Result<(), StanzaError> {
        if self.commits.is_full() || self.commits.touches(user) {
            return Err(StanzaError::ResourceConstraint);
        }
        let mut account = self.account(user)?.ok_or(StanzaError::ItemNotFound)?;
        let AccountChange {
            password,
            email,
            name,
            alias,
            tags,
        } = change;
        if let Some(mut password) = password {
            // A phone that logs in with a digest goes on doing so; nobody else's password comes to lie in the
            // clear.
            password.recoverable &= !account.password.is_empty();
            self.set_credentials(&mut account, password);
        }
        account.email = email.unwrap_or(account.email);
        account.full_name = name.unwrap_or(account.full_name);
        account.alias = alias.unwrap_or(account.alias);
        account.tags = tags.unwrap_or(account.tags);
        account.updated = now.wall.seconds();
        self.submit(
            vec![Change::PutAccount(account.clone())],
            Then::Changed { account },
            waiter,
        );
        Ok(())
    }

    /// Removes an account with its devices.
    pub(super) fn remove_account(&mut self, user: &str, waiter: Waiter) -> Result<(), StanzaError> {
        if self.accounts.get(user).is_none() {
            return Err(StanzaError::ItemNotFound);
        }
        if self.commits.is_full() || self.commits.touches(user) {
            return Err(StanzaError::ResourceConstraint);
        }
        let Some(name) = self.accounts.get(user).map(|(name, _)| Rc::clone(name)) else {
            return Err(StanzaError::ItemNotFound);
        };
        let contacts = self.part_with_all(&name)?;
        let mut changes = self.begin_contacts(&contacts);
        changes.push(Change::DeleteAccount(user.to_owned()));
        changes.extend(
            self.accounts
                .devices(user)
                .iter()
                .map(|id| Change::DeleteDevice(*id)),
        );
        self.submit(
            changes,
            Then::Removed {
                user: user.to_owned(),
                contacts,
            },
            waiter,
        );
        Ok(())
    }

    /// An account's record.
    pub(super) fn account(&self, user: &str) -> Result<Option<Account>, StanzaError> {
        self.store.account(user).map_err(|error| {
            log::error!("cannot read account {user:?}: {error}");
            StanzaError::InternalServerError
        })
    }

    /// The account exists: it can log in from now on.
    pub(super) fn registered(&mut self, account: &Account, device: super::store::DeviceId) {
        let listing = self.listing(&account.name);
        let name = self.accounts.put(account);
        self.relisted(&name, listing.as_ref());
        if self.devices.get(device).is_none() && self.accounts.devices(&name).is_empty() {
            self.add_device(device, &name, None).stored = true;
            log::info!("registered {:?}", account.name);
        }
    }

    /// The account has these labels.
    pub(super) fn changed(&mut self, account: &Account) {
        if self.accounts.get(&account.name).is_some() {
            let listing = self.listing(&account.name);
            self.accounts.put(account);
            self.relisted(&account.name, listing.as_ref());
        }
    }

    /// The account is gone: its sessions end, what waited for it is recorded as dropped.
    pub(super) fn removed(&mut self, user: &str, now: Now) {
        self.forget_waiting(user);
        self.blocklists.forget(user);
        self.departures.remove(user);
        for device in self.seeing(user) {
            self.show(device, &feature::presence::bare("unavailable"), false);
        }
        let listing = self.listing(user);
        let devices = self.accounts.remove(user);
        self.rosters.leave(user);
        self.relisted(user, listing.as_ref());
        for id in devices {
            let Some(device) = self.devices.remove(id) else {
                continue;
            };
            // It may have been stored again while the removal was on its way.
            self.receipts.push(Change::DeleteDevice(id));
            for notification in &device.queue {
                self.drop_delivery(*notification, id, now);
            }
            if let Some(link) = device.link {
                self.wake(id);
                if let Some(conn) = link.conn {
                    self.effects
                        .push_back(Effect::Close(conn, StreamError::NotAuthorized));
                }
            }
        }
        log::info!("removed {user:?}");
    }

    /// Registers an account for the administrator.
    pub(super) fn add_user(
        &mut self,
        name: &str,
        password: String,
        ask: AskId,
        now: Now,
    ) -> Result<(), Refusal> {
        let user = local_part(name)?;
        check_password(&password)?;
        if self.accounts.get(&user).is_some() || self.commits.registering(&user).is_some() {
            return Err(Refusal::Taken);
        }
        let registration = Registration {
            user,
            password: keys_only(password),
            ..Registration::default()
        };
        self.register(registration, None, Waiter::Ask(ask), now)
            .map(|_| ())
            .map_err(refusal)
    }

    /// Adds an account as an import has it, but for the topics of single devices: numbers mean other devices
    /// here, and those that are here keep theirs.
    pub(super) fn put_account(
        &mut self,
        mut account: Account,
        replace: bool,
        ask: AskId,
    ) -> Result<(), Refusal> {
        let known = self.accounts.get(&account.name).is_some();
        let is_sender = !known && account.name == self.config.push.from;
        if self.commits.registering(&account.name).is_some() || (known && !replace) || is_sender {
            return Err(Refusal::Taken);
        }
        let too_many = !known && self.accounts.len() >= limits::ACCOUNTS;
        if too_many || self.commits.is_full() || self.commits.touches(&account.name) {
            return Err(Refusal::Busy);
        }
        account.subscriptions.retain(|one| one.device.is_none());
        let own = self.subscriptions(&account.name).iter();
        let own = own.filter(|one| one.device.is_some());
        account.subscriptions.extend(own.map(topics::record));
        account.subscriptions.truncate(limits::SUBSCRIPTIONS);
        let mut changes = vec![Change::PutAccount(account.clone())];
        let then = if known {
            Then::Changed { account }
        } else {
            let device = self.devices.fresh_id();
            changes.push(Change::PutDevice(waiting_device(device, &account.name)));
            Then::Registered {
                account,
                device,
                invitation: None,
            }
        };
        self.submit(changes, then, Waiter::Ask(ask));
        Ok(())
    }

    /// Changes a password for the administrator.
    pub(super) fn set_password(
        &mut self,
        name: &str,
        password: String,
        ask: AskId,
        now: Now,
    ) -> Result<(), Refusal> {
        let user = self.known(name)?;
        check_password(&password)?;
        let change = AccountChange {
            password: Some(keys_only(password)),
            ..AccountChange::default()
        };
        self.change_account(&user, change, Waiter::Ask(ask), now)
            .map_err(refusal)
    }

    /// Removes an account for the administrator.
    pub(super) fn remove_user(&mut self, name: &str, ask: AskId) -> Result<(), Refusal> {
        let user = self.known(name)?;
        self.remove_account(&user, Waiter::Ask(ask))
            .map_err(refusal)
    }

    pub(super) fn known(&self, name: &str) -> Result<Rc<str>, Refusal> {
        let user = local_part(name)?;
        let found = self.accounts.get(&user).map(|(name, _)| Rc::clone(name));
        found.ok_or(Refusal::Unknown(Target::User(user)))
    }
}

/// What an administrator sets is for clients of any kind, which can all do without the password itself.
fn keys_only(text: String) -> NewPassword {
    NewPassword {
        text,
        recoverable: false,
    }
}

fn local_part(name: &str) -> Result<String, Refusal> {
    let why = "has to be letters, digits and signs without spaces or any of \"&'/:<>@";
    jid::localpart(name).ok_or(Refusal::Invalid { field: "name", why })
}

fn check_password(password: &str) -> Result<(), Refusal> {
    if password.trim().is_empty() {
        return Err(Refusal::Invalid {
            field: "password",
            why: "is empty",
        });
    }
    if password.len() > limits::PASSWORD {
        return Err(Refusal::TooLong {
            field: "password",
            limit: limits::PASSWORD,
        });
    }
    Ok(())
}

/// What an XMPP refusal is to an administrator.
pub(super) fn refusal(error: StanzaError) -> Refusal {
    match error {
        StanzaError::Conflict => Refusal::Taken,
        StanzaError::ResourceConstraint => Refusal::Busy,
        StanzaError::NotAcceptable => Refusal::Invalid {
            field: "topic",
            why: "is empty, too long, not one line, or one too many",
        },
        _ => Refusal::Failed,
    }
}
