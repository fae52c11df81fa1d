//! XEP-0202 Entity Time, both ways: a client asks what time it is, and we ask clients while we do not know.

use minidom::Element;

use crate::time::{calendar, parse_calendar};
use crate::xmpp::error::StanzaError;
use crate::xmpp::ns;
use crate::xmpp::router::{Context, Reply, Route};
use crate::xmpp::session::Bound;
use crate::xmpp::stanza::{self, Iq, attr, child_text, name, text_element};

/// This feature's namespace.
pub const NS: &str = "urn:xmpp:time";
/// This feature's rows of the table.
pub const ROUTES: &[Route] = &[Route::get(NS, tell)];

/// Our one question has an id of its own; numbered pings and notifications look different.
const QUESTION: &str = "time";

/// §2: the time, or `service-unavailable` while it is not known.
fn tell(iq: &Iq<'_>, context: &mut Context<'_>) -> Result<Reply, StanzaError> {
    if iq.payload.name() != "time" {
        return Err(StanzaError::BadRequest);
    }
    let now = context.host.wall();
    if !now.trusted {
        return Err(StanzaError::ServiceUnavailable);
    }
    let utc = calendar(now.seconds()).replace(' ', "T") + "Z";
    let mut time = Element::bare("time", NS);
    // A server on a LAN does not know where its phones are.
    time.append_child(text_element("tzo", NS, "+00:00"));
    time.append_child(text_element("utc", NS, &utc));
    Ok(Reply::With(time))
}

/// §3: asks a client for its time.
pub fn write_question(bound: &Bound, out: &mut Vec<u8>) {
    let question = Element::builder("iq", ns::CLIENT)
        .attr(name("type"), "get")
        .attr(name("id"), QUESTION)
        .attr(name("from"), &*bound.domain)
        .attr(name("to"), bound.to_string())
        .append(Element::bare("time", NS))
        .build();
    stanza::write(question, out);
}

/// Milliseconds since 1970 as a client's answer to the question has them, or `None` if it is another answer.
#[must_use]
pub fn answer(result: &Element) -> Option<u64> {
    if attr(result, "id") != Some(QUESTION) {
        return None;
    }
    utc(&child_text(result.get_child("time", NS)?, "utc"))
}

/// XEP-0082 §3.2, the DateTime profile, which must be in UTC here; fractions of a second do not matter.
fn utc(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = (is_fraction && whole.contains('T')).then(|| parse_calendar(whole))??;
    Some(seconds * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_clients() {
        for (text, want) in [
            ("2006-12-19T17:58:35Z", Some(1_166_551_115_000)),
            ("2006-12-19T17:58:35.123456789Z", Some(1_166_551_115_000)),
            ("2006-12-19T17:58:35", None),
            ("2006-12-19T17:58:35+01:00", None),
            ("2006-12-19 17:58:35Z", None),
            ("2006-12-19T17:58:35.Z", None),
            ("2006-12-19T17:58:35.5.5Z", None),
            ("2006-12-19T17:58:35.-5Z", None),
            ("20061219T17:58:35Z", None),
            ("99999999999999999999-01-01T00:00:00Z", None),
            ("Z", None),
            ("", None),
        ] {
            assert_eq!(utc(text), want, "{text}");
        }
    }

    #[test]
    fn only_answers_to_the_question_tell_the_time() {
        let answered = |id: &str, child: &str| {
            let xml = format!("<iq xmlns='jabber:client' type='result' id='{id}'>{child}</iq>");
            answer(&xml.parse().unwrap())
        };
        let right =
            "<time xmlns='urn:xmpp:time'><tzo>-06:00</tzo><utc>1970-01-01T00:00:01Z</utc></time>";
        assert_eq!(answered("time", right), Some(1000));
        assert_eq!(answered("ping-1", right), None);
        for child in [
            "",
            "<time xmlns='urn:xmpp:time'/>",
            "<time xmlns='x'><utc>1970-01-01T00:00:01Z</utc></time>",
            "<time xmlns='urn:xmpp:time'><utc xmlns='x'>1970-01-01T00:00:01Z</utc></time>",
        ] {
            assert_eq!(answered("time", child), None, "{child}");
        }
    }
}
