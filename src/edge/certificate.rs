//! Why a certificate cannot be used.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file that cannot be used for TLS.
#[derive(Debug, PartialEq, Eq)]
pub struct CertificateError {
    file: PathBuf,
    why: String,
    /// Whether the configuration names files that will not do, rather than the disk refusing ours.
    is_configuration: bool,
}

impl CertificateError {
    pub(super) fn new(file: &Path, why: impl fmt::Display) -> Self {
        Self {
            file: file.to_owned(),
            why: why.to_string(),
            is_configuration: true,
        }
    }

    /// The disk does not take a certificate of our own.
    #[cfg(feature = "tls")]
    pub(super) fn at_run(file: &Path, why: impl fmt::Display) -> Self {
        Self {
            is_configuration: false,
            ..Self::new(file, why)
        }
    }

    /// Whether another configuration would help.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.is_configuration
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS: {}: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for CertificateError {}
