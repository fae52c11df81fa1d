//! The page in a real browser, as wide as a desk's and as a phone's: what people click and read, and what
//! the phone gets. The browser stage runs this.

#![cfg(test)]

#[path = "../harness/mod.rs"]
mod harness;

mod driver;

use driver::Browser;
use serde_json::json;

use harness::phone::Phone;
use harness::server::{Server, Setup};

const SEND: &str = "#send p button";

/// A server that sends to phones at once, a phone, and a browser on the server's page.
struct Scene {
    server: Server,
    phone: Phone,
    browser: Browser,
}

impl Scene {
    fn new(browser: Browser) -> Self {
        let server = Setup::new().config("[xmpp]\nsettle = 0\n").start();
        let phone = Phone::online(server.xmpp, "sam");
        Self {
            server,
            phone,
            browser,
        }
    }

    fn go(&self, path: &str) {
        self.browser
            .go(&format!("http://{}{path}", self.server.http));
        self.check_width(path);
    }

    /// Nothing sticks out to the side but tables, which scroll by themselves.
    fn check_width(&self, path: &str) {
        let width = "return [document.documentElement.scrollWidth, window.innerWidth]";
        let width = self.browser.script(width);
        assert!(width[0].as_u64() <= width[1].as_u64(), "{path}: {width}");
    }

    /// Fills in whom it goes to.
    fn address(&self, kind: &str, who: &str) {
        self.browser.choose("broadcast", kind);
        self.browser.type_into("who", who);
    }

    /// A push goes out by the form, and the page tells that the phone has it.
    fn sends_to_a_user(&mut self) {
        self.go("/");
        let bottom = "const button = document.querySelector('#send p button');\
            return button.getBoundingClientRect().bottom <= innerHeight";
        assert_eq!(self.browser.script(bottom), true, "Send is out of sight");
        self.address("1", "sam");
        self.browser.type_into("title", "Dinner");
        self.browser.type_into("message", "Come <down>\nsoon");
        self.browser.click(SEND);
        let stored = "Stored for 1 device, sent to 1 at once.";
        self.browser.sees("[role=status]", stored);
        let push = self.phone.push();
        let got = (&*push.title, &*push.message);
        assert_eq!(got, ("Dinner", "Come <down>\nsoon"));
        // Answers the server's ping; when the second returns, that answer has been dealt with.
        self.phone.ping();
        self.phone.ping();
        self.go("/");
        let have = "acknowledged sam/AndroidpnClient";
        let first = self.browser.sees("#sent li", have);
        for part in ["Come <down>\nsoon", "to sam", "(queued ", ", sent "] {
            assert!(first.contains(part), "{part}: {first}");
        }
        self.phone.confirm(&push);
        self.phone.ping();
        self.go("/notification.do");
        self.browser.sees("ol li", "confirmed sam/AndroidpnClient");
    }

    /// A user gets a topic, is sent to by it, and loses it.
    fn gives_and_takes_a_topic(&mut self) {
        self.go("/");
        self.browser.follow("Users");
        self.browser.follow("sam");
        self.browser.sees("main", "Devices");
        self.check_width("a user");
        self.browser.type_into("topic", "doors");
        self.browser.click("form p button");
        self.browser
            .sees("[role=status]", "The topics have been changed.");
        self.browser.sees("ol li", "doors on all devices");
        self.go("/user.do");
        self.browser.sees("tbody tr", "doors");
        self.go("/");
        self.address("topic", "doors");
        self.browser.type_into("uri", "http://cam.lan/");
        self.browser.click(SEND);
        let push = self.phone.push();
        let got = (&*push.title, &*push.message);
        assert_eq!(got, ("", "http://cam.lan/"));
        self.go("/user.do?name=sam");
        self.browser.click("ol li button");
        self.browser.sees("main", "None. Whoever has a topic");
        self.go("/");
        self.address("topic", "doors");
        self.browser.type_into("title", "nobody gets this");
        self.browser.click(SEND);
        let nobody = "nobody has subscribed to the topic \"doors\"";
        self.browser.sees("[role=alert]", nobody);
    }

    /// What is wrong comes back as it was typed, with the field that has to be mended.
    fn keeps_what_was_typed(&mut self) {
        self.go("/");
        self.address("1", "nobody");
        self.browser.type_into("message", "kept");
        self.browser.click("#send summary");
        self.browser.type_into("words", "a, b");
        self.browser.type_into("links", "Open = http://x/");
        self.browser.choose("priority", "5");
        self.browser.click("[name=pushtype]");
        self.browser.click(SEND);
        let unknown = "there is no user \"nobody\"";
        self.browser.sees("[role=alert]", unknown);
        let values = "const names = ['broadcast', 'who', 'message', 'words', 'links', 'priority'];\
            return names.map(name => document.querySelector(`[name=${name}]`).value)";
        let typed = json!(["1", "nobody", "kept", "a, b", "Open = http://x/", "5"]);
        assert_eq!(self.browser.script(values), typed);
        let silent = "return document.querySelector('[name=pushtype]').checked";
        assert_eq!(self.browser.script(silent), true);
        let marked = "return [document.activeElement, document.querySelector('[aria-invalid]')]\
            .map(field => field.name)";
        assert_eq!(self.browser.script(marked), json!(["who", "who"]));
        self.check_width("an error");
        // Mended, it goes out as it is.
        let empty = "document.querySelector('[name=who]').value = ''";
        self.browser.script(empty);
        self.browser.type_into("who", "sam");
        self.browser.click(SEND);
        assert_eq!(self.phone.push().message, "kept");
        self.go("/notification.do");
        self.browser.sees("ol li", "priority 5, silent, tags a, b");
    }

    /// A notification for later is shown, and taken back.
    fn schedules_and_withdraws(&mut self) {
        self.go("/");
        self.address("1", "sam");
        self.browser.type_into("message", "a happy new year");
        self.browser.click("#send summary");
        // As the browser's own calendar fills it in.
        let later = "const at = new Date(Date.now() + 86400e3).toISOString();\
            document.querySelector('[name=deliver_at]').value = at.slice(0, 16)";
        self.browser.script(later);
        self.browser.click(SEND);
        let stored = "Stored; it goes out at its time.";
        self.browser.sees("[role=status]", stored);
        self.browser.sees("#sent li", "scheduled for");
        self.browser.click("#sent li button");
        self.browser.sees("ol li", "withdrawn");
    }

    fn all(&mut self) {
        self.sends_to_a_user();
        self.gives_and_takes_a_topic();
        self.keeps_what_was_typed();
        self.schedules_and_withdraws();
        for path in ["/user.do", "/session.do", "/nothing"] {
            self.go(path);
        }
    }
}

#[test]
#[ignore = "wants chromium; the browser stage runs it"]
fn the_page_on_a_desk() {
    Scene::new(Browser::open(1280, 900, false)).all();
}

#[test]
#[ignore = "wants chromium; the browser stage runs it"]
fn the_page_on_a_phone() {
    Scene::new(Browser::open(390, 844, true)).all();
}
