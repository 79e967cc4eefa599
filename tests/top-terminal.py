#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""pagescope top on a terminal: what it draws fits, keys do what they say, and
the terminal is as it was however it ends, also by SIGKILL."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PAGESCOPE = os.environ["PAGESCOPE"]
ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
failed = False


def complain(text):
    global failed
    failed = True
    print(text)


class Terminal:
    def __init__(self, *arguments, rows=24, columns=90):
        # ours too, so that its mode can be seen after the program's end
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        self.mode = termios.tcgetattr(self.slave)
        self.seen = b""
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
            for number in (0, 1, 2):
                os.dup2(self.slave, number)
            os.environ["TERM"] = "xterm"
            os.execv(PAGESCOPE, ["pagescope", "top", *arguments])

    def resize(self, rows, columns):
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.seen += os.read(self.master, 65536)

    def await_text(self, pattern, what, since=0):
        end = time.monotonic() + 20
        while not re.search(pattern, self.seen[since:]):
            if time.monotonic() > end:
                complain(f"{what}: waited in vain: {self.seen[-600:]!r}")
                return False
            self.read(0.1)
        return True

    def key(self, text):
        at = len(self.seen)
        os.write(self.master, text)
        return at

    def end(self, what, status):
        """Its exit status, that of a signal negative; and what it leaves"""
        end = time.monotonic() + 20
        while True:
            pid, got = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                complain(f"{what}: does not end")
                os.kill(self.pid, signal.SIGKILL)
            self.read(0.05)
        got = os.waitstatus_to_exitcode(got)
        if got != status:
            complain(f"{what}: status {got}, not {status}: {self.seen[-300:]!r}")
        self.await_text(re.escape(LEAVE), f"{what}: the other screen")
        while termios.tcgetattr(self.slave) != self.mode:
            if time.monotonic() > end:
                complain(f"{what}: the terminal's mode is not as before")
                break
            time.sleep(0.05)
        last = self.seen
        if last.rfind(LEAVE) < last.rfind(ENTER):
            complain(f"{what}: the screen is not given back")
        if b"\x1b[?25h" not in last[last.rfind(ENTER):]:
            complain(f"{what}: the cursor is not given back")
        os.close(self.master)
        os.close(self.slave)


def screens(seen):
    """What was drawn, as lists of lines without sequences"""
    for screen in seen.split(b"\x1b[H")[1:]:
        yield re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", screen).decode().split("\r\n")


def check_size(seen, rows, columns, what):
    last = [s for s in screens(seen) if len(s) > 2][-1]
    if len(last) > rows:
        complain(f"{what}: {len(last)} lines on {rows}")
    longest = max(len(line) for line in last)
    if longest > columns:
        complain(f"{what}: {longest} columns on {columns}")
    return last


def keys():
    top = Terminal("-d", "100ms")
    top.await_text(rb"minor/s", "the first look")
    check_size(top.seen, 24, 90, "first")
    at = top.key(b"s")
    top.await_text(rb"sort \(minor\)", "s", at)
    at = top.key(b"SS")
    top.await_text(rb"sort \(command\)", "S", at)
    at = top.key(b"\x1b[A\x1bOP\x1b[1;5tt")  # arrows and such are no keys of ours
    top.await_text(rb"t processes", "t", at)
    at = len(top.seen)
    top.resize(12, 44)
    top.await_text(rb"minor/s", "smaller", at)
    time.sleep(0.3)
    top.read(0.1)
    at = len(top.seen)
    top.await_text(rb"q quit", "smaller", at)
    last = check_size(top.seen[at:], 12, 44, "smaller")
    if not any("minor/s" in line for line in last):
        complain(f"smaller: no rows: {last}")
    top.key(b"q")
    top.end("q", 0)


def signals():
    for number in (signal.SIGTERM, signal.SIGHUP):
        top = Terminal("-d", "100ms")
        top.await_text(rb"minor/s", "before a signal")
        os.kill(top.pid, number)
        top.end(f"signal {number}", 0)
    for number in (signal.SIGKILL, signal.SIGSEGV):
        top = Terminal("-d", "100ms")
        top.await_text(rb"minor/s", "before a signal")
        os.kill(top.pid, number)
        top.end(f"signal {number}", -number)
    top = Terminal("-d", "100ms")
    top.await_text(rb"minor/s", "before Ctrl-C")
    top.key(b"\x03")
    top.end("Ctrl-C", 0)


def stop():
    """Ctrl-Z gives the terminal back, SIGCONT takes it again.  (A group whose
    leader has no parent in its session does not stop: then it goes on.)"""
    top = Terminal("-d", "100ms")
    top.await_text(rb"minor/s", "before Ctrl-Z")
    at = top.key(b"\x1a")
    top.await_text(re.escape(LEAVE), "Ctrl-Z: the other screen", at)
    os.kill(top.pid, signal.SIGCONT)
    top.await_text(re.escape(ENTER) + rb"(.|\n)*minor/s", "after Ctrl-Z", at)
    top.key(b"q")
    top.end("q after Ctrl-Z", 0)


def command():
    """Its output comes after the screen, its status is ours."""
    top = Terminal("-d", "50ms", "--", "sh", "-c",
                   "echo out; echo err >&2; read x; echo got${x}none; sleep 0.3; exit 7")
    top.await_text(rb"minor/s", "of a command")
    top.end("of a command", 7)
    rest = top.seen[top.seen.rfind(LEAVE):]
    for text in (b"out\r\n", b"err\r\n", b"gotnone\r\n"):
        if text not in rest:
            complain(f"of a command: no {text!r} after the screen: {rest!r}")
    if b"out\r\n" in top.seen[:top.seen.rfind(LEAVE)]:
        complain("of a command: its output is in the screen")


keys()
signals()
stop()
command()
sys.exit(failed)
