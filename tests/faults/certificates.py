"""An authority of our own and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY = "<certificate of the authority>"
DAY = datetime.timedelta(days=1)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@dataclass
class Authority:
    folder: Path
    common: str = "Test Authority"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        self.own = self._sign(_name(self.common), self.key, now - DAY, now + 30 * DAY, None)
        self.root = self.folder / "root.crt"
        self.root.write_bytes(self.own.public_bytes(serialization.Encoding.PEM))
        self.secret = self.folder / "authority.key"
        self.secret.write_bytes(self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))  # fmt: skip
        self.fills = {AUTHORITY: str(self.root), "<key of the authority>": str(self.secret)}

    def client(self, common: str) -> dict[str, str]:
        """What somebody with a certificate of this authority writes where one is asked for."""
        made = self.issue("client", common)
        return {**self.fills, "<certificate>": str(made[0]), "<key>": str(made[1])}

    def below(self, common: str) -> Authority:
        """Another authority, which this one vouches for."""
        made = Authority(self.folder / common, common)
        now = datetime.datetime.now(datetime.UTC)
        made.own = self._sign(_name(common), made.key, now - DAY, now + 30 * DAY, None)
        made.root.write_bytes(made.own.public_bytes(serialization.Encoding.PEM))
        return made

    def issue(
        self, name: str, common: str, *names: str, days: int = 30, starts: int = -60, key: Any = None,
        staple: bool = False,
    ) -> tuple[Path, Path]:  # fmt: skip
        """(certificate, key) for `common` and the addresses `names`; with negative `days` it has expired.

        With `staple` it promises that the server brings a proof of its validity.
        """
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.UTC)
        known = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
        made = self._sign(_name(common), key, now + starts * DAY, now + days * DAY, known, staple)
        certificate, private = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))  # fmt: skip
        private.chmod(0o600)
        return certificate, private

    def _sign(
        self, subject: x509.Name, key: Any, begins: datetime.datetime, ends: datetime.datetime,
        names: list[x509.GeneralName] | None, staple: bool = False,
    ) -> x509.Certificate:  # fmt: skip
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(_name(self.common)).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
        )  # fmt: skip
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if staple:
            feature = x509.TLSFeature([x509.TLSFeatureType.status_request])
            builder = builder.add_extension(feature, critical=False)
        return builder.sign(self.key, hashes.SHA256())
