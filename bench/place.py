"""Where a run happens: a folder, a real PostgreSQL, certificates, and how long to look."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psycopg

from bench.seed import seed
from bot.embedded import Embedded


@dataclass
class Place:
    """`rounds` times every variant in turn, each for `seconds`."""

    folder: Path
    server: str
    quick: bool = False
    peers: bool = False
    databases: dict[int, str] = field(default_factory=dict)

    @property
    def rounds(self) -> int:
        return 2 if self.quick else 3

    @property
    def seconds(self) -> float:
        return 2.0 if self.quick else 5.0

    def tell(self, words: str) -> None:
        print(f"bench: {words}", file=sys.stderr, flush=True)

    def url(self, database: str) -> str:
        return self.server.replace("/postgres?", f"/{database}?")

    def database(self, cases: int) -> str:
        """A database with so many open cases, made once."""
        if cases not in self.databases:
            self.tell(f"writing {cases:,} open cases")
            name = f"bench_{cases}"
            with psycopg.connect(self.server, autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE {name}")
            self.databases[cases] = self.url(name)
            seed(self.databases[cases], cases)
        return self.databases[cases]

    @cached_property
    def certificate(self) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 and its key."""
        return certificate(self.folder)

    @cached_property
    def bundle(self) -> Path:
        """The system's authorities and our certificate: loading many is what costs a client of Slack its CPU."""
        import certifi

        path = self.folder / "bundle.pem"
        path.write_text(Path(certifi.where()).read_text() + self.certificate[0].read_text())
        return path


def certificate(folder: Path) -> tuple[Path, Path]:
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=2))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


@contextlib.contextmanager
def place(*, quick: bool, peers: bool) -> Iterator[Place]:
    # An ordinary installation keeps its modules compiled; compiling them at each start would be most of it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    folder = Path(tempfile.mkdtemp(prefix="mend-bench-"))
    # Nor does it open the vault of whoever measures: nothing is kept in the one of a bench.
    os.environ["MEND_DATA_DIR"] = str(folder / "data")
    server = Embedded(folder / "pg")
    try:
        yield Place(folder, server.start(), quick, peers)
    finally:
        server.leave()
        shutil.rmtree(folder, ignore_errors=True)
