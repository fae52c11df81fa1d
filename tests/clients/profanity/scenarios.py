"""Runs scenarios with Profanity against one server: a directory for it, then names of scenarios; none means all.

"Nothing came" is never shown by waiting: something else is sent, and it has to be the next to arrive.
"""

import asyncio
import pathlib
import re
import sys

from gateway import DOMAIN, URI, Gateway, equal, passes
from screen import PASSWORD, Screen

directory = pathlib.Path(sys.argv[1])


async def registers_by_address(gateway):
    """Without DNS the server is known by its address: the account's domain is 127.0.0.1."""
    async with Screen(directory, gateway) as screen:
        await screen.types(f"/register newcomer 127.0.0.1 port {gateway.ports['xmpp']} tls trust")
        await screen.shows("Enter password:")
        await screen.types(PASSWORD)
        await screen.shows("Confirm password:")
        await screen.types(PASSWORD)
        await screen.shows("Registration successful")
    async with Screen(directory, gateway) as screen:
        await screen.connects("newcomer@127.0.0.1/phone")
        await screen.shows("newcomer@127.0.0.1/phone logged in successfully")
        gateway.push("newcomer", "you are in")
        await screen.shows("push.*: you are in", again="/win 2")
        await screen.logs_out()


async def accepts_the_certificate(gateway):
    """The person is asked, sees about whom the certificate is, says yes, and is not asked again."""
    gateway.add_user("careful", PASSWORD)
    async with Screen(directory, gateway) as screen:
        await screen.connects(f"careful@{DOMAIN}/phone", tls="force")
        await screen.shows("TLS certificate verification failed: self.signed certificate")
        await screen.shows(rf"Common name +: {DOMAIN}")
        await screen.types("/tls always")
        await screen.shows("logged in successfully")
        await screen.logs_out()
        await screen.types("/clear")
        await screen.connects(f"careful@{DOMAIN}/phone", tls="force")
        await screen.shows("logged in successfully")
        equal("it asks again", False, "verification failed" in await screen.text())


async def direct_tls(gateway):
    gateway.add_user("direct", PASSWORD)
    async with Screen(directory, gateway) as screen:
        # What Profanity calls legacy is TLS from the first byte.
        await screen.connects(f"direct@{DOMAIN}/phone", tls="legacy")
        await screen.shows("Use '/tls allow'|logged in successfully")
        if "Use '/tls allow'" in await screen.text():
            await screen.types("/tls allow")
        await screen.shows("logged in successfully")
        # It asks only after it has learned that the server answers.
        await screen.shows("Ping response from server", again="/ping")
        await screen.logs_out()


async def old_login(gateway):
    """jabber:iq:auth instead of SASL, under TLS."""
    gateway.add_user("oldtimer", PASSWORD)
    async with Screen(directory, gateway) as screen:
        await screen.types(f"/connect oldtimer@127.0.0.1/phone port {gateway.ports['xmpp']} tls trust auth legacy")
        await screen.shows("Enter password:")
        await screen.types(PASSWORD)
        await screen.shows("logged in successfully")
        gateway.push("oldtimer", "good old times")
        await screen.shows("push.*: good old times", again="/win 2")
        await screen.logs_out()


async def questions(gateway):
    gateway.add_user("curious", PASSWORD)
    async with Screen(directory, gateway) as screen:
        await screen.logs_in("curious")
        # It asks only after it has learned that the server answers.
        await screen.shows("Ping response from server", again="/ping")
        await screen.types(f"/disco info {DOMAIN}")
        await screen.shows(f"Service discovery info for {DOMAIN}")
        await screen.shows(" im server")
        for feature in ("urn:xmpp:ping", "jabber:iq:roster", "urn:xmpp:blocking", "urn:xmpp:carbons:2"):
            await screen.shows(rf" {feature}\b")
        await screen.types("/clear")
        await screen.types("/blocked add somebody@push.lan")
        await screen.types("/blocked")
        await screen.shows("somebody@push.lan")
        await screen.logs_out()


async def push_arrives(gateway):
    gateway.add_user("pushed", PASSWORD)
    async with Screen(directory, gateway) as screen:
        await screen.logs_in("pushed")
        push = gateway.push("pushed", "somebody <rang> & 门铃", "The door", URI)
        await screen.shows(r"push.*: The door\s+somebody <rang> & 门铃\s+" + re.escape(URI), again="/win 2")
        await asyncio.to_thread(gateway.reached, push, "acknowledged")
        await screen.logs_out()
        away = gateway.push("pushed", "while away")
        await screen.logs_in("pushed")
        await screen.shows(r"push.*: while away", again="/win 2")
        await asyncio.to_thread(gateway.reached, away, "acknowledged")
        equal("the first has come again", False, (await screen.text()).count("The door") > 1)
        await screen.logs_out()


async def contacts(gateway):
    for name in ("romeo", "juliet"):
        gateway.add_user(name, PASSWORD)
    async with Screen(directory, gateway) as romeo, Screen(directory, gateway) as juliet:
        await romeo.logs_in("romeo")
        await juliet.logs_in("juliet")
        await romeo.types(f"/roster add juliet@{DOMAIN} Juliet")
        await romeo.shows("Roster item added: juliet@push.lan")
        await romeo.types(f"/sub request juliet@{DOMAIN}")
        await juliet.shows("romeo@push.lan")
        await juliet.types(f"/sub allow romeo@{DOMAIN}")
        await romeo.shows("Subscription received from juliet@push.lan")
        await juliet.types(f"/sub request romeo@{DOMAIN}")
        await romeo.shows("Received authorization request from juliet@push.lan")
        await romeo.types(f"/sub allow juliet@{DOMAIN}")
        await juliet.shows("Subscription received from romeo@push.lan")
        await romeo.types("/win 1")
        await romeo.types("/roster")
        await romeo.shows(r"juliet@push.lan \(Juliet\) - both")
        await juliet.types('/status set away "gone for a walk"')
        await romeo.shows("Juliet.* is away.*gone for a walk")
        await juliet.logs_out()
        await romeo.shows("Juliet.* is offline")
        await romeo.logs_out()


async def chat(gateway):
    for name in ("mia", "sam"):
        gateway.add_user(name, PASSWORD)
    async with Screen(directory, gateway) as mia, Screen(directory, gateway) as sam, Screen(directory, gateway) as tablet:
        await mia.logs_in("mia")
        await sam.logs_in("sam")
        await tablet.logs_in("sam", "tablet")
        await mia.types(f"/msg sam@{DOMAIN} to all of them")
        await sam.shows("mia.*: to all of them", again="/win 2")
        await tablet.shows("mia.*: to all of them", again="/win 2")
        await sam.types("answer of the phone")
        await mia.shows("sam.*: answer of the phone", again="/win 2")
        await tablet.types("answer of the tablet")
        await mia.shows("sam.*: answer of the tablet", again="/win 2")
        for screen in (mia, sam, tablet):
            await screen.logs_out()


async def offline_message(gateway):
    for name in ("eve", "bob"):
        gateway.add_user(name, PASSWORD)
    async with Screen(directory, gateway) as eve, Screen(directory, gateway) as bob:
        await eve.logs_in("eve")
        await eve.types(f"/msg bob@{DOMAIN} left for later")
        await eve.shows("me: left for later")
        await eve.types("/win 1")
        await eve.shows("Ping response", again="/ping")
        await bob.connects(f"bob@{DOMAIN}/phone")
        await bob.shows("eve.*: left for later", again="/win 2")
        await bob.logs_out()
        await eve.logs_out()


async def wrong_password(gateway):
    gateway.add_user("forgetful", PASSWORD)
    async with Screen(directory, gateway) as screen:
        await screen.connects(f"forgetful@{DOMAIN}/phone", password="wrong")
        await screen.shows("Login failed")
        await screen.types("/clear")
        await screen.logs_in("forgetful")
        await screen.logs_out()


ALL = [
    registers_by_address, accepts_the_certificate, direct_tls, old_login, questions, push_arrives, contacts, chat,
    offline_message,
]
# Refused logins make later ones from the same address wait, so they come when the others are through.
LAST = [wrong_password]


async def main():
    names = sys.argv[2:]
    chosen = {scenario.__name__.replace("_", "-"): scenario for scenario in ALL + LAST}
    equal("unknown scenarios", set(), set(names) - set(chosen))
    chosen = {name: scenario for name, scenario in chosen.items() if not names or name in names}
    gateway = Gateway(directory / "server")
    try:
        # A few at a time: the machine shall not be what makes them slow.
        few = asyncio.Semaphore(3)

        async def one(name, scenario):
            async with few:
                return await passes(name, scenario, gateway)

        results = await asyncio.gather(*(one(*item) for item in chosen.items() if item[1] not in LAST))
        results += [await one(*item) for item in chosen.items() if item[1] in LAST]
        gateway.stop()
    finally:
        gateway.close()
    return 0 if all(results) else 1


sys.exit(asyncio.run(main()))
