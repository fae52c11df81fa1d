#!/usr/bin/env python3
"""Writes a package of apk-tools 3, as OpenWrt 25.12 and later take it; the format is that of apk-v3(5).

    apk.py --root TREE --output FILE --time SECOND --info KEY=VALUE… --script WHEN=FILE…

All files belong to root and have the one time, so that the same tree makes the same package. It is not signed:
`apk add --allow-untrusted`.
"""
import argparse
import hashlib
import os
import stat
import struct
import zlib

# Kinds of values: the upper four bits of a word, the rest is the value or where it lies.
INT, INT32, BLOB8, BLOB16, BLOB32 = 0x10000000, 0x20000000, 0x80000000, 0x90000000, 0xA0000000
ARRAY, OBJECT = 0xD0000000, 0xE0000000

# Places of fields in their objects, from 1.
INFO = {"name": 1, "version": 2, "unique-id": 3, "description": 4, "arch": 5, "license": 6, "origin": 7,
        "maintainer": 8, "url": 9, "build-time": 11, "installed-size": 12}
SCRIPTS = {"trigger": 1, "pre-install": 2, "post-install": 3, "pre-deinstall": 4, "post-deinstall": 5,
           "pre-upgrade": 6, "post-upgrade": 7}

# Blocks of the file.
DATABASE, DATA = 0, 2


class Database:
    """The tree of values; each lies behind those that it refers to."""

    def __init__(self):
        # A version of one byte for readers and one for writers, two bytes of nothing, and the root's word.
        self.bytes = bytearray(8)
        self.known = {}

    def put(self, data, alignment):
        """Where data lie, which are written once."""
        key = (bytes(data), alignment)
        if key not in self.known:
            self.bytes.extend(bytes(-len(self.bytes) % alignment))
            self.known[key] = len(self.bytes)
            self.bytes.extend(data)
        return self.known[key]

    def blob(self, data):
        """The word of a text or of bytes."""
        if isinstance(data, str):
            data = data.encode()
        for kind, width, form in (BLOB8, 1, "<B"), (BLOB16, 2, "<H"), (BLOB32, 4, "<I"):
            if len(data) < 1 << 8 * width:
                return kind | self.put(struct.pack(form, len(data)) + data, width) if data else 0
        raise ValueError("too long")

    def integer(self, number):
        """The word of a number."""
        return INT | number if number < 1 << 28 else INT32 | self.put(struct.pack("<I", number), 4)

    def slots(self, kind, words):
        """The word of an object or of an array: the number of its slots comes first, empty ones at the end do not."""
        words = list(words)
        while words and not words[-1]:
            words.pop()
        return kind | self.put(struct.pack(f"<{len(words) + 1}I", len(words) + 1, *words), 4) if words else 0

    def fields(self, places, values):
        """The word of an object with named fields."""
        words = [0] * max(places.values())
        for name, word in values.items():
            words[places[name] - 1] = word
        return self.slots(OBJECT, words)

    def owner(self, mode):
        """The word of rights; the owner is root."""
        return self.slots(OBJECT, [self.integer(mode), self.blob("root"), self.blob("root")])


def block(kind, data):
    """A block of the file: kind and length in a word, then data, up to a multiple of eight bytes."""
    size = 4 + len(data)
    return struct.pack("<I", kind << 30 | size) + data + bytes(-size % 8)


def read(path):
    """All of a file."""
    with open(path, "rb") as file:
        return file.read()


def directories(root):
    """Each directory below a root, the root as an empty name, in order."""
    found = [os.path.relpath(path, root) for path, _, _ in os.walk(root)]
    return sorted("" if path == "." else path for path in found)


def paths_of(database, root, time):
    """The word of all directories with their files, the blocks of the files' data, and how long those are."""
    words, blocks, installed = [], [], 0
    for directory in directories(root):
        at = os.path.join(root, directory)
        files = []
        names = sorted(name for name in os.listdir(at) if not os.path.isdir(os.path.join(at, name)))
        for name in names:
            path = os.path.join(at, name)
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise ValueError(f"{path} is no file")
            data = read(path)
            files.append(database.slots(OBJECT, [
                database.blob(name), database.owner(stat.S_IMODE(os.stat(path).st_mode)),
                database.integer(len(data)), database.integer(time), database.blob(hashlib.sha256(data).digest()),
            ]))
            if data:
                blocks.append(block(DATA, struct.pack("<II", len(words) + 1, len(files)) + data))
            installed += len(data)
        words.append(database.slots(OBJECT, [
            database.blob(directory), database.owner(stat.S_IMODE(os.stat(at).st_mode)),
            database.slots(ARRAY, files),
        ]))
    return database.slots(ARRAY, words), blocks, installed


def package(root, time, info, scripts):
    """The bytes of a package."""
    database = Database()
    paths, blocks, installed = paths_of(database, root, time)
    # The package's identity is the hash of everything with zeros in its own place.
    nothing = bytes(20)
    values = {name: database.blob(value) for name, value in info.items()}
    values["unique-id"] = database.blob(nothing)
    values["build-time"] = database.integer(time)
    values["installed-size"] = database.integer(installed)
    about = database.fields(INFO, values)
    when = database.fields(SCRIPTS, {name: database.blob(read(path)) for name, path in scripts.items()})
    root_word = database.slots(OBJECT, [about, paths, when])
    struct.pack_into("<I", database.bytes, 4, root_word)
    identity = (values["unique-id"] & 0x0FFFFFFF) + 1
    digest = hashlib.sha256(database.bytes).digest()
    database.bytes[identity:identity + len(nothing)] = digest[:len(nothing)]
    plain = b"ADB." + b"pckg" + block(DATABASE, bytes(database.bytes)) + b"".join(blocks)
    # Deflated without the header of zlib.
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"ADBd" + deflate.compress(plain) + deflate.flush()


def main():
    """The command line."""
    def pair(text):
        name, _, value = text.partition("=")
        return name, value

    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--time", type=int, required=True)
    parser.add_argument("--info", type=pair, action="append", default=[])
    parser.add_argument("--script", type=pair, action="append", default=[])
    wanted = parser.parse_args()
    made = package(wanted.root, wanted.time, dict(wanted.info), dict(wanted.script))
    with open(wanted.output, "wb") as file:
        file.write(made)


main()
