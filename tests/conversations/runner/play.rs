//! Plays a script: one step after the other, each either as written or a failure with its reason.

use super::macros;
use super::pattern::Pattern;
use super::phone::Phone;
use super::script::{self, Act, Disk, Line, Step};
use super::sights;
use super::stage::Stage;
use super::template::Template;
use super::words::Settings;
use super::xml::Item;

impl Stage {
    /// Plays a whole script, then looks for what came and the script has not spoken of.
    ///
    /// The error is the reason; [`Stage::line`] says where.
    pub(crate) fn play(&mut self, lines: &[Line]) -> Result<(), String> {
        // A script that speaks of presence speaks of all there is.
        self.speaks_of_presence = lines
            .iter()
            .any(|line| line.text.contains("receives") && line.text.contains("<presence"));
        for line in lines {
            self.line = line.number;
            let declares = matches!(line.step, Step::Server(_) | Step::Phone(..));
            let done = if declares { Ok(()) } else { self.begin() };
            done.and_then(|()| self.step(&line.step))
                .map_err(|why| format!("{}\n{why}{}", line.text, self.last_on_wire(&line.step)))?;
        }
        for (name, phone) in &self.phones {
            phone
                .nothing_left()
                .map_err(|why| format!("at the end of the script, {name}: {why}"))?;
        }
        Ok(())
    }

    /// The last of what went over the wire of the phone a step is about.
    fn last_on_wire(&self, step: &Step) -> String {
        match step {
            Step::Speak(name, _) => self.phones.get(name).map_or_else(String::new, |phone| {
                format!("\nlast on the wire of {name}:\n{}", phone.wire())
            }),
            _ => String::new(),
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Server(settings) => self.configure(settings),
            Step::Phone(settings, name) => self.declare(name, settings),
            Step::Speak(name, act) => self.act(name, act),
            Step::Admin(wish, expect) => self.wish(wish, expect),
            Step::Answered(label, expect) => {
                let ask = self.asked(label)?;
                self.answered(ask, Some(label), expect)
            }
            Step::Sees(sight) => sights::check(self, sight),
            Step::After(time) => self.advance(*time),
            Step::ClockUnnoticed(second) => {
                self.set_clock_unnoticed(*second);
                Ok(())
            }
            Step::Clock(second) => self.set_clock(*second),
            Step::Tells(second) => self.tell_time(*second),
            Step::Stop => self.stop(),
            Step::Start => self.start(),
            Step::Restart => {
                self.stop()?;
                self.start()
            }
            Step::PowerCutBehindDisk => {
                self.disk.set(super::script::Disk::Released);
                self.cut_power();
                Ok(())
            }
            Step::PowerCut => {
                self.cut_power();
                Ok(())
            }
            Step::Disk(disk) => self.let_disk(*disk),
        }
    }

    fn declare(&mut self, name: &str, settings: &Settings) -> Result<(), String> {
        let mut phone = Phone::new(name, settings)?;
        phone.hears_itself = self.speaks_of_presence;
        let domain = match &phone.domain {
            Some(domain) => domain.clone(),
            None => self.scope.get("domain").unwrap_or_default().to_owned(),
        };
        let bare = format!("{}@{domain}", phone.user.to_lowercase());
        for (key, value) in [
            ("user", phone.user.clone()),
            ("password", phone.password.clone()),
            ("resource", phone.resource.clone()),
            ("domain", domain),
            ("jid", format!("{bare}/{}", phone.resource)),
        ] {
            self.scope.set(format!("{name}.{key}"), value);
        }
        self.phones.insert(name.to_owned(), phone);
        Ok(())
    }

    fn let_disk(&mut self, disk: Disk) -> Result<(), String> {
        self.disk.set(disk);
        self.settle()
    }

    fn act(&mut self, name: &str, act: &Act) -> Result<(), String> {
        match act {
            Act::Connects => self.connect(name),
            Act::ConnectsWithTls => self.connect_with_tls(name),
            Act::StartsTls => self.start_tls(name),
            Act::AuthenticatesBy(mechanism) => self.authenticate_by(name, mechanism),
            Act::BeginsAgain => self.run(name, macros::AGAIN, &[]),
            Act::Binds => self.run(name, macros::BINDING, &[]),
            Act::LogsInBy(mechanism) => {
                self.bind_by(name, mechanism)?;
                self.say(name, "<presence/>")
            }
            Act::ShakesHands => self.phone(name)?.shake_hands(),
            Act::OpensStream => self.open_stream(name),
            Act::Registers => self.register(name),
            Act::Authenticates => self.authenticate(name),
            Act::LogsIn => {
                self.authenticate(name)?;
                self.say(name, "<presence/>")
            }
            Act::Sends(text) => {
                let bytes = text.fill(&self.scope, name)?;
                self.send(name, &bytes)
            }
            Act::SendsSpaces { every, during } => {
                let end = self.now.mono.after(*during);
                while self.now.mono.after(*every) <= end {
                    self.advance(*every)?;
                    self.say(name, " ")?;
                }
                self.advance(end.since(self.now.mono))
            }
            Act::Receives(patterns) => patterns
                .iter()
                .try_for_each(|pattern| self.receive(name, pattern)),
            Act::ReceivesExactly(text) => self.receive_exactly(name, text),
            Act::ReceivesNothing => self.phone(name)?.nothing_left(),
            Act::ReceivesMessage(label) => self.run(name, macros::MESSAGE, &[("$label", label)]),
            Act::ReceivesPush(label) => self.run(name, macros::PUSH, &[("$label", label)]),
            Act::ReceivesPushes { label, from, to } => (*from..=*to).try_for_each(|number| {
                let label = format!("{label}-{number}");
                self.run(name, macros::PUSH, &[("$label", &label)])
            }),
            Act::AnswersPing => {
                self.scope.forget(&format!("{name}.ping"));
                self.run(name, macros::PONG, &[])
            }
            Act::Confirms(label) => self.run(name, macros::CONFIRMATION, &[("$label", label)]),
            Act::IsRefused {
                id,
                condition,
                code,
            } => {
                let values = [("$id", id), ("$condition", condition), ("$code", code)];
                self.run(name, macros::REFUSAL, &values)
            }
            Act::ClosesStream => self.run(name, macros::FAREWELL, &[]),
            Act::IsClosed => self.receive(name, &Pattern::Closed),
            Act::IsClosedWith(condition) => self.is_closed_with(name, condition),
            Act::Disconnects => self.disconnect(name),
            Act::StopsReading => {
                self.phone(name)?.reads = false;
                Ok(())
            }
            Act::ReadsAgain => self.read_again(name),
            Act::IgnoresRest => {
                self.phone(name)?.ignores_rest = true;
                Ok(())
            }
        }
    }

    /// Plays the lines of a macro, with `$me` and `values` filled in.
    fn run(&mut self, me: &str, lines: &str, values: &[(&str, &String)]) -> Result<(), String> {
        let mut text = lines.replace("$me", me);
        for (hole, value) in values {
            text = text.replace(hole, value);
        }
        let phones: Vec<String> = self.phones.keys().cloned().collect();
        let lines = script::parse(&text, &phones).map_err(|mistake| mistake.why)?;
        for line in lines {
            self.step(&line.step)
                .map_err(|why| format!("in `{}`:\n{why}", line.text))?;
        }
        Ok(())
    }

    fn say(&mut self, name: &str, text: &str) -> Result<(), String> {
        self.send(name, text.as_bytes())
    }

    fn open_stream(&mut self, name: &str) -> Result<(), String> {
        if self.phone(name)?.conn.is_none() {
            self.connect(name)?;
        }
        self.run(name, macros::OPENING, &[])
    }

    fn start_tls(&mut self, name: &str) -> Result<(), String> {
        if self.phone(name)?.conn.is_none() {
            self.open_stream(name)?;
        }
        self.run(name, macros::STARTTLS, &[])?;
        self.open_stream(name)
    }

    fn register(&mut self, name: &str) -> Result<(), String> {
        self.run(name, macros::REGISTRATION, &[])?;
        let user = self.phone(name)?.user.clone();
        self.registered.push(user);
        Ok(())
    }

    /// A stream and an account, if there are none; the password.
    fn prepare(&mut self, name: &str) -> Result<String, String> {
        let phone = self.phone(name)?;
        let (user, password) = (phone.user.clone(), phone.password.clone());
        if phone.conn.is_none() {
            self.open_stream(name)?;
        }
        if !self.registered.contains(&user) {
            self.register(name)?;
        }
        Ok(password)
    }

    fn authenticate_by(&mut self, name: &str, mechanism: &String) -> Result<(), String> {
        let password = self.prepare(name)?;
        self.scope.forget(&format!("{name}.challenge"));
        let values = [("$password", &password), ("$by", mechanism)];
        self.run(name, macros::SCRAM, &values)
    }

    fn bind_by(&mut self, name: &str, mechanism: &String) -> Result<(), String> {
        self.authenticate_by(name, mechanism)?;
        self.run(name, macros::BINDING, &[])
    }

    fn authenticate(&mut self, name: &str) -> Result<(), String> {
        if let Some(mechanism) = self.phone(name)?.login.clone() {
            return self.bind_by(name, &mechanism);
        }
        let password = self.prepare(name)?;
        self.run(name, macros::PROBE, &[])?;
        let secret = if self.phone(name)?.is_offered("<digest") {
            format!("<digest>{{digest({password})}}</digest>")
        } else {
            format!("<password>{password}</password>")
        };
        self.run(name, macros::LOGIN, &[("$secret", &secret)])
    }

    fn receive(&mut self, name: &str, pattern: &Pattern) -> Result<(), String> {
        let phone = self.phone(name)?;
        if let Some(why) = &phone.garbled {
            return Err(why.clone());
        }
        let (item, _) = phone.inbox.pop_front().ok_or("nothing came")?;
        pattern
            .compare(&item, &mut self.scope)
            .map_err(|why| format!("{why}\nwhat came: {item}"))
    }

    fn receive_exactly(&mut self, name: &str, text: &Template) -> Result<(), String> {
        let (_, raw) = self.phone(name)?.inbox.pop_front().ok_or("nothing came")?;
        if text.fits(&raw, &mut self.scope) {
            return Ok(());
        }
        let wanted = text.describe(&self.scope);
        let came = String::from_utf8_lossy(&raw);
        Err(format!("wanted:    {wanted}\nwhat came: {came}"))
    }

    fn is_closed_with(&mut self, name: &str, condition: &String) -> Result<(), String> {
        // A stream that fails before it began is opened for its error (RFC 6120 §4.9.1.2).
        let inbox = &mut self.phone(name)?.inbox;
        if matches!(inbox.front(), Some((Item::Header(_), _))) {
            inbox.pop_front();
        }
        self.run(name, macros::ENDING, &[("$condition", condition)])
    }
}
