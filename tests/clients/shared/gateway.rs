//! The server that with_server.py has started, as senders see it over HTTP; and how scenarios run.

use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

pub const DOMAIN: &str = "push.lan";
/// Longest wait for anything; reached only when something is wrong.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest a scenario may take.
const SCENARIO: Duration = Duration::from_secs(60);

pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The ports by the names of their listeners.
pub fn port(listener: &str) -> u16 {
    let ports: Value = serde_json::from_str(&std::env::var("PORTS").expect("PORTS")).expect("JSON");
    u16::try_from(ports[listener].as_u64().expect("a port")).expect("a port")
}

/// One request with JSON in and out; any other status than the wanted one is an error.
async fn ask(method: &str, path: &str, body: Option<Value>, want: u16) -> Outcome<Value> {
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = tokio::task::spawn_blocking(move || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port("http")))?;
        stream.set_read_timeout(Some(2 * PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
    .await??;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("no end of the answer's head")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    equal(
        &format!("status of {method} {path} with answer {body}"),
        &*want.to_string(),
        status,
    )?;
    Ok(serde_json::from_str(body)?)
}

/// The id under which it is accepted.
pub async fn push(to: &str, message: &str) -> Outcome<String> {
    push_all(to, message, "", "").await
}

/// The same with a title and a link.
pub async fn push_all(to: &str, message: &str, title: &str, uri: &str) -> Outcome<String> {
    let push = json!({"to": to, "title": title, "message": message, "uri": uri});
    let answer = ask("POST", "/api/v1/notifications", Some(push), 202).await?;
    Ok(answer["id"].as_str().ok_or("no id")?.to_owned())
}

/// Waits until every device has got so far.
pub async fn reached(id: &str, state: &str) -> Outcome {
    let path = format!(
        "/api/v1/notifications/{id}?wait={}&for={state}",
        PATIENCE.as_secs()
    );
    let answer = ask("GET", &path, None, 200).await?;
    equal(
        &format!("{id} is {state}: {answer}"),
        &Value::Bool(true),
        &answer["reached"],
    )
}

pub async fn add_user(name: &str, password: &str) -> Outcome {
    ask(
        "POST",
        "/api/v1/users",
        Some(json!({"name": name, "password": password})),
        201,
    )
    .await?;
    Ok(())
}

/// See wire.py.
pub struct Wire {
    pub port: u16,
    _process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Wire {
    pub async fn new(port: u16) -> Outcome<Self> {
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/wire.py"))
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = process.stdin.take().ok_or("no standard input")?;
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let mut answers = BufReader::new(stdout).lines();
        let port = within("the wire", answers.next_line())
            .await??
            .ok_or("no port")?
            .parse()?;
        Ok(Self {
            port,
            _process: process,
            orders,
            answers,
        })
    }

    pub async fn order(&mut self, word: &str) -> Outcome {
        self.orders
            .write_all(format!("{word}\n").as_bytes())
            .await?;
        let answer = within("an answer of the wire", self.answers.next_line()).await??;
        equal(
            "answer of the wire",
            "done",
            answer.as_deref().unwrap_or_default(),
        )
    }
}

pub fn equal<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, want: &T, got: &T) -> Outcome {
    if want == got {
        Ok(())
    } else {
        Err(format!("{what}: want {want:?}, got {got:?}").into())
    }
}

/// What is waited for, or a failure that names it.
pub async fn within<T>(what: &str, waiting: impl Future<Output = T>) -> Outcome<T> {
    let late = |_| format!("{what} did not come within {PATIENCE:?}").into();
    tokio::time::timeout(PATIENCE, waiting).await.map_err(late)
}

/// Runs one scenario and says how it went.
pub async fn passes(name: &str, scenario: impl Future<Output = Outcome>) -> bool {
    let outcome = match tokio::time::timeout(SCENARIO, scenario).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("the scenario did not end within {SCENARIO:?}").into()),
    };
    match outcome {
        Ok(()) => println!("ok {name}"),
        Err(why) => {
            println!("FAIL {name}: {why}");
            return false;
        }
    }
    true
}
