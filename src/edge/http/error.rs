//! Why a request is refused: a status, a code for programs, a sentence for people.

use std::borrow::Cow;

use crate::limits;
use crate::push::{Refusal, store::StoreError};

/// A request that is not carried out. Nothing of it has been kept, unless the sentence says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpError {
    /// Status (RFC 9110 §15).
    pub(super) status: u16,
    /// Stable word for programs.
    pub(super) code: &'static str,
    /// What is wrong and what to do about it. May quote the request: escape it.
    pub(super) message: String,
    /// Name of the field that is wrong, if it is one.
    pub(super) field: Option<&'static str>,
    /// Value of the `Allow` header that a 405 has to carry.
    pub(super) allow: Option<&'static str>,
}

impl HttpError {
    /// An error; of its sentence the first [`limits::HTTP_ERROR_TEXT`] bytes are kept.
    pub(super) fn new(
        status: u16,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let mut message = message.into().into_owned();
        message.truncate(message.floor_char_boundary(limits::HTTP_ERROR_TEXT));
        Self {
            status,
            code,
            message,
            field: None,
            allow: None,
        }
    }

    /// 400: the request is not what it has to be.
    pub(super) fn bad(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, code, message)
    }

    /// 400: a field is not what it has to be. The sentence begins with its name.
    pub(super) fn field(field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: Some(field),
            ..Self::bad("invalid-field", message)
        }
    }

    /// 404: there is no such page.
    pub(super) fn not_found() -> Self {
        Self::new(404, "not-found", "there is no such page here")
    }

    /// 405: the page exists, but not for this method.
    pub(super) fn method(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(
                405,
                "method-not-allowed",
                format!("this page answers to {allow}"),
            )
        }
    }
}

impl From<Refusal> for HttpError {
    fn from(refusal: Refusal) -> Self {
        let (status, code) = match refusal {
            Refusal::Unknown(_) => (404, "unknown-target"),
            Refusal::NoNotification => (404, "unknown-notification"),
            Refusal::TooLong { .. } => (413, "too-long"),
            Refusal::Invalid { .. } => (400, "invalid-field"),
            Refusal::Taken => (409, "taken"),
            Refusal::NoToken => (404, "unknown-token"),
            Refusal::TooManyTokens => (409, "too-many-tokens"),
            Refusal::Closed => (409, "registration-closed"),
            Refusal::Full => (507, "disk-full"),
            Refusal::Failed => (503, "store-failed"),
            Refusal::Busy => (503, "busy"),
        };
        let field = match &refusal {
            Refusal::TooLong { field, .. } | Refusal::Invalid { field, .. } => Some(*field),
            _ => None,
        };
        Self {
            field,
            ..Self::new(status, code, refusal.to_string())
        }
    }
}

impl From<StoreError> for HttpError {
    fn from(error: StoreError) -> Self {
        log::warn!("http: {error}");
        Refusal::Failed.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::notification::Target;

    #[test]
    fn refusals_have_their_status() {
        for (refusal, status) in [
            (Refusal::Unknown(Target::Everyone), 404),
            (Refusal::Unknown(Target::User("bob".into())), 404),
            (
                Refusal::TooLong {
                    field: "title",
                    limit: 7,
                },
                413,
            ),
            (
                Refusal::Invalid {
                    field: "name",
                    why: "is empty",
                },
                400,
            ),
            (Refusal::Taken, 409),
            (Refusal::NoToken, 404),
            (Refusal::TooManyTokens, 409),
            (Refusal::Closed, 409),
            (Refusal::Full, 507),
            (Refusal::Failed, 503),
            (Refusal::Busy, 503),
        ] {
            let error = HttpError::from(refusal.clone());
            assert_eq!(error.status, status, "{refusal:?}");
            assert_eq!(error.message, refusal.to_string());
            let names = matches!(status, 400 | 413);
            assert_eq!(error.field.is_some(), names, "{refusal:?}");
        }
    }

    #[test]
    fn long_sentences_are_cut_between_characters() {
        let error = HttpError::bad("long", "é".repeat(limits::HTTP_ERROR_TEXT));
        assert_eq!(error.message.len(), limits::HTTP_ERROR_TEXT);
        let error = HttpError::bad("long", format!("x{}", "é".repeat(limits::HTTP_ERROR_TEXT)));
        assert_eq!(error.message.len(), limits::HTTP_ERROR_TEXT - 1);
    }
}
