#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Ask a server on loopback without a pause, and check every answer.

server-load.py http|redis PORT CLIENTS: until standard input ends; then says how
many answers there were.  Status 1: one was wrong, or a connection broke.
"""
import hashlib
import os
import socket
import sys
import threading

kind, port, clients = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
over = threading.Event()
lock = threading.Lock()
answers = 0
wrong = []


class Connection:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(30)
        self.file = self.socket.makefile("rb")

    def ask(self, what):
        self.socket.sendall(what)

    def line(self):
        got = self.file.readline()
        if not got.endswith(b"\r\n"):
            raise OSError("the connection broke: %r" % got)
        return got[:-2]

    def body(self, n):
        got = self.file.read(n)
        if len(got) != n:
            raise OSError("%d of %d bytes" % (len(got), n))
        return got


def http(connection, number, turn):
    """Files whose name is their contents' digest"""
    name, size = FILES[(number + turn) % len(FILES)]
    connection.ask(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode())
    status, length = connection.line(), None
    while True:
        line = connection.line()
        if not line:
            break
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    body = connection.body(length)
    return (status.startswith(b"HTTP/1.1 200") and length == size and
            hashlib.sha256(body).hexdigest() == name)


def bulk(connection):
    line = connection.line()
    if line[:1] != b"$":
        return line
    value = connection.body(int(line[1:]) + 2)
    return value[:-2]


def redis(connection, number, turn):
    """A counter of our own, a value of our own, a list, a script's sum"""
    key = b"k%d" % number
    value = (b"%d." % turn) * (1 + turn % 700)
    connection.ask(
        b"INCR c%s\r\n" % key +
        b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (
            len(key), key, len(value), value) +
        b"GET %s\r\n" % key +
        b"RPUSH l%s %d\r\nLPOP l%s\r\n" % (key, turn, key))
    got = [bulk(connection) for _ in range(5)]
    return got == [b":%d" % (turn + 1), b"+OK", value, b":1", b"%d" % turn]


def client(number):
    global answers
    turn = 0
    try:
        connection = Connection()
        while not over.is_set():
            if not {"http": http, "redis": redis}[kind](connection, number,
                                                        turn):
                raise OSError("client %d, turn %d: a wrong answer" %
                              (number, turn))
            turn += 1
    except OSError as error:
        wrong.append(error)
    with lock:
        answers += turn


if kind == "http":
    FILES = [(f, os.path.getsize(f)) for f in sorted(os.listdir("."))
             if len(f) == 64]
threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
for thread in threads:
    thread.start()
sys.stdin.read()
over.set()
for thread in threads:
    thread.join()
print(answers)
for error in wrong[:3]:
    print(error, file=sys.stderr)
sys.exit(1 if wrong or not answers else 0)
