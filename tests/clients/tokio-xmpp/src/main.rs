//! Scenarios with tokio-xmpp against the server that with_server.py has started; with names only those.
//!
//! "Nothing came" is never shown by waiting: something else is sent, and it has to be the next to arrive.

#[path = "../../shared/gateway.rs"]
mod gateway;
mod phone;

use std::future::Future;
use std::pin::Pin;

use tokio_xmpp::minidom::Element;
use tokio_xmpp::parsers::sasl::DefinedCondition;
use tokio_xmpp::rustls;

use gateway::{add_user, equal, passes, port, push, push_all, reached, Outcome, Wire, DOMAIN};
use phone::{body_of, jid, refusal, register, Phone, PASSWORD};

const TITLE: &str = "Tür 🔔 <b>offen</b> &amp; \"zu\" '门铃'";
const MESSAGE: &str = "第一行\n<second> & line 👩‍👩‍👧 ]]> \"it's\" &lt;";
const LINK: &str = "http://nas.lan/?a=1&b='2'";
const DELAY: &str = "urn:xmpp:delay";

async fn registers_and_logs_in() -> Outcome {
    let phone = Phone::registered("reg").await?;
    equal("address", "reg@push.lan/phone", phone.address.as_str())?;
    phone.quit().await?;
    let refused = register("reg", "another")
        .await
        .err()
        .ok_or("a taken name is registered again")?;
    equal(
        "answer to a taken name",
        &true,
        &refused.to_string().contains("<conflict"),
    )
}

async fn direct_tls() -> Outcome {
    add_user("direct", PASSWORD).await?;
    let mut phone = Phone::direct("direct").await?;
    push("direct", "over direct TLS").await?;
    phone.hears("over direct TLS").await?;
    phone.quit().await
}

async fn contacts() -> Outcome {
    let mut romeo = Phone::registered("romeo").await?;
    let mut juliet = Phone::registered("juliet").await?;
    let (romeos, juliets) = (jid("romeo"), jid("juliet"));
    let item = format!("<item jid='{juliets}' name='Juliet'><group>Capulet</group></item>");
    romeo
        .ask(
            "set",
            "",
            &format!("<query xmlns='jabber:iq:roster'>{item}</query>"),
        )
        .await?;
    romeo
        .send(&format!("<presence type='subscribe' to='{juliets}'/>"))
        .await?;
    juliet.sees(Some("subscribe"), &romeos).await?;
    juliet
        .send(&format!("<presence type='subscribed' to='{romeos}'/>"))
        .await?;
    romeo.sees(Some("subscribed"), &juliets).await?;
    romeo.sees(None, &juliets).await?;
    juliet
        .send(&format!("<presence type='subscribe' to='{romeos}'/>"))
        .await?;
    romeo.sees(Some("subscribe"), &juliets).await?;
    romeo
        .send(&format!("<presence type='subscribed' to='{juliets}'/>"))
        .await?;
    juliet.sees(None, &romeos).await?;
    let roster = romeo
        .ask("get", "", "<query xmlns='jabber:iq:roster'/>")
        .await?;
    let query = roster
        .get_child("query", "jabber:iq:roster")
        .ok_or("no roster")?;
    let item = query.children().next().ok_or("no contact")?;
    equal("contact", &Some(&*juliets), &item.attr("jid"))?;
    equal("subscription", &Some("both"), &item.attr("subscription"))?;
    equal("name", &Some("Juliet"), &item.attr("name"))?;
    romeo.quit().await?;
    juliet.sees(Some("unavailable"), &romeos).await?;
    juliet.quit().await
}

async fn questions() -> Outcome {
    let mut phone = Phone::registered("curious").await?;
    let info = "http://jabber.org/protocol/disco#info";
    let server = phone
        .ask("get", DOMAIN, &format!("<query xmlns='{info}'/>"))
        .await?;
    let query = server
        .get_child("query", info)
        .ok_or("no answer about the server")?;
    let is_server =
        |one: &Element| (one.attr("category"), one.attr("type")) == (Some("server"), Some("im"));
    equal("it is a server", &true, &query.children().any(is_server))?;
    for feature in ["urn:xmpp:ping", "vcard-temp", "jabber:iq:roster"] {
        let offered = query.children().any(|one| one.attr("var") == Some(feature));
        equal(feature, &true, &offered)?;
    }
    let account = phone
        .ask("get", &jid("curious"), &format!("<query xmlns='{info}'/>"))
        .await?;
    equal("account answers", &Some("result"), &account.attr("type"))?;
    let items = "<query xmlns='http://jabber.org/protocol/disco#items'/>";
    equal(
        "items answer",
        &Some("result"),
        &phone.ask("get", DOMAIN, items).await?.attr("type"),
    )?;
    let unknown = phone
        .ask("get", DOMAIN, "<what xmlns='urn:example:nobody-knows'/>")
        .await?;
    let refusal = String::from(&unknown);
    equal(&refusal, &true, &refusal.contains("service-unavailable"))?;
    phone.quit().await
}

async fn push_arrives() -> Outcome {
    let mut phone = Phone::registered("pushed").await?;
    let id = push_all("pushed", MESSAGE, TITLE, LINK).await?;
    let message = phone.hears(&format!("{TITLE}\n{MESSAGE}\n{LINK}")).await?;
    equal("sender", &Some(&*jid("push")), &message.attr("from"))?;
    equal("id", &Some(&*id), &message.attr("id"))?;
    equal("kind", &Some("chat"), &message.attr("type"))?;
    let subject = message
        .get_child("subject", "jabber:client")
        .map(|subject| subject.text());
    equal("subject", &Some(TITLE), &subject.as_deref())?;
    let link = message
        .get_child("x", "jabber:x:oob")
        .and_then(|x| x.get_child("url", "jabber:x:oob"));
    equal(
        "link",
        &Some(LINK),
        &link.map(|link| link.text()).as_deref(),
    )?;
    reached(&id, "acknowledged").await?;
    let receipt = format!("<received xmlns='urn:xmpp:receipts' id='{id}'/>");
    phone
        .send(&format!(
            "<message to='{}'>{receipt}</message>",
            jid("push")
        ))
        .await?;
    reached(&id, "confirmed").await?;
    phone.quit().await
}

async fn push_while_away() -> Outcome {
    Phone::registered("traveller").await?.quit().await?;
    let mut pushes = Vec::new();
    for number in 0..3 {
        pushes.push(push("traveller", &format!("while away {number}")).await?);
    }
    let mut phone = Phone::online("traveller", "phone", port("xmpp")).await?;
    for (number, id) in pushes.iter().enumerate() {
        let message = phone.hears(&format!("while away {number}")).await?;
        equal("id", &Some(&**id), &message.attr("id"))?;
        reached(id, "acknowledged").await?;
    }
    push("traveller", "next").await?;
    phone.hears("next").await?;
    phone.quit().await
}

async fn chat() -> Outcome {
    let mut mia = Phone::registered("mia").await?;
    let mut sam = Phone::registered("sam").await?;
    let mut tablet = Phone::online("sam", "tablet", port("xmpp")).await?;
    mia.say(&jid("sam"), "to all of them").await?;
    sam.hears("to all of them").await?;
    tablet.hears("to all of them").await?;
    mia.say(&format!("{}/tablet", jid("sam")), "to the tablet")
        .await?;
    tablet.hears("to the tablet").await?;
    tablet
        .say(&format!("{}/phone", jid("mia")), "received")
        .await?;
    mia.hears("received").await?;
    mia.say(&format!("{}/phone", jid("sam")), "to the phone")
        .await?;
    sam.hears("to the phone").await?;
    tablet
        .send("<presence><priority>-1</priority></presence>")
        .await?;
    tablet.sync().await?;
    mia.say(&jid("sam"), "not to the tablet").await?;
    sam.hears("not to the tablet").await?;
    mia.say(&format!("{}/tablet", jid("sam")), "by its full address")
        .await?;
    tablet.hears("by its full address").await?;
    mia.quit().await?;
    sam.quit().await?;
    tablet.quit().await
}

async fn offline_message() -> Outcome {
    let mut eve = Phone::registered("eve").await?;
    add_user("bob", PASSWORD).await?;
    eve.say(&jid("bob"), "first").await?;
    eve.say(&jid("bob"), "second").await?;
    eve.sync().await?;
    let mut bob = Phone::online("bob", "phone", port("xmpp")).await?;
    for text in ["first", "second"] {
        equal(
            "it has a stamp",
            &true,
            &bob.hears(text).await?.has_child("delay", DELAY),
        )?;
    }
    bob.sync().await?;
    bob.quit().await?;
    let mut bob = Phone::online("bob", "phone", port("xmpp")).await?;
    bob.sync().await?;
    eve.say(&jid("bob"), "third").await?;
    bob.hears("third").await?;
    bob.quit().await?;
    eve.quit().await
}

/// The wire goes dead, things are sent both ways, then it is cut: the library comes back by itself, nothing is
/// lost and nothing comes twice.
async fn resumes() -> Outcome {
    let mut wire = Wire::new(port("xmpp")).await?;
    let mut other = Phone::registered("anchor").await?;
    register("diver", PASSWORD).await?;
    let mut phone = Phone::online("diver", "phone", wire.port).await?;
    // Who has only just come is not sent any for a moment; chats do not wait for that.
    push("diver", "settled").await?;
    phone.hears("settled").await?;
    for ending in ["cut", "leave"] {
        wire.order("hold").await?;
        let mut pushes = Vec::new();
        for number in 0..3 {
            pushes.push(push("diver", &format!("{ending} {number}")).await?);
        }
        other
            .say(
                &format!("{}/phone", jid("diver")),
                &format!("{ending} chat"),
            )
            .await?;
        other.sync().await?;
        phone
            .say(
                &format!("{}/phone", jid("anchor")),
                &format!("{ending} from below"),
            )
            .await?;
        wire.order(ending).await?;
        phone.resumed().await?;
        // Each sender's in their order; the order between senders is not promised.
        let (mut got, mut chats) = (Vec::new(), 0);
        while got.len() + chats < 4 {
            let message = phone.message().await?;
            if message.attr("from") == Some(&*jid("push")) {
                got.push(message.attr("id").unwrap_or_default().to_owned());
            } else {
                equal(
                    "chat",
                    &Some(format!("{ending} chat")),
                    &Some(body_of(&message)),
                )?;
                chats += 1;
            }
        }
        equal("pushes", &pushes, &got)?;
        for id in &pushes {
            reached(id, "acknowledged").await?;
        }
        other.hears(&format!("{ending} from below")).await?;
    }
    push("diver", "after").await?;
    phone.hears("after").await?;
    phone
        .say(&format!("{}/phone", jid("anchor")), "dry again")
        .await?;
    other.hears("dry again").await?;
    phone.quit().await?;
    other.quit().await
}

async fn wrong_password() -> Outcome {
    add_user("careful", PASSWORD).await?;
    for user in ["careful", "nobody-of-that-name"] {
        equal(
            "refusal",
            &DefinedCondition::NotAuthorized,
            &refusal(user, "wrong").await?,
        )?;
    }
    Phone::online("careful", "phone", port("xmpp"))
        .await?
        .quit()
        .await
}

type Scenario = (&'static str, Pin<Box<dyn Future<Output = Outcome> + Send>>);

fn beside_each_other() -> Vec<Scenario> {
    vec![
        ("resumes", Box::pin(resumes())),
        ("registers-and-logs-in", Box::pin(registers_and_logs_in())),
        ("direct-tls", Box::pin(direct_tls())),
        ("contacts", Box::pin(contacts())),
        ("questions", Box::pin(questions())),
        ("push-arrives", Box::pin(push_arrives())),
        ("push-while-away", Box::pin(push_while_away())),
        ("chat", Box::pin(chat())),
        ("offline-message", Box::pin(offline_message())),
    ]
}

/// Refused logins make later ones from the same address wait, so this comes when the others are through.
fn last() -> Vec<Scenario> {
    vec![("wrong-password", Box::pin(wrong_password()))]
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("the first provider");
    let names: Vec<String> = std::env::args().skip(1).collect();
    let (mut beside, mut last) = (beside_each_other(), last());
    for name in &names {
        let known = beside.iter().chain(&last).any(|(known, _)| known == name);
        assert!(known, "there is no scenario {name}");
    }
    for list in [&mut beside, &mut last] {
        list.retain(|(name, _)| names.is_empty() || names.iter().any(|chosen| chosen == name));
    }
    let running: Vec<_> = beside
        .into_iter()
        .map(|(name, scenario)| tokio::spawn(passes(name, scenario)))
        .collect();
    let mut passed = true;
    for scenario in running {
        passed &= scenario.await.unwrap_or(false);
    }
    for (name, scenario) in last {
        passed &= passes(name, scenario).await;
    }
    std::process::exit(i32::from(!passed));
}
