from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from bot.playground import LocalSlack, run_local_slack


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    slack = LocalSlack()
    slack.retry_scale = 0.001
    server = run_local_slack("127.0.0.1", 0, slack).start()
    yield slack
    server.stop()


@pytest.fixture
def api(slack: LocalSlack) -> Callable[..., dict[str, Any]]:
    def call(method: str, token: str | None = None, **args: Any) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token or slack.bot_token}"}
        return dict(requests.post(slack.api_url + method, json=args, headers=headers, timeout=5).json())

    return call
