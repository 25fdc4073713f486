"""`/slack/install` and what Slack sends the browser back to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bot.settings import is_local
from bot.web import guard
from bot.web.app import Answer

# Each keeps a state for ten minutes.
PER_MINUTE = 60


def install_routes(slack: Answer | None) -> list[Route]:
    """`slack` is Bolt's side of it; without it, and by Bolt's own word, there is nothing to install here."""

    begun = guard.Limiter(PER_MINUTE)

    async def install(request: Request) -> Response:
        if not begun.take(guard.caller(request)):
            raise guard.Refused(429)
        answer = await slack(request) if slack else Response(status_code=404)
        if answer.status_code == 404:
            return guard.answer("not_installed", {"reason": "not_offered"}, 404)
        if request.url.scheme == "http" and is_local(str(request.url)):
            # Bolt marks its cookie Secure; a browser on this machine would not send it back over plain HTTP.
            cookies = [v.replace("; Secure", "") for v in answer.headers.getlist("set-cookie")]
            del answer.headers["set-cookie"]
            for cookie in cookies:
                answer.headers.append("set-cookie", cookie)
        return answer

    async def redirect(request: Request) -> Response:
        answer = await slack(request) if slack else Response(b"not_offered", 404)
        said = bytes(answer.body).decode()
        if answer.status_code == 200 and "error" not in request.query_params:
            return guard.answer("installed", {"team": said})
        return guard.answer("not_installed", {"reason": said}, answer.status_code)

    return [Route("/slack/install", guard.guarded(install)), Route("/slack/oauth_redirect", redirect)]
