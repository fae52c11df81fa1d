//! SIGTERM and SIGINT stop the server, a second one at once; SIGHUP reads the configuration again.

use std::io;

use async_signal::{Signal, Signals};
use smol::stream::StreamExt;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// End.
    Stop,
    /// Read the configuration again.
    Reload,
}

/// The signals of this process, from now on.
pub(super) struct Wishes(Signals);

impl Wishes {
    /// # Errors
    /// The operating system does not let us listen.
    pub(super) fn listen() -> io::Result<Self> {
        Signals::new([Signal::Term, Signal::Int, Signal::Hup]).map(Self)
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Wish {
        loop {
            match self.0.next().await {
                Some(Ok(Signal::Hup)) => return Wish::Reload,
                Some(Ok(_)) => return Wish::Stop,
                // Without signals there is no way to be stopped but the hard one.
                Some(Err(error)) => log::error!("signals: {error}"),
                None => smol::future::pending().await,
            }
        }
    }
}
