//! Starting everything in order, and stopping it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use smol::future::{or, yield_now};
use smol::{Async, LocalExecutor, Task, Timer};

use super::admin::AdminSocket;
use super::backup::Backups;
use super::clock::Clock;
use super::data_dir::DataDir;
use super::descriptors::{self, Shares, Spare};
use super::error::RunError;
use super::hub::{Hub, Parts};
use super::listener::{self, Door, Ending};
use super::peer::Opening;
use super::phones::Phones;
use super::signals::{Wish, Wishes};
use super::storage::Outcomes;
use super::summary::{self, Addresses};
use super::supervisor::Supervisor;
use super::tls::Acceptor;
use super::trial::Trial;
use super::web::Web;
use super::{clock_set, entropy, failed_open, memory, repair, timer};
use crate::config::Config;
use crate::limits::{HTTP_WAITS, STOP_WAIT};
use crate::push::{Event, Gateway};

/// What to run.
pub struct Serve {
    /// The configuration, complete.
    pub config: Rc<Config>,
    /// The data directory.
    pub data: PathBuf,
    /// Reads the configuration again, for SIGHUP; the error is a line for the log.
    pub reload: Box<dyn Fn() -> Result<Config, String>>,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The server could not start, or a second signal cut its end short.
pub fn run(serve: Serve) -> Result<(), RunError> {
    let clock = Clock::start();
    memory::check()?;
    let shares = shares(&serve.config);
    let entropy = entropy::open().map_err(RunError::Entropy)?;
    let data = DataDir::open(&serve.data).map_err(RunError::Data)?;
    memory::warn_of_data_in_memory(&serve.data);
    let tls = Acceptor::open(&serve.config, data.path()).map_err(RunError::Certificate)?;
    let ports = Ports::bind(&serve.config, tls.is_some())?;
    let storage = &serve.config.storage;
    let trial = Trial::of_this_program();
    failed_open::end_in_good_order();
    let wall = clock.now().wall.seconds();
    let (store, outcomes, repairs) =
        repair::open(&data, storage, &trial, wall).map_err(RunError::Database)?;
    let rows = store.rows();
    let wear = store.wear();
    let backups = Backups::start(&data, rows.clone(), Arc::clone(&wear), storage.export_hours);
    let backups = backups.map_err(RunError::System)?;
    let config = Rc::clone(&serve.config);
    let gateway = Gateway::new(config, Box::new(store), entropy, clock.now());
    let gateway = gateway.map_err(RunError::Store)?;

    let executor = Rc::new(LocalExecutor::new());
    let parts = Parts {
        gateway,
        rows,
        clock,
        wear,
        tls,
    };
    let waits = HTTP_WAITS.min(shares.http / 2);
    let hub = Hub::new(parts, Rc::clone(&serve.config), &executor, waits);
    hub.repaired_at_start(repairs);
    let ended = smol::block_on(executor.run(serve_until_stopped(
        &hub, &executor, serve, ports, outcomes, shares,
    )));
    if matches!(ended, Err(RunError::Interrupted)) {
        // Closing the store could wait for the disk; it survives being killed.
        std::mem::forget((hub, executor, backups));
    }
    ended
}

/// How many connections fit; says so if that is less than was asked for.
fn shares(config: &Config) -> Shares {
    let wanted = config.limits.connections;
    let shares = descriptors::share(descriptors::raise(), wanted);
    if shares.phones < wanted {
        log::warn!(
            "the limit of open files allows {} phones, not {wanted}",
            shares.phones
        );
    }
    shares
}

/// The listening sockets.
struct Ports {
    xmpp: TcpListener,
    xmpps: Option<TcpListener>,
    http: TcpListener,
}

impl Ports {
    fn bind(config: &Config, tls: bool) -> Result<Self, RunError> {
        let bind = |whom, address, ending| {
            listener::bind(address, ending).map_err(|error| RunError::Listen {
                whom,
                address,
                error,
            })
        };
        Ok(Self {
            xmpp: bind("phones", config.xmpp.listen, Ending::Reset)?,
            xmpps: match tls {
                true => Some(bind("phones with TLS", config.tls.listen, Ending::Reset)?),
                false => None,
            },
            http: bind("senders", config.http.listen, Ending::Finish)?,
        })
    }

    fn addresses(&self) -> std::io::Result<Addresses> {
        let xmpps = self.xmpps.as_ref().map(TcpListener::local_addr);
        Ok(Addresses {
            xmpp: self.xmpp.local_addr()?,
            xmpps: xmpps.transpose()?,
            http: self.http.local_addr()?,
        })
    }
}

async fn serve_until_stopped(
    hub: &Rc<Hub>,
    executor: &LocalExecutor<'static>,
    serve: Serve,
    ports: Ports,
    outcomes: Outcomes,
    shares: Shares,
) -> Result<(), RunError> {
    let mut wishes = Wishes::listen().map_err(RunError::System)?;
    hub.spawn(timer::run(Rc::clone(hub)));
    hub.spawn(clock_set::run(Rc::clone(hub)));
    hub.spawn(Rc::clone(hub).finish_turns());
    hub.spawn(hear_of_storage(Rc::clone(hub), outcomes));

    let addresses = ports.addresses().map_err(RunError::System)?;
    let spare = Rc::new(Spare::new());
    let phones = Phones::new(Rc::clone(hub), shares.phones, Opening::Either);
    let web = Web::new(Rc::clone(hub), shares.http);
    let admin = AdminSocket::bind(&serve.data).map_err(|error| {
        let path = AdminSocket::path(&serve.data);
        RunError::AdminSocket(path.display().to_string(), error)
    })?;
    let mut doors = vec![
        open(executor, ports.xmpp, phones, &spare)?,
        open(executor, ports.http, web, &spare)?,
        executor.spawn(admin.serve(Rc::clone(hub))),
    ];
    if let Some(listener) = ports.xmpps {
        let phones = Phones::new(Rc::clone(hub), shares.phones, Opening::Tls);
        doors.push(open(executor, listener, phones, &spare)?);
    }
    summary::ready(&addresses);
    let fingerprint = hub.tls().map(Acceptor::fingerprint);
    summary::print(&serve.config, &addresses, fingerprint.as_deref());
    let supervisor = Rc::new(Supervisor::of_this_process());
    supervisor.ready();
    hub.spawn(Rc::clone(&supervisor).stay_alive());

    while wishes.next().await == Wish::Reload {
        supervisor.reloading();
        reload(hub, &serve.reload);
        supervisor.ready();
    }
    supervisor.stopping();
    drop(doors);
    stop(hub, wishes).await
}

fn open(
    executor: &LocalExecutor<'static>,
    listener: TcpListener,
    door: impl Door + 'static,
    spare: &Rc<Spare>,
) -> Result<Task<()>, RunError> {
    let listener = Async::new_nonblocking(listener).map_err(RunError::System)?;
    Ok(executor.spawn(listener::accept(listener, door, Rc::clone(spare))))
}

/// Tells the gateway what has become durable.
async fn hear_of_storage(hub: Rc<Hub>, outcomes: Outcomes) {
    while let Ok((ticket, outcome)) = outcomes.recv().await {
        hub.handle(Event::Stored { ticket, outcome });
        yield_now().await;
    }
}

fn reload(hub: &Hub, read: &dyn Fn() -> Result<Config, String>) {
    match read() {
        Ok(mut config) => {
            for key in hub.config().needs_restart(&config) {
                log::warn!("{key} has changed; that takes effect at the next start");
            }
            // Whether there is TLS was decided at the start.
            config.tls.enabled = hub.config().tls.enabled;
            if let Some(Err(error)) = hub.tls().map(|tls| tls.reload(&config)) {
                log::error!("the certificate stays as it is: {error}");
            }
            log::set_max_level(config.log.level);
            hub.configure(Rc::new(config));
            log::info!("the configuration has been read again");
        }
        Err(error) => log::error!("the configuration stays as it is: {error}"),
    }
}

/// Says goodbye to everybody, for [`STOP_WAIT`] at most.
async fn stop(hub: &Hub, mut wishes: Wishes) -> Result<(), RunError> {
    log::info!("stopping, {} phones are connected", hub.phones());
    let farewell = async {
        hub.shut_down().await;
        Ok(())
    };
    let patience = async {
        Timer::after(STOP_WAIT).await;
        log::info!("{} phones have not closed", hub.phones());
        Ok(())
    };
    let interruption = async {
        while wishes.next().await != Wish::Stop {}
        Err(RunError::Interrupted)
    };
    or(interruption, or(farewell, patience)).await
}
