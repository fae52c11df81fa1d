"""An app made with slixmpp: it registers, logs in, and keeps what comes in the order in which it comes."""

import asyncio

import slixmpp
from slixmpp.exceptions import IqError

from gateway import DOMAIN, equal, within

PLUGINS = ["0030", "0049", "0054", "0077", "0092", "0184", "0191", "0198", "0199", "0202", "0203", "0280", "0352"]


class Phone(slixmpp.ClientXMPP):
    def __init__(self, gateway, user, password="secret of " + "slixmpp", resource="phone", port=None, tls=False):
        super().__init__(f"{user}@{DOMAIN}/{resource}", password)
        self.port = port or gateway.ports["xmpps" if tls else "xmpp"]
        self.enable_direct_tls, self.enable_starttls, self.enable_plaintext = tls, not tls, False
        # It accepts this certificate and no other, and slixmpp compares the name.
        self.ca_certs = gateway.pin
        self.auto_authorize = None
        self.auto_subscribe = False
        for number in PLUGINS:
            self.register_plugin(f"xep_{number}")
        self["xep_0077"].create_account = False
        self.inbox = asyncio.Queue()
        self.presences = asyncio.Queue()
        self.endings = asyncio.Queue()
        # How the last try to log in went: a word, and what it is about.
        self.outcome = asyncio.Queue()
        self.registration = None
        self.add_event_handler("message", self.inbox.put_nowait)
        for kind in ("available", "away", "unavailable", "subscribe", "subscribed"):
            self.add_event_handler(f"presence_{kind}", self.presences.put_nowait)
        self.add_event_handler("disconnected", self.endings.put_nowait)
        self.add_event_handler("register", self.fill_in)
        self.add_event_handler("failed_auth", lambda failure: self.outcome.put_nowait(("refused", failure)))
        self.add_event_handler("session_start", lambda _: self.outcome.put_nowait(("started", None)))
        self.add_event_handler("session_resumed", lambda _: self.outcome.put_nowait(("resumed", None)))
        self.add_event_handler("ssl_invalid_chain", lambda why: self.outcome.put_nowait(("distrusted", why)))

    async def tried(self):
        """Connects and tells how the login went."""
        self.connect("127.0.0.1", self.port)
        return await within(f"the outcome of the login of {self.boundjid}", self.outcome.get())

    async def online(self, register=False):
        """Registers if told so, logs in, asks for the roster and says that it is there."""
        self["xep_0077"].create_account = register
        outcome, why = await self.tried()
        equal(f"outcome of the login, {why}", "started", outcome)
        if register:
            equal("answer to the registration", "result", self.registration)
        await self.get_roster(timeout=15)
        self.send_presence()
        return self

    async def fill_in(self, form):
        """Answers the registration form as its user would."""
        fields = form["register"]["fields"]
        equal("fields to fill in", True, {"username", "password"} <= set(fields))
        request = self.Iq(stype="set")
        request["register"]["username"] = self.boundjid.user
        request["register"]["password"] = self.password
        try:
            self.registration = (await request.send(timeout=15))["type"]
        except IqError as error:
            self.registration = error.iq["error"]["condition"]

    async def next_message(self):
        return await within(f"a message for {self.boundjid}", self.inbox.get())

    async def next_body(self):
        return (await self.next_message())["body"]

    async def next_presence(self, kind, sender):
        """The next of this kind; of others nothing is said, as the order of presences is not."""
        while True:
            presence = await within(f"presence {kind} from {sender}", self.presences.get())
            if presence["type"] == kind and presence["from"].bare == sender:
                return presence

    async def say(self, to, body):
        self.send_message(mto=to, mbody=body, mtype="chat")

    async def sync(self):
        """Returns when the server has handled everything before."""
        await self["xep_0199"].send_ping(DOMAIN, timeout=15)

    async def quit(self):
        """Closes the stream; the server has to close its own."""
        await self.disconnect()
        reason = await within("the end of the connection", self.endings.get())
        equal("how the connection ended", "End of stream", reason)
