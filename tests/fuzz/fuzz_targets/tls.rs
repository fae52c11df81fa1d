//! What TLS reads: a phone's records, before and behind a handshake, and the files of certificates.
#![no_main]

use std::fs;
use std::io::{self, Read, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use lanpush::config::Config;
use lanpush::edge::fuzzing::{Connection, Server};
use lanpush::limits::TLS_RECORD;
use libfuzzer_sys::fuzz_target;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// What comes of a client, some bytes at a time; then there is nothing more.
struct Socket<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.step.min(buffer.len()).min(self.bytes.len());
        if length == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let (now, later) = self.bytes.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.bytes = later;
        Ok(length)
    }
}

/// A directory in memory, the server whose certificate lies there, and clients of both versions that trust it.
struct World {
    directory: PathBuf,
    server: Server,
    clients: [Arc<ClientConfig>; 2],
}

thread_local! {
    static WORLD: World = World::new();
}

impl World {
    fn new() -> Self {
        let directory = PathBuf::from(format!("/dev/shm/lanpush-fuzz-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory in memory");
        let mut config = Config::default();
        config.server.domain = "push.lan".to_owned();
        let server = Server::open(&config, &directory).expect("a certificate");
        let own = CertificateDer::from_pem_file(directory.join("tls.pem")).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(own).expect("a certificate");
        let clients = [&TLS12, &TLS13].map(|version| {
            let builder = ClientConfig::builder_with_provider(ring::default_provider().into());
            let client = builder
                .with_protocol_versions(&[version])
                .expect("a version");
            Arc::new(
                client
                    .with_root_certificates(roots.clone())
                    .with_no_client_auth(),
            )
        });
        World {
            directory,
            server: server.expect("TLS is on"),
            clients,
        }
    }
}

/// What the server reads of these bytes, and what it says meanwhile; whether it goes on.
fn give(server: &mut Connection, bytes: &[u8], step: usize) -> (Vec<u8>, Vec<u8>, bool) {
    let (mut plain, mut out) = (Vec::new(), Vec::new());
    let mut socket = Socket { bytes, step };
    let mut buffer = [0; 2048];
    loop {
        match server.read(&mut socket, &mut buffer, &mut out) {
            Ok(0) => return (plain, out, false),
            Ok(length) => plain.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (plain, out, true),
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
                return (plain, out, false);
            }
        }
    }
}

fn said(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).expect("a buffer that grows");
    }
    bytes
}

/// A connection that gets these bytes after so many flights of a true handshake, in which one byte may be
/// another.
fn connection(
    world: &World,
    (flights, version): (u8, usize),
    damage: Option<(usize, u8)>,
    bytes: &[u8],
    step: usize,
) {
    let name = "push.lan".try_into().expect("a name");
    let mut client =
        ClientConnection::new(Arc::clone(&world.clients[version]), name).expect("a client");
    let mut server = world.server.connection().expect("a connection");
    for flight in 0..flights {
        let mut words = said(&mut client);
        if let (Some((at, byte)), 0) = (damage, flight)
            && let Some(word) = words.get_mut(at)
        {
            *word ^= byte;
        }
        let (_, out, goes_on) = give(&mut server, &words, step);
        let mut out = &out[..];
        while !out.is_empty() && client.read_tls(&mut out).is_ok() {
            let _ = client.process_new_packets();
        }
        if !goes_on {
            break;
        }
    }
    if !client.is_handshaking() && damage.is_none() {
        client
            .writer()
            .write_all(b"before")
            .expect("a client that may write");
        assert_eq!(give(&mut server, &said(&mut client), step).0, b"before");
    }
    let (plain, out, goes_on) = give(&mut server, bytes, step);
    // Nobody but the client has its keys.
    assert_eq!(plain, b"");
    assert!(out.len() <= TLS_RECORD, "{} bytes of TLS's own", out.len());
    let mut sealed = Vec::new();
    let written = server.seal(b"behind", &mut sealed);
    assert!(goes_on || written.is_err() || sealed.len() <= TLS_RECORD);
    server.close(&mut sealed);
}

/// A file of a certificate with its key: it is used, or there is a reason.
fn file(world: &World, text: &[u8]) {
    let path = world.directory.join("given.pem");
    fs::write(&path, text).expect("a file in memory");
    let mut config = Config::default();
    config.server.domain = "push.lan".to_owned();
    config.tls.certificate = path.display().to_string();
    match Server::open(&config, &world.directory) {
        Ok(server) => drop(
            server
                .expect("TLS is on")
                .connection()
                .expect("a connection"),
        ),
        Err(error) => assert!(error.is_configuration(), "{error}"),
    }
}

fn seeds(world: &World) -> Vec<Vec<u8>> {
    let own = fs::read(world.directory.join("tls.pem")).expect("a certificate");
    let files = [
        &own[..],
        include_bytes!("../../data/tls/rsa.pem"),
        include_bytes!("../../data/tls/sec1.pem"),
        include_bytes!("../../data/tls/locked-old.pem"),
        include_bytes!("../../data/tls/short-rsa.pem"),
    ];
    let mut seeds: Vec<_> = files
        .iter()
        .map(|file| [b"\xff---", *file].concat())
        .collect();
    for version in [0, 1] {
        let name = "push.lan".try_into().expect("a name");
        let config = Arc::clone(&world.clients[version]);
        let hello = said(&mut ClientConnection::new(config, name).expect("a client"));
        seeds.push([b"\x00\x40\0\0", &hello[..]].concat());
    }
    // Alerts, heartbeats, application data, a record that is too long.
    for record in [
        &b"\x15\x03\x03\0\x02\x01\0"[..],
        b"\x18\x03\x03\0\x01a",
        b"\x17\x03\x03\0\x05abcde",
        b"\x16\x03\x01\xff\xff",
    ] {
        for flights in [0, 1, 2, 4, 0x14] {
            seeds.push([&[flights, 7, 0, 0], record].concat());
        }
    }
    seeds.push(b"\x11\x20\x30\x01".to_vec());
    seeds
}

fn check(world: &World, bytes: &[u8]) {
    let Some((&[kind, step, at, byte], rest)) = bytes.split_first_chunk() else {
        return;
    };
    if kind == 0xff {
        return file(world, rest);
    }
    let damage = (byte != 0).then_some((usize::from(at) * 2, byte));
    let version = usize::from(kind >> 4 & 1);
    connection(
        world,
        (kind & 7, version),
        damage,
        rest,
        usize::from(step) * 8 + 1,
    );
}

fuzz_target!(init: lanpush_fuzz::seeds(|| WORLD.with(seeds)), |bytes: &[u8]| WORLD.with(|world| check(world, bytes)));
