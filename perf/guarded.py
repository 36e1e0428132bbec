"""A sale with every check of the door on, and requests that pass them all, for perf/compare.

What a request passes, in this order: the buyer's address from a gateway's header, the block list of addresses, the rate of the
address; the item, behind the filter over codes; a signed ticket; the block list of users; the list of enrolled users; the link of a
hidden sale; the rate of the user; its unpaid reservations; the rate of all reservations. Then it is sold out.
"""

import base64
import hashlib
import hmac
import json
import time

USERS = 16_384  # a multiple of every depth
BLOCKED = 100_000
SECRET = "7" * 64
LINK_VALID_S = 300  # of bounds.h
FLAGS = ["--auth", "ticket", "--trust-gateway", "--address-header", "X-Real-IP", "--rate-address", "1000000000/1h",
         "--bloom-fpr", "0.01", "--rate-user", "1000000000/1h", "--open-per-user", "2", "--order-rate", "1000000000"]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def mac(text):
    return base64url(hmac.new(bytes.fromhex(SECRET), text.encode(), hashlib.sha256).digest())


def user_of(number):
    return f"buyer-{number:06}"


def write_private(path, text):
    path.write_text(text)
    path.chmod(0o600)


def flags(folder):
    """Writes the files of the sale; the flags that `stampede serve` needs beside --catalog."""
    items = [{"code": "gone", "stock": 0, "hidden_link": True, "enrolled": "members.txt"}]
    (folder / "catalog.json").write_text(json.dumps({"items": items}))
    (folder / "members.txt").write_text("".join(user_of(number) + "\n" for number in range(USERS)))
    write_private(folder / "keys.json", json.dumps({kind: {"k1": SECRET} for kind in ("tickets", "links", "payments")}))
    write_private(folder / "blocked", "".join(f"user bot-{number}\naddress 11.{number >> 16}.{number >> 8 & 255}.{number & 255}\n"
                                              for number in range(BLOCKED)))
    return [*FLAGS, "--key-file", folder / "keys.json", "--blocked", folder / "blocked"]


def requests():
    """One of each user. They hold as long as a link is valid."""
    now = int(time.time())
    for number in range(USERS):
        user = user_of(number)
        ticket = f"v1.{base64url(user.encode())}.{now + 3600}.k1"
        link = f"v1.{now + LINK_VALID_S}.k1"
        body = json.dumps({"item": "gone", "qty": 1, "link": f"{link}.{mac(f'link {user} gone {link}')}"}, separators=(",", ":"))
        yield (f"POST /v1/orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
               f"X-Real-IP: 10.1.{number >> 8 & 255}.{number & 255}\r\nAuthorization: Bearer {ticket}.{mac(ticket)}\r\n\r\n{body}").encode()


def write_requests(path):
    """As perf/requests.lua reads them; the first one."""
    first = None
    with open(path, "wb") as out:
        for request in requests():
            first = first or request
            out.write(b"%d\n%s" % (len(request), request))
    return first
