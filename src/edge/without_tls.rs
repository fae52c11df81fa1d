//! A build without the feature `tls`: the same types, of which there never is one.

use std::convert::Infallible;
use std::io::{self, Read};
use std::path::Path;

use super::certificate::CertificateError;
use crate::config::Config;

/// A connection of a browser or a sender.
pub(super) type WebStream = smol::net::TcpStream;

/// It is what it is.
pub(super) fn web_stream(_: Option<&Acceptor>, stream: WebStream) -> WebStream {
    stream
}

/// There is none.
pub(super) struct Acceptor(Infallible);

/// There is none.
pub(super) struct Channel(Infallible);

impl Acceptor {
    /// # Errors
    /// A certificate of the administrator's cannot be used.
    pub(super) fn open(config: &Config, _: &Path) -> Result<Option<Self>, CertificateError> {
        let tls = &config.tls;
        if let Some(file) = [&tls.certificate, &tls.key]
            .into_iter()
            .find(|file| !file.is_empty())
        {
            let why = "this lanpush is built without TLS and cannot use it";
            return Err(CertificateError::new(Path::new(file), why));
        }
        if tls.listen != Config::default().tls.listen {
            log::warn!("this lanpush is built without TLS: tls.listen has no effect");
        }
        Ok(None)
    }

    pub(super) fn reload(&self, _: &Config) -> Result<(), CertificateError> {
        match self.0 {}
    }

    pub(super) fn fingerprint(&self) -> String {
        match self.0 {}
    }

    pub(super) fn warning(&self, _: &Config) -> Option<String> {
        match self.0 {}
    }

    pub(super) fn channel(&self) -> Option<Box<Channel>> {
        match self.0 {}
    }
}

impl Channel {
    pub(super) fn read(
        &mut self,
        _: &mut dyn Read,
        _: &mut [u8],
        _: &mut Vec<u8>,
    ) -> io::Result<usize> {
        match self.0 {}
    }

    pub(super) fn seal(&mut self, _: &[u8], _: &mut Vec<u8>) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn close(&mut self, _: &mut Vec<u8>) {
        match self.0 {}
    }
}
