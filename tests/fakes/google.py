"""Google's token server and BigQuery's API at one address, as their documentation says.

https://developers.google.com/identity/protocols/oauth2/service-account, https://cloud.google.com/bigquery/docs/error-messages
and https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes.serve import Reply

Refusal = tuple[int, str, str]  # status, reason, words
EMAIL = "stitch@acme.iam.gserviceaccount.com"


@dataclass
class Google:
    """`refuses` maps a part of a path or query to what it gets instead of an answer; `grant` refuses the token."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    datasets: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"shop": ("orders", "customers")})
    location: str = "EU"
    grant: tuple[str, str] | None = None
    refuses: dict[str, Refusal] = field(default_factory=dict)
    tokens: int = 0
    run: list[str] = field(default_factory=list)

    def file(self, **other: str) -> str:
        """The key as the console hands it out."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        made = {"type": "service_account", "project_id": "acme", "private_key_id": "k1", "private_key": pem.decode()}
        return json.dumps({**made, "client_email": EMAIL, "token_uri": "https://oauth2.googleapis.com/token", **other})

    def answer(self, path: str, headers: Mapping[str, str]) -> Reply:
        if path == "/token":
            return self._token(headers[":posted"])
        if headers.get("authorization") != "Bearer ya29.token":
            return _error(401, "authError", "Invalid Credentials")
        asked = json.loads(headers.get(":posted") or "{}")
        text = f"{path} {asked.get('query', '')}"
        if asked and not asked.get("dryRun"):
            self.run.append(text)
        for part, refusal in self.refuses.items():
            if part in text:
                return _error(*refusal)
        return self._query(asked) if asked else self._dataset(path.rpartition("/")[2])

    def _token(self, posted: str) -> Reply:
        self.tokens += 1
        if self.grant:
            return 400, {}, {"error": self.grant[0], "error_description": self.grant[1]}
        said, _, signature = parse_qs(posted)["assertion"][0].rpartition(".")
        try:
            public = self.key.public_key()
            public.verify(_bytes(signature), said.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return 400, {}, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        claims = json.loads(_bytes(said.partition(".")[2]))
        if claims["iss"] != EMAIL:
            return 400, {}, {"error": "invalid_grant", "error_description": "Invalid grant: account not found"}
        return 200, {}, {"access_token": "ya29.token", "expires_in": 3599, "token_type": "Bearer"}

    def _dataset(self, name: str) -> Reply:
        if name not in self.datasets:
            return _error(404, "notFound", f"Not found: Dataset acme:{name}")
        return 200, {}, {"kind": "bigquery#dataset", "id": f"acme:{name}", "location": self.location}

    def _query(self, asked: Mapping[str, Any]) -> Reply:
        table = re.search(r"`(\w+)\.(\w+)\.(\w+)`", asked["query"])
        if table and asked.get("location", "US") != self.location:
            words = f"Not found: Dataset acme:{table[2]} was not found in location {asked.get('location', 'US')}"
            return _error(404, "notFound", words)
        if table and table[3] not in self.datasets.get(table[2], ()):
            words = f"Not found: Table acme:{table[2]}.{table[3]} was not found in location {self.location}"
            return _error(404, "notFound", words)
        return 200, {}, {"kind": "bigquery#queryResponse", "jobComplete": True, "totalBytesProcessed": "0"}


def _error(status: int, reason: str, words: str) -> Reply:
    inner = [{"message": words, "domain": "global", "reason": reason}]
    return status, {}, {"error": {"code": status, "message": words, "errors": inner}}


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
