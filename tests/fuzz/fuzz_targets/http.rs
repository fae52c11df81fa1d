//! HTTP with all that is behind it: heads, queries, forms, multipart, chunks, JSON, androidpn's pages and the API.
//! Whoever sends a byte gets one whole answer, never 500, and the same one however the request is cut.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use lanpush::edge::http::Peer;
use lanpush_fuzz::desk;
use libfuzzer_sys::fuzz_target;

/// Bytes of the longest answer: a page with all its rows.
const ANSWER: usize = 1024 * 1024;

/// Status and body of the one answer.
fn parse(bytes: &[u8]) -> (u16, Vec<u8>) {
    let bytes = bytes
        .strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap_or(bytes);
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let head = response.parse(bytes).expect("an answer in HTTP");
    let body = &bytes[head
        .is_complete()
        .then(|| head.unwrap())
        .expect("a whole head")..];
    let header = |name: &str| {
        let found = response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| std::str::from_utf8(header.value).expect("headers in ASCII"))
    };
    let length: usize =
        header("content-length").map_or(0, |length| length.parse().expect("a length"));
    // To HEAD the length is told, and there is no body.
    assert!(
        body.len() == length || body.is_empty(),
        "{} of {length} bytes",
        body.len()
    );
    if header("content-type").is_some_and(|kind| kind.starts_with("application/json"))
        && !body.is_empty()
    {
        serde_json::from_slice::<serde_json::Value>(body).expect("JSON");
    }
    assert!(std::str::from_utf8(body).is_ok(), "a body in UTF-8");
    (response.code.expect("a status"), body.to_vec())
}

const HEAD: &str = " HTTP/1.1\r\nHost: 127.0.0.1\r\n";

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<String> = [
        "/",
        "/index.do",
        "/user.do?user=sam",
        "/session.do",
        "/nothing",
    ]
    .iter()
    .chain(&[
        "/notification.do?action=list",
        "/api/v1/status",
        "/api/v1/users?online=true",
    ])
    .chain(&[
        "/api/v1/users/sam",
        "/api/v1/users/sam/topics",
        "/api/v1/notifications?limit=2",
    ])
    .chain(&[
        "/api/v1/tokens",
        "/api/v1/notifications/019b76da080070000000000000000000?wait=1&for=sent",
    ])
    .map(|path| format!("GET {path}{HEAD}\r\n"))
    .collect();
    let with_body = |method: &str, path: &str, kind: &str, body: &str| {
        let length = body.len();
        format!(
            "{method} {path}{HEAD}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    seeds.extend([
        with_body("POST", "/notification.do?action=send", form, "broadcast=N&username=sam&title=a+b&message=%C3%BC&uri=http%3A%2F%2Fx"),
        with_body("POST", "/notification_api.do", form, "action=send&broadcast=Y&title=t&message=m"),
        with_body("POST", "/user_api.do", form, "action=create&username=lee&password=x&name=n&email=e"),
        with_body("POST", "/", form, "to=*&title=t&message=m&sequence=s&ttl=60&priority=5"),
        with_body("POST", "/", "multipart/form-data; boundary=xyz", "--xyz\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nhi\r\n--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nb\r\n--xyz--\r\n"),
        with_body("POST", "/api/v1/notifications?wait=1", json, r#"{"to":"tag:office & !night","title":"t","message":"m","uri":"u","priority":5,"ttl":60,"sequence":"s","at":"2026-02-01T00:00:00Z","actions":[{"label":"l","uri":"u"}],"tags":["a"],"silent":false}"#),
        with_body("POST", "/api/v1/users", json, r#"{"name":"lee","password":"x"}"#),
        with_body("PUT", "/api/v1/users/sam/tags", json, r#"{"tags":["a","b"]}"#),
        with_body("PUT", "/api/v1/users/sam/topics/doors", json, ""),
        with_body("POST", "/api/v1/tokens", json, r#"{"uses":1,"days":2,"note":"n"}"#),
        format!("DELETE /api/v1/notifications?sequence=s&to=sam{HEAD}\r\n"),
        format!("DELETE /api/v1/users/kim{HEAD}Date: Sun, 06 Nov 2026 08:49:37 GMT\r\n\r\n"),
        format!("HEAD /{HEAD}\r\n"),
        format!("OPTIONS *{HEAD}Origin: http://x\r\n\r\n"),
        format!("POST /{HEAD}Transfer-Encoding: chunked\r\nExpect: 100-continue\r\nContent-Type: {form}\r\n\r\n5;x=y\r\ntitle\r\n2\r\n=a\r\n0\r\nT: x\r\n\r\n"),
        "GET http://127.0.0.1/?a=b HTTP/1.0\r\n\r\n".to_owned(),
    ]);
    seeds
        .into_iter()
        .map(|seed| [&[0x20], seed.as_bytes()].concat())
        .collect()
}

fn check(bytes: &[u8]) {
    let Some((&choice, request)) = bytes.split_first() else {
        return;
    };
    let peer = match choice & 1 {
        0 => Peer::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => Peer::AdminSocket,
    };
    let whole = desk::answer(request, usize::MAX, peer);
    if request.is_empty() {
        return;
    }
    assert!(whole.len() <= ANSWER, "{} bytes", whole.len());
    let answer = parse(&whole);
    assert_ne!(answer.0, 500, "{}", String::from_utf8_lossy(&whole));
    let step = usize::from(choice >> 1) + 1;
    let cut = desk::answer(request, step, peer);
    assert_eq!(parse(&cut), answer, "{step} bytes at a time");
}

fuzz_target!(init: lanpush_fuzz::seeds(seeds), |bytes: &[u8]| check(bytes));
