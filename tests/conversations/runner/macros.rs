//! What the short forms of the language stand for, in the language itself; `$` words are filled in.

/// `NAME opens a stream`: the stock client's header, and whatever features the server lists.
pub(crate) const OPENING: &str = r#"
$me sends: <stream:stream to="{$me.domain}" xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" version="1.0">
$me receives: <stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='{any}' ...>
$me receives: <stream:features>...<auth xmlns='http://jabber.org/features/iq-auth'/>...</stream:features>
"#;

/// `NAME starts TLS`, once the stream is open.
pub(crate) const STARTTLS: &str = "
$me sends: <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>
$me receives: <proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>
$me shakes hands
";

/// `NAME authenticates by MECHANISM`, once the stream is open and the user registered.
pub(crate) const SCRAM: &str = r#"
$me sends: <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='$by'>{SCRAM-FIRST}</auth>
$me receives: <challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{$me.challenge}</challenge>
$me sends: <response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{$by($password)}</response>
$me receives: <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{any}</success>
$me begins again
"#;

/// `NAME begins again`: the stream after a SASL login.
pub(crate) const AGAIN: &str = r#"
$me sends: <stream:stream to="{$me.domain}" xmlns="jabber:client" xmlns:stream="http://etherx.jabber.org/streams" version="1.0">
$me receives: <stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='{any}' ...>
$me receives: <stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>...</stream:features>
"#;

/// `NAME binds`: the resource the phone has.
pub(crate) const BINDING: &str = "
$me sends: <iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{$me.resource}</resource></bind></iq>
$me receives: <iq type='result' id='bind' to='{$me.jid}' ...><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{$me.jid}</jid></bind></iq>
";

/// `NAME registers`: the password comes first, as the stock client's hash map has it.
pub(crate) const REGISTRATION: &str = r#"
$me sends: <iq id="register" type="set"><query xmlns="jabber:iq:register"><password>{$me.password}</password><username>{$me.user}</username></query></iq>
$me receives: <iq type='result' id='register' .../>
"#;

/// `NAME authenticates`, once the stream is open and the user registered.
pub(crate) const PROBE: &str = r#"
$me sends: <iq id="login-1" type="get"><query xmlns="jabber:iq:auth"><username>{$me.user}</username></query></iq>
"#;

/// … and the login, by digest where that is offered, or else by password.
pub(crate) const LOGIN: &str = r#"
$me receives: <iq type='result' id='login-1' ...><query xmlns='jabber:iq:auth'>...</query></iq>
$me sends: <iq id="login-2" type="set"><query xmlns="jabber:iq:auth"><username>{$me.user}</username>$secret<resource>{$me.resource}</resource></query></iq>
$me receives: <iq type='result' id='login-2' to='{$me.jid}' .../>
"#;

/// `NAME receives the push {LABEL}`
pub(crate) const PUSH: &str = "
$me receives: <iq type='set' id='{$label}' to='{$me.jid}' ...>
 <notification xmlns='androidpn:iq:notification'>
 <id>{$label}</id><apiKey>{any}</apiKey><title>{$label.title}</title>
 <message>{$label.message}</message><uri>{$label.uri}</uri>...
 </notification></iq>
";

/// `NAME receives the message {LABEL}`
pub(crate) const MESSAGE: &str = "
$me receives: <message from='push@{$me.domain}' to='{$me.jid}' id='{$label}' type='chat'>
 ...<subject>{$label.title}</subject><body>{any}</body>...</message>
";

/// `NAME answers the ping`: what Smack says to a request it does not know.
pub(crate) const PONG: &str = r#"
$me receives: <iq type='get' id='{$me.ping}' from='{$me.domain}' to='{$me.jid}'><ping xmlns='urn:xmpp:ping'/></iq>
$me sends: <iq id="{$me.ping}" to="{$me.domain}" type="error"><error code="501" type="CANCEL"><feature-not-implemented xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>
"#;

/// `NAME confirms {LABEL}`
pub(crate) const CONFIRMATION: &str = "
$me sends: <iq type='result' id='{$label}'/>
";

/// `NAME is refused ID: CONDITION CODE`: the request comes back with the error behind it.
pub(crate) const REFUSAL: &str = "
$me receives: <iq type='error' id='$id' ...>...<error code='$code' type='{any}'><$condition xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>...</error></iq>
";

/// `NAME is closed with CONDITION`
pub(crate) const ENDING: &str = "
$me receives: <stream:error><$condition xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>...</stream:error></stream:stream>
$me is closed
";

/// `NAME closes the stream`
pub(crate) const FAREWELL: &str = "
$me sends: </stream:stream>
$me receives: </stream:stream>
$me is closed
";
