"""What people paste: lines of tests/data/pasted_*.txt, whose blanks are filled in so that no scanner takes them for leaks.

`<A20>` are 20 letters and digits, `<U..>` upper case, `<l..>` lower case, `<d..>` digits, `<h..>` hex, `<b..>` Base64.
"""

from __future__ import annotations

import random
import re
import string
from pathlib import Path

DATA = Path(__file__).parent / "data"
DRAWN = {
    "A": string.ascii_letters + string.digits,
    "U": string.ascii_uppercase + string.digits,
    "l": string.ascii_lowercase + string.digits,
    "d": string.digits,
    "h": "0123456789abcdef",
    "b": string.ascii_letters + string.digits + "+/",
}


def lines(kind: str) -> list[str]:
    """`secret` or `harmless`, with their blanks."""
    return (DATA / f"pasted_{kind}.txt").read_text("utf-8").splitlines()


def filled(line: str, seed: int = 0) -> str:
    drawn = random.Random(f"{seed}{line}")

    def fill(found: re.Match[str]) -> str:
        return "".join(drawn.choices(DRAWN[found[1]], k=int(found[2])))

    text = re.sub(r"<([AUldhb])(\d+)>", fill, line).replace("<->", "")
    return text.replace("\\\\", "\0").replace("\\n", "\n").replace("\0", "\\")
