//! TLS 1.2 and 1.3: rustls with ring, one certificate for phones and the page.
//!
//! | file | what it knows |
//! |---|---|
//! | `channel` | one phone's encryption: records in, plain text out, and back |
//! | `https` | a connection to the page, encrypted or not |
//! | `identity` | the certificate and its key, from files and made at the first start |
//! | `pem` | the text these files hold |
//!
//! A build without the feature `tls` has `without_tls.rs` in place of all this.

mod channel;
#[cfg(fuzzing)]
pub mod fuzzing;
mod https;
mod identity;
mod pem;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto;
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use smol::net::TcpStream;

use super::certificate::CertificateError;
use crate::config::Config;
pub(super) use channel::Channel;
pub(super) use https::WebStream;
use identity::Identity;

/// What every connection that wants TLS gets it from.
pub(super) struct Acceptor {
    /// The data directory, where a certificate of our own lies.
    data: PathBuf,
    current: RefCell<Current>,
}

/// What new connections are served with.
struct Current {
    identity: Identity,
    phones: Arc<ServerConfig>,
    web: Arc<ServerConfig>,
}

impl Acceptor {
    /// Reads the certificate, or makes one; `None` where TLS is switched off.
    ///
    /// # Errors
    /// A file cannot be used.
    pub(super) fn open(config: &Config, data: &Path) -> Result<Option<Self>, CertificateError> {
        if !config.tls.enabled {
            return Ok(None);
        }
        let acceptor = Self {
            data: data.to_owned(),
            current: RefCell::new(Current::load(config, data)?),
        };
        acceptor.look(config);
        Ok(Some(acceptor))
    }

    /// Reads the files again. Connections that are open keep what they have.
    ///
    /// # Errors
    /// A file cannot be used; the certificate of before stays.
    pub(super) fn reload(&self, config: &Config) -> Result<(), CertificateError> {
        let next = Current::load(config, &self.data)?;
        let before = self.current.replace(next);
        if before.identity.fingerprint() != self.fingerprint() {
            log::info!("new connections get the certificate {}", self.fingerprint());
        }
        self.look(config);
        Ok(())
    }

    fn look(&self, config: &Config) {
        if let Some(warning) = self.warning(config) {
            log::warn!("{warning}");
        }
    }

    /// SHA-256 of the certificate, as apps and browsers show it.
    pub(super) fn fingerprint(&self) -> String {
        self.current.borrow().identity.fingerprint()
    }

    /// Names the server is called by and the certificate does not hold: apps refuse it under these.
    pub(super) fn warning(&self, config: &Config) -> Option<String> {
        self.current.borrow().identity.warning(config)
    }

    /// The encryption of one phone's connection, before its first byte.
    pub(super) fn channel(&self) -> Option<Box<Channel>> {
        let config = Arc::clone(&self.current.borrow().phones);
        Channel::new(config)
            .inspect_err(|error| log::error!("TLS: {error}"))
            .ok()
    }
}

/// A connection of a browser or a sender, before its first byte.
pub(super) fn web_stream(tls: Option<&Acceptor>, stream: TcpStream) -> WebStream {
    WebStream::new(stream, tls.map(|tls| Arc::clone(&tls.current.borrow().web)))
}

impl Current {
    fn load(config: &Config, data: &Path) -> Result<Self, CertificateError> {
        let identity = Identity::load(config, data)?;
        let serve = |protocol| {
            server_config(identity.key(), protocol)
                .map_err(|error| CertificateError::new(identity.file(), error))
        };
        Ok(Self {
            phones: serve(b"xmpp-client")?,
            web: serve(b"http/1.1")?,
            identity,
        })
    }
}

fn server_config(
    key: &Arc<CertifiedKey>,
    protocol: &[u8],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(crypto::ring::default_provider());
    // Whatever name a client asks for, an IP address too, this is the certificate.
    let resolver = Arc::new(SingleCertAndKey::from(Arc::clone(key)));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![protocol.to_vec()];
    // Nothing is resumed: it would spare a phone one signature on each login, and cost memory for sessions,
    // or a clock that is right for tickets.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
