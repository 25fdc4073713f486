"""SIGKILL at every step of a rotation: keys that their provider makes. Two files, since one file runs on one core."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rotation.killed import killed_everywhere


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["aws", "sendgrid"])
def test_killed_before_and_after_every_step_it_goes_on_and_a_working_credential_is_always_known(
    kind: str, fresh: str, tmp_path: Path
) -> None:
    killed_everywhere(kind, fresh, tmp_path)
