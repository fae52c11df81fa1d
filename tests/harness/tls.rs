//! TLS as phones and browsers speak it, without a care for who signed the certificate.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};

use super::DEADLINE;
use super::phone::Phone;

/// An encrypted connection.
pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A client of these versions that offers these protocols by ALPN.
pub(crate) fn client(
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> Arc<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// A client as most are.
pub(crate) fn usual() -> Arc<ClientConfig> {
    client(rustls::DEFAULT_VERSIONS, &[])
}

/// Turns to TLS on a connection.
pub(crate) fn encrypt(stream: TcpStream, config: Arc<ClientConfig>, name: &str) -> Tls {
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream)
}

/// A connection that begins with TLS.
pub(crate) fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> Tls {
    encrypt(TcpStream::connect(address).unwrap(), config, "push.lan")
}

/// A phone that turns to TLS in its stream; the stream inside is open.
pub(crate) fn starttls(address: SocketAddr, config: Arc<ClientConfig>) -> Phone<Tls> {
    let mut plain = Phone::open(address);
    plain.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    plain.until("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    let mut phone = Phone::of(encrypt(plain.stream, config, "push.lan"));
    phone.open_stream();
    phone
}

/// A phone that has begun with TLS; its stream is open.
pub(crate) fn direct(address: SocketAddr, config: Arc<ClientConfig>) -> Phone<Tls> {
    let mut phone = Phone::of(connect(address, config));
    phone.open_stream();
    phone
}

/// The certificate a server shows.
pub(crate) fn certificate(address: SocketAddr) -> CertificateDer<'static> {
    let mut tls = connect(address, usual());
    tls.conn.complete_io(&mut tls.sock).unwrap();
    tls.conn.peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

/// Believes every certificate, but wants its owner to be there.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
