"""Profanity as a person uses it: a terminal of its own, in which one types and reads."""

import asyncio
import itertools
import os
import pathlib
import re
import subprocess

from gateway import DOMAIN, PATIENCE

PASSWORD = "secret of Profanity"


class Screen:
    numbers = itertools.count()

    def __init__(self, directory, gateway):
        self.gateway = gateway
        self.home = directory / f"home-{next(self.numbers)}"
        self.home.mkdir()
        # A tmux of its own, which takes no settings and meets no other.
        self.socket = pathlib.Path(f"/tmp/lanpush-{os.getpid()}-{self.home.name}")
        self.tmux = ["tmux", "-S", str(self.socket), "-f", "/dev/null"]

    async def __aenter__(self):
        environment = [f"XDG_CONFIG_HOME={self.home}", f"XDG_DATA_HOME={self.home}", "LANG=C.UTF-8", "TERM=screen"]
        await self.told("new-session", "-d", "-x", "180", "-y", "60", "env", *environment, "profanity")
        await self.shows("Type '/help'")
        await self.types("/roster hide")
        await self.types("/presence console all")
        return self

    async def __aexit__(self, *_):
        (self.home / "screen").write_text(await self.text())
        await self.told("kill-server")
        self.socket.unlink(missing_ok=True)

    async def told(self, *words):
        process = await asyncio.create_subprocess_exec(
            *self.tmux, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out.decode()

    async def text(self):
        return await self.told("capture-pane", "-p")

    async def types(self, line):
        await self.told("send-keys", "-l", line)
        await self.told("send-keys", "Enter")

    async def shows(self, pattern, again=None):
        """Waits until the screen shows this, a regular expression, typing a line again and again if told to."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        while loop.time() < end:
            if again is not None:
                await self.types(again)
            await asyncio.sleep(0.2)
            text = await self.text()
            if re.search(pattern, text):
                return
        last = " | ".join(line.strip() for line in text.splitlines()[-60:] if line.strip())
        raise AssertionError(f"the screen does not show {pattern!r} within {PATIENCE} s: …{last[-500:]}")

    async def connects(self, address, tls="trust", port=None, password=PASSWORD):
        port = port or self.gateway.ports["xmpps" if tls == "legacy" else "xmpp"]
        await self.types(f"/connect {address} server 127.0.0.1 port {port} tls {tls}")
        await self.shows("Enter password:")
        await self.types(password)

    async def logs_in(self, user, resource="phone", tls="trust"):
        """Logs in and clears the screen."""
        address = f"{user}@{DOMAIN}/{resource}"
        await self.connects(address, tls=tls)
        await self.shows(f"{re.escape(address)} logged in successfully")
        await self.types("/clear")
        return self

    async def logs_out(self):
        await self.types("/win 1")
        await self.types("/disconnect")
        await self.shows("logged out successfully")
