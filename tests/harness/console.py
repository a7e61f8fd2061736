# SPDX-License-Identifier: MIT
"""Drives a guest over its serial console: start, expect, send, and a transcript of it all."""
import os
import re
import select
import subprocess
import time


class ConsoleError(Exception):
    """The guest did not say what was expected of it."""


class Console:
    """A running QEMU whose serial port we hold.

    Everything the guest prints is kept in self.text (bytes decoded, carriage returns dropped)
    and in the transcript file. expect() searches from where the last expect() ended.
    """

    def __init__(self, vm, transcript):
        os.makedirs(os.path.dirname(transcript), exist_ok=True)
        self.path = transcript
        self.transcript = open(transcript, "wb")
        self.text = ""
        self.position = 0
        self.last_output = self.started = time.monotonic()
        argv = vm.argv("chardev:console") + ["-chardev", "stdio,id=console,signal=off"]
        self.transcript.write((" ".join(argv) + "\n\n").encode())
        self.qemu = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, bufsize=0)
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- the two directions ---------------------------------------------------------------

    def pump(self, seconds):
        """Waits up to that long for output; returns whether there was any."""
        ready, _, _ = select.select([self.qemu.stdout], [], [], max(0, seconds))
        if not ready:
            return False
        data = os.read(self.qemu.stdout.fileno(), 65536)
        if not data:
            self.ended = True
            return False
        self.transcript.write(data)
        self.transcript.flush()
        self.text += data.decode("utf-8", "replace").replace("\r", "")
        self.last_output = time.monotonic()
        return True

    def send(self, text):
        """Types text, as it is: end a line with \\r."""
        try:
            self.qemu.stdin.write(text.encode())
        except BrokenPipeError:
            raise ConsoleError("the machine has ended; it took no more input") from None

    def expect(self, pattern, timeout=30):
        """Waits for the regular expression; returns its match. ^ and $ match at lines."""
        compiled = re.compile(pattern, re.M)
        deadline = time.monotonic() + timeout
        while True:
            match = compiled.search(self.text, self.position)
            if match:
                self.position = match.end()
                return match
            if self.ended:
                raise ConsoleError("the machine ended while waiting for %r; it last said:\n%s"
                                   % (pattern, self.tail()))
            left = deadline - time.monotonic()
            if left <= 0:
                raise ConsoleError("no %r within %d s; the console last said:\n%s"
                                   % (pattern, timeout, self.tail()))
            self.pump(min(left, 1))

    def quiet(self, seconds=0.5):
        """Waits until the guest has said nothing for that long."""
        while not self.ended and self.pump(seconds):
            pass

    def tail(self, lines=8):
        return "\n".join("    | " + line for line in self.text.splitlines()[-lines:])

    # --- shells ---------------------------------------------------------------------------

    PROMPT = r"<(\d+)>% "

    def log_in(self, timeout=60):
        """Waits for the login shell and gives it a prompt that nothing else looks like."""
        self.expect(r"root@troupe:.*[#$] ", timeout)
        self.send("PS1='<$?>% '; unset PROMPT_COMMAND; bind 'set enable-bracketed-paste off'; "
                  "stty rows 24 columns 200\r")
        self.prompt()

    def prompt(self, timeout=30):
        """Waits for the prompt; returns the last command's status."""
        return int(self.expect(self.PROMPT, timeout).group(1))

    def run(self, command, timeout=30):
        """Types a command line at the prompt. Returns (status, output)."""
        start = self.position
        self.send(command + "\r")
        status = self.prompt(timeout)
        text = self.text[start:self.position]
        text = text[:text.rfind("<")]
        return status, text.split("\n", 1)[1] if "\n" in text else ""

    # --- the end --------------------------------------------------------------------------

    def wait(self, timeout=30):
        """Waits until the machine is off; returns QEMU's exit status."""
        deadline = time.monotonic() + timeout
        while not self.ended:
            if time.monotonic() > deadline:
                raise ConsoleError("still running after %d s; the console last said:\n%s"
                                   % (timeout, self.tail()))
            self.pump(1)
        return self.qemu.wait(timeout=10)

    def close(self):
        """Ends the machine if it still runs. Safe to call twice."""
        if self.qemu.poll() is None:
            self.qemu.kill()
        self.qemu.wait()
        for stream in (self.qemu.stdin, self.qemu.stdout, self.transcript):
            stream.close()

    def cpu_seconds(self):
        """Host CPU time QEMU has used so far."""
        with open("/proc/%d/stat" % self.qemu.pid) as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
