# SPDX-License-Identifier: MIT
"""make test, stage hostile: peers that answer late, with an error, or not at all.

The other end of a TCP connection is played here, on the wire of the guest's card (hostile.py); in
the guest runs wire.c, which says what its call gave and how long it took. What is expected is what
Linux does: `make test-linux STAGES=hostile`.
"""
import re
import struct
import threading
import time

import ssh
from hostile import (ACK, FIN, NOBODY, RST, SYN, hostile_test, icmp, ip4, tcp)
from ssh import Failure, check


class Peer:
    """Takes connections, and acknowledges what comes. `late`: seconds until it does so; None: never."""

    def __init__(self, link, syn=True, late=0.0, fault=None):
        self.link, self.syn, self.late, self.fault = link, syn, late, fault
        self.heard, self.number = [], 5000

    def __enter__(self):
        self.link.peer = self.packet
        return self

    def __exit__(self, *_):
        self.link.peer = None

    def packet(self, p):
        at = (p[0] & 15) * 4
        if self.fault and p[9] in (6, 17):
            kind, code = self.fault
            self.link.ip(ip4(NOBODY, 1, icmp(kind, code, b"\0\0\0\0" + p[:at + 8])))
        if p[9] != 6 or len(p) < at + 20:
            return
        sport, dport, seq, ack = struct.unpack_from("!HHII", p, at)
        flags, data = p[at + 13] & 63, p[at + (p[at + 12] >> 4) * 4:int.from_bytes(p[2:4], "big")]
        self.heard.append((time.monotonic(), flags, len(data)))
        if flags & RST:
            return
        if flags & SYN:
            if self.syn:
                self.send(dport, sport, SYN | ACK, self.number, seq + 1, b"\x02\x04\x05\xb4")
            return
        following = seq + len(data) + (1 if flags & FIN else 0)
        if following == seq or self.late is None:
            return
        if self.late:
            threading.Timer(self.late, self.send, (dport, sport, ACK, self.number + 1,
                                                   following)).start()
        else:
            self.send(dport, sport, ACK, self.number + 1, following)

    def send(self, sport, dport, flags, seq, ack, options=b""):
        self.link.ip(ip4(NOBODY, 6, tcp(NOBODY, sport, dport, flags, seq, ack & 0xFFFFFFFF,
                                        options=options, window=60000)))

    def count(self, flag):
        return sum(1 for _, flags, _ in self.heard if flags & flag)


def says(g, words, expected, least=0.0, most=None, address=NOBODY):
    """Runs wire.c; its answer, and the seconds that the call took, must be so."""
    action, port, *options = words.split()
    said = g.ok("/tests/wire %s %s %s %s" % (action, address, port, " ".join(options)), timeout=120)
    match = re.fullmatch(r"(.*) (\d+)\n", said)
    check(match is not None, "wire %s said %r" % (words, said))
    seconds = int(match[2]) / 1000
    if match[1] != expected:
        raise Failure("wire %s: %s and not %s, after %.2f s" % (words, match[1], expected, seconds))
    check(least <= seconds, "wire %s: %s after %.2f s already" % (words, expected, seconds))
    check(most is None or seconds <= most, "wire %s: %s after %.2f s only" % (words, expected, seconds))


UNREACHABLE = {0: "ENETUNREACH", 1: "EHOSTUNREACH", 2: "ENOPROTOOPT", 3: "ECONNREFUSED",
               10: "EHOSTUNREACH", 13: "EHOSTUNREACH"}


@hostile_test
def unreachable(g, link):
    """ICMP errors end a connect at once, and show on connected UDP sockets if they are final.

    (Linux hears of it only with the second SYN if it was still busy with the first.)"""
    for code, error in UNREACHABLE.items():
        with Peer(link, syn=False, fault=(3, code)):
            says(g, "connect 7", error, most=2.5)
            says(g, "connect 7 nonblock=1", "EINPROGRESS 1c " + error, most=2.5)
            says(g, "udp 7 recverr=1", "8 %s origin 2 type 3 code %d, 0 bytes EAGAIN" % (error, code),
                 most=2.5)
            if code in (2, 3, 10, 13):
                says(g, "udp 7", "8 " + error, most=2.5)
    with Peer(link, syn=False, fault=(11, 0)):
        says(g, "connect 7", "EHOSTUNREACH", most=2.5)


@hostile_test
def unreachable_later(g, link):
    """A connection lives on with an ICMP error, and ends with it if nobody acknowledges any more."""
    with Peer(link) as peer:
        peer.fault = (3, 1)     # for each segment after the SYN, too, but they are acknowledged
        peer.packet = lambda p, packet=peer.packet: (setattr(peer, "fault", None if p[
            (p[0] & 15) * 4 + 13] & SYN else (3, 1)), packet(p))
        link.peer = peer.packet
        says(g, "read 7 bytes=1000 then=1500", "EINTR", least=1.4)
        peer.late = None
        says(g, "read 7 bytes=1000 user_timeout=2000", "EHOSTUNREACH", least=1.9, most=8)
        says(g, "read 7 bytes=1000 recverr=1", "EHOSTUNREACH", most=2.5)


@hostile_test
def nobody_answers(g, link):
    """No ARP, no SYN+ACK, no acknowledgement: each with its error, in its time."""
    says(g, "connect 7", "EHOSTUNREACH", least=0.5, most=6, address="10.0.2.99")
    with Peer(link, syn=False) as peer:
        says(g, "connect 7 syncnt=1", "ETIMEDOUT", least=2.5, most=5)
        check(peer.count(SYN) == 2, "%d SYNs instead of two" % peer.count(SYN))
        says(g, "connect 7 syncnt=2", "ETIMEDOUT", least=6.5, most=9)
        says(g, "connect 7 user_timeout=1500", "ETIMEDOUT", least=1.4, most=5)
    with Peer(link, late=None):
        says(g, "read 7 bytes=100 user_timeout=2000", "ETIMEDOUT", least=1.9, most=5)
    with Peer(link):
        says(g, "read 7 bytes=100 user_timeout=1000 then=2500", "EINTR", least=2.4)


@hostile_test
def keepalives(g, link):
    """Probes that nobody answers end a connection that lies there."""
    with Peer(link, late=None) as peer:
        says(g, "read 7 keep=1", "ETIMEDOUT", least=2.5, most=6)
        probes = sum(1 for _, flags, size in peer.heard if flags == ACK and size <= 1) - 1
        check(probes >= 2, "%d probes instead of two" % probes)


@hostile_test
def lingering(g, link):
    """close() waits until all is acknowledged, the FIN, too, for as long as SO_LINGER says."""
    with Peer(link, late=0.7) as peer:
        says(g, "close 7 bytes=1000 linger=5", "0", least=0.6, most=3)
        says(g, "close 7 linger=5", "0", least=0.6, most=3)
        says(g, "close 7 bytes=1000", "0", most=0.4)
        says(g, "close 7 bytes=1000 linger=5 then=200", "0", least=0.15, most=0.6)
    with Peer(link, late=None) as peer:
        says(g, "close 7 bytes=1000 linger=1", "0", least=0.9, most=2)
        resets = peer.count(RST)
        check(resets == 0, "a reset although SO_LINGER has a time")
        says(g, "close 7 bytes=1000 linger=0", "0", most=0.4)
        check(peer.count(RST) == 1, "no reset although SO_LINGER has none")
    with Peer(link, late=None):      # an exit does not wait
        began = time.monotonic()
        says(g, "read 7 bytes=1000 linger=30 then=300", "EINTR", most=2)
        check(time.monotonic() - began < 10, "an exit waited for what lingers")
    ssh.equal(g.ok("echo alive"), "alive\n", "what a command says")
