"""Ten thousand honest buyers of a limited stock, for perf/hostile: a connection and an address each, one order each, at an honest
rate. Who is told to come again does so when he is told, with the same key, until he has a unit or the item is sold out.

One process, one epoll: latencies are of this client too, compare them within a row.
"""

import base64
import contextlib
import hashlib
import heapq
import hmac
import json
import os
import random
import select
import socket
import time

PATIENCE_S = 60  # behind the last buyer's arrival


def source_of(number):
    return f"127.{8 + number // 62_500}.{number // 250 % 250 + 1}.{number % 250 + 1}"


def proof_of(user, item, secret):
    text = f"v1.{base64.urlsafe_b64encode(user.encode()).rstrip(b'=').decode()}.{item}.{int(time.time()) + 3600}.k1"
    mac = hmac.new(bytes.fromhex(secret), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


class Buyer:
    __slots__ = ("number", "user", "socket", "arrived", "sent", "data", "link", "proof")

    def __init__(self, number, proof_secret):
        self.number, self.user = number, f"honest-{number}"
        self.socket, self.arrived, self.sent, self.data, self.link = None, None, 0.0, b"", None
        self.proof = proof_of(self.user, "ticket", proof_secret) if proof_secret else None

    def request(self):
        if self.proof and self.link is None:
            return (f"POST /v1/items/ticket/link HTTP/1.1\r\nHost: a\r\nX-User-Id: {self.user}\r\n"
                    f"Stampede-Proof: {self.proof}\r\nContent-Length: 0\r\n\r\n").encode()
        order = {"item": "ticket", "qty": 1} | ({"link": self.link} if self.link else {})
        body = json.dumps(order, separators=(",", ":"))
        return (f"POST /v1/orders HTTP/1.1\r\nHost: a\r\nX-User-Id: {self.user}\r\nIdempotency-Key: {self.user}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


class Crowd:
    def __init__(self, port, count, proof_secret=None):
        self.port, self.epoll, self.by_fd = port, select.epoll(), {}
        self.buyers = [Buyer(number, proof_secret) for number in range(count)]
        self.due, self.latencies, self.waits = [], [], []
        self.sold = self.sold_out = self.again = self.broken = 0
        self.others = {}

    def connect(self, buyer):
        one = socket.socket()
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.bind((source_of(buyer.number), 0))
        one.connect_ex(("127.0.0.1", self.port))
        buyer.socket, buyer.data = one, b""
        self.by_fd[one.fileno()] = buyer
        self.epoll.register(one.fileno(), select.EPOLLIN)

    def leave(self, buyer):
        if buyer.socket is None:
            return
        self.epoll.unregister(buyer.socket.fileno())
        del self.by_fd[buyer.socket.fileno()]
        buyer.socket.close()
        buyer.socket = None

    def send(self, buyer, now):
        if buyer.socket is None:
            self.connect(buyer)
        buyer.arrived = buyer.arrived or now
        buyer.sent = now
        try:
            buyer.socket.send(buyer.request())
        except BlockingIOError:  # not connected yet
            heapq.heappush(self.due, (now + 0.005, buyer.number))
        except OSError:
            self.come_back(buyer, now)

    # The connection has gone: an honest client tries again on another.
    def come_back(self, buyer, now):
        self.broken += 1
        self.leave(buyer)
        heapq.heappush(self.due, (now + 0.05, buyer.number))

    def receive(self, buyer, now):
        try:
            more = buyer.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            more = b""
        if not more:
            if buyer.arrived is None or buyer.sent == 0.0:  # idle: it had nothing to say yet
                return self.leave(buyer)
            return self.come_back(buyer, now)
        buyer.data += more
        head, mark, body = buyer.data.partition(b"\r\n\r\n")
        if not mark or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            return
        buyer.data = b""
        self.answer(buyer, int(head[9:12]), json.loads(body), now)

    def answer(self, buyer, status, answer, now):
        self.latencies.append(now - buyer.sent)
        buyer.sent = 0.0
        if status == 200 and "link" in answer:
            buyer.link = answer["link"]
            return self.send(buyer, now)
        if status in (429, 503):
            self.again += 1
            return heapq.heappush(self.due, (now + answer.get("retry_after_ms", 100) / 1000, buyer.number))
        self.sold += status in (200, 201)
        self.sold_out += status == 409
        if status not in (200, 201, 409):
            self.others[answer.get("code")] = self.others.get(answer.get("code"), 0) + 1
        self.waits.append(now - buyer.arrived)
        self.leave(buyer)

    def turn(self, until):
        now = time.monotonic()
        while self.due and self.due[0][0] <= now:
            self.send(self.buyers[heapq.heappop(self.due)[1]], now)
        wait = min(until, self.due[0][0] if self.due else until) - now
        for fd, _ in self.epoll.poll(max(0, wait), 1024):
            if fd in self.by_fd:
                self.receive(self.by_fd[fd], time.monotonic())

    def run(self, opens, seconds):
        """All connect before `opens`, a moment of time.time(), and arrive within so many seconds behind it."""
        for buyer in self.buyers:
            self.connect(buyer)
            if buyer.number % 200 == 199:
                self.turn(time.monotonic() + 0.02)
        begin = time.monotonic() + max(0, opens - time.time())
        draw = random.Random(1)
        self.due = [(begin + draw.random() * seconds, buyer.number) for buyer in self.buyers]
        heapq.heapify(self.due)
        deadline = begin + seconds + PATIENCE_S
        while len(self.waits) < len(self.buyers) and time.monotonic() < deadline:
            self.turn(deadline)
        return self.result()

    def result(self):
        of = lambda values, share: sorted(values)[int(len(values) * share)] * 1e6 if values else 0
        return {"sold": self.sold, "sold_out": self.sold_out, "undecided": len(self.buyers) - len(self.waits), "others": self.others,
                "told_to_come_again": self.again, "connections_lost": self.broken, "requests": len(self.latencies),
                "p50": of(self.latencies, 0.5), "p99": of(self.latencies, 0.99), "decided_p99": of(self.waits, 0.99)}


def be_honest(port, count, proof_secret, opens, seconds, results):
    with contextlib.suppress(PermissionError):
        os.nice(-15)
    results.put(Crowd(port, count, proof_secret).run(opens, seconds))
