# SPDX-License-Identifier: MIT
"""make test, stage ssh: everything over the host's own OpenSSH client against a booted guest.

A test is a function marked @ssh_test that takes a Guest and raises Failure (or times out) when
the guest does not do what Linux does: `make test-linux STAGES=ssh` plays the same on Debian's
kernel. What a test starts it ends; files it leaves in the guest lie in /tmp.

Guest is a machine with a network card whose port 22 is a port of this host. Its keys are made for
the tests (build/tests/ssh) and have nothing to do with those of `make run`.
"""
import contextlib
import hashlib
import http.server
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import fcntl

import machine
from console import Console, ConsoleError
from link import LossyLink

TESTS = []
MEBIBYTE = 1 << 20


class Failure(Exception):
    """The guest answered, but not as Linux does."""


def ssh_test(function):
    function.troupe_only = function.once = False
    TESTS.append(function)
    return function


def troupe_only(function):
    """Goes above @ssh_test: what Linux has not."""
    function.troupe_only = True
    return function


def once(function):
    """Goes above @ssh_test: takes long, and runs only with the last of the numbers of CPUs asked for."""
    function.once = True
    return function


def check(condition, what):
    if not condition:
        raise Failure(what)


def equal(got, expected, what):
    check(got == expected, "%s is %r, not %r" % (what, got[-200:] if hasattr(got, "__len__") else got,
                                                expected))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def blob(size, seed):
    """Bytes that do not repeat, the same in each run."""
    return hashlib.shake_128(b"%d" % seed).digest(size)


# --- keys and the archive -----------------------------------------------------------------

def make_keys(build):
    """Returns the folder with id (logs in), wrong (does not), host_key and known_hosts."""
    folder = os.path.abspath(os.path.join(build, "tests/ssh"))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    for name in ("id", "wrong"):
        if not os.path.exists(os.path.join(folder, name)):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f",
                            os.path.join(folder, name)], check=True)
    dropbearkey = os.path.join(build, "ports/dropbear/dest/bin/dropbearkey")
    host = os.path.join(folder, "host_key")
    if not os.path.exists(host):
        subprocess.run([dropbearkey, "-t", "ed25519", "-f", host], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    public = subprocess.run([dropbearkey, "-y", "-f", host], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    with open(os.path.join(folder, "known_hosts"), "w") as f:
        f.write("guest " + re.search(r"ssh-ed25519 \S+", public).group() + "\n")
    return folder


def archive_files(build, linux):
    """What goes into the root beside what is there: {path: bytes}."""
    keys = make_keys(build)

    def read(path):
        with open(path, "rb") as f:
            return f.read()

    public = read(keys + "/id.pub")
    files = {"/etc/dropbear/dropbear_ed25519_host_key": read(keys + "/host_key"),
             "/root/.ssh/authorized_keys": public, "/home/user/.ssh/authorized_keys": public}
    modules = os.path.join(build, "linux/root/lib/modules")
    for name in sorted(os.listdir(modules)) if linux else []:
        files["/lib/modules/" + name] = read(os.path.join(modules, name))
    return files


# --- the guest ----------------------------------------------------------------------------

class Guest:
    """A booted machine, and ways into it."""

    def __init__(self, vm_of, build, linux, transcript, lossy=None):
        """vm_of(net, extra) makes the Machine; lossy: a LossyLink between it and the network."""
        self.build, self.linux = build, linux
        self.port = machine.free_port()
        self.folder = os.path.abspath(os.path.join(build, "tests/ssh"))
        self.work = os.path.join(self.folder, "work")
        self.lossy = lossy
        self.user_net = "user,hostfwd=tcp:127.0.0.1:%d-:22" % self.port
        net, extra = (self.user_net, []) if not lossy else lossy.start(self.user_net)
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        self.write_config()
        self.console = Console(vm_of(net, extra), transcript)
        self.over, self.idle = False, None
        self.pump = threading.Thread(target=self.pump_console, daemon=True)
        self.pump.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.over = True
        self.pump.join()
        if self.idle and not self.idle.ended:
            self.idle.__exit__()
        self.console.close()
        if self.lossy:
            self.lossy.stop()

    def pump_console(self):
        while not self.over and not self.console.ended:
            self.console.pump(0.2)

    def write_config(self):
        options = [("HostName", "127.0.0.1"), ("Port", self.port), ("User", "root"),
                   ("HostKeyAlias", "guest"), ("IdentityFile", self.folder + "/id"),
                   ("IdentitiesOnly", "yes"), ("IdentityAgent", "none"), ("BatchMode", "yes"),
                   ("UserKnownHostsFile", self.folder + "/known_hosts"),
                   ("GlobalKnownHostsFile", "/dev/null"), ("StrictHostKeyChecking", "yes"),
                   ("ConnectTimeout", 60), ("LogLevel", "ERROR"), ("ExitOnForwardFailure", "yes")]
        self.config = self.folder + "/config-%d" % self.port
        with open(self.config, "w") as f:
            f.write("Host guest\n" + "".join("\t%s %s\n" % o for o in options))

    def wait(self, seconds):
        """Until the guest's SSH server greets us. Returns the seconds since QEMU was started."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.console.ended or "panic" in self.console.text[-3000:].lower():
                raise ConsoleError("the machine died; the console last said:\n%s"
                                   % self.console.tail())
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
                    if s.recv(4) == b"SSH-":
                        return time.monotonic() - self.console.started
            except OSError:
                pass
            time.sleep(0.2)
        raise ConsoleError("SSH does not answer within %d s; the console last said:\n%s"
                           % (seconds, self.console.tail()))

    def alive(self):
        return not self.console.ended and "panic" not in self.console.text[-3000:].lower()

    def path(self, name):
        return os.path.join(self.work, name)

    def file(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def words(self, *more, program="ssh"):
        return [program, "-F", self.config, *more]

    def run(self, words, input=b"", timeout=60, cwd=None):
        """Runs a program of this host; returns (status, stdout, stderr), bytes."""
        done = subprocess.run(words, input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, cwd=cwd or self.work)
        return done.returncode, done.stdout, done.stderr

    def ssh(self, command, input=b"", timeout=60, options=(), user="root"):
        return self.run(self.words(*options, "-l", user, "guest", command), input, timeout)

    def ok(self, command, input=b"", timeout=60, options=(), user="root"):
        """The output of a command that must succeed, as text."""
        status, out, err = self.ssh(command, input, timeout, options, user)
        check(status == 0, "`%s` gave status %d: %s" % (command, status,
                                                       (err or out).decode("utf-8", "replace")[-300:]))
        return out.decode("utf-8", "replace")

    def copy(self, *words, program="scp", timeout=300, input=b""):
        status, _, err = self.run(self.words("-q", *words, program=program), input, timeout)
        check(status == 0, "`%s %s` gave status %d: %s" % (program, " ".join(words), status,
                                                          err.decode("utf-8", "replace")[-300:]))

    def sum(self, path, timeout=120):
        return self.ok("sha256sum < " + path, timeout=timeout).split()[0]

    @contextlib.contextmanager
    def forward(self, *options):
        """An ssh that only forwards, for as long as the block lasts."""
        child = subprocess.Popen(self.words("-N", *options, "guest"), stdin=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
        try:
            yield child
        finally:
            child.kill()    # OpenSSH 9.2 loses a SIGTERM that comes just before its poll()
            child.wait()
            child.stderr.close()


class Terminal:
    """ssh -tt in a pseudo-terminal of this host: what a person has."""

    PROMPT = r"<(\d+)>% "

    def __init__(self, guest, user="root", command=None, rows=24, columns=100):
        self.text, self.position, self.ended = "", 0, False
        words = guest.words("-tt", "-l", user, "guest", *([command] if command else []))
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "vt100"
            os.execvp(words[0], words)
        self.resize(rows, columns)
        if not command:
            self.expect(r"%s@troupe:.*[#$] " % user, 60)
            self.send("PS1='<$?>% '; bind 'set enable-bracketed-paste off'\r")
            self.prompt()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.ended:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.ended = True
        os.close(self.fd)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        if not select.select([self.fd], [], [], max(0, seconds))[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.text += data.decode("utf-8", "replace").replace("\r", "")
        return bool(data)

    def expect(self, pattern, timeout=30):
        compiled, deadline = re.compile(pattern, re.M), time.monotonic() + timeout
        while True:
            match = compiled.search(self.text, self.position)
            if match:
                self.position = match.end()
                return match
            left = deadline - time.monotonic()
            check(left > 0, "no %r within %d s; the terminal last showed %r"
                  % (pattern, timeout, self.text[-300:]))
            self.read(min(left, 1))

    def quiet(self, seconds=0.7):
        while self.read(seconds):
            pass

    def prompt(self, timeout=30):
        return int(self.expect(self.PROMPT, timeout).group(1))

    def run(self, command, timeout=30):
        """Types a line at the prompt; returns (status, output)."""
        start = self.position
        self.send(command + "\r")
        status = self.prompt(timeout)
        text = self.text[start:self.position]
        return status, text[:text.rfind("<")].split("\n", 1)[-1]

    def says(self, command, expected, timeout=30):
        _, output = self.run(command, timeout)
        equal(output.strip(), expected, "the output of `%s`" % command)

    def wait(self, timeout=30):
        """Until ssh ends; its exit status."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.read(0.1)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.ended = True
                while self.read(0.1):
                    pass
                return os.waitstatus_to_exitcode(status)
        raise Failure("ssh has not ended after %d s; the terminal last showed %r"
                      % (timeout, self.text[-300:]))


class WebServer:
    """An HTTP server of this host with one file, for as long as a block lasts."""

    def __init__(self, data):
        self.data, outer = data, self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(outer.data)))
                self.end_headers()
                self.wfile.write(outer.data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def exchange(sock, request):
    """Sends a request, then reads to the end."""
    with sock:
        sock.settimeout(60)
        sock.sendall(request)
        parts = []
        while True:
            part = sock.recv(65536)
            if not part:
                return b"".join(parts)
            parts.append(part)


GET = b"GET /file HTTP/1.0\r\n\r\n"


def body(answer):
    return answer.partition(b"\r\n\r\n")[2]


def listening(port, seconds=30):
    """A connection to a port of this host that something is about to open."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except OSError:
            if time.monotonic() > deadline:
                raise Failure("nothing listens on port %d" % port) from None
            time.sleep(0.1)


# --- logging in ---------------------------------------------------------------------------

@ssh_test
def key_login(g):
    equal(g.ok("id -u; id -g; pwd; echo $HOME; echo $USER; hostname"),
          "0\n0\n/root\n/root\nroot\ntroupe\n", "who one is")
    check("SSH_CONNECTION=10.0.2.2 " in g.ok("env"), "SSH_CONNECTION is not set")
    equal(g.ok("tty; :"), "not a tty\n", "tty without a terminal")


@ssh_test
def refused_key(g):
    with open(g.config) as f:
        other = g.file("config", f.read().replace("/id\n", "/wrong\n").encode())
    status, out, err = g.run(["ssh", "-F", other, "guest", "id"])
    check(status == 255 and not out, "a key that is not authorized logged in (status %d)" % status)
    check(b"Permission denied (publickey)" in err, "refused otherwise: %r" % err[-200:])


@ssh_test
def refused_password(g):
    words = g.words("-o", "PubkeyAuthentication=no", "-o", "BatchMode=no",
                    "-o", "PreferredAuthentications=password,keyboard-interactive", "guest", "id")
    status, out, err = g.run(["setsid"] + words)
    check(status == 255 and not out, "status %d without a key" % status)
    check(b"(publickey)" in err, "the server offers more than keys: %r" % err[-200:])


@ssh_test
def refused_user(g):
    for name in ("nobody", "nosuchuser"):
        status, out, _ = g.ssh("id", user=name)
        check(status == 255 and not out, "%s logged in: %r" % (name, out))


@ssh_test
def ordinary_user(g):
    equal(g.ok("id -u; id -g; pwd; echo $USER", user="user"), "1000\n1000\n/home/user\nuser\n",
          "the user")
    check(g.ssh("cat /etc/shadow", user="user")[0] != 0, "a user read /etc/shadow")
    check(g.ssh("cat /etc/dropbear/*", user="user")[0] != 0, "a user read the host's key")
    check(g.ssh("ls /root/.ssh", user="user")[0] != 0, "a user listed root's keys")
    equal(g.ok("echo mine >x; stat -c %U:%a x; rm x", user="user"), "user:644\n", "the user's file")


@ssh_test
def switch_user(g):
    """su: down without a password; up only with root's, once there is one."""
    equal(g.ok("su user -c 'id -u; id -g'"), "1000\n1000\n", "su user")
    equal(g.ok("su - user -c 'pwd'"), "/home/user\n", "su - user")
    with Terminal(g, "user") as t:
        t.send("su -c 'id -u'\r")
        t.expect("Password: ")
        t.quiet()
        t.send("\r")
        check(t.prompt(40) != 0, "su without a password")
    g.ok("cp /etc/shadow /tmp/shadow; chmod 600 /tmp/shadow; echo root:Hamlet9 | chpasswd -c sha256")
    try:
        with Terminal(g, "user") as t:
            t.send("su -c 'id -u; tty'\r")
            t.expect("Password: ")
            t.quiet()
            t.send("Hamlet9\r")
            t.expect(r"^0\n/dev/pts/\d+$", 40)
            equal(t.prompt(), 0, "the status of su")
            t.send("su -c 'id -u'\r")
            t.expect("Password: ")
            t.quiet()
            t.send("Ophelia\r")
            check(t.prompt(40) != 0, "su with a wrong password")
        status = g.run(["setsid"] + g.words("-o", "PubkeyAuthentication=no", "guest", "id"))[0]
        equal(status, 255, "the status of a login without key, now that root has a password")
    finally:
        g.ok("cat /tmp/shadow >/etc/shadow; rm /tmp/shadow")


# --- commands -----------------------------------------------------------------------------

@ssh_test
def exit_status(g):
    for status in (0, 1, 44, 255):
        equal(g.ssh("exit %d" % status)[0], status, "the status of `exit %d`" % status)
    equal(g.ssh("kill -TERM $$")[0], 255, "the status of a command killed by a signal")
    equal(g.ssh("nosuchcommand")[0], 127, "the status of a command that is not there")


@ssh_test
def separate_outputs(g):
    status, out, err = g.ssh("echo out; echo err >&2; exit 3")
    equal((status, out, err), (3, b"out\n", b"err\n"), "status, output, error output")
    equal(g.ok("cat; echo end"), "end\n", "the end of an empty input")
    equal(g.ssh("true </dev/null >/dev/null 2>&1; exec >&- 2>&-; sleep 0.2")[1], b"", "closed outputs")


@ssh_test
def background_command(g):
    """ssh ends with the command, not with what it leaves behind with other outputs."""
    began = time.monotonic()
    g.ok("sleep 20 >/dev/null 2>&1 </dev/null & echo $!")
    check(time.monotonic() - began < 15, "ssh waited for a background process")
    g.ok("pkill -x sleep; :")


@ssh_test
def big_output(g):
    data = "".join("%d\n" % n for n in range(1, 1500001)).encode()
    status, out, _ = g.ssh("seq 1500000", timeout=120)
    equal(status, 0, "the status of seq")
    equal((len(out), sha256(out)), (len(data), sha256(data)), "the output's length and sum")


@ssh_test
def big_input(g):
    data = blob(32 * MEBIBYTE, 1)
    g.ok("cat > /tmp/big", data, timeout=180)
    equal(g.sum("/tmp/big"), sha256(data), "the sum of what was sent")
    g.ok("rm /tmp/big")


@ssh_test
def both_directions(g):
    for size in (0, 1, 100, 5000, 200000, 8 * MEBIBYTE):
        data = blob(size, size)
        status, out, _ = g.ssh("cat", data, timeout=120)
        equal((status, len(out), sha256(out)), (0, size, sha256(data)), "what %d bytes became" % size)


@ssh_test
def abandoned_input(g):
    """The command reads nothing, and ends: the rest is dropped, nobody hangs."""
    status, out, _ = g.ssh("exec <&-; echo done", blob(2 * MEBIBYTE, 2))
    equal((status, out), (0, b"done\n"), "the command that reads nothing")


@ssh_test
def twenty_sessions(g):
    children = [subprocess.Popen(g.words("guest", "cat; sleep 1; echo %d; exit %d" % (n, n)),
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE) for n in range(20)]
    wrong = []
    for n, child in enumerate(children):
        try:
            out, err = child.communicate(b"%d hello\n" % n, timeout=180)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
            err += b" (no end within 180 s)"
        if (child.returncode, out) != (n, b"%d hello\n%d\n" % (n, n)):
            wrong.append("%d: status %d, %r, %r" % (n, child.returncode, out, err[-100:]))
    check(not wrong, "%d of 20 sessions went wrong: %s" % (len(wrong), "; ".join(wrong[:3])))


@ssh_test
def multiplexed(g):
    """200 sessions over one connection, eight at a time."""
    control = ["-o", "ControlPath=" + g.path("control")]
    with g.forward("-M", *control):
        deadline = time.monotonic() + 30
        while g.run(g.words(*control, "-O", "check", "guest"))[0]:
            check(time.monotonic() < deadline, "no master connection")
            time.sleep(0.2)
        wrong = []

        def several(first):
            for n in range(first, first + 25):
                got = g.ssh("echo %d; exit %d" % (n, n), options=control)
                if got[:2] != (n, b"%d\n" % n):
                    wrong.append((n, got))

        threads = [threading.Thread(target=several, args=(25 * n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        check(not wrong, "%d sessions went wrong, the first: %r" % (len(wrong), wrong[:1]))


@ssh_test
def no_sessions_left(g):
    """What has ended has left nothing behind: processes, terminals."""
    deadline = time.monotonic() + 20
    while True:
        left = g.ok("ps -ef | grep -c '[d]ropbear.* -2'; ls /dev/pts | grep -vc ptmx; :").split()
        # The session that asks, and the idle one.
        if left == (["2", "1"] if g.idle else ["1", "0"]):
            return
        check(time.monotonic() < deadline, "dropbears and terminals that are left: %s" % left)
        time.sleep(0.5)


# --- terminals ----------------------------------------------------------------------------

@ssh_test
def terminal(g):
    with Terminal(g) as t:
        status, output = t.run("tty")
        check(re.fullmatch(r"/dev/pts/\d+\n", output), "tty says %r" % output)
        t.says("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo yes", "yes")
        t.says("stat -c %U:%a $(tty)", "root:620")
        t.says("stty size", "24 100")
        t.says("echo $TERM; id -u", "vt100\n0")
        check("speed" in t.run("stty -a")[1], "stty -a shows no speed")
        t.says("ps -o tty= -p $$ | tr -d ' '", output.strip().replace("/dev/", ""))
        t.send("exit 7\r")
        equal(t.wait(), 7, "the status of `exit 7`")


@ssh_test
def terminal_user(g):
    with Terminal(g, "user") as t:
        t.says("id -un; stat -c %U:%a $(tty)", "user\nuser:620")
        t.send("\x04")
        equal(t.wait(), 0, "the status after ctrl-d")


@ssh_test
def terminal_resize(g):
    with Terminal(g) as t:
        for rows, columns in ((40, 132), (10, 20), (50, 200)):
            t.resize(rows, columns)
            t.quiet(1)
            t.send("echo now $(stty size)\r")
            t.expect("^now %d %d$" % (rows, columns))
            t.quiet()
        t.send("\r")
        t.prompt()
        t.quiet()
        t.position = len(t.text)
        # A program in the foreground learns of it, too.
        t.send("bash -c 'trap \"stty size; exit\" WINCH; echo ready; while :; do sleep 0.1; done'\r")
        t.expect("^ready$")
        t.resize(33, 77)
        t.expect("^33 77$")


@ssh_test
def terminal_interrupt(g):
    with Terminal(g) as t:
        t.send("sleep 1000\r")
        t.quiet()
        t.send("\x03")
        equal(t.prompt(), 130, "the status of what ctrl-c ended")
        t.send("cat\r")
        t.quiet()
        t.send("typed\r")
        t.expect("^typed\ntyped\n")
        t.send("\x04")
        equal(t.prompt(), 0, "the status of cat after ctrl-d")
        t.send("sleep 1000\r")
        t.quiet()
        t.send("\x1c")
        equal(t.prompt(), 131, "the status of what ctrl-\\ ended")
        # Output without end, and ctrl-c gets through all the same.
        t.send("yes\r")
        t.expect("y\ny\ny\n")
        t.send("\x03")
        equal(t.prompt(60), 130, "the status of yes")


@ssh_test
def terminal_jobs(g):
    with Terminal(g) as t:
        t.send("sleep 1000\r")
        t.quiet()
        t.send("\x1a")
        equal(t.prompt(), 148, "the status of what ctrl-z stopped")
        check("Stopped" in t.run("jobs")[1], "jobs does not show it as stopped")
        t.run("bg")
        check("Running" in t.run("jobs")[1], "jobs does not show it as running")
        t.send("fg\r")
        t.expect("^sleep 1000\n")
        t.quiet()
        t.send("\x03")
        equal(t.prompt(), 130, "the status after fg and ctrl-c")
        t.send("cat &\r")
        t.prompt()
        t.quiet()
        check("Stopped" in t.run("jobs")[1], "a background cat reads the terminal")
        t.run("kill -9 %1; wait")


@ssh_test
def terminal_vi(g):
    with Terminal(g) as t:
        t.send("vi /tmp/poem\r")
        t.quiet()
        # Escape by itself: what follows at once would make an arrow key of it.
        for keys in ("iTo be\rnot to be", "\x1b", "kA, or", "\x1b", ":wq\r"):
            t.send(keys)
            t.quiet()
        t.prompt()
        t.says("cat /tmp/poem; rm /tmp/poem", "To be, or\nnot to be")
        t.says("stty -a | grep -o ' icanon'", "icanon")


@ssh_test
def terminal_top(g):
    with Terminal(g) as t:
        t.send("top\r")
        t.expect("PID", 20)
        t.quiet(0.5)
        t.send("q")
        t.prompt()
        t.send("seq 1000 | less\r")
        t.expect(r"K20\n")
        t.quiet()
        t.send("G")
        t.expect("1000")
        t.send("q")
        t.prompt()


@ssh_test
def terminal_raw(g):
    """All bytes pass in both directions when the terminal is raw."""
    with Terminal(g) as t:
        t.send("stty raw -echo; echo ready; head -c 256 | od -An -v -t u1 | tr -s ' \\n' ' '; stty sane\r")
        t.expect("ready")
        t.quiet()
        # ~ after a newline is ssh's own escape, so not in order of value.
        os.write(t.fd, bytes(b for b in range(256)))
        numbers = " ".join(str(b) for b in range(256))
        t.expect(numbers, 30)


@ssh_test
def terminal_output(g):
    """A megabyte through the terminal, read slowly: nothing is lost."""
    with Terminal(g) as t:
        _, output = t.run("stty -opost; seq 100000; stty opost", 120)
        numbers = re.findall(r"\d+", output.split("opost\n")[-1])
        equal(len(numbers), 100000, "the number of lines")
        equal(numbers[-1], "100000", "the last line")


@ssh_test
def hangup(g):
    """ssh is killed: the shell gets SIGHUP and hands it on to its jobs; all end."""
    with Terminal(g) as t:
        t.run("(trap 'echo gone >/tmp/hangup; exit' HUP; while :; do sleep 0.2; done) &")
        t.send("sleep 4242\r")
        t.quiet()
        g.ok("pgrep -f 'sleep 4242'")
    deadline = time.monotonic() + 30
    while g.ssh("pgrep -f '[s]leep 4242' || ! [ -e /tmp/hangup ]")[0] == 0:
        check(time.monotonic() < deadline, "programs of a lost session live on, or heard nothing")
        time.sleep(0.5)
    equal(g.ok("cat /tmp/hangup; rm /tmp/hangup"), "gone\n", "what the trap wrote")


@ssh_test
def terminal_command(g):
    """ssh -t with a command: a terminal, and the output comes whole. (Without the pause dropbear may drop
    the last of it, on Linux as well.)"""
    with Terminal(g, command="tty; stty size; seq 20000; sleep 1; exit 5") as t:
        equal(t.wait(60), 5, "the status")
        check(re.match(r"/dev/pts/\d+\n\d+ \d+\n1\n2\n", t.text), "it began with %r" % t.text[:60])
        check(t.text.rstrip().endswith("\n20000"), "it ended with %r" % t.text[-60:])


# --- files --------------------------------------------------------------------------------

SIZE = 64 * MEBIBYTE


def transfer(g, options):
    data = blob(SIZE, 7)
    path = g.file("sent", data)
    g.copy(*options, path, "guest:/tmp/file")
    equal(g.sum("/tmp/file"), sha256(data), "the sum of what arrived in the guest")
    g.copy(*options, "guest:/tmp/file", g.path("received"))
    with open(g.path("received"), "rb") as f:
        equal(sha256(f.read()), sha256(data), "the sum of what came back")
    g.ok("rm /tmp/file")


@once
@ssh_test
def scp_sftp_protocol(g):
    transfer(g, [])


@once
@ssh_test
def scp_old_protocol(g):
    transfer(g, ["-O"])


@ssh_test
def scp_tree(g):
    os.makedirs(g.path("tree/deep/er"))
    for name in ("tree/a", "tree/deep/b", "tree/deep/er/with space"):
        g.file(name, blob(3000, len(name)))
    os.chmod(g.path("tree/a"), 0o750)
    for options in ([], ["-O"]):
        g.copy("-r", "-p", *options, g.path("tree"), "guest:/tmp/tree")
        equal(g.ok("stat -c %a /tmp/tree/a; find /tmp/tree -type f | wc -l"), "750\n3\n", "the tree")
        g.copy("-r", "-p", *options, "guest:/tmp/tree", g.path("back"))
        equal(subprocess.call(["diff", "-r", g.path("tree"), g.path("back")]), 0, "diff's status")
        shutil.rmtree(g.path("back"))
        g.ok("rm -r /tmp/tree")
    shutil.rmtree(g.path("tree"))
    status, _, err = g.run(g.words("-q", "guest:/tmp/nosuchfile", g.work, program="scp"))
    check(status == 1 and b"No such file" in err, "a file that is not there: %d %r" % (status, err))


@once
@ssh_test
def sftp(g):
    data = blob(SIZE, 8)
    path = g.file("sent", data)
    batch = g.file("batch", b"\n".join([
        b"cd /tmp", b"mkdir d", b"put " + path.encode() + b" d/f", b"chmod 640 d/f",
        b"rename d/f d/g", b"ln -s g d/l", b"get d/l " + g.path("received").encode(),
        b"ls -l d", b"df d", b"pwd", b"quit"]) + b"\n")
    status, out, err = g.run(g.words("-q", "-b", batch, "guest", program="sftp"), timeout=300)
    equal(status, 0, "sftp's status (%r)" % err[-200:])
    check(b"-rw-r-----" in out and b"/tmp" in out, "sftp said %r" % out[-300:])
    equal(g.sum("/tmp/d/g"), sha256(data), "the sum of what arrived in the guest")
    with open(g.path("received"), "rb") as f:
        equal(sha256(f.read()), sha256(data), "the sum of what came back")
    g.ok("rm -r /tmp/d")


@ssh_test
def rsync(g):
    os.makedirs(g.path("tree/sub"))
    for n in range(40):
        g.file("tree/sub/%d" % n, blob(20000 + n, n))
    shell = "ssh -F " + g.config
    words = ["rsync", "-a", "--delete", "--no-owner", "--no-group", "-e", shell]
    for direction in ((g.path("tree/"), "guest:/tmp/rs/"), ("guest:/tmp/rs/", g.path("back/"))):
        status, _, err = g.run(words + list(direction), timeout=120)
        equal(status, 0, "rsync's status (%r)" % err[-600:])
    equal(subprocess.call(["diff", "-r", g.path("tree"), g.path("back")]), 0, "diff's status")
    # Same size, so rsync goes by the time, in whole seconds.
    g.file("tree/sub/3", blob(20003, 99))
    os.utime(g.path("tree/sub/3"), (0, 0))
    os.unlink(g.path("tree/sub/5"))
    status, out, err = g.run(words + ["--itemize-changes", g.path("tree/"), "guest:/tmp/rs/"])
    equal(status, 0, "rsync's status (%r)" % err[-600:])
    changed = sorted(re.findall(rb"sub/(\d+)$", out, re.M))
    equal(changed, [b"3", b"5"], "what the second rsync changed")
    g.ok("rm -r /tmp/rs")


# --- forwarding ---------------------------------------------------------------------------

@ssh_test
def forward_local(g):
    """-L: to a server in the guest, and through the guest back to one of this host."""
    data = blob(4 * MEBIBYTE, 3)
    g.ok("mkdir -p /tmp/www && cat > /tmp/www/file && httpd -p 127.0.0.1:8080 -h /tmp/www", data)
    one, two = machine.free_port(), machine.free_port()
    with WebServer(data) as web, g.forward("-L", "%d:127.0.0.1:8080" % one,
                                           "-L", "%d:10.0.2.2:%d" % (two, web.port)):
        for port, where in ((one, "the guest"), (two, "this host")):
            answer = body(exchange(listening(port), GET))
            equal((len(answer), sha256(answer)), (len(data), sha256(data)), "the file of " + where)
        # Many at once, and one that is refused.
        results = []

        def fetch():
            results.append(sha256(body(exchange(listening(one), GET))))

        threads = [threading.Thread(target=fetch) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        equal(results, [sha256(data)] * 8, "eight at once")
    refused = machine.free_port()
    with g.forward("-L", "%d:127.0.0.1:1" % refused):
        equal(exchange(listening(refused), b""), b"", "what a port where nobody listens says")
    g.ok("pkill httpd; rm -r /tmp/www")


@ssh_test
def forward_remote(g):
    """-R: from a port of the guest to a server of this host."""
    data = blob(4 * MEBIBYTE, 4)
    with WebServer(data) as web:
        words = ["-R", "127.0.0.1:9090:127.0.0.1:%d" % web.port]
        status, out, err = g.run(g.words(*words, "guest", "curl -s http://127.0.0.1:9090/file | "
                                         "sha256sum; curl -s http://localhost:9090/file | wc -c"),
                                 timeout=120)
        equal(status, 0, "the status (%r)" % err[-200:])
        equal(out.split()[0].decode(), sha256(data), "the sum of what came through")
        equal(int(out.split()[-1]), len(data), "the length of what came through")


@ssh_test
def forward_dynamic(g):
    """-D: a SOCKS proxy, to names as the guest knows them."""
    data = blob(MEBIBYTE, 5)
    port = machine.free_port()
    with WebServer(data) as web, g.forward("-D", str(port)):
        sock = listening(port)
        sock.sendall(b"\5\1\0")
        equal(sock.recv(2), b"\5\0", "the proxy's first answer")
        name = b"host"      # in the guest's /etc/hosts: 10.0.2.2
        sock.sendall(b"\5\1\0\3" + bytes([len(name)]) + name + struct.pack(">H", web.port))
        answer = sock.recv(10)
        equal(answer[:2], b"\5\0", "the proxy's second answer")
        got = body(exchange(sock, GET))
        equal((len(got), sha256(got)), (len(data), sha256(data)), "the file")


@ssh_test
def client_in_guest(g):
    """dbclient in the guest, to its own server and with a key of its own."""
    g.ok("cd /tmp; rm -f k; dropbearkey -t ed25519 -f k >/dev/null 2>&1; cp ~/.ssh/authorized_keys a;"
         "dropbearkey -y -f k | grep ^ssh- >>~/.ssh/authorized_keys;"
         "printf '%s\\n' '#!/bin/sh' 'exec ssh -y -y -i /tmp/k \"$@\" 2>/dev/null' >s; chmod 755 s")
    try:
        equal(g.ok("/tmp/s root@127.0.0.1 id -u"), "0\n", "by IPv4")
        equal(g.ok("/tmp/s root@::1 id -u"), "0\n", "by IPv6")
        equal(g.ok("/tmp/s user@127.0.0.1 id -u; echo $?"), "1\n", "the status of a refused login")
        equal(g.ok("seq 100000 >/tmp/f; scp -q -S /tmp/s /tmp/f root@127.0.0.1:/tmp/f2;"
                   "cmp /tmp/f /tmp/f2 && echo same; rm -f /tmp/f /tmp/f2"), "same\n", "scp")
    finally:
        g.ok("cat /tmp/a >.ssh/authorized_keys; rm -f /tmp/[ksa] /tmp/k.pub")


# --- the network kit ----------------------------------------------------------------------

@once
@ssh_test
def fetch(g):
    data = blob(8 * MEBIBYTE, 6)
    with WebServer(data) as web:
        url = "http://10.0.2.2:%d/file" % web.port
        for command in ("wget -q -O - " + url, "curl -s " + url,
                        "curl -s http://host:%d/file" % web.port):
            equal(g.ok(command + " | sha256sum", timeout=120).split()[0], sha256(data),
                  "the sum of `%s`" % command)
        status = g.ssh("curl -s -m 20 http://10.0.2.2:%d/" % machine.free_port())[0]
        equal(status, 7, "curl's status where nobody listens")
    equal(g.ok("ping -c 3 10.0.2.2 | grep -c 'bytes from 10.0.2.2'"), "3\n", "answers to ping")
    equal(g.ok("ping -c 2 127.0.0.1 | grep -c 'bytes from 127.0.0.1'"), "2\n", "answers to ping")


@ssh_test
def ping_as_user(g):
    equal(g.ok("ping -c 2 10.0.2.2 | grep -c 'bytes from'", user="user"), "2\n", "answers to ping")


@ssh_test
def interfaces(g):
    text = g.ok("ip addr")
    check("inet 10.0.2.15/24" in text and "inet 127.0.0.1/8" in text, "ip addr says %r" % text)
    check("inet6 ::1/128" in text and "inet6 fe80::" in text, "ip addr shows no IPv6: %r" % text)
    text = g.ok("ip route")
    check("default via 10.0.2.2 dev eth0" in text, "ip route says %r" % text)
    text = g.ok("ifconfig")
    check("inet addr:10.0.2.15" in text and "UP" in text and "lo " in text, "ifconfig says %r" % text)
    check(re.search(r"^0\.0\.0\.0 +10\.0\.2\.2 ", g.ok("route -n"), re.M), "route shows no default")
    text = g.ok("netstat -tn")
    check(re.search(r"10\.0\.2\.15:22 +10\.0\.2\.2:\d+ +ESTABLISHED", text), "netstat says %r" % text)
    check(re.search(r":22 .*LISTEN", g.ok("netstat -ltn")), "netstat shows no listener")
    check("10.0.2.2" in g.ok("ping -c 1 10.0.2.2 >/dev/null; arp -n"), "arp does not know 10.0.2.2")
    check("nameserver 10.0.2.3" in g.ok("cat /etc/resolv.conf"), "no nameserver")


@once
@ssh_test
def netcat(g):
    """A stream and datagrams inside the guest, by Toybox's nc. It ends with its input."""
    data = blob(2 * MEBIBYTE, 11)
    g.ok("cat >/tmp/in", data)
    equal(g.ok("(sleep 3 | nc -l -p 7001 >/tmp/out) & sleep 0.5; nc 127.0.0.1 7001 </tmp/in; wait;"
               "sha256sum </tmp/out").split()[0], sha256(data), "the sum of what nc brought")
    equal(g.ok("(sleep 4 | timeout 4 nc -u -l -p 7002 >/tmp/out) & sleep 0.5;"
               "(echo a datagram; sleep 1) | timeout 2 nc -u 127.0.0.1 7002;"
               "wait; cat /tmp/out; rm /tmp/in /tmp/out"), "a datagram\n", "what came by UDP")


@ssh_test
def iperf(g):
    text = g.ok("iperf -s -t 20 >/dev/null 2>&1 & sleep 1; iperf -c 127.0.0.1 -t 1 -f m; kill $!", timeout=90)
    check(re.search(r"[1-9][\d.]* Mbits/sec", text), "iperf says %r" % text[-300:])


# --- things that go wrong -----------------------------------------------------------------

@once
@ssh_test
def vanishing_peers(g):
    """Connections that say nothing, nonsense, or go in the middle: others go on."""
    for n in range(150):
        with socket.create_connection(("127.0.0.1", g.port), timeout=20) as s:
            if n % 3 == 1:
                s.sendall(blob(300, n))
            elif n % 3 == 2:
                s.sendall(b"SSH-2.0-x\r\n" + blob(100, n))
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + 60
    while g.ssh("true")[0]:
        check(time.monotonic() < deadline, "no login any more")
        time.sleep(1)


@ssh_test
def slow_reader(g):
    """A session whose output nobody reads stops its program, and nobody else's."""
    child = subprocess.Popen(g.words("guest", "yes"), stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        equal(g.ok("echo fine"), "fine\n", "another session")
        check(len(child.stdout.read(300000)) == 300000, "the output came to an end")
    finally:
        child.kill()
        child.communicate()


@ssh_test
def server_killed(g):
    """init starts dropbear again; sessions of the old one go on."""
    with Terminal(g) as t:
        g.ssh("kill -9 $(netstat -ltnp 2>/dev/null | sed -n 's|.*:22 .* \\([0-9]*\\)/.*|\\1|p' | head -1)"
              " || kill -9 $(pgrep -x -P 1 dropbear)")
        g.wait(30)
        equal(g.ok("id -u"), "0\n", "a new session")
        t.says("echo still; tty | grep -c pts", "still\n1")


@ssh_test
def log_file(g):
    check("sshd" in g.ok("cat /var/log/messages") or "dropbear" in g.ok("cat /var/log/messages"),
          "/var/log/messages knows nothing of dropbear")
    equal(g.ok("logger -t curtain falls; sleep 0.3; grep -c 'curtain: falls' /var/log/messages"), "1\n",
          "our line in the log")


@troupe_only
@ssh_test
def driver_killed(g):
    """virtio-net is restarted every two seconds during an scp of 64 MiB; sessions go on."""
    data = blob(SIZE, 9)
    path = g.file("sent", data)
    with Terminal(g) as t:
        t.run("restarts() { while [ -e /tmp/go ]; do sleep 2; echo virtio-net >/proc/sys/troupe/restart; "
              "echo $((n += 1)) >/tmp/restarts; done; }")
        g.ok("rm -f /tmp/restarts; touch /tmp/go")
        t.run("restarts >/dev/null 2>&1 &")
        try:
            g.copy(path, "guest:/tmp/file", timeout=600)
            g.copy("guest:/tmp/file", g.path("received"), timeout=600)
        finally:
            t.run("rm -f /tmp/go; wait", 60)
        count = int(g.ok("cat /tmp/restarts").strip())
        check(count >= 2, "the driver was restarted only %d times" % count)
        equal(g.sum("/tmp/file"), sha256(data), "the sum in the guest")
        with open(g.path("received"), "rb") as f:
            equal(sha256(f.read()), sha256(data), "the sum of what came back")
        t.says("echo alive", "alive")
    g.ok("rm /tmp/file /tmp/restarts")


@troupe_only
@ssh_test
def vfs_killed(g):
    """The VFS is restarted under a session: it goes on."""
    with Terminal(g) as t:
        t.run("echo vfs >/proc/sys/troupe/restart")
        t.says("echo alive", "alive")
        equal(g.ok("id -u"), "0\n", "a new session")


# --- dropbear's own tests -----------------------------------------------------------------

def find_pytest():
    """A python that has it: Debian's, if the first one in PATH is another."""
    for python in ("python3", "/usr/bin/python3"):
        if subprocess.call([python, "-c", "import pytest"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL) == 0:
            return python
    return None


SUITE_LOG = "%s/log/dropbear-suite.log"

DBCLIENT = """#!%(python)s -I
import os, sys, time
if "-I" in sys.argv:
    time.sleep(1 - time.monotonic() %% 1)
os.execv(%(program)r, [%(program)r] + %(options)r + sys.argv[1:])
"""


def aligned_dbclient(path, python, program, options):
    """dbclient counts idle time in whole seconds: with `-I 1` it may end at once, when a second of
    the clock ends. So it begins with one."""
    with open(path, "w") as f:
        f.write(DBCLIENT % {"python": shutil.which(python), "program": program,
                            "options": options})
    os.chmod(path, 0o755)
    return path


def dropbear_suite(g, only=(), options=()):
    """Plays it, or some of its tests, with more options for dbclient; returns {test: "PASSED",
    "FAILED", ...}."""
    python = find_pytest()
    check(python, "there is no pytest: apt-get install python3-pytest")
    programs = os.path.abspath(os.path.join(g.build, "ports/dropbear/dest/bin"))
    home = g.path("home")
    for folder in (home, g.path("suite")):
        shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(home + "/.ssh", mode=0o700)
    subprocess.run([programs + "/dropbearconvert", "openssh", "dropbear", g.folder + "/id",
                    home + "/.ssh/id_dropbear"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    shutil.copytree(os.path.join(g.build, "ports/dropbear/test"), g.path("suite"))
    words = [python, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rA", "--tb=line",
             "--remote", "127.0.0.1", "--user", "root", "--port", str(g.port),
             "--dbclient", aligned_dbclient(g.path("dbclient"), python, programs + "/dbclient",
                                            list(options)),
             "--dropbearkey", programs + "/dropbearkey",
             "--dropbearconvert", programs + "/dropbearconvert",
             # These ask neither server nor guest, or for a library that may not be here.
             "--ignore=test_dropbearconvert.py", "--ignore=test_concurrent.py", *only]
    done = subprocess.run(words, cwd=g.path("suite"), env=dict(os.environ, HOME=home),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=900)
    with open(SUITE_LOG % g.build, "w") as f:
        f.write(done.stdout)
    return {name: verdict for verdict, name in
            re.findall(r"^(PASSED|FAILED|ERROR|XFAIL|XPASS) (\S+::\S+)", done.stdout, re.M)}


def expected_of_suite():
    """What it gives on Linux: tests/harness/dropbear-linux, a line `VERDICT TEST` each."""
    with open(os.path.join(machine.HERE, "dropbear-linux")) as f:
        return dict(reversed(line.split()) for line in f if line.strip() and line[0] != "#")


@once
@ssh_test
def dropbear_own_tests(g):
    expected = [name for name, verdict in expected_of_suite().items() if verdict == "PASSED"]
    results = dropbear_suite(g)
    worse = [name for name in expected if results.get(name) != "PASSED"]
    # Some allow themselves a second or two, which a busy host may not give them. And of
    # test_read_pty[41234] the end is missing in 7 of 16 runs, with Linux in 3 to 7: dropbear closes
    # the pty when it hears of the shell's end, whatever is in it (doc/decisions/pty-sizes.md). A
    # window of the client that never closes keeps it reading, so that here nothing is left then.
    for _ in range(3):
        if worse:
            results = dropbear_suite(g, worse, ("-W", "1000000"))
            worse = [name for name in worse if results.get(name) != "PASSED"]
    check(not worse, "%d of dropbear's own tests pass on Linux and not here: %s; see %s"
          % (len(worse), " ".join(worse[:6]), SUITE_LOG % g.build))


# --- the stage ----------------------------------------------------------------------------

def idle_begin(g):
    g.idle = Terminal(g)
    g.idle.run("began=here")


@ssh_test
def idle_session(g):
    """A session that was left alone while all of the above happened (see play)."""
    with g.idle as t:
        t.says("echo $began", "here", 60)
        t.send("exit 3\r")
        equal(t.wait(), 3, "the status of the idle session")


def play(tests, boot, log):
    """Plays the tests on one machine, a new one after it died. boot() gives a Guest; log is a file
    that gets a line per test."""
    passed, failures, guest, boots = 0, [], None, 0
    try:
        for test in tests:
            name = "ssh." + test.__name__
            try:
                if guest is None:
                    if boots == 4:
                        raise ConsoleError("given up after %d lost machines" % boots)
                    boots += 1
                    guest = boot(boots)
                    guest.wait(120)
                    if idle_session in tests:
                        idle_begin(guest)
                began = time.monotonic()
                test(guest)
                passed += 1
                print("%6.1f s  %s" % (time.monotonic() - began, name), file=log, flush=True)
            except (Failure, ConsoleError, OSError, subprocess.SubprocessError, ValueError,
                    IndexError) as error:
                print("not ok    %s: %s" % (name, error), file=log, flush=True)
                failures.append((name, "%s%s" % (error, guest and "\n          see %s"
                                                 % guest.console.path or "")))
                if guest and not still_there(guest):
                    guest.close()
                    guest = None
    finally:
        if guest:
            guest.close()
    return passed, failures


def still_there(guest):
    """Whether the machine is good for another test."""
    try:
        return guest.alive() and guest.ssh("true", timeout=30)[0] == 0
    except subprocess.SubprocessError:
        return False


# --- over a bad link ----------------------------------------------------------------------

def bad_link(g):
    """Both directions over a link that loses, delays and reorders. Most of it comes out of the
    guest, where our TCP is the one to send again; QEMU's own takes a second for each loss."""
    data = blob(100000, 12)
    small = blob(MEBIBYTE // 4, 13)
    g.ok("cat > /tmp/small", small, timeout=200)
    equal(g.sum("/tmp/small"), sha256(small), "the sum of what was sent")
    with WebServer(data) as web:
        # Beside it a connection that the guest opens.
        equal(g.ok("curl -s http://10.0.2.2:%d/ | sha256sum" % web.port,
                   timeout=200).split()[0], sha256(data), "the sum of what curl fetched")
    status, out, _ = g.ssh("for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do cat /tmp/small; done",
                           timeout=200)
    equal((status, len(out), sha256(out)), (0, len(small) * 16, sha256(small * 16)),
          "status, length, sum of what came back")
    g.lossy.check(check)


LINKS = [
    ("loss_1", dict(loss=0.01)),
    ("loss_5", dict(loss=0.05)),
    ("reorder_5", dict(reorder=0.05, delay=0.002)),
    ("all_3", dict(loss=0.03, reorder=0.03, duplicate=0.03, delay=0.005)),
]


def play_links(names, boot):
    passed, failures = 0, []
    for name, words in LINKS:
        if names and "link_" + name not in names:
            continue
        try:
            with boot(name, LossyLink(**words)) as guest:
                guest.wait(120)
                bad_link(guest)
            passed += 1
        except (Failure, ConsoleError, OSError, subprocess.SubprocessError) as error:
            failures.append(("ssh.link_" + name, str(error)))
    return passed, failures


def stage(options, report, make_archive, make_vm):
    """Called by suite.py."""
    names = set(options.only)
    tests = [t for t in TESTS if (not names or t.__name__ in names)
             and not (t.troupe_only and options.linux)]
    links = [name for name, _ in LINKS if not names or "link_" + name in names]
    if not tests and not links:
        return
    system = "Linux" if options.linux else "Troupe"
    archive = make_archive(options, "ssh", archive_files(options.build, options.linux))

    def boot_with(label, smp, append):
        def boot(number, lossy=None):
            transcript = "%s/log/ssh-%s-%s.log" % (options.build, label, number)
            return Guest(lambda net, extra: make_vm(options, smp, append, initrd=archive, net=net,
                                                    extra=extra),
                         options.build, options.linux, transcript, lossy)
        return boot

    for smp in options.smp if tests else []:
        began = time.monotonic()
        label = "%s-smp%d" % (system.lower(), smp)
        boot = boot_with(label, smp, "")
        with open("%s/log/ssh-%s.times" % (options.build, label), "w") as log:
            last = smp == options.smp[-1]
            passed, failures = play([t for t in tests if last or not t.once], boot, log)
        report.group("ssh: %s, -smp %d" % (system, smp), time.monotonic() - began, passed, failures)
    if links:
        began = time.monotonic()
        boot = boot_with("%s-link" % system.lower(), options.smp[-1], "")
        passed, failures = play_links(names, boot)
        report.group("ssh: links that lose, reorder and delay", time.monotonic() - began, passed,
                     failures)
