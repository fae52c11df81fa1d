//! How many connections this process may hold, and the descriptor kept to say no with.

use std::cell::RefCell;
use std::fs::File;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits::{HTTP_CONNECTIONS, SPARE_DESCRIPTORS};

/// Connections each port may hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// Phones.
    pub(super) phones: usize,
    /// Browsers and scripts.
    pub(super) http: usize,
}

/// Raises the soft limit of open files to the hard one, and returns it; `None` is no limit.
pub(super) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            log::warn!("limit of open files stays as it is: {error}");
            limit.current
        }
    }
}

/// Divides what the limit of open files leaves; phones get what they `want` if it can be had.
pub(super) fn share(open_files: Option<u64>, want: usize) -> Shares {
    let Some(open_files) = open_files else {
        return Shares {
            phones: want,
            http: HTTP_CONNECTIONS,
        };
    };
    let free = usize::try_from(open_files)
        .unwrap_or(usize::MAX)
        .saturating_sub(SPARE_DESCRIPTORS);
    let http = HTTP_CONNECTIONS.min(free / 4).max(1);
    Shares {
        phones: want.min(free.saturating_sub(http)).max(1),
        http,
    }
}

/// An open descriptor without use: closed for a moment, it lets one connection in that can be told no.
pub(super) struct Spare(RefCell<Option<File>>);

impl Spare {
    pub(super) fn new() -> Self {
        Self(RefCell::new(File::open("/dev/null").ok()))
    }

    /// Does `work` with one more free descriptor, which `work` has to free again.
    pub(super) fn lend(&self, work: impl FnOnce()) {
        self.0.take();
        work();
        self.0.replace(File::open("/dev/null").ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        name: &'static str,
        open_files: Option<u64>,
        want: usize,
        phones: usize,
        http: usize,
    }

    #[test]
    fn shares() {
        for case in [
            Case {
                name: "no limit",
                open_files: None,
                want: 4096,
                phones: 4096,
                http: 64,
            },
            Case {
                name: "plenty",
                open_files: Some(20_000),
                want: 4096,
                phones: 4096,
                http: 64,
            },
            Case {
                name: "usual soft limit",
                open_files: Some(1024),
                want: 4096,
                phones: 928,
                http: 64,
            },
            Case {
                name: "tight",
                open_files: Some(64),
                want: 4096,
                phones: 24,
                http: 8,
            },
            Case {
                name: "hopeless",
                open_files: Some(10),
                want: 4096,
                phones: 1,
                http: 1,
            },
        ] {
            let shares = share(case.open_files, case.want);
            assert_eq!(
                (shares.phones, shares.http),
                (case.phones, case.http),
                "{}",
                case.name
            );
        }
    }
}
