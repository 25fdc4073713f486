"""Secrets are compared in constant time, and a token is looked up by its hash only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

WEB = Path(__file__).parent.parent.parent / "bot"
SECRET = {"csrf", "session", "state", "state_hash", "token", "signature", "code_verifier", "fingerprint"}


@pytest.mark.attack("timing of comparisons", "compare_digest; tokens only by their hash")
def test_no_secret_of_the_pages_is_compared_by_equality() -> None:
    """An equality that ends at the first difference would tell how much of a guess is right."""
    found = []
    for path in sorted((WEB / "web").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                words = [ast.unparse(one) for one in (node.left, *node.comparators)]
                if any(word.rpartition(".")[2] in SECRET - {"state"} or "csrf" in word for word in words):
                    found.append(f"{path.name}: {ast.unparse(node)}")
    assert found == []
    guard = (WEB / "web" / "guard.py").read_text(encoding="utf-8")
    assert "hmac.compare_digest" in guard
    links = (WEB / "repairs" / "links.py").read_text(encoding="utf-8")
    assert "hashed(token)" in links
