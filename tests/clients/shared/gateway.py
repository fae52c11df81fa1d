"""One lanpush with a data directory of its own: started, stopped, spoken to over HTTP; and how scenarios run."""

import asyncio
import contextlib
import json
import os
import pathlib
import ssl
import subprocess
import sys
import traceback
import urllib.request

DOMAIN = "push.lan"
# Longest wait for anything, in seconds; reached only when something is wrong.
PATIENCE = 15
# Longest a scenario may take.
SCENARIO = 60
API = "/api/v1/notifications"
TITLE = 'Tür 🔔 <b>offen</b> &amp; "zu" 门铃'
MESSAGE = "第一行\n<second> & line 👩‍👩‍👧 ]]> \"it's\" &lt;"
URI = "http://nas.lan/?a=1&b='2'"


class Gateway:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.ports = {"xmpp": 0, "xmpps": 0, "http": 0}
        self.start()
        self.pin = self.pinned()

    def start(self):
        """The second time on the ports and with the data of the first."""
        flags = [part for name, port in self.ports.items() for part in (f"--{name}", f"127.0.0.1:{port}")]
        with (self.directory / "log").open("a") as log:
            self.process = subprocess.Popen(
                [os.environ["LANPUSH_BIN"], "serve", "--data", self.directory / "data", "--domain", DOMAIN, *flags],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        missing = set(self.ports)
        while missing:
            words = self.process.stdout.readline().split()
            if not words:
                self.process.wait()
                log = (self.directory / "log").read_text()
                raise RuntimeError(f"the server ended without being ready for {missing}; its log: {log}")
            if words[0] == "ready":
                self.ports[words[1]] = int(words[2].rpartition(":")[2])
                missing.discard(words[1])

    def stop(self):
        """SIGTERM. The exit code has to be 0."""
        self.process.terminate()
        equal("exit code after SIGTERM", 0, self.process.wait(PATIENCE))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def pinned(self):
        """A file with the server's certificate, as one who accepts it keeps it; it has to be about our domain."""
        file = self.directory / "pinned.pem"
        file.write_text(ssl.get_server_certificate(("127.0.0.1", self.ports["xmpps"])))
        context = ssl.create_default_context(cafile=str(file))
        with contextlib.closing(self.connection("xmpps")) as plain:
            # Checks the certificate's other names too.
            with context.wrap_socket(plain, server_hostname=DOMAIN) as secure:
                names = [value for part in secure.getpeercert()["subject"] for key, value in part if key == "commonName"]
                equal("common names of the certificate", [DOMAIN], names)
                equal("version of TLS", "TLSv1.3", secure.version())
        return str(file)

    def connection(self, listener):
        import socket

        return socket.create_connection(("127.0.0.1", self.ports[listener]), PATIENCE)

    def ask(self, method, path, body=None, want=200):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports['http']}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE + 5) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        equal(f"status of {method} {path} with answer {text!r}", want, status)
        return json.loads(text)

    def push(self, to, message, title="", uri=""):
        """The id under which it is accepted."""
        push = {"to": to, "title": title, "message": message, "uri": uri}
        return self.ask("POST", API, push, 202)["id"]

    def reached(self, ident, state):
        """Waits until every device has got so far."""
        answer = self.ask("GET", f"{API}/{ident}?wait={PATIENCE}&for={state}")
        if not answer["reached"]:
            raise AssertionError(f"notification {ident} is not {state}: {answer}")

    def add_user(self, name, password):
        self.ask("POST", "/api/v1/users", {"name": name, "password": password}, 201)


class Wire:
    """See wire.py."""

    def __init__(self, port):
        program = pathlib.Path(__file__).with_name("wire.py")
        self.process = subprocess.Popen(
            [sys.executable, program, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self.process.stdout.readline())

    def order(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        equal("answer of the wire", "done\n", self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.wait()


def equal(what, want, got):
    if want != got:
        raise AssertionError(f"{what}: want {want!r}, got {got!r}")


def contains(what, part, whole):
    if part not in whole:
        raise AssertionError(f"{what}: want {part!r} in {whole!r}")


async def within(what, waiting, seconds=PATIENCE):
    """What is waited for, or a failure that names it."""
    try:
        return await asyncio.wait_for(waiting, seconds)
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {seconds} s") from None


async def passes(name, scenario, *arguments):
    """Runs one scenario and says how it went."""
    try:
        await within("the end of the scenario", scenario(*arguments), SCENARIO)
    except Exception as why:
        print(f"FAIL {name}: {type(why).__name__}: {why}", flush=True)
        traceback.print_exc()
        return False
    print(f"ok {name}", flush=True)
    return True
