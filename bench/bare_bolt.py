"""The yardstick: Bolt's echo app as its documentation writes it, on uvicorn with uvloop and httptools.

`python -m bench.bare_bolt PORT API_URL [pbr] [post] [sync]`
"""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

TOKEN, SECRET = "xoxb-bench", "bench-signing-secret"


def asynchronous(api: str, ways: set[str]) -> Any:
    from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
    from slack_bolt.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

    client = AsyncWebClient(token=TOKEN, base_url=api)
    app = AsyncApp(signing_secret=SECRET, client=client, process_before_response="pbr" in ways)

    @app.command("/mend")
    async def echo(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack(body["text"])
        if "post" in ways:
            await client.chat_postMessage(channel=body["channel_id"], text=body["text"])

    return AsyncSlackRequestHandler(app)


def synchronous(api: str) -> Any:
    from slack_bolt import App
    from slack_bolt.adapter.asgi import SlackRequestHandler
    from slack_sdk import WebClient

    app = App(signing_secret=SECRET, client=WebClient(token=TOKEN, base_url=api))

    @app.command("/mend")
    def echo(ack: Any, body: dict[str, Any], client: Any) -> None:
        ack(body["text"])
        client.chat_postMessage(channel=body["channel_id"], text=body["text"])

    return SlackRequestHandler(app)


def main() -> None:
    port, api, ways = int(sys.argv[1]), sys.argv[2], set(sys.argv[3:])
    app = synchronous(api) if "sync" in ways else asynchronous(api, ways)
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_level="warning", lifespan="off")


if __name__ == "__main__":
    main()
