# SPDX-License-Identifier: MIT
"""A bad link: between the guest's network card and QEMU's own network.

The card is not connected to the network but sends its frames as UDP datagrams to us; on the other
side a second socket leads, through a hub inside the same QEMU, to the network. What passes between
is lost, held back so that others overtake it, sent twice, or late, by chance but with a fixed seed.

One thing QEMU's network does not stand, whoever the guest is: a SYN that comes again after it has
been taken. libslirp (4.7.0) then empties the connection's send buffer, so that what it sent and is
not acknowledged yet is missing from the stream. So each SYN of the guest gets through once.
"""
import heapq
import random
import select
import socket
import threading
import time


def syn_of(frame):
    """What tells a frame's SYN from others: addresses, ports, sequence number. None: it has none."""
    if frame[12:14] == b"\x08\0" and frame[23] == 6:
        addresses, tcp = frame[26:34], frame[14 + (frame[14] & 15) * 4:]
    elif frame[12:14] == b"\x86\xdd" and frame[20] == 6:
        addresses, tcp = frame[22:54], frame[54:]
    else:
        return None
    return addresses + tcp[:8] if len(tcp) >= 20 and tcp[13] & 2 else None


class LossyLink:
    def __init__(self, loss=0.0, reorder=0.0, duplicate=0.0, delay=0.0, seed=1):
        self.loss, self.reorder, self.duplicate, self.delay = loss, reorder, duplicate, delay
        self.random = random.Random(seed)
        self.frames = self.lost = self.late = self.twice = 0
        self.syns = set()       # what has been sent to the network
        self.ready = True       # becomes False until the first login, if a caller wants that

    # --- QEMU's side ----------------------------------------------------------------------

    def start(self, network):
        """Returns (net, extra) for Machine."""
        self.card, self.far = self.socket(), self.socket()
        self.card_port, self.far_port = self.free_port(), self.free_port()
        dgram = "dgram,local.type=inet,local.host=127.0.0.1,local.port=%d," \
                "remote.type=inet,remote.host=127.0.0.1,remote.port=%d"
        net = dgram % (self.card_port, self.card.getsockname()[1])
        extra = ["-netdev", network + ",id=outside",
                 "-netdev", dgram % (self.far_port, self.far.getsockname()[1]) + ",id=far",
                 "-netdev", "hubport,id=hub-outside,hubid=0,netdev=outside",
                 "-netdev", "hubport,id=hub-far,hubid=0,netdev=far"]
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return net, extra

    def stop(self):
        self.over = True
        self.thread.join()
        self.card.close()
        self.far.close()

    @staticmethod
    def socket():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        s.bind(("127.0.0.1", 0))
        return s

    @staticmethod
    def free_port():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    # --- frames ---------------------------------------------------------------------------

    def run(self):
        """One loop for both directions. `waiting` is a heap of (when, number, socket, port, frame)."""
        waiting, number = [], 0
        routes = {self.card: (self.far, self.far_port), self.far: (self.card, self.card_port)}
        while not self.over:
            now = time.monotonic()
            while waiting and waiting[0][0] <= now:
                _, _, out, port, frame = heapq.heappop(waiting)
                self.send(out, port, frame)
            patience = min(0.1, waiting[0][0] - now) if waiting else 0.1
            for source in select.select(list(routes), [], [], max(0, patience))[0]:
                frame = source.recv(65536)
                out, port = routes[source]
                for late in self.fate():
                    if late == 0:
                        self.send(out, port, frame)
                    else:
                        number += 1
                        heapq.heappush(waiting, (time.monotonic() + late, number, out, port, frame))

    def fate(self):
        """When a frame is to be sent: a list of delays in seconds."""
        self.frames += 1
        chance = self.random.random
        if chance() < self.loss:
            self.lost += 1
            return []
        delays = [self.delay * (0.5 + chance()) if self.delay else 0]
        if chance() < self.reorder:
            self.late += 1
            delays[0] += 0.003 + 0.02 * chance()
        if chance() < self.duplicate:
            self.twice += 1
            delays.append(delays[0])
        return delays

    def send(self, out, port, frame):
        if out is self.far:
            syn = syn_of(frame)
            if syn in self.syns:
                return
            if syn:
                self.syns.add(syn)
        try:
            out.sendto(frame, ("127.0.0.1", port))
        except OSError:
            pass        # QEMU has gone, or is not there yet

    def check(self, check):
        """Whether the link was as bad as it should be."""
        check(self.frames > 1000, "only %d frames went over the link" % self.frames)
        for share, count, what in ((self.loss, self.lost, "lost"), (self.reorder, self.late, "late"),
                                   (self.duplicate, self.twice, "doubled")):
            check(count >= self.frames * share / 2, "only %d of %d frames were %s"
                  % (count, self.frames, what))
