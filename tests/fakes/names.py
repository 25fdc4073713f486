"""A name server with one name per way in which a look-up can fail, written from RFC 1035 by dnspython's messages.

`python -m tests.fakes.names PROGRAM...` runs a program for which this is the only name server: to be started in
namespaces of its own (`unshare -mn`), where nothing else is reachable.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.fakes.mongod import Mongod

SRV = "_mongodb._tcp."
ADDRESSES: dict[tuple[str, str], str | list[str]] = {
    ("here.test.", "A"): "127.0.0.1",
    ("inside.test.", "A"): "10.1.2.3",
    ("six.test.", "AAAA"): "2001:db8::1",
    ("node.db.test.", "A"): "127.0.0.1",
    # Behind these a web server, not at every address.
    ("both.test.", "AAAA"): "::1",
    ("both.test.", "A"): "127.0.0.1",
    ("fifty.test.", "A"): [f"127.0.1.{n}" for n in range(1, 51)],
    ("stalled.test.", "A"): ["127.0.2.1", "127.0.2.2"],
    (f"{SRV}good.db.test.", "SRV"): ["0 0 27019 node.db.test.", "0 0 27017 node.db.test."],
    ("good.db.test.", "TXT"): '"authSource=admin&replicaSet=rs0"',
    (f"{SRV}twotxt.db.test.", "SRV"): "0 0 27017 node.db.test.",
    ("twotxt.db.test.", "TXT"): ['"authSource=admin"', '"replicaSet=rs0"'],
    (f"{SRV}oddtxt.db.test.", "SRV"): "0 0 27017 node.db.test.",
    ("oddtxt.db.test.", "TXT"): '"authSource=admin&ssl=false"',
    (f"{SRV}foreign.db.test.", "SRV"): "0 0 27017 node.elsewhere.test.",
    (f"{SRV}lost.db.test.", "SRV"): "0 0 27017 gone.db.test.",
    (f"{SRV}down.db.test.", "SRV"): "0 0 27018 node.db.test.",
}
FAILURES = {"servfail.test.": dns.rcode.SERVFAIL, "nowhere.test.": dns.rcode.NXDOMAIN, "gone.db.test.": dns.rcode.NXDOMAIN,
            f"{SRV}nosrv.db.test.": dns.rcode.NXDOMAIN, f"{SRV}servfail.db.test.": dns.rcode.SERVFAIL}  # fmt: skip
SILENT = ("silent.test.", f"{SRV}silent.db.test.")


def answer(wire: bytes) -> bytes | None:
    """None for a name whose server says nothing; a known name without such an address has an empty answer."""
    query = dns.message.from_wire(wire)
    question = query.question[0]
    name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
    if name in SILENT:
        return None
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.RA
    reply.set_rcode(FAILURES.get(name, dns.rcode.NOERROR))
    if (name, kind) in ADDRESSES:
        known = ADDRESSES[name, kind]
        reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *([known] if isinstance(known, str) else known)))
    return reply.to_wire()


def serve() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 53))
        while True:
            wire, caller = server.recvfrom(4096)
            if (said := answer(wire)) is not None:
                server.sendto(said, caller)


def serve_mongo() -> None:
    """What stands behind the names that lead to a member."""
    mongod = Mongod()
    with socket.create_server(("127.0.0.1", 27017)) as server:
        while True:
            threading.Thread(target=mongod.talk, args=(server.accept()[0],), daemon=True).start()


def serve_web() -> None:
    """An API on some addresses; the others refuse, and two take a line and never accept it."""
    held = []
    for host in ("::1", "127.0.2.1"):
        full = socket.create_server((host, 8080), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=0)
        caller = socket.create_connection((host, 8080))
        held += [full, caller]
    for host in ("127.0.0.1", "127.0.1.50", "127.0.2.2"):
        server = socket.create_server((host, 8080))
        threading.Thread(target=answer_all, args=(server, held), daemon=True).start()


def answer_all(server: socket.socket, held: list[socket.socket]) -> None:
    while True:
        peer = server.accept()[0]
        status = "200 OK" if b"\r\nauthorization:" in peer.recv(65536).lower() else "401 Unauthorized"
        body = b'{"id": 7}' if status.startswith("2") else b'{"error": "who are you"}'
        peer.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        peer.close()


def raise_loopback() -> None:
    """`ip link set lo up` (SIOCGIFFLAGS, SIOCSIFFLAGS and IFF_UP of linux/sockios.h and linux/if.h)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, 0x8913, request))[1]
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh22x", b"lo", flags | 1))


def main() -> int:
    raise_loopback()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        file.flush()
        subprocess.run(["mount", "--bind", file.name, "/etc/resolv.conf"], check=True)
        threading.Thread(target=serve, daemon=True).start()
        threading.Thread(target=serve_mongo, daemon=True).start()
        serve_web()
        return subprocess.run(sys.argv[1:], env={**os.environ}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
