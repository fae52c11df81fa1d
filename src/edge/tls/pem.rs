//! RFC 7468: certificates and keys as text.

use base64ct::{Base64, Encoding as _};
use rustls::pki_types::pem::{Error, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Letters of one line (RFC 7468 §2).
const LINE: usize = 64;

/// Every certificate of a file, in its order.
///
/// # Errors
/// A sentence's end: what is wrong with the file.
pub(super) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, Error> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| format!("is damaged: {error}"))?;
    if found.is_empty() {
        return Err("holds no certificate (a block that begins with BEGIN CERTIFICATE)".to_owned());
    }
    Ok(found)
}

/// The first private key of a file.
///
/// # Errors
/// A sentence's end: what is wrong with the file.
pub(super) fn key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    // PKCS #8 says it in the first line of the block, older files in its second.
    let protected = [
        &b"BEGIN ENCRYPTED PRIVATE KEY"[..],
        b"Proc-Type: 4,ENCRYPTED",
    ];
    if protected.iter().any(|words| contains(text, words)) {
        return Err(
            "holds a key that is protected by a password, which nobody is there to type; \
                    \"openssl pkey -in FILE -out NEW\" takes it off"
                .to_owned(),
        );
    }
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        Error::NoItemsFound => {
            "holds no private key (a block that begins with BEGIN PRIVATE KEY)".to_owned()
        }
        error => format!("is damaged: {error}"),
    })
}

fn contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

/// One block.
pub(super) fn block(label: &str, der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (index, letter) in text.chars().enumerate() {
        if index > 0 && index % LINE == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str(&format!("\n-----END {label}-----\n"));
    pem
}
