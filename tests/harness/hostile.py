# SPDX-License-Identifier: MIT
"""make test, stage hostile: frames that no honest peer sends, while others go on working.

The guest's network card is connected to us (link.py); we pass its frames on, and put our own in
between: floods of connection requests, scans of all ports, and packets that are cut short, lie
about their lengths, overlap, or have wrong checksums. After each the guest must still let an SSH
client in, without having eaten much memory. `make test-linux STAGES=hostile` plays the same on
Debian's kernel.
"""
import random
import re
import socket
import struct
import subprocess
import threading
import time

import ssh
from console import ConsoleError
from link import LossyLink
from ssh import Failure, Guest, check

TESTS = []
GUEST, GATEWAY = "10.0.2.15", "10.0.2.2"
NOBODY = "10.0.2.77"            # an address that we answer for
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
BROADCAST = b"\xff" * 6
OUR_MAC = b"\x52\x55\x0a\x00\x02\x4d"


def hostile_test(function):
    TESTS.append(function)
    return function


# --- packets ------------------------------------------------------------------------------

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(source, protocol, payload, target=GUEST, ident=0, offset=0, more=False, length=None,
        version=4, header=5, options=b"", ttl=64, bad_checksum=False):
    """offset in bytes. length, header (in words) and version may lie."""
    total = len(options) + 20 + len(payload) if length is None else length
    head = struct.pack("!BBHHHBBH4s4s", version << 4 | header, 0, total & 0xFFFF, ident,
                       (0x2000 if more else 0) | offset // 8, ttl, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(target)) + options
    value = checksum(head) ^ (0x1234 if bad_checksum else 0)
    return head[:10] + struct.pack("!H", value) + head[12:] + payload


def with_checksum(source, protocol, payload, at, target=GUEST, bad=False):
    """Fills in the checksum of TCP or UDP, which lies `at` in the payload."""
    pseudo = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", protocol,
                                                                              len(payload))
    value = checksum(pseudo + payload) ^ (0x4321 if bad else 0)
    return payload[:at] + struct.pack("!H", value) + payload[at + 2:]


def tcp(source, sport, dport, flags, seq=0, ack=0, data=b"", options=b"", offset=None, bad=False,
        window=8192):
    words = 5 + len(options) // 4 if offset is None else offset
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, words << 4, flags, window, 0, 0)
    return with_checksum(source, 6, segment + options + data, 16, bad=bad)


def udp(source, sport, dport, data=b"", length=None, bad=False):
    size = 8 + len(data) if length is None else length
    return with_checksum(source, 17, struct.pack("!HHHH", sport, dport, size, 0) + data, 6, bad=bad)


def icmp(kind, code, rest):
    body = struct.pack("!BBH", kind, code, 0) + rest
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


def icmp6(source, target, kind, rest):
    """source and target in 16 bytes."""
    body = struct.pack("!BBH", kind, 0, 0) + rest
    pseudo = source + target + struct.pack("!IHBB", len(body), 0, 0, 58)
    return body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]


def ip6(source, target, protocol, payload, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, hops) + source + target + payload


def fragment6(source, target, protocol, payload, ident, offset=0, more=False):
    """offset in bytes."""
    return ip6(source, target, 44, struct.pack("!BBHI", protocol, 0, offset | more, ident) + payload)


def link_local(mac):
    return b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]


NOBODY6 = link_local(OUR_MAC)


# --- the link -----------------------------------------------------------------------------

class HostileLink(LossyLink):
    """Passes everything on, answers ARP for NOBODY, and lets us send and listen."""

    def start(self, network):
        self.guest_mac, self.heard, self.listening = BROADCAST, [], False
        self.heard6 = []
        self.peer = None        # is called with each packet for NOBODY
        self.lock = threading.Lock()
        return super().start(network)

    def send(self, out, port, frame):
        if out is self.far:                     # from the guest
            self.guest_mac = frame[6:12]
            if self.is_ours(frame):
                return
        super().send(out, port, frame)

    def is_ours(self, frame):
        ours = socket.inet_aton(NOBODY)
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[38:42] == ours:
            reply = b"\0\1\x08\0\x06\x04\0\2" + OUR_MAC + ours + frame[22:32]
            self.frame(0x0806, reply)
            return True
        if frame[12:14] == b"\x86\xdd":
            return self.is_ours6(frame[14:])
        if frame[12:14] != b"\x08\0" or frame[30:34] != ours:
            return False
        if self.peer:
            self.peer(frame[14:])
        if self.listening:
            with self.lock:
                self.heard.append(frame[14:])
        return True

    def is_ours6(self, packet):
        """Also neighbour solicitations for us, which we answer."""
        guest = packet[8:24]
        if packet[6] == 58 and packet[40] == 135 and packet[48:64] == NOBODY6:
            answer = struct.pack("!I", 0x60000000) + NOBODY6 + b"\2\1" + OUR_MAC
            self.ip6(ip6(NOBODY6, guest, 58, icmp6(NOBODY6, guest, 136, answer), hops=255))
            return True
        if packet[24:40] != NOBODY6:
            return False
        if self.listening:
            with self.lock:
                self.heard6.append(packet)
        return True

    def ip6(self, packet):
        self.frame(0x86DD, packet)

    def frame(self, ethertype, payload, source=OUR_MAC, target=None):
        """One frame to the guest. Now and then a pause, so that the card's queue takes them all."""
        data = (target or self.guest_mac) + source + struct.pack("!H", ethertype) + payload
        super().send(self.card, self.card_port, data.ljust(60, b"\0"))
        self.frames += 1
        if self.frames % 50 == 0:
            time.sleep(0.002)

    def raw(self, data):
        super().send(self.card, self.card_port, data)

    def ip(self, packet):
        self.frame(0x0800, packet)

    def tcp_heard(self):
        """(source port, flags, sequence number, to port) of the segments heard since."""
        with self.lock:
            packets, self.heard = self.heard, []
        segments = []
        for p in packets:
            at = (p[0] & 15) * 4
            if p[9] == 6 and len(p) >= at + 20:
                sport, dport, seq = struct.unpack_from("!HHI", p, at)
                segments.append((sport, p[at + 13] & 63, seq, dport))
        return segments


def memory_used(g):
    """KiB, as `free` says."""
    return int(re.search(r"^Mem:\s+\d+\s+(\d+)", g.ok("free -k"), re.M).group(1))


def login(g):
    ssh.equal(g.ok("echo alive", timeout=60), "alive\n", "what a command says")


# --- floods -------------------------------------------------------------------------------

@hostile_test
def syn_flood(g, link):
    """10,000 connection requests from everywhere, none of which goes on; logins meanwhile."""
    chance, before = random.Random(1), memory_used(g)
    for i in range(10000):
        source = "198.51.%d.%d" % (chance.randrange(100, 120), chance.randrange(1, 255))
        link.ip(ip4(source, 6, tcp(source, chance.randrange(1024, 65536), 22, SYN,
                                   chance.randrange(1 << 32), options=b"\x02\x04\x05\xb4")))
        if i % 3000 == 2999:
            login(g)
    login(g)
    grown = memory_used(g) - before
    check(grown < 32768, "memory in use has grown by %d KiB" % grown)


@hostile_test
def port_scan(g, link):
    """Each port answers, a closed one with a reset."""
    link.listening, answered, opened = True, set(), set()
    for port in range(1, 8192):
        link.ip(ip4(NOBODY, 6, tcp(NOBODY, 40000, port, SYN, port)))
        if port % 256 == 0:
            time.sleep(0.02)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and len(answered) < 8000:
        time.sleep(0.1)
        for sport, flags, _, _ in link.tcp_heard():
            answered.add(sport)
            if flags & SYN:
                opened.add(sport)
    link.listening = False
    for port in opened:
        link.ip(ip4(NOBODY, 6, tcp(NOBODY, 40000, port, RST, port + 1)))
    check(22 in opened, "port 22 did not answer with SYN and ACK")
    check(len(opened) < 10, "too many ports are open: %s" % sorted(opened)[:20])
    check(len(answered) > 4000, "only %d of 8191 ports answered" % len(answered))
    login(g)


@hostile_test
def peers_that_vanish(g, link):
    """Connections that are made, and then never heard of again."""
    link.listening, made = True, set()
    for sport in range(41000, 41008):
        link.ip(ip4(NOBODY, 6, tcp(NOBODY, sport, 22, SYN, 1000)))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and len(made) < 8:
        time.sleep(0.05)
        for _, flags, seq, sport in link.tcp_heard():
            if flags & SYN and flags & ACK:
                made.add(sport)
                link.ip(ip4(NOBODY, 6, tcp(NOBODY, sport, 22, ACK, 1001, seq + 1)))
    link.listening = False
    check(len(made) == 8, "only %d connections came about" % len(made))
    login(g)


@hostile_test
def peers_that_never_read(g, link):
    """A window of no bytes, from the beginning and for ever."""
    link.listening, made = True, {}
    for sport in range(43000, 43008):
        link.ip(ip4(NOBODY, 6, tcp(NOBODY, sport, 22, SYN, 1000, window=0)))
    deadline, closed = time.monotonic() + 10, time.monotonic() + 3
    while time.monotonic() < (closed if len(made) == 8 else deadline):
        time.sleep(0.05)
        for _, flags, seq, sport in link.tcp_heard():
            if flags & SYN and flags & ACK:
                made[sport] = seq + 1
            if sport in made and not flags & RST:      # also what it sends to see if we read now
                link.ip(ip4(NOBODY, 6, tcp(NOBODY, sport, 22, ACK, 1001, made[sport], window=0)))
    link.listening = False
    check(len(made) == 8, "only %d connections came about" % len(made))
    login(g)
    for sport, seq in made.items():
        link.ip(ip4(NOBODY, 6, tcp(NOBODY, sport, 22, RST, 1001)))


@hostile_test
def datagrams_for_nobody(g, link):
    """Echo requests, and datagrams for closed ports, more than there is time to answer."""
    before = memory_used(g)
    for i in range(6000):
        link.ip(ip4(NOBODY, 1, icmp(8, 0, struct.pack("!HH", 1, i) + b"x" * (i % 1400)), ident=i))
        link.ip(ip4(NOBODY, 17, udp(NOBODY, 1000 + i, 10000 + i, b"x" * (i % 1400)), ident=i))
        if i % 2500 == 2499:
            login(g)
    login(g)
    grown = memory_used(g) - before
    check(grown < 32768, "memory in use has grown by %d KiB" % grown)


@hostile_test
def resets_out_of_the_blue(g, link):
    """Segments for a connection that is not theirs: wrong numbers, wrong ports."""
    with g.forward("-L", "%d:127.0.0.1:22" % ssh.machine.free_port()):
        chance = random.Random(2)
        for _ in range(3000):
            sport, flags = chance.randrange(1024, 65536), chance.choice((RST, RST | ACK, FIN | ACK,
                                                                         SYN, ACK, PSH | ACK, 0))
            link.ip(ip4(GATEWAY, 6, tcp(GATEWAY, sport, 22, flags, chance.randrange(1 << 32),
                                        chance.randrange(1 << 32), b"x" * chance.randrange(20))))
        login(g)


# --- garbage ------------------------------------------------------------------------------

@hostile_test
def truncated(g, link):
    """Every kind of packet, cut at every length."""
    link.listening = False
    whole = [ip4(NOBODY, 6, tcp(NOBODY, 1, 22, SYN, options=b"\x02\x04\x05\xb4\x01\x03\x03\x07")),
             ip4(NOBODY, 17, udp(NOBODY, 1, 68, b"x" * 60)),
             ip4(NOBODY, 1, icmp(8, 0, b"\0\1\0\1" + b"x" * 40)),
             ip4(NOBODY, 1, icmp(3, 3, b"\0" * 4 + ip4(GUEST, 17, udp(GUEST, 5, 6), NOBODY))),
             ip4(NOBODY, 2, b"\x11\x64\xee\x9b\0\0\0\0")]
    for packet in whole:
        for length in range(len(packet)):
            link.raw(link.guest_mac + OUR_MAC + b"\x08\0" + packet[:length])
            link.frame(0x0800, packet[:length])
    for length in range(1, 14):     # (an empty datagram would end QEMU's side of the link)
        link.raw((link.guest_mac + OUR_MAC + b"\x08\0")[:length])
    login(g)


@hostile_test
def lengths_that_lie(g, link):
    syn = tcp(NOBODY, 1, 22, SYN)
    for length in (0, 1, 19, 20, 21, 39, 41, 1500, 65535):
        link.ip(ip4(NOBODY, 6, syn, length=length))
        link.ip(ip4(NOBODY, 17, udp(NOBODY, 1, 68, b"x" * 20, length=length)))
    for header in range(16):
        link.ip(ip4(NOBODY, 6, syn, header=header))
        link.ip(ip4(NOBODY, 6, tcp(NOBODY, 1, 22, SYN, offset=header)))
    for version in range(16):
        link.ip(ip4(NOBODY, 6, syn, version=version))
    for options in (b"\x02\0\0\0", b"\x02\1\0\0", b"\x02\xff\0\0", b"\x03\x03\xff\1", b"\x08\x0a\0\0",
                    b"\x05\x0a\0\0", b"\x05\xff\0\0", b"\xfe\2\xfe\2", b"\1\1\1\2"):
        link.ip(ip4(NOBODY, 6, tcp(NOBODY, 1, 22, SYN, options=options)))
        link.ip(ip4(NOBODY, 17, udp(NOBODY, 1, 68), options=options, header=6))
    login(g)


@hostile_test
def wrong_checksums(g, link):
    """None of these may open a connection."""
    link.listening = True
    link.tcp_heard()
    for port in range(42000, 42200):
        link.ip(ip4(NOBODY, 6, tcp(NOBODY, port, 22, SYN, bad=True)))
        link.ip(ip4(NOBODY, 6, tcp(NOBODY, port, 22, SYN), bad_checksum=True))
    login(g)
    heard = [s for s in link.tcp_heard() if 42000 <= s[3] < 42200]
    link.listening = False
    check(not heard, "%d segments with wrong checksums were answered" % len(heard))


@hostile_test
def fragments(g, link):
    """Overlapping, missing, endless, beyond 64 KiB, a thousand at once that are never complete."""
    before, chance = memory_used(g), random.Random(3)
    echo = icmp(8, 0, b"\0\1\0\1" + b"x" * 1200)
    for ident in range(300):        # the second lies within, before, or over the end of the first
        link.ip(ip4(NOBODY, 1, echo[:800], ident=ident, more=True))
        at = chance.randrange(0, 808, 8)
        link.ip(ip4(NOBODY, 1, echo[at:at + chance.randrange(8, 400)], ident=ident, offset=at,
                    more=chance.random() < 0.5))
    for ident in range(1000, 1050):  # a packet that would be longer than there can be
        link.ip(ip4(NOBODY, 1, echo[:800], ident=ident, more=True))
        link.ip(ip4(NOBODY, 1, b"y" * 1000, ident=ident, offset=65528))
    for ident in range(2000, 3000):
        link.ip(ip4(NOBODY, 17, b"z" * 1400, ident=ident, offset=1400, more=True))
    for ident in range(4000, 4100):  # of eight bytes each
        for at in range(0, 64, 8):
            link.ip(ip4(NOBODY, 17, b"12345678", ident=ident, offset=at, more=True))
    login(g)
    grown = memory_used(g) - before
    check(grown < 32768, "memory in use has grown by %d KiB" % grown)


class Echoes:
    """Echo requests in pieces, of one family, and the answers."""

    def __init__(self, link, six):
        self.link, self.six, self.ident = link, six, random.Random(6).randrange(1 << 15)
        self.target = link_local(link.guest_mac)
        link.listening = True

    def request(self, number, size, filling=b"x"):
        rest = struct.pack("!HH", 77, number) + filling * size
        return icmp6(NOBODY6, self.target, 128, rest) if self.six else icmp(8, 0, rest)

    def piece(self, data, offset=0, more=False, ident=None):
        ident = self.ident if ident is None else ident
        if self.six:
            self.link.ip6(fragment6(NOBODY6, self.target, 58, data, ident, offset, more))
        else:
            self.link.ip(ip4(NOBODY, 1, data, ident=ident, offset=offset, more=more))

    def pieces(self, data, cuts, order):
        """The data, cut at these offsets, in this order."""
        self.ident += 1
        ends = list(cuts) + [len(data)]
        parts = [(at, end) for at, end in zip([0] + list(cuts), ends)]
        for n in order:
            at, end = parts[n]
            self.piece(data[at:end], at, more=end != len(data))

    def answers(self, seconds=0.5):
        """{number: data} of those that came until nothing more came for so long."""
        found, deadline = {}, time.monotonic() + seconds
        while time.monotonic() < deadline:
            time.sleep(0.05)
            with self.link.lock:
                packets, self.link.heard, self.link.heard6 = self.link.heard + self.link.heard6, [], []
            for p in packets:
                at = 40 if self.six else 20
                if p[6 if self.six else 9] == (58 if self.six else 1) and p[at] == (129 if self.six else 0):
                    end = at + int.from_bytes(p[4:6], "big") if self.six else int.from_bytes(p[2:4], "big")
                    found[int.from_bytes(p[at + 6:at + 8], "big")] = p[at + 8:end]
                    deadline = time.monotonic() + seconds
        return found


def in_pieces(g, link, six):
    """Whatever order they come in a packet is put together; what overlaps never gets into one."""
    e, orders = Echoes(link, six), ((0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1))
    for number, order in enumerate(orders):
        e.pieces(e.request(number, 1000), (400, 808), order)
        e.pieces(e.request(100 + number, 1000), (400, 808), order + order[:1])    # one of them twice
    answers = e.answers()
    for number in range(4):
        check(answers.get(number) == b"x" * 1000, "pieces in order %s: %s" % (orders[number], "no answer" if
              number not in answers else "a wrong answer"))
        check(answers.get(100 + number, b"x" * 1000) == b"x" * 1000, "a piece twice: a wrong answer")
    chance = random.Random(7)
    for number in range(200, 400):          # one that does not belong there, before, between or behind
        e.ident += 1
        whole, at = e.request(number, 1200), chance.randrange(8, 1200, 8)
        lie = (b"y" * chance.randrange(8, 600, 8), at, chance.random() < 0.7)
        parts = [(whole[:600], 0, True), (whole[600:], 600, False)]
        parts.insert(chance.randrange(3), lie)
        for data, offset, more in parts:
            e.piece(data, offset, more)
    for number, data in e.answers().items():
        check(data == b"x" * 1200, "echo %d has bytes of a fragment that overlaps" % number)
    login(g)


@hostile_test
def pieces_of_ipv4(g, link):
    in_pieces(g, link, False)


@hostile_test
def pieces_of_ipv6(g, link):
    in_pieces(g, link, True)


@hostile_test
def pieces_without_end(g, link):
    """Datagrams that are never complete take little memory, and do not keep others out for ever."""
    before = memory_used(g)
    for six in (False, True):
        e = Echoes(link, six)
        for ident in range(300):
            e.piece(b"z" * 1200, 1200 + ident % 3 * 1200, more=True, ident=ident)
        for ident in range(2000, 2050):     # longer than there can be
            e.piece(b"z" * 800, 0, more=True, ident=ident)
            e.piece(b"z" * 1000, 65528, ident=ident)
        for ident in range(3000, 3020):     # of eight bytes each
            for at in range(0, 64, 8):
                e.piece(b"12345678", at, more=True, ident=ident)
        e.answers()
        e.pieces(e.request(1, 1000), (400,), (0, 1))
        check(1 in e.answers(), "after the flood no echo in pieces is answered")
    login(g)
    grown = memory_used(g) - before
    check(grown < 32768, "memory in use has grown by %d KiB" % grown)


@hostile_test
def noise(g, link):
    """Random bytes behind every header, in ARP, IPv4 and IPv6, to us, to all and to groups."""
    chance = random.Random(4)
    targets = (None, BROADCAST, b"\x33\x33\0\0\0\1", b"\1\0\x5e\0\0\1")
    six = bytes.fromhex("60000000") + struct.pack("!HBB", 40, 58, 255) \
        + bytes.fromhex("fe80000000000000505500fffe0a024d") + bytes.fromhex("ff02" + "00" * 13 + "01")
    for i in range(4000):
        body = chance.randbytes(chance.randrange(1, 200))
        kind = i % 5
        if kind == 0:
            link.frame(0x0806, b"\0\1\x08\0\x06\x04" + body, target=chance.choice(targets))
        elif kind == 1:
            link.ip(ip4(NOBODY, chance.choice((1, 2, 6, 17, chance.randrange(256))), body))
        elif kind == 2:
            head = six[:6] + bytes([chance.choice((0, 6, 17, 43, 44, 50, 58, 59, 60))]) + six[7:]
            link.frame(0x86DD, head + body, target=chance.choice(targets))
        elif kind == 3:             # neighbour discovery and router advertisements with odd options
            message = bytes([chance.choice((1, 2, 3, 4, 128, 130, 131, 133, 134, 135, 136, 137)), 0]) \
                + b"\0\0" + body
            pseudo = six[8:40] + struct.pack("!IHBB", len(message), 0, 0, 58)
            sum16 = struct.pack("!H", checksum(pseudo + message))
            head = six[:4] + struct.pack("!H", len(message)) + six[6:]
            link.frame(0x86DD, head + message[:2] + sum16 + message[4:], target=targets[2])
        else:
            link.frame(chance.choice((0x0800, 0x0806, 0x86DD, chance.randrange(65536))), body,
                       target=chance.choice(targets))
    login(g)


@hostile_test
def spoofed_names(g, link):
    """DHCP and DNS answers that nobody asked for."""
    chance = random.Random(5)
    for _ in range(500):
        body = bytes([2, 1, 6, 0]) + chance.randbytes(232) + b"\x63\x82\x53\x63" \
            + chance.randbytes(chance.randrange(300))
        link.ip(ip4(GATEWAY, 17, udp(GATEWAY, 67, 68, body)))
        link.ip(ip4("10.0.2.3", 17, udp("10.0.2.3", 53, chance.randrange(1024, 65536), body)))
    login(g)


# --- the stage ----------------------------------------------------------------------------

def play(tests, boot):
    """On one guest, as long as it lives. Returns (passed, failures)."""
    passed, failures, guest, number = 0, [], None, 0
    for test in tests:
        name = "hostile." + test.__name__
        try:
            if guest is None:
                number += 1
                link = HostileLink()
                guest = boot(number, link)
                guest.wait(120)
            test(guest, link)
            passed += 1
        except (Failure, ConsoleError, OSError, subprocess.SubprocessError) as error:
            failures.append((name, "%s\n          see %s" % (error, guest.console.path)))
            guest.close()
            guest = None
    if guest:
        guest.close()
    return passed, failures


def stage(options, report, make_archive, make_vm):
    """Called by suite.py."""
    import wire                 # more tests, which use what is here
    assert wire
    tests = [t for t in TESTS if not options.only or t.__name__ in options.only]
    if not tests:
        return
    system = "Linux" if options.linux else "Troupe"
    files = ssh.archive_files(options.build, options.linux)
    files["/tests/wire"] = options.build + "/tests/harness/wire"
    archive = make_archive(options, "ssh", files)
    smp, began = options.smp[-1], time.monotonic()

    def boot(number, link):
        transcript = "%s/log/hostile-%s-%d.log" % (options.build, system.lower(), number)
        return Guest(lambda net, extra: make_vm(options, smp, "", initrd=archive, net=net,
                                                extra=extra),
                     options.build, options.linux, transcript, link)

    passed, failures = play(tests, boot)
    report.group("hostile: %s, frames that no honest peer sends" % system, time.monotonic() - began,
                 passed, failures)
