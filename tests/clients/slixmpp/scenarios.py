"""Runs scenarios with slixmpp against one server: a directory for it, then names of scenarios; none means all.

"Nothing came" is never shown by waiting: something else is sent, and it has to be the next to arrive.
"""

import asyncio
import os
import sys

from slixmpp.exceptions import IqError

from gateway import DOMAIN, MESSAGE, PATIENCE, TITLE, URI, Gateway, Wire, contains, equal, passes, within
from phone import Phone


async def registers_and_logs_in(gateway):
    phone = await Phone(gateway, "reg").online(register=True)
    equal("the address in the client's own words", f"reg@{DOMAIN}/phone", str(phone.boundjid))
    equal("encryption", "TLSv1.3", phone.socket.version())
    equal("mechanism", "SCRAM-SHA-256", phone["feature_mechanisms"].mech.name)
    await phone.quit()
    again = Phone(gateway, "reg", password="another")
    again["xep_0077"].create_account = True
    outcome, _ = await again.tried()
    equal("answer to a registration of a taken name", "conflict", again.registration)
    equal("login with the password that was not taken", "refused", outcome)
    again.abort()


async def direct_tls(gateway):
    gateway.add_user("direct", "secret of slixmpp")
    phone = await Phone(gateway, "direct", tls=True).online()
    contains("mechanism", "SCRAM-", phone["feature_mechanisms"].mech.name)
    await phone.sync()
    await phone.quit()


async def tls_at_the_plain_port(gateway):
    """slixmpp's default for an address given by hand: direct TLS first, then STARTTLS on the same port."""
    gateway.add_user("both", "secret of slixmpp")
    phone = Phone(gateway, "both")
    phone.enable_direct_tls = True
    await phone.online()
    await phone.sync()
    await phone.quit()


async def older_mechanisms(gateway):
    gateway.add_user("older", "secret of slixmpp")
    for mechanism in ("SCRAM-SHA-1", "PLAIN"):
        phone = Phone(gateway, "older", resource=mechanism)
        phone["feature_mechanisms"].use_mech = mechanism
        await phone.online()
        equal("mechanism", mechanism, phone["feature_mechanisms"].mech.name)
        await phone.quit()


async def contacts(gateway):
    romeo = await Phone(gateway, "romeo").online(register=True)
    juliet = await Phone(gateway, "juliet").online(register=True)
    jid = {name: f"{name}@{DOMAIN}" for name in ("romeo", "juliet")}
    await romeo.update_roster(jid["juliet"], name="Juliet", groups=["Capulet"], timeout=PATIENCE)
    romeo.send_presence_subscription(jid["juliet"], ptype="subscribe")
    await juliet.next_presence("subscribe", jid["romeo"])
    juliet.send_presence_subscription(jid["romeo"], ptype="subscribed")
    await romeo.next_presence("subscribed", jid["juliet"])
    await romeo.next_presence("available", jid["juliet"])
    juliet.send_presence_subscription(jid["romeo"], ptype="subscribe")
    await romeo.next_presence("subscribe", jid["juliet"])
    romeo.send_presence_subscription(jid["juliet"], ptype="subscribed")
    await juliet.next_presence("available", jid["romeo"])
    # A roster that is fetched anew and whole has to say the same as the one that was pushed.
    romeo.client_roster.version = ""
    roster = await romeo.get_roster(timeout=PATIENCE)
    item = roster["roster"]["items"][jid["juliet"]]
    equal("subscription", "both", item["subscription"])
    equal("name", "Juliet", item["name"])
    equal("groups", ["Capulet"], item["groups"])
    romeo.send_presence(pshow="away", pstatus="at the balcony")
    away = await juliet.next_presence("away", jid["romeo"])
    equal("status", "at the balcony", away["status"])
    await romeo.quit()
    await juliet.next_presence("unavailable", jid["romeo"])
    await juliet.quit()


async def questions(gateway):
    """Everything an app asks after its login has an answer, and what is not there says so."""
    phone = await Phone(gateway, "curious").online(register=True)
    disco = phone["xep_0030"]
    server = (await disco.get_info(DOMAIN, timeout=PATIENCE))["disco_info"]
    equal("kind of the server", True, ("server", "im") in {(kind[0], kind[1]) for kind in server["identities"]})
    for feature in ("http://jabber.org/protocol/disco#info", "urn:xmpp:ping", "vcard-temp", "jabber:iq:roster"):
        contains("features of the server", feature, server["features"])
    account = (await disco.get_info(phone.boundjid.bare, timeout=PATIENCE))["disco_info"]
    contains("kinds of the account", "account", {kind[0] for kind in account["identities"]})
    await disco.get_items(DOMAIN, timeout=PATIENCE)
    await phone.sync()
    software = await phone["xep_0092"].get_version(DOMAIN, timeout=PATIENCE)
    equal("the software has a name", True, bool(software["software_version"]["name"]))
    clock = await phone["xep_0202"].get_entity_time(DOMAIN, timeout=PATIENCE)
    equal("the time is told", True, clock.xml.find("{urn:xmpp:time}time/{urn:xmpp:time}utc") is not None)
    card = phone["xep_0054"].make_vcard()
    card["FN"] = "Curious 门铃"
    await phone["xep_0054"].publish_vcard(card, timeout=PATIENCE)
    got = await phone["xep_0054"].get_vcard(phone.boundjid.bare, timeout=PATIENCE)
    equal("name on the card", "Curious 门铃", got["vcard_temp"]["FN"])
    try:
        unknown = phone.make_iq_get(queryxmlns="urn:example:nobody-knows", ito=DOMAIN)
        await unknown.send(timeout=PATIENCE)
        raise AssertionError("a question nobody knows has an answer")
    except IqError as error:
        equal("answer to a question nobody knows", "service-unavailable", error.iq["error"]["condition"])
    await phone.quit()


async def push_arrives(gateway):
    phone = await Phone(gateway, "pushed").online(register=True)
    await phone.sync()
    push = gateway.push("pushed", MESSAGE, TITLE, URI)
    message = await phone.next_message()
    equal("sender", f"push@{DOMAIN}", message["from"].full)
    equal("id", push, message["id"])
    equal("kind", "chat", message["type"])
    equal("subject", TITLE, message["subject"])
    # Apps show the body and nothing else.
    equal("body", f"{TITLE}\n{MESSAGE}\n{URI}", message["body"])
    link = message.xml.find("{jabber:x:oob}x/{jabber:x:oob}url")
    equal("link", URI, link is not None and link.text)
    equal("receipt is asked for", True, message["request_receipt"])
    equal("stamp of one in time", None, message.xml.find("{urn:xmpp:delay}delay"))
    await asyncio.to_thread(gateway.reached, push, "confirmed")
    await phone.quit()


async def push_without_receipt(gateway):
    """An app that confirms nothing: its acknowledgement in the stream is one of the push."""
    phone = Phone(gateway, "silent")
    phone["xep_0184"].auto_ack = False
    await phone.online(register=True)
    await phone.sync()
    push = gateway.push("silent", "please")
    equal("body", "please", await phone.next_body())
    await asyncio.to_thread(gateway.reached, push, "acknowledged")
    await phone.quit()


async def push_while_away(gateway):
    phone = await Phone(gateway, "traveller").online(register=True)
    await phone.sync()
    await phone.quit()
    pushes = [gateway.push("traveller", f"while away {number}") for number in range(3)]
    phone = await Phone(gateway, "traveller").online()
    for number, push in enumerate(pushes):
        message = await phone.next_message()
        equal("push while away", (push, f"while away {number}"), (message["id"], message["body"]))
        await asyncio.to_thread(gateway.reached, push, "confirmed")
    gateway.push("traveller", "next")
    equal("body of the next", "next", await phone.next_body())
    await phone.quit()


async def chat(gateway):
    mia = await Phone(gateway, "mia").online(register=True)
    sam = await Phone(gateway, "sam").online(register=True)
    tablet = await Phone(gateway, "sam", resource="tablet").online()
    await sam.sync()
    await tablet.sync()
    await mia.say(f"sam@{DOMAIN}", "to all of them")
    for device in (sam, tablet):
        message = await device.next_message()
        equal("body", "to all of them", message["body"])
        equal("sender", f"mia@{DOMAIN}/phone", message["from"].full)
    await mia.say(f"sam@{DOMAIN}/tablet", "to the tablet")
    equal("body at the tablet", "to the tablet", await tablet.next_body())
    await tablet.say(f"mia@{DOMAIN}/phone", "received")
    equal("answer", "received", await mia.next_body())
    await mia.say(f"sam@{DOMAIN}/phone", "to the phone")
    equal("body at the phone, nothing in between", "to the phone", await sam.next_body())
    # A lower priority than another's gets nothing that is for the account.
    tablet.send_presence(ppriority=-1)
    await tablet.sync()
    await mia.say(f"sam@{DOMAIN}", "not to the tablet")
    equal("body at the phone", "not to the tablet", await sam.next_body())
    await mia.say(f"sam@{DOMAIN}/tablet", "by its full address")
    equal("body at the tablet, nothing in between", "by its full address", await tablet.next_body())
    for phone in (mia, sam, tablet):
        await phone.quit()


async def carbons(gateway):
    ann = await Phone(gateway, "ann").online(register=True)
    ben = await Phone(gateway, "ben").online(register=True)
    laptop = await Phone(gateway, "ben", resource="laptop").online()
    copies = asyncio.Queue()
    laptop.add_event_handler("carbon_received", copies.put_nowait)
    laptop.add_event_handler("carbon_sent", copies.put_nowait)
    await laptop["xep_0280"].enable(timeout=PATIENCE)
    await ann.say(f"ben@{DOMAIN}/phone", "are you there?")
    equal("body", "are you there?", await ben.next_body())
    copy = await within("a copy of what was received", copies.get())
    equal("copy", "are you there?", copy["carbon_received"]["body"])
    await ben.say(f"ann@{DOMAIN}", "I am")
    equal("body", "I am", await ann.next_body())
    copy = await within("a copy of what was sent", copies.get())
    equal("copy", "I am", copy["carbon_sent"]["body"])
    for phone in (ann, ben, laptop):
        await phone.quit()


async def offline_message(gateway):
    eve = await Phone(gateway, "eve").online(register=True)
    gateway.add_user("bob", "secret of slixmpp")
    for text in ("first", "second"):
        await eve.say(f"bob@{DOMAIN}", text)
    await eve.sync()
    bob = await Phone(gateway, "bob").online()
    for text in ("first", "second"):
        message = await bob.next_message()
        equal("body", text, message["body"])
        equal("it has a stamp", True, message.xml.find("{urn:xmpp:delay}delay") is not None)
    await bob.sync()
    await bob.quit()
    bob = await Phone(gateway, "bob").online()
    await bob.sync()
    await eve.say(f"bob@{DOMAIN}", "third")
    equal("body, nothing came again", "third", await bob.next_body())
    await bob.quit()
    await eve.quit()


async def blocking(gateway):
    bully = await Phone(gateway, "bully").online(register=True)
    victim = await Phone(gateway, "victim").online(register=True)
    friend = await Phone(gateway, "friend").online(register=True)
    await victim["xep_0191"].block(f"bully@{DOMAIN}", timeout=PATIENCE)
    blocked = await victim["xep_0191"].get_blocked(timeout=PATIENCE)
    equal("who is blocked", {f"bully@{DOMAIN}"}, {item["jid"] for item in blocked["blocklist"]["items"]})
    await bully.say(f"victim@{DOMAIN}", "boo")
    await bully.sync()
    await friend.say(f"victim@{DOMAIN}", "hello")
    equal("body, nothing of the bully's", "hello", await victim.next_body())
    await victim["xep_0191"].unblock(f"bully@{DOMAIN}", timeout=PATIENCE)
    await bully.say(f"victim@{DOMAIN}", "sorry")
    equal("body", "sorry", await victim.next_body())
    for phone in (bully, victim, friend):
        await phone.quit()


async def resumes(gateway):
    """The wire goes dead, things are sent both ways, then it is cut: nothing is lost and nothing comes twice."""
    wire = Wire(gateway.ports["xmpp"])
    try:
        other = await Phone(gateway, "anchor").online(register=True)
        phone = await Phone(gateway, "diver", port=wire.port).online(register=True)
        # Who has only just come is not sent any for a moment; chats do not wait for that.
        gateway.push("diver", "settled")
        equal("first push", "settled", await phone.next_body())
        for ending in ("cut", "leave"):
            wire.order("hold")
            pushes = [gateway.push("diver", f"{ending} {number}") for number in range(3)]
            await other.say(f"diver@{DOMAIN}/phone", f"{ending} chat")
            await phone.say(f"anchor@{DOMAIN}/phone", f"{ending} from below")
            await other.sync()
            wire.order(ending)
            await within("the end of the connection", phone.endings.get())
            # The server knows before, or it does not: both have to end well.
            outcome, _ = await phone.tried()
            equal("outcome of the second login", "resumed", outcome)
            # Each sender's in their order; the order between senders is not promised.
            came = [await phone.next_message() for _ in range(4)]
            by_sender = {"push": [], "anchor": []}
            for message in came:
                by_sender[message["from"].user].append((message["id"], message["body"]))
            equal("pushes", [(pushes[number], f"{ending} {number}") for number in range(3)], by_sender["push"])
            equal("chats", [f"{ending} chat"], [body for _, body in by_sender["anchor"]])
            equal("what was said from below", f"{ending} from below", await other.next_body())
            for push in pushes:
                await asyncio.to_thread(gateway.reached, push, "confirmed")
        gateway.push("diver", "after")
        equal("push after it all", "after", await phone.next_body())
        await phone.say(f"anchor@{DOMAIN}/phone", "dry again")
        equal("chat after it all", "dry again", await other.next_body())
        await phone.quit()
        await other.quit()
    finally:
        wire.close()


async def server_restarts(gateway):
    """The server forgets its sessions, not what it has accepted: the app logs in anew and gets that."""
    own = Gateway(gateway.directory.with_name("restarted"))
    try:
        friend = await Phone(own, "friend").online(register=True)
        phone = await Phone(own, "loyal").online(register=True)
        own.push("loyal", "before")
        equal("push before", "before", await phone.next_body())
        await phone.sync()
        await phone.quit()
        push = own.push("loyal", "while away")
        await friend.say(f"loyal@{DOMAIN}", "a message")
        await friend.sync()
        await asyncio.to_thread(own.stop)
        await within("the end of the friend's connection", friend.endings.get())
        await asyncio.to_thread(own.start)
        outcome, _ = await friend.tried()
        equal("outcome of the friend's login", "started", outcome)
        phone = await Phone(own, "loyal").online()
        equal("what waited", {"while away", "a message"}, {await phone.next_body(), await phone.next_body()})
        await asyncio.to_thread(own.reached, push, "confirmed")
        await phone.quit()
        friend.abort()
        own.stop()
    finally:
        own.close()


async def inactive(gateway):
    """Client state indication: presence waits while the app sleeps, a chat does not."""
    watcher = await Phone(gateway, "watcher").online(register=True)
    moody = await Phone(gateway, "moody").online(register=True)
    jid = f"moody@{DOMAIN}"
    watcher.send_presence_subscription(jid, ptype="subscribe")
    await moody.next_presence("subscribe", f"watcher@{DOMAIN}")
    moody.send_presence_subscription(f"watcher@{DOMAIN}", ptype="subscribed")
    await watcher.next_presence("available", jid)
    watcher["xep_0352"].send_inactive()
    await watcher.sync()
    moody.send_presence(pshow="away")
    await moody.sync()
    await moody.say(f"watcher@{DOMAIN}", "wake up")
    equal("chat", "wake up", await watcher.next_body())
    watcher["xep_0352"].send_active()
    await watcher.next_presence("away", jid)
    await watcher.quit()
    await moody.quit()


async def wrong_password(gateway):
    gateway.add_user("careful", "secret of slixmpp")
    for name in ("careful", "nobody-of-that-name"):
        phone = Phone(gateway, name, password="wrong")
        outcome, failure = await phone.tried()
        equal("outcome of the login", ("refused", "not-authorized"), (outcome, failure["condition"]))
        phone.abort()
    # The right one still opens, though perhaps not at once.
    phone = await Phone(gateway, "careful").online()
    await phone.quit()


ALL = [
    registers_and_logs_in, direct_tls, tls_at_the_plain_port, older_mechanisms, contacts, questions,
    push_arrives, push_without_receipt, push_while_away, chat, carbons, offline_message, blocking, resumes, inactive,
    server_restarts,
]
# Refused logins make later ones from the same address wait, so they come when the others are through.
LAST = [wrong_password]


async def main():
    directory, *names = sys.argv[1:]
    chosen = {scenario.__name__.replace("_", "-"): scenario for scenario in ALL + LAST}
    unknown = set(names) - set(chosen)
    equal("unknown scenarios", set(), unknown)
    chosen = {name: scenario for name, scenario in chosen.items() if not names or name in names}
    gateway = Gateway(directory)
    try:
        beside = [passes(name, scenario, gateway) for name, scenario in chosen.items() if scenario not in LAST]
        results = await asyncio.gather(*beside)
        results += [await passes(name, scenario, gateway) for name, scenario in chosen.items() if scenario in LAST]
        gateway.stop()
    finally:
        gateway.close()
    return all(results)


passed = asyncio.run(main())
sys.stderr.flush()
# Tasks of slixmpp may still wait for something.
os._exit(0 if passed else 1)
