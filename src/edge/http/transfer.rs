//! `/api/v1/export` and `/api/v1/import`: everything with its passwords, and so for the admin socket only.
//!
//! `GET /api/v1/export?from=KEY` gives a piece of the export and the key with which the next one begins.
//! `POST /api/v1/import?replace=yes` takes `{"lines": …}` of an export, of which only
//! accounts count.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiny_http::Method;

use super::Desk;
use super::ask::ask;
use super::error::HttpError;
use super::form::Fields;
use super::request::{Head, Request};
use super::response::Response;
use super::routes::Shape;
use crate::push;
use crate::push::export::{BadLine, Line};

const EXPORT: &str = "/api/v1/export";
const IMPORT: &str = "/api/v1/import";

/// Whether the request is for here.
pub(super) fn is_meant(head: &Head) -> bool {
    matches!(head.path.as_str(), EXPORT | IMPORT)
}

/// Answers it.
pub(super) async fn answer<D: Desk>(desk: &D, request: &Request, wait: Duration) -> Response {
    let answer = match (&request.head.method, request.head.path.as_str()) {
        (Method::Get, EXPORT) => export(desk, request),
        (_, EXPORT) => Err(HttpError::method("GET")),
        (Method::Post, _) => import(desk, request, wait).await,
        _ => Err(HttpError::method("POST")),
    };
    answer.unwrap_or_else(|error| Shape::Api.of_error(&error))
}

#[derive(Serialize)]
struct PageOut {
    lines: String,
    next: Option<String>,
}

fn export<D: Desk>(desk: &D, request: &Request) -> Result<Response, HttpError> {
    let fields = Fields::of_query(&request.head.query)?;
    fields.only(&["from"])?;
    let from = unhex(fields.trimmed("from"))
        .ok_or_else(|| HttpError::bad("invalid-field", "from wants hex digits"))?;
    let page = desk.export(&from).map_err(|error| {
        log::error!("export: {error}");
        HttpError::new(500, "failed", "the store cannot be read; see the log")
    })?;
    let out = PageOut {
        lines: page.lines,
        next: page.next.map(|key| hex(&key)),
    };
    Ok(Response::json(200, &out))
}

#[derive(Deserialize)]
struct ImportIn {
    lines: String,
}

#[derive(Default, Serialize)]
struct ImportOut {
    taken: u64,
    kept: u64,
    /// Lines, counted from 0, and what is wrong with them.
    bad: Vec<(usize, String)>,
}

async fn import<D: Desk>(
    desk: &D,
    request: &Request,
    wait: Duration,
) -> Result<Response, HttpError> {
    let fields = Fields::of_query(&request.head.query)?;
    fields.only(&["replace"])?;
    let replace = fields.trimmed("replace") == "yes";
    let input: ImportIn = serde_json::from_slice(&request.body)
        .map_err(|_| HttpError::bad("invalid-json", "the body has to be {\"lines\": …}"))?;
    let mut out = ImportOut::default();
    for (number, text) in input.lines.lines().enumerate() {
        match Line::parse(text.as_bytes()) {
            Ok(Line::Account(account)) => {
                let wanted = push::Request::PutAccount { account, replace };
                match ask(desk, wanted, wait).await {
                    Ok(_) => out.taken += 1,
                    Err(error) if error.status == 409 => out.kept += 1,
                    Err(error) => return Err(error),
                }
            }
            Ok(_) => {}
            Err(BadLine(why)) => out.bad.push((number, why)),
        }
    }
    Ok(Response::json(200, &out))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2).map(|pair| {
        let digits = std::str::from_utf8(pair).ok().filter(|_| pair.len() == 2)?;
        let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u8::from_str_radix(digits, 16).ok().filter(|_| hex)
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_an_address() {
        assert_eq!(unhex(&hex(&[0, 1, 0xff])), Some(vec![0, 1, 0xff]));
        assert_eq!(unhex(""), Some(vec![]));
        for text in ["0", "0g", "+1", "000", "é"] {
            assert_eq!(unhex(text), None, "{text:?}");
        }
    }
}
