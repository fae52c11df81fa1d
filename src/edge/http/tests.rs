//! Whole requests: bytes in, bytes out, over a stream in memory and a desk that only remembers.

use std::net::IpAddr;
use std::time::Duration;

use super::connection::Waits;
use super::fake::{FakeDesk, NOW, Stream, notification, session, user};
use super::{Desk, Peer, serve_within};
use crate::limits;
use crate::push::notification::{DeliveryState, Extras, Link, Priority, Target};
use crate::push::views::Repaired;
use crate::push::{Draft, Refusal, Request, TopicOf, Withdrawal};
use crate::time::Basis;

const LOOPBACK: Peer = Peer::Address(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

/// Deadlines that no test reaches unless it means to.
const PATIENT: Waits = waits(Duration::from_secs(60));
/// Deadlines that are reached at once.
const HASTY: Waits = waits(Duration::from_millis(1));

const fn waits(wait: Duration) -> Waits {
    Waits {
        head: wait,
        body: wait,
        ask: wait,
        write: wait,
        drain: wait,
    }
}

fn run(desk: &FakeDesk, stream: Stream, peer: Peer, waits: &Waits) -> String {
    let output = stream.output.clone();
    smol::block_on(serve_within(stream, peer, desk, waits));
    let bytes = output.borrow().clone();
    String::from_utf8(bytes).unwrap()
}

/// The answer to a request from this machine.
fn ask(desk: &FakeDesk, request: &[u8]) -> String {
    run(desk, Stream::new(&[request]), LOOPBACK, &PATIENT)
}

fn status(answer: &str) -> u16 {
    let code = answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3));
    code.unwrap_or_else(|| panic!("no answer: {answer:?}"))
        .parse()
        .unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

fn send(method: &str, target: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn form(target: &str, body: &str) -> Vec<u8> {
    send("POST", target, "application/x-www-form-urlencoded", body)
}

fn json(method: &str, target: &str, body: &str) -> Vec<u8> {
    send(method, target, "application/json", body)
}

fn draft(target: Target, title: &str, message: &str, uri: &str) -> Draft {
    let (title, message, uri) = (title.into(), message.into(), uri.into());
    Draft {
        target,
        title,
        message,
        uri,
        extras: Box::default(),
    }
}

// ---- every page and its statuses -------------------------------------------------------------

struct Row {
    name: &'static str,
    request: Vec<u8>,
    status: u16,
    /// Something the answer holds.
    holds: &'static str,
}

fn row(name: &'static str, request: Vec<u8>, status: u16, holds: &'static str) -> Row {
    Row {
        name,
        request,
        status,
        holds,
    }
}

fn rows() -> Vec<Row> {
    let raw = |text: &str| text.as_bytes().to_vec();
    let multipart = "--X\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nhi\r\n\
        --X\r\nContent-Disposition: form-data; name=\"image\"; filename=\"i.png\"\r\n\r\n\0\r\n--X--\r\n";
    vec![
        row("console", get("/"), 200, "<h1>Send</h1>"),
        row("index", get("/index.do"), 200, "<h1>Send</h1>"),
        row("users", get("/user.do"), 200, ">sam<"),
        row(
            "users from behind",
            get("/user.do?offset=1"),
            200,
            "/user.do?offset=0",
        ),
        row(
            "users from nonsense",
            get("/user.do?offset=-x"),
            200,
            ">sam<",
        ),
        row("sessions", get("/session.do"), 200, "No phone is connected"),
        row(
            "form",
            get("/notification.do"),
            200,
            "action=\"/notification.do?action=send\"",
        ),
        row(
            "form by its action",
            get("/notification.do?action=list"),
            200,
            "<form",
        ),
        row(
            "head",
            raw("HEAD / HTTP/1.0\r\n\r\n"),
            200,
            "Content-Length: ",
        ),
        row(
            "console form",
            form("/", "broadcast=0&message=hi"),
            303,
            "Location: /?sent=01a1f9cdbf0807070707070707070707&queued=3&now=2\r\n",
        ),
        row(
            "console after it",
            get("/?sent=00000000000000000000000000000001&queued=3&now=2"),
            200,
            "Stored for 3 devices, sent to 2 at once",
        ),
        row(
            "console form to nobody",
            form("/", "broadcast=1&who=bob&message=%3Chi%3E"),
            404,
            "&lt;hi&gt;",
        ),
        row(
            "console form with a forgotten choice",
            form("/", "broadcast=0&who=sam&message=hi"),
            400,
            "role=\"alert\"",
        ),
        row(
            "console link to a user",
            get("/?to=sam"),
            200,
            "value=\"sam\"",
        ),
        row(
            "push by form",
            form("/notification.do?action=send", "message=hi"),
            302,
            "Location: /notification.do\r\n",
        ),
        row(
            "push with its action in the body",
            form("/notification.do", "action=send&message=hi"),
            302,
            "\r\n\r\n",
        ),
        row(
            "push by address",
            get("/notification.do?action=send&title=T&message=hi"),
            302,
            "\r\n\r\n",
        ),
        row(
            "push by multipart",
            send(
                "POST",
                "/notification.do?action=send",
                "multipart/form-data; boundary=X",
                multipart,
            ),
            302,
            "\r\n\r\n",
        ),
        row(
            "push of a sender that does not say what it sends",
            send("POST", "/notification.do?action=send", "", "message=hi"),
            302,
            "\r\n\r\n",
        ),
        row(
            "push by POST without a body",
            raw("POST /notification.do?action=send&message=hi HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            302,
            "\r\n\r\n",
        ),
        row(
            "push in chunks",
            raw(
                "POST /notification.do?action=send HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nmessage=\r\n2\r\nhi\r\n0\r\n\r\n",
            ),
            302,
            "\r\n\r\n",
        ),
        row(
            "push by HTTP 1.0",
            raw("GET /notification.do?action=send&message=hi HTTP/1.0\r\n\r\n"),
            302,
            "\r\n\r\n",
        ),
        row(
            "push to nobody",
            get("/notification.do?action=send&broadcast=N&username=bob&message=hi"),
            404,
            "there is no user",
        ),
        row(
            "push to no name",
            get("/notification.do?action=send&broadcast=N&message=hi"),
            400,
            "username is missing",
        ),
        row(
            "push without its action",
            form("/notification.do", "message=hi"),
            400,
            "without action=send",
        ),
        row(
            "push by HEAD",
            raw("HEAD /notification.do?action=send&message=hi HTTP/1.0\r\n\r\n"),
            405,
            "Allow: GET, POST\r\n",
        ),
        row(
            "push by GET with a body",
            send("GET", "/notification.do", "", "action=send&message=hi"),
            200,
            "<form",
        ),
        row(
            "push by HEAD with a body",
            send("HEAD", "/notification_api.do", "", "action=send&message=hi"),
            400,
            "application/json",
        ),
        row(
            "push of text",
            send(
                "POST",
                "/notification.do?action=send",
                "text/plain",
                "message=hi",
            ),
            415,
            "form",
        ),
        row(
            "push in Latin-1",
            get("/notification.do?action=send&message=caf%E9"),
            400,
            "not UTF-8",
        ),
        row(
            "push API",
            get("/notification_api.do?action=send&message=hi"),
            200,
            "\r\n\r\n{\"result\":\"0\",\"description\":\"success\"}",
        ),
        row(
            "push API by form",
            form("/notification_api.do?action=send", "message=hi"),
            200,
            "{\"result\":\"0\"",
        ),
        row(
            "push API to nobody",
            get("/notification_api.do?action=send&broadcast=N&username=b\"b&message=hi"),
            404,
            "{\"result\":\"404\",\"description\":\"there is no user",
        ),
        row(
            "push API without its action",
            get("/notification_api.do?message=hi"),
            400,
            "{\"result\":\"400\"",
        ),
        row(
            "push API by PUT",
            send("PUT", "/notification_api.do", "", ""),
            405,
            "{\"result\":\"405\"",
        ),
        row(
            "user API",
            get("/user_api.do"),
            200,
            "{\"data\":[\"sam\",\"mia\"]}",
        ),
        row(
            "user API by form",
            form("/user_api.do", "action=list&online=1"),
            200,
            "{\"data\":[\"sam\"]}",
        ),
        row(
            "user API offline",
            get("/user_api.do?action=list&online=0&from="),
            200,
            "{\"data\":[\"mia\"]}",
        ),
        row(
            "user API from a time",
            get("/user_api.do?from=2026-11-19+16:33:00"),
            200,
            "\"sam\"",
        ),
        row(
            "user API from a later time",
            get("/user_api.do?from=2026-11-19%2016:33:01"),
            200,
            "{\"data\":[]}",
        ),
        row(
            "user API from nonsense",
            get("/user_api.do?from=yesterday"),
            400,
            "{\"error\":\"invalid-field\"",
        ),
        row(
            "user API online nonsense",
            get("/user_api.do?online=2"),
            400,
            "{\"error\":\"invalid-field\"",
        ),
        row(
            "user API other action",
            get("/user_api.do?action=drop"),
            400,
            "{\"error\":\"action\"",
        ),
        row(
            "API push",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"*\",\"message\":\"hi\"}",
            ),
            202,
            "\"queued\":3,\"sent\":2}",
        ),
        row(
            "API push with nulls",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"tag:a b\",\"title\":null,\"uri\":\"u\"}",
            ),
            202,
            "{\"id\":\"0",
        ),
        row(
            "API push to nobody",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"bob\",\"title\":\"T\"}",
            ),
            404,
            "{\"error\":\"unknown-target\"",
        ),
        row(
            "API push with a typing error",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"*\",\"mesage\":\"hi\"}",
            ),
            400,
            "unknown field `mesage`",
        ),
        row(
            "API push without to",
            json("POST", "/api/v1/notifications", "{\"message\":\"hi\"}"),
            400,
            "missing field `to`",
        ),
        row(
            "API push to an empty name",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\" \",\"message\":\"hi\"}",
            ),
            400,
            "to wants",
        ),
        row(
            "API push of a number",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"*\",\"message\":5}",
            ),
            400,
            "invalid type",
        ),
        row(
            "API push of a link alone",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"*\",\"uri\":\"http://x/\"}",
            ),
            202,
            "\"queued\":3",
        ),
        row(
            "API push to somebody unknown",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"bob\",\"message\":\"hi\"}",
            ),
            404,
            "\"field\":\"to\"",
        ),
        row(
            "API push of half an object",
            json("POST", "/api/v1/notifications", "{\"to\":"),
            400,
            "{\"error\":\"not-json\"",
        ),
        row(
            "API push of two objects",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"*\",\"title\":\"T\"}{}",
            ),
            400,
            "{\"error\":\"not-json\"",
        ),
        row(
            "API push of a list",
            json("POST", "/api/v1/notifications", "[[[[]]]]"),
            400,
            "{\"error\":\"invalid-field\"",
        ),
        row(
            "API push that does not say what it is",
            form("/api/v1/notifications", "{\"to\":\"*\"}"),
            415,
            "application/json",
        ),
        row(
            "API push without a body",
            raw("POST /api/v1/notifications HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            411,
            "{\"error\":\"no-body\"",
        ),
        row(
            "API push by PUT",
            json("PUT", "/api/v1/notifications", "{}"),
            405,
            "Allow: GET, HEAD, POST, DELETE\r\n",
        ),
        row(
            "API notifications",
            get("/api/v1/notifications?limit=5"),
            200,
            "{\"notifications\":[]}",
        ),
        row(
            "API notifications by the thousand",
            get("/api/v1/notifications?limit=1001"),
            400,
            "limit wants a number up to 100",
        ),
        row("API users", get("/api/v1/users"), 200, "\"more\":false}"),
        row(
            "API users in pieces",
            get("/api/v1/users?offset=0&limit=1"),
            200,
            "\"more\":true}",
        ),
        row(
            "API users from behind",
            get("/api/v1/users?offset=1&limit=1"),
            200,
            "\"name\":\"mia\"",
        ),
        row(
            "API users online",
            get("/api/v1/users?online=1"),
            200,
            "{\"users\":[{\"name\":\"sam\",\"online\":true,",
        ),
        row(
            "API users with a typing error",
            get("/api/v1/users?ofset=1"),
            400,
            "unknown parameter \\\"ofset\\\"",
        ),
        row(
            "API users minus one",
            get("/api/v1/users?offset=-1"),
            400,
            "offset wants a number",
        ),
        row(
            "API add user",
            json(
                "POST",
                "/api/v1/users",
                "{\"name\":\"bob\",\"password\":\"s3cret\"}",
            ),
            201,
            "\r\n\r\n{\"name\":\"bob\"}",
        ),
        row(
            "API add user again",
            json(
                "POST",
                "/api/v1/users",
                "{\"name\":\"sam\",\"password\":\"s3cret\"}",
            ),
            409,
            "{\"error\":\"taken\"",
        ),
        row(
            "API add user without a password",
            json("POST", "/api/v1/users", "{\"name\":\"sam\"}"),
            400,
            "missing field `password`",
        ),
        row(
            "API change password",
            json("PUT", "/api/v1/users/sam", "{\"password\":\"s3cret\"}"),
            200,
            "{\"name\":\"sam\"}",
        ),
        row(
            "API change password of nobody",
            json("PUT", "/api/v1/users/b%2Fb", "{\"password\":\"s3cret\"}"),
            404,
            "b/b",
        ),
        row(
            "API remove user",
            raw("DELETE /api/v1/users/sam HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            200,
            "{\"name\":\"sam\"}",
        ),
        row(
            "API look at one user",
            get("/api/v1/users/sam"),
            405,
            "Allow: PUT, DELETE\r\n",
        ),
        row(
            "API deeper than users",
            get("/api/v1/users/sam/x"),
            404,
            "{\"error\":\"not-found\"",
        ),
        row(
            "API push and wait",
            json(
                "POST",
                "/api/v1/notifications?wait=1&for=sent",
                "{\"to\":\"*\",\"message\":\"hi\"}",
            ),
            202,
            "\"sent\":2,\"reached\":false}",
        ),
        row(
            "API push and wait too long",
            json(
                "POST",
                "/api/v1/notifications?wait=61",
                "{\"to\":\"*\",\"message\":\"hi\"}",
            ),
            400,
            "wait wants a number up to 60",
        ),
        row(
            "API push and wait for nonsense",
            json(
                "POST",
                "/api/v1/notifications?wait=1&for=ever",
                "{\"to\":\"*\",\"message\":\"hi\"}",
            ),
            400,
            "for wants sent",
        ),
        row(
            "API look at no notification",
            get("/api/v1/notifications/00000000000000000000000000000001"),
            404,
            "{\"error\":\"unknown-notification\"",
        ),
        row(
            "API look at nonsense",
            get("/api/v1/notifications/%C3%BC"),
            404,
            "{\"error\":\"unknown-notification\"",
        ),
        row(
            "API look by PUT",
            json("PUT", "/api/v1/notifications/1", "{}"),
            405,
            "Allow: GET, HEAD, DELETE\r\n",
        ),
        row(
            "API withdraw nothing",
            raw("DELETE /api/v1/notifications/1 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            404,
            "there is no such notification",
        ),
        row(
            "API withdraw a series",
            raw(
                "DELETE /api/v1/notifications?sequence=s&to=sam HTTP/1.1\r\nHost: localhost\r\n\r\n",
            ),
            200,
            "{\"spared\":2,\"told\":1}",
        ),
        row(
            "API withdraw a series of nobody",
            raw("DELETE /api/v1/notifications?sequence=s HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            400,
            "sequence and to are wanted",
        ),
        row(
            "API topics",
            get("/api/v1/users/sam/topics"),
            200,
            "{\"topics\":[{\"topic\":\"doors\",\"resource\":null},{\"topic\":\"a b\",\"resource\":\"phone\"}]}",
        ),
        row(
            "API topics of nobody",
            get("/api/v1/users/bob/topics"),
            404,
            "{\"error\":\"unknown-target\"",
        ),
        row(
            "API set tags",
            json("PUT", "/api/v1/users/sam/tags", "[\"office\",\"R&D\"]"),
            200,
            "{\"name\":\"sam\",\"tags\":[\"office\",\"R&D\"]}",
        ),
        row(
            "API set tags of nobody",
            json("PUT", "/api/v1/users/bob/tags", "[]"),
            404,
            "{\"error\":\"unknown-target\"",
        ),
        row(
            "API set tags, no list",
            json("PUT", "/api/v1/users/sam/tags", "\"office\""),
            400,
            "{\"error\":\"invalid-field\"",
        ),
        row(
            "API set tags, nothing sent",
            raw("PUT /api/v1/users/sam/tags HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            411,
            "JSON is wanted",
        ),
        row(
            "API look at tags",
            get("/api/v1/users/sam/tags"),
            405,
            "Allow: PUT\r\n",
        ),
        row(
            "API topics by POST",
            json("POST", "/api/v1/users/sam/topics", "{}"),
            405,
            "Allow: GET, HEAD\r\n",
        ),
        row(
            "API add topic",
            raw("PUT /api/v1/users/sam/topics/a%2Fb HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            200,
            "{\"topic\":\"a/b\",\"resource\":null}",
        ),
        row(
            "API remove topic of nobody",
            raw("DELETE /api/v1/users/bob/topics/a?resource=x HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            404,
            "{\"error\":\"unknown-target\"",
        ),
        row(
            "API look at one topic",
            get("/api/v1/users/sam/topics/a"),
            405,
            "Allow: PUT, DELETE\r\n",
        ),
        row(
            "API tokens",
            get("/api/v1/tokens"),
            200,
            "{\"tokens\":[{\"id\":\"00ff00ff\",\"uses\":2,\"created\":1795192380,\"expires\":1795278780,\"expired\":false,\"note\":\"<office>\"}]}",
        ),
        row(
            "API new token",
            json("POST", "/api/v1/tokens", "{\"uses\":20,\"note\":\"n\"}"),
            201,
            "{\"token\":\"5ec4e7\",\"uri\":\"xmpp:?register;preauth=5ec4e7\",\"id\":\"00ff00ff\",\"uses\":20,",
        ),
        row(
            "API new token with a typing error",
            json("POST", "/api/v1/tokens", "{\"use\":20}"),
            400,
            "unknown field `use`",
        ),
        row(
            "API tokens by PUT",
            json("PUT", "/api/v1/tokens", "{}"),
            405,
            "Allow: GET, HEAD, POST\r\n",
        ),
        row(
            "API remove token",
            raw("DELETE /api/v1/tokens/00ff00ff HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            200,
            "{\"id\":\"00ff00ff\"}",
        ),
        row(
            "API remove a token that is not there",
            raw("DELETE /api/v1/tokens/5ec4e7 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            404,
            "{\"error\":\"unknown-token\"",
        ),
        row(
            "API look at one token",
            get("/api/v1/tokens/00ff00ff"),
            405,
            "Allow: DELETE\r\n",
        ),
        row(
            "API sessions",
            get("/api/v1/sessions"),
            200,
            "{\"sessions\":[]}",
        ),
        row("API status", get("/api/v1/status"), 200, "\"users\":0,"),
        row(
            "API status by POST",
            json("POST", "/api/v1/status", "{}"),
            405,
            "Allow: GET, HEAD\r\n",
        ),
        row(
            "API of another version",
            get("/api/v2/status"),
            404,
            "{\"error\":\"not-found\"",
        ),
        row("API alone", get("/api/"), 404, "{\"error\":\"not-found\""),
        row("no page", get("/favicon.ico"), 404, "<main>"),
        row("no page, hostile", get("/%3Cscript%3E\"'"), 404, "<main>"),
        row("a path from above", get("/../etc/passwd"), 404, "<main>"),
        row(
            "another method",
            raw("DELETE / HTTP/1.0\r\n\r\n"),
            405,
            "Allow: GET, HEAD, POST\r\n",
        ),
        row(
            "POST to a table",
            form("/session.do", ""),
            405,
            "Allow: GET, HEAD\r\n",
        ),
        row(
            "another method to the users",
            raw("DELETE /user.do HTTP/1.0\r\n\r\n"),
            405,
            "Allow: GET, HEAD, POST\r\n",
        ),
        row(
            "one user",
            get("/user.do?name=sam"),
            200,
            "<bdi>a b</bdi> <span class=\"meta\">on <bdi>phone</bdi> only",
        ),
        row("no such user", get("/user.do?name=bob"), 404, "no user"),
        row(
            "topic by form",
            form(
                "/user.do?action=subscribe",
                "name=sam&topic=doors&resource=",
            ),
            303,
            "Location: /user.do?name=sam&done=topics\r\n",
        ),
        row(
            "topic by form, after it",
            get("/user.do?name=sam&done=topics"),
            200,
            "The topics have been changed",
        ),
        row(
            "button to invite",
            get("/user.do"),
            200,
            "action=\"/user.do?action=invite\"",
        ),
        row(
            "invitation by form",
            form("/user.do?action=invite", ""),
            200,
            "<code>xmpp:?register;preauth=5ec4e7</code>",
        ),
        row(
            "invitation by link",
            get("/user.do?action=invite&name=sam"),
            400,
            "nothing is changed",
        ),
        row(
            "topic by link",
            get("/user.do?action=subscribe&name=sam&topic=doors"),
            400,
            "nothing is changed",
        ),
        row(
            "topic without a name",
            form("/user.do?action=subscribe", "name=sam&topic=+"),
            400,
            "topic is empty",
        ),
        row(
            "topic of a stranger",
            form("/user.do?action=unsubscribe", "name=bob&topic=doors"),
            404,
            "no user",
        ),
        row(
            "OPTIONS, as browsers ask first",
            raw("OPTIONS /api/v1/status HTTP/1.0\r\n\r\n"),
            405,
            "Allow",
        ),
        row(
            "unknown method",
            raw("BREW / HTTP/1.0\r\n\r\n"),
            501,
            "<main>",
        ),
        row(
            "half a head",
            raw("GET / HTTP/1.1\r\nHost: localhost\r\n"),
            400,
            "ends in its head",
        ),
        row(
            "half a body",
            raw("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\nmessage=hi"),
            400,
            "ends in its body",
        ),
        row(
            "half a chunk",
            raw(
                "POST /user_api.do HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nmessage=hi",
            ),
            400,
            "{\"error\":\"cut-off\"",
        ),
        row(
            "broken chunks",
            raw(
                "POST /user_api.do HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nmessage=hi",
            ),
            400,
            "{\"error\":\"framing\"",
        ),
        row(
            "more body than announced",
            raw(
                "POST /notification.do?action=send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nmessage=hi&broadcast=N",
            ),
            302,
            "\r\n\r\n",
        ),
        row(
            "two lengths",
            raw("POST /user_api.do HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
            400,
            "{\"error\":\"framing\"",
        ),
        row(
            "minus one",
            raw("POST / HTTP/1.0\r\nContent-Length: -1\r\n\r\nx"),
            400,
            "not a number",
        ),
        row(
            "huge",
            raw("POST / HTTP/1.0\r\nContent-Length: 99999999999\r\n\r\nx"),
            413,
            "longer than 65536 bytes",
        ),
        row(
            "huge chunk",
            raw(
                "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\nx",
            ),
            413,
            "longer than",
        ),
        row(
            "gzip",
            raw("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\nx"),
            501,
            "chunked",
        ),
        row(
            "another Host",
            raw("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"),
            403,
            "server.aliases",
        ),
        row(
            "another Host in the address",
            raw("GET http://evil.example/api/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            403,
            "{\"error\":\"foreign-name\"",
        ),
        row(
            "another site",
            raw(
                "GET /api/v1/users HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n",
            ),
            403,
            "{\"error\":\"foreign-origin\"",
        ),
        row(
            "another site pushing",
            raw(
                "GET /notification_api.do?action=send&message=hi HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Mozilla/5.0\r\nAccept-Language: en\r\n\r\n",
            ),
            403,
            "{\"result\":\"403\"",
        ),
        row(
            "a header in the address",
            get("/notification.do?action=send&message=hi%0D%0ASet-Cookie:a=b"),
            302,
            "Location: /notification.do\r\n",
        ),
        row(
            "a header in a name",
            form("/", "broadcast=2&who=x%0D%0ASet-Cookie:a=b&message=hi"),
            303,
            "Location: /?sent=",
        ),
        row(
            "XMPP",
            raw("<?xml version='1.0'?><stream:stream to='localhost'>"),
            400,
            "not an HTTP request",
        ),
        row("TLS", vec![0x16, 3, 1, 2, 0, 1], 400, "not an HTTP request"),
    ]
}

#[test]
fn every_page() {
    for row in rows() {
        let answer = ask(&FakeDesk::new(), &row.request);
        assert_eq!(status(&answer), row.status, "{}: {answer}", row.name);
        assert!(answer.contains(row.holds), "{}: {answer}", row.name);
        assert!(
            !answer.contains("Set-Cookie:a=b\r\n"),
            "{}: {answer}",
            row.name
        );
        for header in [
            "Connection: close\r\n",
            "X-Content-Type-Options: nosniff\r\n",
            "; charset=utf-8\r\n",
        ] {
            assert!(answer.contains(header), "{}: {answer}", row.name);
        }
        let (name, body) = (row.name, body(&answer));
        if answer.contains("text/html") {
            let policy = "Content-Security-Policy: default-src 'none'";
            assert!(answer.contains(policy), "{name}: {answer}");
        } else if !row.request.starts_with(b"HEAD") {
            let json: Result<serde_json::Value, _> = serde_json::from_str(body);
            assert!(json.is_ok(), "{name}: {answer}");
        }
        if !row.request.starts_with(b"HEAD") {
            let length = format!("Content-Length: {}\r\n", body.len());
            assert!(answer.contains(&length), "{name}: {answer}");
        }
    }
}

#[test]
fn requests_chopped_at_every_byte() {
    for row in rows() {
        let whole = FakeDesk::new();
        let answer = ask(&whole, &row.request);
        for cut in 1..row.request.len() {
            let (left, right) = row.request.split_at(cut);
            let desk = FakeDesk::new();
            let got = run(&desk, Stream::new(&[left, right]), LOOPBACK, &PATIENT);
            assert_eq!(got, answer, "{} cut at {cut}", row.name);
            assert_eq!(desk.asked, whole.asked, "{} cut at {cut}", row.name);
        }
        let bytes: Vec<&[u8]> = row.request.chunks(1).collect();
        let got = run(&FakeDesk::new(), Stream::new(&bytes), LOOPBACK, &PATIENT);
        assert_eq!(got, answer, "{} byte by byte", row.name);
    }
}

#[test]
fn only_what_succeeds_reaches_the_desk() {
    for row in rows() {
        let desk = FakeDesk::new();
        ask(&desk, &row.request);
        let refused_by_desk = matches!(row.status, 404 | 409);
        let changes = matches!(row.status, 201 | 202 | 302 | 303);
        let is_push = |asked: &&Request| !matches!(asked, Request::Wait { .. });
        let asked = desk.asked.borrow().iter().filter(is_push).count();
        assert!(!changes || asked == 1, "{}", row.name);
        assert!(
            asked == 0 || row.status < 400 || refused_by_desk,
            "{}",
            row.name
        );
    }
}

#[test]
fn a_head_is_the_head_of_the_page() {
    let desk = FakeDesk::new();
    let page = ask(&desk, b"GET / HTTP/1.0\r\n\r\n");
    let head = ask(&desk, b"HEAD / HTTP/1.0\r\n\r\n");
    assert_eq!(head, page[..page.len() - body(&page).len()]);
}

#[test]
fn a_newcomer_too_many() {
    let answer = String::from_utf8(super::too_busy(FakeDesk::new().now().wall)).unwrap();
    assert_eq!(status(&answer), 503);
    assert!(answer.contains("Retry-After: "), "{answer}");
}

#[test]
fn damaged_requests_are_answered_once() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for row in rows() {
        for at in 0..row.request.len() {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut request = row.request.clone();
            request[at] = random as u8;
            let answer = ask(&FakeDesk::new(), &request);
            let name = row.name;
            let count = answer.matches("HTTP/1.1 ").count();
            assert_eq!(
                count, 1,
                "{name}, byte {at} made {}: {answer}",
                random as u8
            );
            assert!((200..600).contains(&status(&answer)), "{name}: {answer}");
        }
    }
}

// ---- what reaches the gateway ----------------------------------------------------------------

#[test]
fn pushes_arrive_as_they_were_sent() {
    let emoji = "%F0%9F%98%80+%3Cb%3E";
    let user = || Target::User("sam".into());
    for (name, request, want) in [
        (
            "address",
            get(&format!(
                "/notification.do?action=send&title=T&message={emoji}&uri=http://x/?a%3D1%26b%3D2"
            )),
            draft(Target::Everyone, "T", "😀 <b>", "http://x/?a=1&b=2"),
        ),
        (
            "form",
            form(
                "/notification.do?action=send",
                &format!("broadcast=N&username=Sam&message={emoji}&uri="),
            ),
            draft(user(), "", "😀 <b>", ""),
        ),
        (
            "body before query",
            form(
                "/notification_api.do?action=send&message=query&title=query",
                "message=body",
            ),
            draft(Target::Everyone, "query", "body", ""),
        ),
        (
            "lines",
            form("/", "broadcast=3&who=office&title=T&message=a%0D%0Ab"),
            draft(Target::Tags("office".parse().unwrap()), "T", "a\nb", ""),
        ),
        (
            "JSON",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"Sam\",\"title\":\"\\ud83d\\ude00\",\"message\":\"<b>\\u0026\",\"uri\":\"tel:1\"}",
            ),
            draft(user(), "😀", "<b>&", "tel:1"),
        ),
        (
            "alias",
            json(
                "POST",
                "/api/v1/notifications",
                "{\"to\":\"alias:Kitchen\",\"message\":\"m\"}",
            ),
            draft(Target::Alias("Kitchen".into()), "", "m", ""),
        ),
    ] {
        let desk = FakeDesk::new();
        let answer = ask(&desk, &request);
        assert!(status(&answer) < 400, "{name}: {answer}");
        assert_eq!(desk.drafts(), [want], "{name}");
    }
}

#[test]
fn accounts_arrive_as_they_were_sent() {
    let (name, password) = ("sam".to_owned(), "p ä".to_owned());
    let desk = FakeDesk::new();
    ask(
        &desk,
        &json("PUT", "/api/v1/users/s%61m", "{\"password\":\"p ä\"}"),
    );
    ask(
        &desk,
        &json("PUT", "/api/v1/users/s%61m/tags", "[\"ä\",\"b\"]"),
    );
    ask(
        &desk,
        b"DELETE /api/v1/users/sam HTTP/1.1\r\nHost: [::1]:7070\r\n\r\n",
    );
    let want = [
        Request::SetPassword {
            name: name.clone(),
            password,
        },
        Request::SetTags {
            name: name.clone(),
            tags: vec!["ä".into(), "b".into()],
        },
        Request::RemoveUser { name },
    ];
    assert_eq!(*desk.asked.borrow(), want);
}

#[test]
fn topics_arrive_as_the_form_has_them() {
    let desk = FakeDesk::new();
    let topic = |resource: Option<&str>| TopicOf {
        topic: "doors".into(),
        user: "sam".into(),
        resource: resource.map(Into::into),
    };
    for body in [
        "name=sam&topic=+doors+&resource=",
        "name=sam&topic=doors&resource=tab%3Clet%3E",
    ] {
        ask(&desk, &form("/user.do?action=subscribe", body));
        ask(&desk, &form("/user.do?action=unsubscribe", body));
    }
    let want = [
        Request::Subscribe(topic(None)),
        Request::Unsubscribe(topic(None)),
        Request::Subscribe(topic(Some("tab<let>"))),
        Request::Unsubscribe(topic(Some("tab<let>"))),
    ];
    assert_eq!(*desk.asked.borrow(), want);
    // A page of another site cannot send the form.
    let foreign = b"POST /user.do?action=subscribe HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\
        Content-Length: 20\r\n\r\nname=sam&topic=doors";
    assert_eq!(status(&ask(&desk, foreign)), 403);
    assert_eq!(desk.asked.borrow().len(), want.len());
}

#[test]
fn tags_arrive_as_the_form_has_them() {
    let desk = FakeDesk::new();
    for body in ["name=sam&tags=+office,%EF%BC%8CR%26D+", "name=sam&tags="] {
        let answer = ask(&desk, &form("/user.do?action=tags", body));
        assert_eq!(status(&answer), 303, "{answer}");
        assert!(answer.contains("Location: /user.do?name=sam&done=tags\r\n"));
    }
    let set = |tags: &[&str]| Request::SetTags {
        name: "sam".into(),
        tags: tags.iter().map(ToString::to_string).collect(),
    };
    let want = [set(&["office", "R&D"]), set(&[])];
    assert_eq!(*desk.asked.borrow(), want);
    let page = ask(&desk, &get("/user.do?name=sam&done=tags"));
    assert!(page.contains("The tags have been changed."), "{page}");
    // Nothing typed is no empty field, a link changes nothing, and a page of another site cannot send the form.
    for (request, want) in [
        (form("/user.do?action=tags", "name=sam"), 400),
        (get("/user.do?action=tags&name=sam&tags=a"), 400),
        (
            b"POST /user.do?action=tags HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\
                Content-Length: 15\r\n\r\nname=sam&tags=a"
                .to_vec(),
            403,
        ),
    ] {
        assert_eq!(status(&ask(&desk, &request)), want);
    }
    assert_eq!(desk.asked.borrow().len(), 2);
    // What was wrong comes back.
    desk.refusal.set(Some(Refusal::TooLong {
        field: "tag",
        limit: 64,
    }));
    let page = ask(&desk, &form("/user.do?action=tags", "name=sam&tags=a,%22b"));
    assert_eq!(status(&page), 413);
    assert!(page.contains("name=\"tags\" value=\"a,&quot;b\""), "{page}");
    assert!(page.contains("aria-invalid"), "{page}");
}

#[test]
fn a_form_that_is_wrong_comes_back_as_it_was() {
    let typed = "broadcast=1&who=mia&title=T+1&message=M+1&uri=http://x/1&ttl=90&priority=5&words=w1,w2\
        &image=http://x/i&sequence=s1&links=Open%3Dhttp://x/o&pushtype=1&deliver_at=2026-12-24T18:00";
    let kept = [
        "<option value=\"1\" selected>One user",
        "name=\"who\" value=\"mia\"",
        "value=\"T 1\"",
        "\nM 1</textarea>",
        "value=\"http://x/1\"",
        "<option value=\"90\" selected>",
        "<option value=\"5\" selected>",
        "value=\"w1,w2\"",
        "value=\"http://x/i\"",
        "value=\"s1\"",
        "\nOpen=http://x/o</textarea>",
        "value=\"1\" checked",
        "value=\"2026-12-24T18:00\"",
        "<details open>",
    ];
    for (field, name) in [
        ("title", "title"),
        ("message", "message"),
        ("uri", "uri"),
        ("tags", "words"),
        ("actions", "links"),
        ("sequence", "sequence"),
        ("image", "image"),
        ("deliver_at", "deliver_at"),
    ] {
        for target in ["/", "/notification.do?action=send"] {
            let desk = FakeDesk::new();
            desk.refusal.set(Some(Refusal::Invalid {
                field,
                why: "is wrong",
            }));
            let page = ask(&desk, &form(target, typed));
            for part in kept {
                assert!(
                    page.contains(part),
                    "{target}, {field}: {part} is not in {page}"
                );
            }
            assert!(page.contains(&format!("id=\"why\">That did not work: {field} is wrong.")));
            let marks: Vec<&str> = page
                .split('<')
                .filter(|tag| tag.contains(" autofocus"))
                .collect();
            assert_eq!(marks.len(), 1, "{target}, {field}: {page}");
            assert!(
                marks[0].contains(&format!("name=\"{name}\"")),
                "{field}: {}",
                marks[0]
            );
        }
    }
}

#[test]
fn refusals_show_on_every_page() {
    let refusals = [
        (Refusal::Unknown(Target::Everyone), 404),
        (
            Refusal::TooLong {
                field: "title",
                limit: 7,
            },
            413,
        ),
        (
            Refusal::Invalid {
                field: "message",
                why: "is empty, and so are title and uri",
            },
            400,
        ),
        (Refusal::Full, 507),
        (Refusal::Failed, 503),
        (Refusal::Busy, 503),
    ];
    for (refusal, want) in refusals {
        for (request, holds) in [
            (form("/", "message=kept+text"), "kept text"),
            (
                get("/notification.do?action=send&message=kept+text"),
                "kept text",
            ),
            (
                get("/notification_api.do?action=send&message=x"),
                "{\"result\":\"",
            ),
            (
                json(
                    "POST",
                    "/api/v1/notifications",
                    "{\"to\":\"*\",\"message\":\"x\"}",
                ),
                "{\"error\":\"",
            ),
        ] {
            let desk = FakeDesk::new();
            desk.refusal.set(Some(refusal.clone()));
            let answer = ask(&desk, &request);
            assert_eq!(status(&answer), want, "{refusal:?}: {answer}");
            assert!(
                answer.contains(holds) && answer.contains(&refusal.to_string()),
                "{answer}"
            );
            assert_eq!(answer.contains("Retry-After: "), want == 503, "{answer}");
        }
    }
}

#[test]
fn a_broken_store_is_said_so() {
    for target in [
        "/",
        "/user.do",
        "/notification.do",
        "/user_api.do",
        "/api/v1/users",
        "/api/v1/notifications",
    ] {
        let desk = FakeDesk::new();
        desk.broken.set(true);
        let answer = ask(&desk, &get(target));
        assert_eq!(status(&answer), 503, "{target}: {answer}");
        assert!(answer.contains("the store failed"), "{target}: {answer}");
    }
}

// ---- who may ask -----------------------------------------------------------------------------

#[test]
fn strangers_are_told_what_to_configure() {
    let stranger = Peer::Address("::ffff:192.168.1.7".parse().unwrap());
    for target in [
        "/",
        "/user.do",
        "/nothing",
        "/notification_api.do?action=send&message=hi",
        "/api/v1/status",
    ] {
        let desk = FakeDesk::new();
        let answer = run(&desk, Stream::new(&[&get(target)]), stranger, &PATIENT);
        assert_eq!(status(&answer), 403, "{target}");
        assert!(
            answer.contains("http.trusted") && answer.contains("192.168.1.7"),
            "{answer}"
        );
        assert_eq!(
            answer.contains("application/json"),
            target.contains("api"),
            "{answer}"
        );
        assert!(desk.asked.borrow().is_empty());

        desk.config
            .borrow_mut()
            .http
            .trusted
            .push(crate::config::Network {
                address: "192.168.1.0".parse().unwrap(),
                prefix: 24,
            });
        let answer = run(&desk, Stream::new(&[&get(target)]), stranger, &PATIENT);
        assert_ne!(status(&answer), 403, "{target}");
    }
}

#[test]
fn a_stranger_is_refused_before_the_body_is_read() {
    let stranger = Peer::Address("203.0.113.9".parse().unwrap());
    let request =
        b"POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    let answer = run(
        &FakeDesk::new(),
        Stream::silent(&[request]),
        stranger,
        &HASTY,
    );
    assert_eq!(status(&answer), 403);
}

#[test]
fn the_admin_socket_may_do_everything() {
    let request = b"GET /api/v1/users HTTP/1.1\r\nHost: lanpush.example.org\r\n\r\n";
    let answer = run(
        &FakeDesk::new(),
        Stream::new(&[request]),
        Peer::AdminSocket,
        &PATIENT,
    );
    assert_eq!(status(&answer), 200);
}

// ---- slow, deaf and lying clients ------------------------------------------------------------

#[test]
fn slow_clients_are_told_so() {
    let expecting = "POST /user_api.do HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    for (name, request, want) in [
        ("nothing at all", "", "HTTP/1.1 408 "),
        ("half a head", "GET / HTTP/1.1\r\nHo", "HTTP/1.1 408 "),
        (
            "no body",
            "POST /user_api.do HTTP/1.0\r\nContent-Length: 5\r\n\r\n",
            "{\"error\":\"too-slow\"",
        ),
        (
            "half a body",
            "POST /user_api.do HTTP/1.0\r\nContent-Length: 5\r\n\r\nabc",
            "HTTP/1.1 408 ",
        ),
        (
            "half a chunk",
            "POST /user_api.do HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
            "HTTP/1.1 408 ",
        ),
        (
            "a body it was asked for",
            expecting,
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 408 ",
        ),
    ] {
        let pieces: Vec<&[u8]> = request.as_bytes().chunks(1000).collect();
        let answer = run(&FakeDesk::new(), Stream::silent(&pieces), LOOPBACK, &HASTY);
        assert!(answer.contains(want), "{name}: {answer}");
    }
}

#[test]
fn a_client_that_leaves_without_a_word_gets_none() {
    assert_eq!(ask(&FakeDesk::new(), b""), "");
}

#[test]
fn a_client_that_waits_for_leave_to_send_gets_it() {
    let head = "POST /user_api.do HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 8\r\n\r\n";
    let pieces: [&[u8]; 2] = [head.as_bytes(), b"online=1"];
    let answer = run(&FakeDesk::new(), Stream::new(&pieces), LOOPBACK, &PATIENT);
    let rest = answer
        .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap();
    assert_eq!(status(rest), 200);
    // Bytes that are here already need no leave.
    let answer = ask(&FakeDesk::new(), &pieces.concat());
    assert_eq!(status(&answer), 200);
    // Nor does a client get it whose body is too long.
    let answer = ask(&FakeDesk::new(), head.replace(": 8", ": 65537").as_bytes());
    assert_eq!(status(&answer), 413);
}

#[test]
fn a_deaf_client_is_given_up() {
    let stream = Stream::deaf(&[&get("/")]);
    let seen = stream.seen.clone();
    assert_eq!(run(&FakeDesk::new(), stream, LOOPBACK, &HASTY), "");
    assert!(!seen.get().1, "closed politely");
}

#[test]
fn a_gateway_that_does_not_answer_is_not_waited_for() {
    let desk = FakeDesk::new();
    desk.hangs.set(true);
    let request = get("/notification_api.do?action=send&message=hi");
    let answer = run(&desk, Stream::new(&[&request]), LOOPBACK, &HASTY);
    assert_eq!(status(&answer), 503);
    assert!(answer.contains("may still be carried out"), "{answer}");
}

#[test]
fn unread_input_is_thrown_away_within_bounds() {
    let head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n";
    for (name, sent, read) in [
        ("little", 10_000, 10_000),
        ("much", 2 * limits::HTTP_DRAIN, limits::HTTP_DRAIN),
    ] {
        let rest = vec![b'x'; sent];
        let stream = Stream::new(&[head, &rest]);
        let seen = stream.seen.clone();
        let answer = run(&FakeDesk::new(), stream, LOOPBACK, &PATIENT);
        assert_eq!(status(&answer), 413, "{name}");
        let (bytes, closed) = seen.get();
        let slack = bytes.abs_diff(head.len() + read);
        assert!(
            closed && slack < 4096,
            "{name}: {bytes} read, closed: {closed}"
        );
    }
    let stream = Stream::silent(&[head]);
    let answer = run(&FakeDesk::new(), stream, LOOPBACK, &HASTY);
    assert_eq!(
        status(&answer),
        413,
        "a client that neither sends nor closes"
    );
}

#[test]
fn nothing_behind_the_body_is_read_into_it() {
    let request = form("/notification.do?action=send", "message=hi");
    let surplus = [
        &request[..],
        b"GET /notification.do?action=send&message=second HTTP/1.0\r\n\r\n",
    ];
    let desk = FakeDesk::new();
    let answer = ask(&desk, &surplus.concat());
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1);
    assert_eq!(desk.drafts(), [draft(Target::Everyone, "", "hi", "")]);
}

// ---- what people see -------------------------------------------------------------------------

/// A desk with `rows` of everything, some of it hostile.
fn full_desk(rows: usize) -> FakeDesk {
    let desk = FakeDesk::new();
    let name = |row: usize| {
        format!(
            "{:032x}",
            (row as u128 + 3) * 0x0123_4567_89ab_cdef_0123_4567
        )
    };
    let users = (0..rows).map(|row| user(&name(row), row % 3 == 0));
    *desk.users.borrow_mut() = users.collect();
    let sessions = (0..rows).map(|row| session(&name(row), "Online"));
    *desk.sessions.borrow_mut() = sessions.collect();
    let states = [
        DeliveryState::Acknowledged,
        DeliveryState::Queued,
        DeliveryState::Sent,
    ];
    let notifications = (0..rows).map(|row| {
        let device = format!("{}/AndroidpnClient", name(row));
        let text = [
            "Dinner is ready 🍕",
            "Come down before it gets cold.",
            "http://nas.lan/menu",
        ];
        let age = row as u64 * 400;
        let mut view = notification(age, "*", text, &[(&device, states[row % 3])]);
        if row % 3 != 1 {
            view.deliveries[0].sent = NOW - age;
        }
        view
    });
    *desk.notifications.borrow_mut() = notifications.collect();
    let mut status = desk.status.borrow_mut();
    (status.users, status.users_online) = (rows, rows / 3);
    (status.connections, status.sessions) = (rows, rows);
    status.uptime = 273_600;
    drop(status);
    desk
}

#[test]
fn pages_are_small() {
    for (target, empty, full) in [
        ("/", 8 * 1024, 30 * 1024),
        ("/user.do", 8 * 1024, 45 * 1024),
        ("/session.do", 8 * 1024, 45 * 1024),
        ("/notification.do", 8 * 1024, 60 * 1024),
        ("/nothing", 8 * 1024, 8 * 1024),
    ] {
        let size = |desk| body(&ask(&desk, &get(target))).len();
        let (got_empty, got_full) = (size(full_desk(0)), size(full_desk(100)));
        assert!(
            got_empty <= empty,
            "{target}: {got_empty} bytes without rows"
        );
        assert!(got_full <= full, "{target}: {got_full} bytes with 100 rows");
    }
}

#[test]
fn a_notification_is_shown_with_all_that_became_of_it() {
    let devices = [
        ("sam/phone", DeliveryState::Confirmed),
        ("mia", DeliveryState::Queued),
        ("bob/x", DeliveryState::Acknowledged),
    ];
    let text = ["T", "m", ""];
    let mut broadcast = notification(60, "*", text, &devices);
    (broadcast.total, broadcast.counts[2]) = (12, 8);
    broadcast.deliveries[0].sent = NOW - 60;
    broadcast.deliveries[0].acknowledged = NOW - 60;
    let mut scheduled = notification(70, "topic:doors", text, &[]);
    scheduled.scheduled = true;
    scheduled.notification.extras = Extras {
        deliver_at: NOW + 60,
        priority: Priority::new(5).unwrap(),
        image: "http://x/i.png".into(),
        actions: vec![Link {
            label: "Open".into(),
            uri: "http://x/open".into(),
        }],
        ..Extras::default()
    };
    let mut over = notification(80, "sam", text, &[("sam/phone", DeliveryState::Withdrawn)]);
    over.over = Some((DeliveryState::Withdrawn, NOW));
    let mut dated = notification(90, "sam", text, &[("sam/phone", DeliveryState::Sent)]);
    dated.expires = Some(NOW + 60);
    let button = |age| format!("value=\"{}\">Withdraw</button>", super::fake::id(age));
    let time = |second| super::html::Time(second).to_string();
    for (name, view, wanted, unwanted) in [
        (
            "broadcast",
            broadcast,
            vec![
                "<summary>9 of 12 have it ".to_owned(),
                "(queued 16:32:00, sent 16:32:00, acknowledged 16:32:00)".to_owned(),
                "and 9 more".to_owned(),
                button(60),
            ],
            "scheduled for",
        ),
        (
            "scheduled",
            scheduled,
            vec![
                format!("scheduled for {}", time(NOW + 60)),
                "priority 5".to_owned(),
                "href=\"http://x/i.png\"".to_owned(),
                "<a href=\"http://x/open\"><bdi>Open</bdi></a>".to_owned(),
                button(70),
            ],
            "for no device",
        ),
        (
            "withdrawn",
            over,
            vec![format!("withdrawn {}", time(NOW))],
            "</button></li>",
        ),
        (
            "with an end",
            dated,
            vec![format!("expires {}", time(NOW + 60)), button(90)],
            "have it",
        ),
    ] {
        let desk = FakeDesk::new();
        *desk.notifications.borrow_mut() = vec![view];
        for target in ["/", "/notification.do"] {
            let answer = ask(&desk, &get(target));
            for want in &wanted {
                assert!(answer.contains(want), "{name}: no {want} in {answer}");
            }
            assert!(!answer.contains(unwanted), "{name}: {answer}");
            check_tags(target, body(&answer));
        }
    }
}

#[test]
fn a_button_withdraws() {
    let desk = FakeDesk::new();
    *desk.notifications.borrow_mut() = vec![notification(60, "*", ["T", "m", ""], &[])];
    let id = super::fake::id(60);
    let request = form("/notification.do?action=withdraw", &format!("id={id}"));
    let answer = ask(&desk, &request);
    assert_eq!(status(&answer), 302, "{answer}");
    assert!(answer.contains("Location: /notification.do?spared=2&told=1\r\n"));
    let want = [Request::Withdraw(Withdrawal::Id(id))];
    assert_eq!(*desk.asked.borrow(), want);
    let answer = ask(&desk, &get("/notification.do?spared=2&told=1"));
    assert!(answer.contains("Withdrawn: 2 devices"), "{answer}");

    let foreign = "POST /notification.do?action=withdraw HTTP/1.1\r\nHost: localhost\r\n\
        Origin: http://evil.example\r\nContent-Length: 0\r\n\r\n";
    for (name, request, want) in [
        (
            "by address",
            get(&format!("/notification.do?action=withdraw&id={id}")),
            400,
        ),
        ("another site", foreign.into(), 403),
        (
            "nothing",
            form("/notification.do?action=withdraw", "id=1"),
            404,
        ),
    ] {
        let desk = FakeDesk::new();
        assert_eq!(status(&ask(&desk, &request)), want, "{name}");
        assert!(desk.asked.borrow().is_empty(), "{name}");
    }
}

#[test]
fn hostile_text_stays_text() {
    let evil = "\"><script>alert('x')</script>&amp;\u{202e}\0";
    let desk = FakeDesk::new();
    *desk.users.borrow_mut() = vec![crate::push::views::UserView {
        full_name: evil.into(),
        email: evil.into(),
        alias: evil.into(),
        tags: vec![evil.into(), evil.into()],
        ..user(evil, true)
    }];
    *desk.sessions.borrow_mut() = vec![crate::push::views::SessionView {
        resource: evil.into(),
        ..session(evil, "Online")
    }];
    let devices = [(evil, DeliveryState::Sent), (evil, DeliveryState::Dropped)];
    let alias = format!("alias:{evil}");
    *desk.notifications.borrow_mut() = vec![
        notification(5, &alias, [evil, evil, evil], &devices),
        notification(6, "*", [evil, evil, "javascript:alert(1)"], &devices[..1]),
        notification(7, evil, ["", "", &format!("http://x/{evil}")], &[]),
    ];
    desk.notifications.borrow_mut()[0].notification.extras = Extras {
        image: evil.into(),
        tags: vec![evil.into()],
        sequence: evil.into(),
        actions: vec![Link {
            label: evil.into(),
            uri: "javascript:alert('1')".into(),
        }],
        ..Extras::default()
    };
    desk.status.borrow_mut().trouble = Some(evil.into());
    desk.status.borrow_mut().warnings = vec![evil.into()];
    let query = "who=%22%3E%3Cscript%3E&to=%22%3E%3Cscript%3E&title=%22%3E%3Cscript%3E\
        &message=%3C/textarea%3E%3Cscript%3E&uri=%22%3E%3Cscript%3E\
        &image=%22%3E%3Cscript%3E&words=%22%3E%3Cscript%3E&links=%3C/textarea%3E%3Cscript%3E\
        &sequence=%22%3E%3Cscript%3E&deliver_at=%22%3E%3Cscript%3E&priority=%22%3E%3Cscript%3E&ttl=%22%3E%3Cscript%3E";
    let pages = [
        "/",
        "/user.do",
        "/user.do?name=%22%3E%3Cscript%3E",
        "/user.do?name=sam&topic=%22%3E%3Cscript%3E&resource=%22%3E%3Cscript%3E",
        "/session.do",
        "/notification.do",
        "/notification.do?action=send&broadcast=x&",
        "/notification.do?broadcast=%22%3E%3Cscript%3E&",
    ];
    for target in pages {
        let separator = if target.contains('?') { "&" } else { "?" };
        let answer = ask(&desk, &get(&format!("{target}{separator}{query}")));
        let page = body(&answer);
        assert!(
            !page.contains("<script") && !page.contains("alert('"),
            "{target}: {page}"
        );
        assert!(!page.contains("href=\"javascript:"), "{target}: {page}");
        assert!(
            !page.contains('\0') && !page.contains("\u{202e}</"),
            "{target}: {page}"
        );
        assert_eq!(
            page.matches("</textarea>").count(),
            page.matches("<textarea").count(),
            "{target}"
        );
    }
}

#[test]
fn pages_are_well_formed() {
    for desk in [full_desk(0), full_desk(3)] {
        for target in [
            "/",
            "/user.do",
            "/user.do?name=sam",
            "/session.do",
            "/notification.do",
            "/nothing",
        ] {
            let answer = ask(&desk, &get(target));
            check_tags(target, body(&answer));
        }
    }
}

/// Every element that has to be closed is, in order; and every form control has its label.
fn check_tags(target: &str, page: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        let name = tag.split(' ').next().unwrap();
        if ["input", "select", "textarea"].contains(&name) {
            assert_eq!(
                open.last(),
                Some(&"label"),
                "{target}: <{tag}> has no label"
            );
        }
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "{target}: </{name}>"),
            None if ["!DOCTYPE", "meta", "input"].contains(&name) => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{target}: {open:?} not closed");
}

#[test]
fn the_time_is_told_through_the_api() {
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let away: Peer = Peer::Address(IpAddr::from([8, 8, 8, 8]));
    for (name, peer, target, value, told) in [
        (
            "told",
            LOOPBACK,
            "/api/v1/status",
            date,
            Some(784_111_777_000),
        ),
        (
            "socket",
            Peer::AdminSocket,
            "/api/v1/users",
            date,
            Some(784_111_777_000),
        ),
        ("no date", LOOPBACK, "/api/v1/status", "yesterday", None),
        ("a page", LOOPBACK, "/", date, None),
        ("a stranger", away, "/api/v1/status", date, None),
    ] {
        let desk = FakeDesk::new();
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nDate: {value}\r\n\r\n");
        let answer = run(&desk, Stream::new(&[request.as_bytes()]), peer, &PATIENT);
        assert_eq!(desk.told.get(), told, "{name}: {answer}");
    }
}

#[test]
fn what_the_time_is_based_on_shows() {
    for (basis, word) in [
        (Basis::System, "\"clock\":\"system\""),
        (Basis::Hints, "\"clock\":\"hints\""),
        (Basis::Nothing, "\"clock\":\"none\""),
    ] {
        let desk = FakeDesk::new();
        desk.status.borrow_mut().clock = basis;
        let answer = ask(&desk, &get("/api/v1/status"));
        assert!(answer.contains(word), "{answer}");
        let page = ask(&desk, &get("/"));
        let says = page.contains("The clock of this machine is wrong");
        assert_eq!(says, basis == Basis::Hints, "{basis:?}");
    }
}

#[test]
fn what_was_repaired_shows_in_figures() {
    let desk = FakeDesk::new();
    assert!(!ask(&desk, &get("/")).contains("Damaged records"));
    desk.status.borrow_mut().repaired = Repaired {
        snapshots_dropped: 2,
        damaged_records: 41,
        ..Repaired::default()
    };
    let page = ask(&desk, &get("/"));
    for figure in [
        "<dt>Snapshots dropped</dt><dd>2</dd>",
        "<dt>Damaged records</dt><dd>41</dd>",
    ] {
        assert!(page.contains(figure), "{page}");
    }
    assert!(!page.contains("set aside"), "{page}");
    let status = ask(&desk, &get("/api/v1/status"));
    let counts = "\"repaired\":{\"leftovers_removed\":0,\"snapshots_dropped\":2,\"set_aside\":0,\
        \"restored\":0,\"started_empty\":0,\"damaged_records\":41}";
    assert!(status.contains(counts), "{status}");
}

#[test]
fn lists_of_the_api() {
    let desk = FakeDesk::new();
    let devices = [
        ("sam/phone", DeliveryState::Confirmed),
        ("mia", DeliveryState::Queued),
    ];
    *desk.notifications.borrow_mut() =
        vec![notification(60, "tag:a", ["T", "😀\"<", ""], &devices)];
    *desk.sessions.borrow_mut() = vec![session("sam", "Away")];
    let answer = ask(&desk, &get("/api/v1/notifications"));
    let want = format!(
        "{{\"notifications\":[{{\"id\":\"{}\",\"to\":\"tag:a\",\"title\":\"T\",\"message\":\"😀\\\"<\",\
         \"uri\":\"\",\"image\":\"\",\"priority\":3,\"tags\":[],\"actions\":[],\"silent\":false,\
         \"sequence\":\"\",\"ttl\":0,\"deliver_at\":0,\"created\":{queued},\"scheduled\":false,\
         \"expires\":null,\"over\":null,\"total\":2,\"counts\":{{\"acknowledged\":0,\"confirmed\":1,\
         \"dropped\":0,\"expired\":0,\"queued\":1,\"sent\":0,\"withdrawn\":0}},\"deliveries\":[\
         {{\"device\":\"sam/phone\",\"state\":\"confirmed\",\"at\":{at},\"queued\":{queued}}},\
         {{\"device\":\"mia\",\"state\":\"queued\",\"at\":{at},\"queued\":{queued}}}]}}]}}",
        super::fake::id(60),
        queued = NOW - 60,
        at = NOW - 59
    );
    assert_eq!(body(&answer), want);
    let answer = ask(&desk, &get("/api/v1/sessions?limit=1"));
    let want = format!(
        "{{\"sessions\":[{{\"user\":\"sam\",\"resource\":\"AndroidpnClient\",\
         \"status\":\"AUTHENTICATED\",\"presence\":\"Away\",\"peer\":\"192.168.1.23\",\"created\":{}}}]}}",
        NOW - 3600
    );
    assert_eq!(body(&answer), want);
}

#[test]
fn one_notification_is_looked_at_and_waited_for() {
    let desk = FakeDesk::new();
    let devices = [
        ("sam/phone", DeliveryState::Acknowledged),
        ("mia", DeliveryState::Sent),
    ];
    let views = vec![
        notification(60, "*", ["T", "m", ""], &devices),
        notification(90, "*", ["T", "m", ""], &[]),
    ];
    *desk.notifications.borrow_mut() = views;
    let (id, empty) = (super::fake::id(60), super::fake::id(90));
    for (query, want, other) in [
        (format!("{id}"), "\"total\":2,", "reached"),
        (format!("{id}?devices=1"), "\"sam/phone\"", "\"mia\""),
        (
            format!("{id}?devices=1&offset=1"),
            "\"mia\"",
            "\"sam/phone\"",
        ),
        (format!("{id}?offset=2"), "\"deliveries\":[]", "reached"),
        (
            format!("{id}?wait=5"),
            "\"reached\":false",
            "\"reached\":true",
        ),
        (
            format!("{id}?wait=5&for=sent"),
            "\"reached\":true",
            "false}",
        ),
        (
            format!("{id}?wait=5&for=confirmed"),
            "\"reached\":false",
            "\"reached\":true",
        ),
        (
            format!("{empty}?wait=0"),
            "\"reached\":false",
            "\"reached\":true",
        ),
    ] {
        let answer = ask(&desk, &get(&format!("/api/v1/notifications/{query}")));
        assert_eq!(status(&answer), 200, "{query}: {answer}");
        assert!(answer.contains(want), "{query}: {answer}");
        assert!(!answer.contains(other), "{query}: {answer}");
    }
    desk.crowded.set(true);
    let answer = ask(&desk, &get(&format!("/api/v1/notifications/{id}?wait=5")));
    assert_eq!(status(&answer), 503, "{answer}");
    desk.crowded.set(false);
    desk.hangs.set(true);
    let answer = ask(
        &desk,
        &get(&format!("/api/v1/notifications/{id}?wait=0&for=sent")),
    );
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(answer.contains("\"reached\":false}"), "{answer}");
}

#[test]
fn all_fields_of_a_push_arrive() {
    let desk = FakeDesk::new();
    let body = r#"{"to":"sam/Phone","title":"T","message":"m","click":"http://x/","image":"http://x/i.png",
        "priority":5,"tags":["door","a b"],"actions":[{"label":"Open","uri":"http://x/open"}],"silent":true,
        "sequence":"bell","ttl":3600,"deliver_at":"2026-11-20 16:33:00"}"#;
    let answer = ask(&desk, &json("POST", "/api/v1/notifications", body));
    assert_eq!(status(&answer), 202, "{answer}");
    let to = Target::Device {
        user: "sam".into(),
        resource: "Phone".into(),
    };
    let extras = Extras {
        image: "http://x/i.png".into(),
        priority: Priority::new(5).unwrap(),
        tags: vec!["door".into(), "a b".into()],
        actions: vec![Link {
            label: "Open".into(),
            uri: "http://x/open".into(),
        }],
        silent: true,
        sequence: "bell".into(),
        ttl: 3600,
        deliver_at: NOW,
        ..Extras::default()
    };
    let want = Draft {
        extras: Box::new(extras),
        ..draft(to, "T", "m", "http://x/")
    };
    assert_eq!(desk.drafts(), [want]);
}

#[test]
fn wrong_fields_of_a_push_are_named() {
    for (field, want) in [
        ("\"message\":5", "message: invalid type"),
        ("\"image\":[]", "image: invalid type"),
        ("\"priority\":0", "priority wants a number from 1 to 5"),
        ("\"priority\":6", "priority wants a number from 1 to 5"),
        ("\"priority\":259", "priority wants a number from 1 to 5"),
        (
            "\"priority\":\"high\"",
            "priority wants a number from 1 to 5",
        ),
        ("\"tags\":\"a\"", "tags: invalid type"),
        ("\"tags\":[1]", "tags: invalid type"),
        (
            "\"actions\":[{\"label\":\"a\"}]",
            "actions: missing field `uri`",
        ),
        (
            "\"actions\":[{\"label\":\"a\",\"uri\":\"u\",\"x\":1}]",
            "actions: unknown field `x`",
        ),
        ("\"silent\":1", "silent: invalid type"),
        ("\"sequence\":{}", "sequence: invalid type"),
        ("\"ttl\":-1", "ttl: invalid value"),
        ("\"ttl\":4294967296", "ttl: invalid value"),
        ("\"deliver_at\":-1", "deliver_at wants"),
        ("\"deliver_at\":\"soon\"", "deliver_at wants"),
        ("\"uri\":\"a\",\"click\":\"b\"", "duplicate field `uri`"),
        ("\"urgency\":1", "unknown field `urgency`"),
    ] {
        let desk = FakeDesk::new();
        let body = format!("{{\"to\":\"*\",\"title\":\"T\",{field}}}");
        let answer = ask(&desk, &json("POST", "/api/v1/notifications", &body));
        assert_eq!(status(&answer), 400, "{field}: {answer}");
        assert!(answer.contains(want), "{field}: {answer}");
        // Fields that nobody knows, or that come twice, are found before there are any.
        if let Some((name, _)) = field.split_once(':').filter(|_| !want.contains("field `u")) {
            assert!(answer.contains(&format!("\"field\":{name}")), "{answer}");
        }
        assert!(desk.asked.borrow().is_empty(), "{field}");
    }
}

#[test]
fn a_long_list_of_users_is_whole() {
    let desk = full_desk(2 * limits::API_ROWS + 1);
    let answer = ask(&desk, &get("/user_api.do"));
    assert_eq!(body(&answer).matches(',').count(), 2 * limits::API_ROWS);
}
