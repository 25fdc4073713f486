"""GitHub's REST API as its public documentation describes it, for one user, one organization, two repositories."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .provider_state import ProviderState

DOCS = "https://docs.github.com/rest"
ORG_SCOPES = ("admin:org", "read:org", "write:org")
REPO_LISTS = frozenset({
    "assignees", "branches", "collaborators", "comments", "commits", "contributors", "events", "forks", "issues",
    "labels", "milestones", "pulls", "releases", "stargazers", "subscribers", "tags", "teams"
})  # fmt: skip
LOGIN = "acme-bot"
REPOS = ("shop", "website")
Handler = Callable[[Request], Awaitable[Response]]


class GitHub:
    """The routes of api.github.com that a connection needs."""

    def __init__(self, state: ProviderState) -> None:
        self.state = state

    def _answer(self, body: Any, accepted: str = "", status: int = 200, known: bool = True) -> Response:
        limit = 5000 if known else 60
        headers = {
            "X-GitHub-Request-Id": ":".join(secrets.token_hex(2).upper() for _ in range(5)),
            "X-GitHub-Media-Type": "github.v3; format=json",
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(limit - 1),
            "X-RateLimit-Used": "1",
            "X-RateLimit-Reset": str(int(time.time()) + 3600),
            "X-RateLimit-Resource": "core",
        }
        if known:
            headers["X-OAuth-Scopes"] = ", ".join(sorted(self.state.github_scopes))
            headers["X-Accepted-OAuth-Scopes"] = accepted
        return JSONResponse(body, status, headers)

    def _error(self, status: int, message: str, page: str, accepted: str = "", known: bool = True) -> Response:
        url = f"{DOCS}/{page}" if page else DOCS
        body = {"message": message, "documentation_url": url, "status": str(status)}
        return self._answer(body, accepted, status, known)

    def _known(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            kind, _, token = request.headers.get("authorization", "").partition(" ")
            if not kind:
                return self._error(401, "Requires authentication", "", known=False)
            if kind.lower() not in ("bearer", "token") or token.strip() != self.state.github_token:
                return self._error(401, "Bad credentials", "", known=False)
            return await handler(request)

        return guarded

    def _reads_org(self) -> bool:
        return bool(self.state.github_scopes & set(ORG_SCOPES))

    def _org(self) -> dict[str, Any]:
        name = self.state.organization
        return {"login": name, "id": 9919, "type": "Organization", "url": f"https://api.github.com/orgs/{name}"}

    def _repo(self, name: str) -> dict[str, Any]:
        org = self._org()
        full = f"{org['login']}/{name}"
        return {
            "id": 1000 + REPOS.index(name),
            "name": name,
            "full_name": full,
            "private": True,
            "owner": org,
            "html_url": f"https://github.com/{full}",
            "url": f"https://api.github.com/repos/{full}",
            "default_branch": "main",
            "permissions": {"admin": False, "maintain": False, "push": False, "triage": False, "pull": True},
        }

    async def user(self, request: Request) -> Response:
        return self._answer({"login": LOGIN, "id": 583231, "type": "User", "site_admin": False, "name": "Acme bot"})

    async def user_repos(self, request: Request) -> Response:
        return self._answer([self._repo(name) for name in REPOS], "repo")

    async def user_orgs(self, request: Request) -> Response:
        accepted = "admin:org, read:org, user, write:org"
        if self._reads_org() or "user" in self.state.github_scopes:
            return self._answer([self._org()], accepted)
        message = "You need at least read:org scope or user scope to list your organizations."
        return self._error(403, message, "orgs/orgs#list-organizations-for-the-authenticated-user", accepted)

    async def org(self, request: Request) -> Response:
        accepted = "admin:org, read:org, repo, user, write:org"
        if request.path_params["org"] != self.state.organization:
            return self._error(404, "Not Found", "orgs/orgs#get-an-organization", accepted)
        return self._answer({**self._org(), "public_repos": 0, "description": "A demo organization"}, accepted)

    async def org_repos(self, request: Request) -> Response:
        accepted = "admin:org, read:org, repo, user, write:org"
        if request.path_params["org"] != self.state.organization:
            return self._error(404, "Not Found", "repos/repos#list-organization-repositories", accepted)
        return self._answer([self._repo(name) for name in REPOS], accepted)

    async def teams(self, request: Request) -> Response:
        accepted, page = ", ".join(ORG_SCOPES), "teams/teams#list-teams"
        if request.path_params["org"] != self.state.organization:
            return self._error(404, "Not Found", page, accepted)
        if not self._reads_org():
            return self._error(403, "Must have admin rights to Repository.", page, accepted)
        team = {"id": 1, "name": "Data", "slug": "data", "privacy": "closed", "permission": "pull", "parent": None}
        return self._answer([team], accepted)

    async def members(self, request: Request) -> Response:
        accepted = "admin:org, read:org, repo, user, write:org"
        if request.path_params["org"] != self.state.organization:
            return self._error(404, "Not Found", "orgs/members#list-organization-members", accepted)
        # Without read:org only public members are listed.
        members = [{"login": LOGIN, "id": 583231, "type": "User"}] if self._reads_org() else []
        return self._answer(members, accepted)

    async def team(self, request: Request) -> Response:
        accepted, page = ", ".join(ORG_SCOPES), "teams/teams"
        known = request.path_params["org"] == self.state.organization and request.path_params["slug"] == "data"
        if not known or not self._reads_org():
            return self._error(404, "Not Found", page, accepted)
        return self._answer([], accepted)

    async def repo(self, request: Request) -> Response:
        owner, name = request.path_params["owner"], request.path_params["name"]
        rest = request.path_params.get("rest", "")
        visible = owner == self.state.organization and name in REPOS and "repo" in self.state.github_scopes
        if not visible or (rest and rest.partition("/")[0] not in REPO_LISTS):
            return self._error(404, "Not Found", "repos/repos#get-a-repository", "repo")
        return self._answer([] if rest else self._repo(name), "repo")

    async def unknown(self, request: Request) -> Response:
        return self._error(404, "Not Found", "")

    def routes(self) -> list[Route]:
        table: list[tuple[str, Handler]] = [
            ("/user", self.user),
            ("/user/repos", self.user_repos),
            ("/user/orgs", self.user_orgs),
            ("/user/memberships/orgs", self.user_orgs),
            ("/orgs/{org}", self.org),
            ("/orgs/{org}/repos", self.org_repos),
            ("/orgs/{org}/teams", self.teams),
            ("/orgs/{org}/teams/{slug}/{rest:path}", self.team),
            ("/orgs/{org}/members", self.members),
            ("/repos/{owner}/{name}", self.repo),
            ("/repos/{owner}/{name}/{rest:path}", self.repo),
            ("/{path:path}", self.unknown),
        ]
        return [Route(path, self._known(handler)) for path, handler in table]
