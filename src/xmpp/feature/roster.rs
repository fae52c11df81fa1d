//! RFC 6121 §2 Roster: `jabber:iq:roster`, a user's contacts, with versions (§2.6).
//!
//! androidpn's clients ask for it after login; theirs is empty.

use minidom::Element;

use crate::limits;
use crate::xmpp::error::StanzaError;
use crate::xmpp::jid::Jid;
use crate::xmpp::ns;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::stanza::{self, Iq, attr, name, set_attr, text_element, xml_text};

/// This feature's namespace.
pub const NS: &str = "jabber:iq:roster";
/// What the stream features announce after login (§2.6): a client may say which version it has.
pub const STREAM_FEATURE: &str = "<ver xmlns='urn:xmpp:features:rosterver'/>";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[
    Route::get(NS, contacts).of_accounts(),
    Route::set(NS, change).of_accounts(),
];

/// A contact as a client is shown it (§2.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Bare JID.
    pub jid: String,
    /// The user's name for the contact, may be empty.
    pub name: String,
    /// Groups it is in.
    pub groups: Vec<String>,
    /// `none`, `to`, `from`, `both`, or `remove` in a push.
    pub subscription: &'static str,
    /// Whether the user has asked to see the contact and has not been answered.
    pub asks: bool,
    /// Whether the contact may see the user without asking.
    pub approved: bool,
}

/// A whole roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Differs whenever the roster differs.
    pub version: String,
    /// All contacts, or `None` if the client has this version.
    pub items: Option<Vec<Item>>,
}

/// What a client wants of its roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Add a contact, or give one another name and other groups.
    Put {
        /// Bare JID.
        jid: Jid,
        /// May be empty.
        name: String,
        /// Groups.
        groups: Vec<String>,
    },
    /// Remove a contact with all subscriptions (§2.5).
    Remove {
        /// Bare JID.
        jid: Jid,
    },
}

fn contacts(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if !context.host.is_chat() {
        return Ok(Reply::With(Element::bare("query", NS)));
    }
    let view = context.host.roster(attr(iq.payload, "ver"))?;
    Ok(match view.items {
        None => Reply::Empty,
        Some(items) => Reply::With(query(&view.version, items)),
    })
}

fn change(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if !context.host.is_chat() {
        return Err(StanzaError::ServiceUnavailable);
    }
    let wish = wish(iq.payload)?;
    context.host.change_roster(wish).map(|()| Reply::Later)
}

fn query(version: &str, items: Vec<Item>) -> Element {
    let mut query = Element::bare("query", NS);
    set_attr(&mut query, "ver", version);
    for item in items {
        query.append_child(element(item));
    }
    query
}

fn element(item: Item) -> Element {
    let mut element = Element::builder("item", NS)
        .attr(name("jid"), item.jid)
        .attr(name("subscription"), item.subscription)
        .build();
    if !item.name.is_empty() {
        set_attr(&mut element, "name", &xml_text(&item.name));
    }
    if item.asks {
        set_attr(&mut element, "ask", "subscribe");
    }
    if item.approved {
        set_attr(&mut element, "approved", "true");
    }
    for group in &item.groups {
        element.append_child(text_element("group", NS, &xml_text(group)));
    }
    element
}

/// Appends a roster push (§2.1.6). Its id is the version, of which a client has each only once.
pub fn write_push(to: &str, version: &str, item: Item, out: &mut Vec<u8>) {
    let push = Element::builder("iq", ns::CLIENT)
        .attr(name("type"), "set")
        .attr(name("id"), format!("roster-{version}"))
        .attr(name("to"), to)
        .append(query(version, vec![item]))
        .build();
    stanza::write(push, out);
}

/// What a set wants (§2.3.3, §2.5.3).
fn wish(query: &Element) -> Result<Wish, StanzaError> {
    let mut items = query.children();
    let (Some(item), None) = (items.next(), items.next()) else {
        return Err(StanzaError::BadRequest);
    };
    if item.name() != "item" || item.ns() != NS {
        return Err(StanzaError::BadRequest);
    }
    let jid = attr(item, "jid").ok_or(StanzaError::BadRequest)?;
    let jid: Jid = jid.parse()?;
    if jid.resource.is_some() {
        return Err(StanzaError::BadRequest);
    }
    if attr(item, "subscription") == Some("remove") {
        return Ok(Wish::Remove { jid });
    }
    let name = attr(item, "name").unwrap_or_default();
    if name.len() > limits::CONTACT_NAME {
        return Err(StanzaError::NotAcceptable);
    }
    Ok(Wish::Put {
        jid,
        name: name.to_owned(),
        groups: groups(item)?,
    })
}

fn groups(item: &Element) -> Result<Vec<String>, StanzaError> {
    let mut groups: Vec<String> = Vec::new();
    for child in item.children() {
        if child.name() != "group" || child.ns() != NS {
            continue;
        }
        let group = child.text();
        let fits = (1..=limits::CONTACT_NAME).contains(&group.len());
        if !fits || groups.len() == limits::CONTACT_GROUPS {
            return Err(StanzaError::NotAcceptable);
        }
        if groups.contains(&group) {
            return Err(StanzaError::BadRequest);
        }
        groups.push(group);
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(items: &str) -> Result<Wish, StanzaError> {
        wish(
            &format!("<query xmlns='{NS}'>{items}</query>")
                .parse()
                .unwrap(),
        )
    }

    #[test]
    fn what_a_set_may_hold() {
        let put = |name: &str, groups: &[&str]| {
            Ok(Wish::Put {
                jid: "kim@push.lan".parse().unwrap(),
                name: name.to_owned(),
                groups: groups.iter().map(ToString::to_string).collect(),
            })
        };
        let remove = Ok(Wish::Remove {
            jid: "kim@push.lan".parse().unwrap(),
        });
        let longest = "n".repeat(limits::CONTACT_NAME);
        let groups = |count: usize| {
            let groups = (0..count).map(|n| format!("<group>{n}</group>"));
            format!(
                "<item jid='kim@push.lan'>{}</item>",
                groups.collect::<String>()
            )
        };
        let bad = Err(StanzaError::BadRequest);
        let unacceptable = Err(StanzaError::NotAcceptable);
        for (items, want) in [
            ("<item jid='kim@push.lan'/>", put("", &[])),
            ("<item jid='Kim@Push.lan' name='K'/>", put("K", &[])),
            (
                "<item jid='kim@push.lan'><group>a</group><x/><group>b</group></item>",
                put("", &["a", "b"]),
            ),
            // What a client says of subscriptions does not count.
            (
                "<item jid='kim@push.lan' subscription='both' ask='subscribe'/>",
                put("", &[]),
            ),
            ("<item jid='kim@push.lan' subscription='remove'/>", remove),
            ("", bad.clone()),
            ("<item jid='a@b'/><item jid='c@d'/>", bad.clone()),
            ("<other jid='a@b'/>", bad.clone()),
            ("<item xmlns='other' jid='a@b'/>", bad.clone()),
            ("<item/>", bad.clone()),
            ("<item jid='kim@push.lan/Tablet'/>", bad.clone()),
            ("<item jid='kim@'/>", Err(StanzaError::JidMalformed)),
            (
                "<item jid='a@b'><group>x</group><group>x</group></item>",
                bad,
            ),
            ("<item jid='a@b'><group/></item>", unacceptable.clone()),
            (
                &format!("<item jid='kim@push.lan' name='{longest}'/>"),
                put(&longest, &[]),
            ),
            (
                &format!("<item jid='a@b' name='{longest}n'/>"),
                unacceptable.clone(),
            ),
            (
                &format!("<item jid='a@b'><group>{longest}n</group></item>"),
                unacceptable.clone(),
            ),
            (&groups(limits::CONTACT_GROUPS + 1), unacceptable),
        ] {
            assert_eq!(parse(items), want, "{items}");
        }
        assert!(parse(&groups(limits::CONTACT_GROUPS)).is_ok());
    }

    #[test]
    fn a_push_as_it_is_written() {
        let item = Item {
            jid: "kim@push.lan".to_owned(),
            name: "Kim\u{1}".to_owned(),
            groups: vec!["a".to_owned()],
            subscription: "none",
            asks: true,
            approved: false,
        };
        let mut out = Vec::new();
        write_push("sam@push.lan/Tablet", "7", item, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<iq id='roster-7' to='sam@push.lan/Tablet' type='set'><query \
             xmlns='jabber:iq:roster' ver='7'><item ask='subscribe' jid='kim@push.lan' name='Kim' \
             subscription='none'><group>a</group></item></query></iq>"
        );
    }
}
