"""How a connector's credential is replaced by a new one, as data."""

from __future__ import annotations

from typing import Literal

from flows.core.sheet_parts import Strict

# What is done, in this order. `revoke` stands only where two credentials are valid at once, `send` only where a
# pipeline platform takes the new one. Without one that also looks whether it works, a person says so (`carry`), after
# having carried it where none takes it, before the old one ends.
STEPS = ("prepare", "change", "test", "store", "send", "confirm", "carry", "revoke")
Overlap = Literal["always", "never", "where_offered"]


class Rotation(Strict):
    """`way` is the module that talks to the source, `replaces` the secret fields that are new afterwards.

    `overlap` says whether the old one stays valid beside the new one: `where_offered` is found out at the server.
    `needs` is the right that the credential must have to renew itself.
    """

    way: Literal["postgres", "mysql", "aws", "sendgrid"]
    replaces: tuple[str, ...]
    overlap: Overlap
    needs: str = ""


def steps(*, overlap: bool, sent: bool, taken: bool = False) -> tuple[str, ...]:
    """The steps of one rotation: `sent` to a platform that looks whether it works, `taken` by one that does not."""
    left_out = {"carry"} if sent else set() if taken else {"send"}
    left_out |= set() if overlap else {"revoke"}
    return tuple(step for step in STEPS if step not in left_out)
