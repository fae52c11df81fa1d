//! Tokens to register with, as the administrator sees them.

/// A token to register with, as it is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenView {
    /// What it is named by; nobody can register with that.
    pub id: String,
    /// Accounts it is still good for.
    pub uses: u32,
    /// Seconds since 1970.
    pub created: u64,
    /// Second since 1970 from which on it is worth nothing, if the clock was right when it was made.
    pub expires: Option<u64>,
    /// Whether that time has come.
    pub expired: bool,
    /// The administrator's words, may be empty.
    pub note: String,
}
