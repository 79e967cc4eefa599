#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A second reader of .pst traces, written from traces/FORMAT.md alone.

    second-reader.py TRACE   accesses as `pagescope dump --format csv`, then
                             events as `event THREAD TYPE ADDRESS +LENGTH`

Slow and plain: it judges the format's text and the fast reader.
"""
import json
import struct
import subprocess
import sys

MASK = (1 << 64) - 1
HEAD, SECTION, INDEX = 0x184D2A5E, 0x184D2A5D, 0x184D2A5F
KINDS = ("load", "store", "modify", "fetch")
EVENTS = ("map", "unmap", "protect", "remap", "advise", "lock", "fork", "exec",
          "thread", "exit", "switch", "signal", "syscall", "kernel-read",
          "kernel-write", "fault", "lost", "mark", "sample", "resident",
          "look",
          "cached", "counter", "content")


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        assert self.at + n <= len(self.data), "past the end"
        self.at += n
        return self.data[self.at - n:self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            if byte < 128:
                return value & MASK
            shift += 7

    def signed(self):
        return unzigzag(self.varint())

    def string(self):
        return self.take(self.varint()).decode("utf-8", "surrogateescape")

    def end(self):
        return self.at == len(self.data)


def unzigzag(v):
    return v >> 1 ^ -(v & 1)


class Trace:
    def __init__(self, data):
        self.files, self.spaces, self.threads = [], [], []
        self.sites, self.shapes, self.steps = [], [], []
        self.first_slot, self.slots = [], 0
        self.totals, self.out, self.events = None, [], []
        self.counts = {"accesses": 0, "events": 0, "batches": 0}
        self.read(Bytes(data))

    def read(self, data):
        magic, length = struct.unpack("<II", data.take(8))
        assert magic == HEAD, "no head"
        head = data.take(length)
        assert head[:16] == b"pagescope trace\n"
        assert struct.unpack("<HHI", head[16:24]) == (1, 0x0102, 4096)
        self.about = json.loads(head[32:])
        while not data.end():
            magic, length = struct.unpack("<II", data.take(8))
            content = data.take(length)
            if magic == INDEX:
                self.index(content)
                break
            assert magic == SECTION and length == 64
            spst, _, kind = struct.unpack("<III", content[:12])
            stored, raw = struct.unpack("<QQ", content[24:40])
            assert spst == 0x74737073
            plain = subprocess.run(["zstd", "-dcq"], input=data.take(stored),
                                   stdout=subprocess.PIPE, check=True).stdout
            assert len(plain) == raw
            if kind == 1:
                self.dictionary(Bytes(plain))
            else:
                assert kind == 2
                self.block(Bytes(plain))

    def index(self, content):
        assert content[:16] == b"pagescope index\n"
        length, = struct.unpack("<Q", content[16:24])
        document = json.loads(content[24:24 + length])
        self.totals = document["totals"]
        assert content[-8:] == b"pst-end\n"

    @staticmethod
    def table(data, entries, read):
        first, count = data.varint(), data.varint()
        assert first == len(entries)
        for _ in range(count):
            entries.append(read())

    def dictionary(self, data):
        before = {"pc": 0, "site": 0, "shape": 0}

        def file():
            return (data.string(), data.string(), data.varint(),
                    data.varint(), data.varint())

        def site():
            before["pc"] = before["pc"] + data.signed() & MASK
            return (before["pc"], data.varint(), data.varint(), data.varint(),
                    data.varint())

        def shape():
            n, slots, accesses = data.varint(), data.varint(), []
            for _ in range(n):
                before["site"] += data.signed()
                slot = data.varint()
                accesses.append((before["site"], slot >> 1, slot & 1,
                                 data.signed()))
            self.first_slot.append(self.slots)
            self.slots += slots
            return accesses

        def step():
            before["shape"] += data.signed()
            return (before["shape"], data.varint(), data.varint())

        self.table(data, self.files, file)
        self.table(data, self.spaces,
                   lambda: (data.varint(), data.varint(), data.varint() - 1))
        self.table(data, self.threads, lambda: (data.varint(), data.varint()))
        self.table(data, self.sites, site)
        self.table(data, self.shapes, shape)
        self.table(data, self.steps, step)
        assert data.end()

    def heads(self, data, n):
        time = address = 0
        batches = []
        for _ in range(n):
            thread, space = data.varint(), data.varint()
            time += data.signed()
            steps, made, events = data.varint(), data.varint(), data.varint()
            position = 0
            for _ in range(events):
                position += data.varint()
                kind, mask = data.varint(), data.varint()
                field = dict.fromkeys(range(10), 0)
                field[2] = thread
                for bit in range(10):
                    if not mask >> bit & 1:
                        continue
                    if bit == 3:
                        address = address + data.signed() & MASK
                        field[3] = address
                    elif bit == 8:
                        time += data.signed()
                    else:
                        field[bit] = data.varint()
                self.events.append((field[2], kind, field[3], field[4]))
            batches.append((thread, space, steps, made))
            self.counts["events"] += events
        assert data.end()
        return batches

    def block(self, data):
        word = struct.unpack("<12I", data.take(48))
        n_steps, n_roots, n_batches, head_bytes = word[:4]
        heads = Bytes(data.take(head_bytes))
        streams = [Bytes(data.take(n)) for n in word[4:]]
        assert data.end()
        batches = self.heads(heads, n_batches)
        steps, roots = self.decode(n_steps, streams)
        assert len(roots) == n_roots + 8
        assert all(stream.end() for stream in streams)
        step = root = 0
        root = 8
        for thread, space, n, made in batches:
            before = len(self.out)
            for number in steps[step:step + n]:
                root = self.expand(thread, space, number, roots, root)
            step += n
            assert len(self.out) - before == made
            self.counts["accesses"] += made
            self.counts["batches"] += 1

    def expand(self, thread, space, number, roots, root):
        shape, accesses, slots = self.steps[number]
        for site, slot, guarded, displacement in self.shapes[shape][:accesses]:
            value = roots[root + slot - 1] if slot else 0
            if guarded and not value:
                continue
            pc, size, kind, _, _ = self.sites[site]
            self.out.append("%d,%d,%s,%d,%d,%d" % (
                thread, space, KINDS[kind], value + displacement & MASK, size,
                pc))
        return root + slots

    def decode(self, n, stream):
        guess, follower = [0] * 65536, [0] * len(self.steps)
        slot = [[0, 0, 0, 0, 0] for _ in range(self.slots)]
        roots, steps, h, p = [0] * 8, [], 0, 0
        for _ in range(n):
            f = stream[0].take(1)[0]
            s = guess[h]
            if f & 1:
                v = stream[2].varint()
                s = p + unzigzag(v - 1) if v else follower[p]
                guess[h] = s
            follower[p] = s
            h = (h << 5 ^ (s * 2654435761 % (1 << 32)) >> 15) % 65536
            p = s
            steps.append(s)
            shape, _, slots = self.steps[s]
            more = 0
            if slots > 6 and f & 128:
                more = int.from_bytes(stream[1].take((slots - 6 + 7) // 8),
                                      "little")
            for j in range(slots):
                missed = f >> (j + 1) & 1 if j < 6 else more >> (j - 6) & 1
                self.root(slot[self.first_slot[shape] + j], roots, missed,
                          stream)
        return steps, roots

    @staticmethod
    def root(slot, roots, missed, stream):
        last, stride, offset, back, mode = slot
        both = (last + stride & MASK, roots[-(back + 1)] + offset & MASK)
        value = both[mode]
        if missed:
            c = stream[3].take(1)[0]
            if not c:
                mode = 1 - mode
                value = both[mode]
            else:
                w, k = (c - 1) // 8, (c - 1) % 8
                delta = int.from_bytes(stream[4 + w].take(1 << w), "little",
                                       signed=True)
                value = (roots[-k] if k else last) + delta & MASK
                back = k - 1 if k else back
        slot[:] = (value, value - last & MASK,
                   value - roots[-(back + 1)] & MASK, back, mode)
        roots.append(value)


def main():
    with open(sys.argv[1], "rb") as file:
        trace = Trace(file.read())
    for name, n in trace.counts.items():
        assert trace.totals is None or trace.totals[name] == n, name
    print("thread,space,kind,address,size,pc")
    print("\n".join(trace.out))
    for event in trace.events:
        thread, kind, address, length = event
        print("event %d %s %x +%x" % (thread, EVENTS[kind], address, length))


main()
