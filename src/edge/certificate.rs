//! Why a certificate cannot be used.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file that cannot be used for TLS.
#[derive(Debug, PartialEq, Eq)]
pub struct CertificateError {
    file: PathBuf,
    why: String,
}

impl CertificateError {
    pub(super) fn new(file: &Path, why: impl fmt::Display) -> Self {
        Self {
            file: file.to_owned(),
            why: why.to_string(),
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS: {}: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for CertificateError {}
