# SPDX-License-Identifier: MIT
"""The part of `make bench` over the network card: what the guest and this host do together.

The guest is the whole system, booted from its archive with QEMU's user network and one virtio-net
card, on Debian's kernel and on Troupe. Its end of a connection is the static program bench, told
`--peer` over ssh; our end is here and takes the time. Everything is wall time, the best of some.
"""
import os
import selectors
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "harness"))
import machine
import ssh
import suite

MIB = 1 << 20

# name: (unit, bar). A ratio below 1 says that Troupe is faster, whatever the unit. Throughput of
# at least 0.8 of Linux's is a ratio of at most 1/0.8.
ROWS = {
    "start_to_ssh": ("ms", 0.4),
    "ssh_login": ("ms", 1.0),
    "net_send": ("MB/s", 1 / 0.8),
    "net_receive": ("MB/s", 1 / 0.8),
    "net_pingpong": ("us", 1.0),
    "scp_to_guest": ("MB/s", None),
    "scp_to_host": ("MB/s", None),
    "http_requests": ("/s", None),
}


def less_is_better(unit):
    return unit in ("ms", "us", "ns")


# --- what is measured ---------------------------------------------------------------------

def first_greeting(guest, port, seconds=120):
    """Seconds from QEMU's start until an SSH server greets. A connection that QEMU accepted before
    the guest listened is tried again only after long pauses, so there is a new one each 50 ms."""
    waiting, deadline = selectors.DefaultSelector(), time.monotonic() + seconds
    try:
        while time.monotonic() < deadline and guest.alive():
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", port))
            waiting.register(s, selectors.EVENT_READ, time.monotonic())
            for key, _ in waiting.select(0.05):
                try:
                    if key.fileobj.recv(4) == b"SSH-":
                        return time.monotonic() - guest.console.started
                except OSError:
                    pass
                close_one(waiting, key)
            for key in [k for k in waiting.get_map().values() if time.monotonic() - k.data > 1]:
                close_one(waiting, key)
            time.sleep(0.02)
        raise ssh.Failure("SSH does not answer")
    finally:
        for key in list(waiting.get_map().values()):
            close_one(waiting, key)
        waiting.close()


def close_one(waiting, key):
    waiting.unregister(key.fileobj)
    key.fileobj.close()


class Peer:
    """A listening socket of this host, and the guest's bench connected to it."""

    def __init__(self, guest, mode, count):
        self.listener = socket.create_server(("127.0.0.1", 0))
        port = self.listener.getsockname()[1]
        words = guest.words("guest", "/tests/bench --peer %s 10.0.2.2 %d %d" % (mode, port, count))
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL)
        self.listener.settimeout(60)

    def __enter__(self):
        self.socket, _ = self.listener.accept()
        self.socket.settimeout(120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.socket

    def __exit__(self, kind, *_):
        self.socket.close()
        self.listener.close()
        if kind:
            self.child.kill()
        ssh.check(self.child.wait(60) == 0 or kind, "the guest's end failed")


def measure_send(guest, size=32 * MIB):
    """From the guest to this host."""
    room, taken = bytearray(MIB), 0
    with Peer(guest, "send", size) as s:
        taken = s.recv_into(room)
        began = time.monotonic()
        while got := s.recv_into(room):
            taken += got
        seconds = time.monotonic() - began
        s.sendall(b"x")
    ssh.check(taken == size, "%d of %d bytes arrived" % (taken, size))
    return size / 1e6 / seconds


def measure_receive(guest, size=32 * MIB):
    with Peer(guest, "receive", size) as s:
        began = time.monotonic()
        s.sendall(bytes(size))
        s.recv(1)
        return size / 1e6 / (time.monotonic() - began)


def measure_pingpong(guest, count=2000):
    with Peer(guest, "echo", count) as s:
        began = time.monotonic()
        for _ in range(count):
            s.sendall(b"x")
            s.recv(1)
        return (time.monotonic() - began) / count * 1e6


def measure_login(guest):
    began = time.monotonic()
    guest.ok("true")
    return (time.monotonic() - began) * 1e3


def measure_scp(guest, size=64 * MIB, to_guest=True):
    path = guest.path("big")
    if not os.path.exists(path):
        guest.file("big", ssh.blob(size, 1))
    words = (path, "guest:/tmp/big") if to_guest else ("guest:/tmp/big", guest.path("back"))
    began = time.monotonic()
    guest.copy(*words)
    seconds = time.monotonic() - began
    if not to_guest:
        with open(path, "rb") as a, open(guest.path("back"), "rb") as b:
            ssh.check(a.read() == b.read(), "scp brought back something else")
        guest.ok("rm /tmp/big")
    return size / 1e6 / seconds


def request(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        text = b""
        while got := s.recv(65536):
            text += got
    ssh.check(text.startswith(b"HTTP/1") and text.endswith(b"." * 1024), "httpd answered %r" % text[:40])


def measure_http(guest, port, count=200, clients=4):
    """busybox httpd makes a process for each request."""
    errors = []

    def client():
        try:
            for _ in range(count // clients):
                request(port)
        except (OSError, ssh.Failure) as error:
            errors.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    began = time.monotonic()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ssh.check(not errors, "%d clients failed: %s" % (len(errors), errors[:1]))
    return count / (time.monotonic() - began)


def http_start(guest):
    guest.ok("mkdir -p /tmp/www && yes . | tr -d '\\n' | head -c 1024 > /tmp/www/page; "
             "httpd -p 80 -h /tmp/www")


# --- one machine --------------------------------------------------------------------------

def measure(options, archive, linux):
    """Boots once and measures everything; returns {row: value}. A row that fails is left out."""
    name = "Linux" if linux else "Troupe"
    web, results = machine.free_port(), {}

    def boot(net, extra):
        return machine.Machine(build=options.build, linux=linux, initrd=archive, smp=1,
                               accel="tcg" if options.accel == "auto" else options.accel,
                               mem=options.mem, machine=options.machine, extra=extra,
                               net=net + ",hostfwd=tcp:127.0.0.1:%d-:80" % web)

    def take(row, times, function, *words, **more):
        unit = ROWS[row][0]
        if options.rows and not row.startswith(tuple(options.rows)) and row != "start_to_ssh":
            return
        try:
            values = [function(*words, **more) for _ in range(times)]
            results[row] = (min if less_is_better(unit) else max)(values)
        except (ssh.Failure, OSError, subprocess.SubprocessError) as error:
            print("  BENCH   %-6s %s: %s" % (name, row, error))

    began = time.monotonic()
    with ssh.Guest(boot, options.build, linux, "%s/log/bench-net-%s.log"
                   % (options.build, name.lower())) as guest:
        take("start_to_ssh", 1, lambda: first_greeting(guest, guest.port) * 1e3)
        if results:
            take("ssh_login", 5, measure_login, guest)
            take("net_send", 3, measure_send, guest)
            take("net_receive", 3, measure_receive, guest)
            take("net_pingpong", 3, measure_pingpong, guest)
            take("scp_to_guest", 1, measure_scp, guest)
            take("scp_to_host", 1, measure_scp, guest, to_guest=False)
            try:
                http_start(guest)
                take("http_requests", 3, measure_http, guest, web)
            except ssh.Failure as error:
                print("  BENCH   %-6s %s" % (name, error))
    print("  BENCH   %-6s %-14s%d results (%.0f s)" % (name, "network", len(results),
                                                       time.monotonic() - began))
    return results


def run(options, sides):
    """Returns {"linux": {row: value}, "troupe": {...}}."""
    program, results = os.path.join(options.build, "tests/bench/bench"), {}
    for side in ("linux", "troupe"):
        results[side] = {}
        if side not in sides:
            continue
        files = ssh.archive_files(options.build, side == "linux")
        archive = suite.make_archive(options, "bench-net", {"/tests/bench": program, **files})
        for _ in range(options.runs):
            for row, value in measure(options, archive, side == "linux").items():
                best = min if less_is_better(ROWS[row][0]) else max
                old = results[side].get(row)
                results[side][row] = value if old is None else best(old, value)
    return results


def table(results):
    """Prints the table; returns (bars held, bars missed, not measured)."""
    held = missed = unknown = 0
    line = "  %-28s %14s %14s %8s   %s"
    print()
    print(line % ("with this host, wall time", "Linux", "Troupe", "ratio", "bar"))
    for row, (unit, bar) in ROWS.items():
        linux, troupe = results["linux"].get(row), results["troupe"].get(row)
        ratio = None
        if linux and troupe:
            ratio = troupe / linux if less_is_better(unit) else linux / troupe
        beyond = bar is not None and ratio is not None and ratio > bar + 0.005
        if bar is not None:
            unknown += ratio is None
            missed += beyond
            held += ratio is not None and not beyond
        show = lambda v: "-" if v is None else "%.4g %s" % (v, unit) if v < 1000 else "%.0f %s" % (v, unit)
        print(line % (row, show(linux), show(troupe),
                      "-" if ratio is None else "%.2f%s" % (ratio, "!" if beyond else ""),
                      "" if bar is None else "%.2f" % bar))
    return held, missed, unknown
