//! RFC 4616 PLAIN: the password itself, so only where TLS hides it.

use super::Failure;

/// What the client says.
#[derive(Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who it wants to act as, if it says so.
    pub authzid: Option<&'a str>,
    /// Who it is.
    pub name: &'a str,
    /// Its password.
    pub password: &'a str,
}

/// §2: `authzid NUL authcid NUL password`.
///
/// # Errors
/// `malformed-request` for anything else.
pub fn parse(message: &[u8]) -> Result<Message<'_>, Failure> {
    let text = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
    let mut parts = text.split('\0');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(authzid), Some(name), Some(password), None)
            if !name.is_empty() && !password.is_empty() =>
        {
            Ok(Message {
                authzid: Some(authzid).filter(|authzid| !authzid.is_empty()),
                name,
                password,
            })
        }
        _ => Err(Failure::MalformedRequest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let message = |authzid, name, password| Message {
            authzid,
            name,
            password,
        };
        for (bytes, want) in [
            (
                &b"\0tim\0tanstaaftanstaaf"[..],
                Some(message(None, "tim", "tanstaaftanstaaf")),
            ),
            (
                b"Ursel\0Kurt\0xipj3plmq",
                Some(message(Some("Ursel"), "Kurt", "xipj3plmq")),
            ),
            (b"", None),
            (b"\0\0", None),
            (b"\0tim", None),
            (b"\0tim\0", None),
            (b"\0\0secret", None),
            (b"\0tim\0secret\0", None),
            (b"\0tim\0\xff", None),
        ] {
            assert_eq!(parse(bytes).ok(), want, "{bytes:?}");
        }
    }
}
