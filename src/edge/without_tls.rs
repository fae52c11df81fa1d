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
    pub(super) fn open(_: &Config, _: &Path) -> Result<Option<Self>, CertificateError> {
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
