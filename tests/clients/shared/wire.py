"""A wire between clients and a server that can go dead and be cut: `wire.py PORT` stands before that port.

Prints the port it listens on. Each line of standard input is an order, answered with `done`:

hold   nothing that is sent arrives any more, in either direction, and nobody is told: the phone left the Wi-Fi
cut    all connections are reset, at both ends
leave  all connections are reset at the client's end; the server still believes in them
"""

import asyncio
import contextlib
import socket
import struct
import sys


class Wire:
    def __init__(self, port):
        self.port = port
        self.ends = []
        self.kept = []
        self.held = set()

    async def connect(self, reader, writer):
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        ends = (writer, server_writer)
        self.ends.append(ends)
        await asyncio.gather(
            self.carry(ends, reader, server_writer), self.carry(ends, server_reader, writer)
        )

    async def carry(self, ends, source, sink):
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if ends not in self.held:
                    sink.write(data)
                    await sink.drain()
        if ends not in self.held:
            sink.close()

    def order(self, word):
        ends, self.ends = self.ends, [] if word in ("cut", "leave") else self.ends
        self.held.update(ends)
        for client, server in ends:
            if word in ("cut", "leave"):
                reset(client)
            if word == "cut":
                reset(server)
            self.kept.append(server)


def reset(writer):
    linger = struct.pack("ii", 1, 0)
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


async def main():
    wire = Wire(int(sys.argv[1]))
    server = await asyncio.start_server(wire.connect, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(orders), sys.stdin
    )
    while line := await orders.readline():
        wire.order(line.decode().strip())
        print("done", flush=True)


asyncio.run(main())
