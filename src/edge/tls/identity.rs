//! The certificate and its key: those an administrator names, or one of our own, made once and kept for good.
// Heads up! Apps pin what they were shown first. Conversations compares the one common name with the domain
// where a certificate has signed itself, and offers no way around it: exactly one CN, equal to the domain.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys, crypto};
use sha2::{Digest as _, Sha256};

use super::pem;
use crate::config::Config;
use crate::edge::certificate::CertificateError;
use crate::edge::data_dir::sync_directory;
use crate::edge::lan;
use crate::limits::PEM_BYTES;

/// The file of our own certificate and its key, in the data directory.
pub(super) const OWN_FILE: &str = "tls.pem";

/// A certificate that is served.
pub(super) struct Identity {
    key: Arc<CertifiedKey>,
    file: PathBuf,
    own: bool,
}

impl Identity {
    /// Reads what the configuration names; without that our own, which is made if it is missing.
    pub(super) fn load(config: &Config, data: &Path) -> Result<Self, CertificateError> {
        let tls = &config.tls;
        let own = tls.certificate.is_empty();
        let file = if own {
            data.join(OWN_FILE)
        } else {
            PathBuf::from(&tls.certificate)
        };
        if own && !tls.key.is_empty() {
            let why = "tls.key is set and tls.certificate is not";
            return Err(CertificateError::new(Path::new(&tls.key), why));
        }
        if own && !file.exists() {
            make(config, &file)?;
        }
        let key_file = if tls.key.is_empty() {
            file.clone()
        } else {
            PathBuf::from(&tls.key)
        };
        let mut key = read_pair(&file, &key_file);
        if own {
            key = key.map_err(|error| {
                let hint = "remove the file to have a new one made, which every app will ask about";
                CertificateError::new(&file, format!("{error}; {hint}"))
            });
        }
        Ok(Self {
            key: Arc::new(key?),
            file,
            own,
        })
    }

    pub(super) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.key.cert.first()
    }

    /// As [`super::Acceptor::fingerprint`].
    pub(super) fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.certificate().map_or(&[][..], |der| der.as_ref()));
        let mut text = String::with_capacity(95);
        for (index, byte) in digest.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            let _ = write!(text, "{colon}{byte:02X}");
        }
        text
    }

    /// As [`super::Acceptor::warning`].
    pub(super) fn warning(&self, config: &Config) -> Option<String> {
        let names = std::iter::once(&config.server.domain).chain(&config.server.aliases);
        let missing: Vec<_> = names
            .filter(|name| !self.covers(name))
            .map(|name| format!("{name:?}"))
            .collect();
        if missing.is_empty() {
            return None;
        }
        let file = self.file.display();
        let way_out = if self.own {
            "remove that file and send SIGHUP to have a new one made, which every app will ask about"
        } else {
            "put one that does in its place and send SIGHUP"
        };
        Some(format!(
            "the certificate in {file} does not hold the name {}; apps that call the server so refuse it: \
             {way_out}",
            missing.join(", ")
        ))
    }

    fn covers(&self, name: &str) -> bool {
        let Some(parsed) = self
            .certificate()
            .and_then(|der| ParsedCertificate::try_from(der).ok())
        else {
            return false;
        };
        ServerName::try_from(without_brackets(name))
            .is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
    }
}

fn without_brackets(name: &str) -> &str {
    let inner = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    inner.unwrap_or(name)
}

/// Reads a certificate with its chain, and its key.
fn read_pair(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let wrong = CertificateError::new;
    let chain = pem::certificates(&read(certificate)?).map_err(|why| wrong(certificate, why))?;
    let der = pem::key(&read(key)?).map_err(|why| wrong(key, why))?;
    let provider = crypto::ring::default_provider();
    let signer = provider.key_provider.load_private_key(der).map_err(|_| {
        let kinds = "ECDSA with P-256 or P-384, Ed25519, RSA with 2048 to 4096 bits";
        wrong(
            key,
            format!("holds a key of a kind that is not known here ({kinds})"),
        )
    })?;
    let pair = CertifiedKey::new(chain, signer);
    match pair.keys_match() {
        Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(pair),
        Err(TlsError::InconsistentKeys(_)) => Err(wrong(certificate, mismatch(&pair, key))),
        Err(error) => Err(wrong(certificate, format!("is damaged: {error}"))),
    }
}

/// Why a pair is none: another certificate of the chain may be the one.
fn mismatch(pair: &CertifiedKey, key: &Path) -> String {
    let later = pair.cert.iter().skip(1).any(|certificate| {
        let other = CertifiedKey::new(vec![certificate.clone()], Arc::clone(&pair.key));
        other.keys_match().is_ok()
    });
    if later {
        return "does not begin with the server's own certificate; put that first, then those that lead to \
                its root"
            .to_owned();
    }
    format!("does not belong to the key in {}", key.display())
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let fail =
        |error: std::io::Error| CertificateError::new(path, format!("cannot be read: {error}"));
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(fail)?;
    file.take(PEM_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > PEM_BYTES {
        let why = format!("is longer than {PEM_BYTES} bytes");
        return Err(CertificateError::new(path, why));
    }
    Ok(bytes)
}

/// Makes a certificate and writes it with its key, whole or not at all.
fn make(config: &Config, file: &Path) -> Result<(), CertificateError> {
    let fail = |why: &dyn std::fmt::Display| {
        CertificateError::at_run(file, format!("cannot be made: {why}"))
    };
    let key = KeyPair::generate().map_err(|error| fail(&error))?;
    let system = rustix::system::uname();
    let host = system
        .nodename()
        .to_str()
        .ok()
        .and_then(crate::config::domain);
    let params = params(config, host, &lan::addresses());
    let certificate = params
        .and_then(|params| params.self_signed(&key))
        .map_err(|error| fail(&error))?;
    let text = pem::block("PRIVATE KEY", key.serialized_der())
        + &pem::block("CERTIFICATE", certificate.der());
    let fresh = file.with_extension("pem.new");
    let write = || {
        let mut out = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&fresh, file)
    };
    write().map_err(|error| fail(&error))?;
    if let Some(directory) = file.parent() {
        sync_directory(directory);
    }
    log::info!("made a certificate, {}", file.display());
    Ok(())
}

/// What stands in our own certificate. There is no basic constraint and no key usage in it: with them, some
/// libraries do not take a certificate that has signed itself as its own root.
fn params(
    config: &Config,
    host: Option<String>,
    lan: &[IpAddr],
) -> Result<CertificateParams, rcgen::Error> {
    let domain = without_brackets(&config.server.domain);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, domain.to_owned());
    params.is_ca = IsCa::NoCa;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Routers and phones without a clock live in 1970.
    params.not_before = date_time_ymd(1970, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    let names = std::iter::once(domain.to_owned())
        .chain(config.server.aliases.iter().cloned())
        .chain(host);
    for name in names {
        let name = without_brackets(&name);
        let san = match name.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.try_into()?),
        };
        add(&mut params.subject_alt_names, san);
    }
    for address in lan {
        add(&mut params.subject_alt_names, SanType::IpAddress(*address));
    }
    Ok(params)
}

fn add(names: &mut Vec<SanType>, name: SanType) {
    if !names.contains(&name) {
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::scratch::Scratch;

    fn named(domain: &str, aliases: &[&str]) -> Config {
        let mut config = Config::default();
        config.server.domain = domain.into();
        config.server.aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        config
    }

    #[test]
    fn our_own_holds_every_name() {
        let lan = ["192.168.1.7".parse().unwrap(), "fd00::2".parse().unwrap()];
        for (domain, common_name, all) in [
            (
                "push.lan",
                "push.lan",
                "push.lan gw.lan 192.0.2.1 fd00::7 box 192.168.1.7 fd00::2",
            ),
            (
                "192.168.1.7",
                "192.168.1.7",
                "192.168.1.7 gw.lan 192.0.2.1 fd00::7 box fd00::2",
            ),
            (
                "[fd00::2]",
                "fd00::2",
                "fd00::2 gw.lan 192.0.2.1 fd00::7 box 192.168.1.7",
            ),
        ] {
            let config = named(domain, &["gw.lan", "192.0.2.1", "[fd00::7]", "gw.lan"]);
            let params = params(&config, Some("box".into()), &lan).unwrap();
            let subject: Vec<_> = params.distinguished_name.iter().collect();
            let cn = rcgen::DnValue::Utf8String(common_name.into());
            assert_eq!(subject, [(&DnType::CommonName, &cn)]);
            let names: Vec<_> = params
                .subject_alt_names
                .iter()
                .map(|name| match name {
                    SanType::DnsName(name) => name.as_str().to_owned(),
                    SanType::IpAddress(address) => address.to_string(),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(names.join(" "), all);
        }
    }

    #[test]
    fn made_once_and_kept() {
        let data = Scratch::new();
        let first = Identity::load(&named("push.lan", &["gw.lan"]), data.path()).unwrap();
        assert_eq!(first.warning(&named("push.lan", &["gw.lan"])), None);
        assert_eq!(first.fingerprint().len(), 95);
        let changed = named("Other.lan", &["push.lan", "new.lan"]);
        let later = Identity::load(&changed, data.path()).unwrap();
        assert_eq!(first.fingerprint(), later.fingerprint());
        let warning = later.warning(&changed).unwrap();
        assert!(
            warning.contains(r#"the name "Other.lan", "new.lan";"#),
            "{warning}"
        );
        fs::remove_file(data.path().join(OWN_FILE)).unwrap();
        let renewed = Identity::load(&changed, data.path()).unwrap();
        assert_ne!(first.fingerprint(), renewed.fingerprint());
        assert_eq!(renewed.warning(&changed), None);
    }

    #[test]
    fn our_own_is_never_replaced_by_itself() {
        let data = Scratch::new();
        fs::write(data.path().join(OWN_FILE), "half a fi").unwrap();
        let error = Identity::load(&named("push.lan", &[]), data.path()).err();
        let said = error.unwrap().to_string();
        assert!(
            said.contains("holds no certificate") && said.contains("remove the file"),
            "{said}"
        );
    }

    #[test]
    fn keys_of_other_kinds_and_forms() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
        for file in ["rsa.pem", "sec1.pem"] {
            let mut config = named("push.lan", &[]);
            config.tls.certificate = folder.join(file).display().to_string();
            let identity = Identity::load(&config, Path::new("/nowhere")).unwrap();
            assert_eq!(identity.warning(&config), None, "{file}");
        }
        for (key, why) in [
            ("short-rsa.pem", "holds a key of a kind that is not known"),
            (
                "locked-old.pem",
                "holds a key that is protected by a password",
            ),
            ("sec1.pem", "does not belong to the key in"),
            ("absent.pem", "cannot be read: No such file"),
        ] {
            let error = read_pair(&folder.join("rsa.pem"), &folder.join(key)).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
    }

    #[test]
    fn a_chain_begins_with_the_server() {
        let scratch = Scratch::new();
        let file = scratch.path().join("chain.pem");
        let pair = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let (server, other) = (pair("push.lan"), pair("root.lan"));
        let key = pem::block("PRIVATE KEY", server.signing_key.serialized_der());
        let [server, other] =
            [server, other].map(|pair| pem::block("CERTIFICATE", pair.cert.der()));
        fs::write(&file, format!("{key}{server}{other}")).unwrap();
        assert_eq!(read_pair(&file, &file).unwrap().cert.len(), 2);
        fs::write(&file, format!("{other}{server}{key}")).unwrap();
        let error = read_pair(&file, &file).unwrap_err().to_string();
        assert!(
            error.contains("does not begin with the server's own"),
            "{error}"
        );
    }

    #[test]
    fn files_without_end() {
        let scratch = Scratch::new();
        let file = scratch.path().join("big.pem");
        fs::write(&file, vec![b'\n'; PEM_BYTES as usize + 1]).unwrap();
        let error = read_pair(&file, &file).unwrap_err().to_string();
        assert!(error.ends_with("is longer than 65536 bytes"), "{error}");
    }
}
