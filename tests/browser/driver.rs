//! A browser, driven over WebDriver: chromium, by the chromedriver that comes with it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::DEADLINE;

/// The key under which WebDriver gives the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A window.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
}

impl Browser {
    /// Opens one of that size; `touch` makes it a phone's.
    pub(crate) fn open(width: u32, height: u32, touch: bool) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is not installed");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.by_ref().find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        // What it says later is of no interest, but it must not wait for a reader.
        thread::spawn(move || lines.for_each(drop));
        let mut browser = Self {
            driver,
            address: ([127, 0, 0, 1], port.expect("chromedriver has no port")).into(),
            session: String::new(),
        };
        let mut args = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
        ];
        let mut options = json!({});
        if touch {
            let metrics =
                json!({ "width": width, "height": height, "pixelRatio": 2.0, "touch": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        } else {
            args.push(format!("--window-size={width},{height}"));
        }
        options["args"] = json!(args);
        let wanted = json!({ "alwaysMatch": { "goog:chromeOptions": options } });
        let session = browser.call("POST", "", &json!({ "capabilities": wanted }));
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        let patience = u64::try_from(DEADLINE.as_millis()).unwrap();
        browser.call("POST", "/timeouts", &json!({ "implicit": patience / 3 }));
        browser
    }

    /// Opens an address.
    pub(crate) fn go(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// Clicks on the one visible thing a CSS selector finds first, and waits for the page that this opens.
    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.call("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Follows the first link that says this.
    pub(crate) fn follow(&self, text: &str) {
        let found = self.call(
            "POST",
            "/element",
            &json!({ "using": "link text", "value": text }),
        );
        let element = found[ELEMENT].as_str().unwrap().to_owned();
        self.call("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Types into a field.
    pub(crate) fn type_into(&self, name: &str, text: &str) {
        let element = self.find(&format!("[name={name}]"));
        self.call(
            "POST",
            &format!("/element/{element}/value"),
            &json!({ "text": text }),
        );
    }

    /// Chooses from a select.
    pub(crate) fn choose(&self, name: &str, value: &str) {
        self.click(&format!("select[name={name}] option[value='{value}']"));
    }

    /// Waits until the first thing a selector finds says something, and returns all that it says.
    pub(crate) fn sees(&self, selector: &str, text: &str) -> String {
        let end = Instant::now() + DEADLINE;
        let by = json!({ "using": "css selector", "value": selector });
        let mut said = Value::Null;
        while Instant::now() < end {
            let (_, found) = self.ask("POST", "/element", &by);
            if let Some(element) = found[ELEMENT].as_str() {
                // It may be gone with its page by now.
                said = self
                    .ask("GET", &format!("/element/{element}/text"), &Value::Null)
                    .1;
                if let Some(said) = said.as_str().filter(|said| said.contains(text)) {
                    return said.to_owned();
                }
            }
        }
        panic!("{selector} does not say {text:?} but {said}");
    }

    /// What a script says, run beside the page.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.call(
            "POST",
            "/execute/sync",
            &json!({ "script": script, "args": [] }),
        )
    }

    fn find(&self, selector: &str) -> String {
        let by = json!({ "using": "css selector", "value": selector });
        self.call("POST", "/element", &by)[ELEMENT]
            .as_str()
            .unwrap()
            .to_owned()
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, value) = self.ask(method, path, body);
        assert_eq!(status, 200, "{method} {path} {body}: {value}");
        value
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let session = match &*self.session {
            "" => String::new(),
            id => format!("/{id}"),
        };
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let (address, length) = (self.address, body.len());
        write!(
            stream,
            "{method} /session{session}{path} HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut reply = BufReader::new(stream);
        let mut head = String::new();
        // It keeps the connection open, whatever it is asked.
        while !head.ends_with("\r\n\r\n") {
            assert!(reply.read_line(&mut head).unwrap() > 0, "{head:?}");
        }
        let head = head.to_ascii_lowercase();
        let field = |start: &str| head.split("\r\n").find_map(|line| line.strip_prefix(start));
        let length = field("content-length:").unwrap().trim().parse().unwrap();
        let mut body = vec![0; length];
        reply.read_exact(&mut body).unwrap();
        let status = field("http/1.1 ").unwrap()[..3].parse().unwrap();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        (status, answer["value"].take())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser too, and removes its profile. Whether it can or not, the test has its outcome.
        let end = format!(
            "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\n\r\n",
            self.session, self.address
        );
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = stream.set_read_timeout(Some(DEADLINE));
            let _ = stream.write_all(end.as_bytes());
            let _ = stream.read(&mut [0]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
