"""Status pages in the public JSON shape of Atlassian Statuspage (api/v2)."""

from __future__ import annotations

import html
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from .provider_state import SERVICES, Incident, ProviderState, Update, now

BEGAN = "2020-01-01T00:00:00.000Z"
CALM = ("none", "All Systems Operational")
DESCRIPTIONS = {"minor": "Minor Service Outage", "major": "Partial System Outage", "critical": "Major System Outage"}
OUTAGES = {"minor": "partial_outage", "major": "major_outage", "critical": "major_outage"}


class StatusPages:
    """One page per service, computed from the open incidents."""

    def __init__(self, state: ProviderState) -> None:
        self.state = state

    def _page(self, service: str) -> dict[str, Any]:
        url = f"https://status.{service}.example"
        name = SERVICES[service][0]
        return {"id": f"{service}page", "name": name, "url": url, "time_zone": "Etc/UTC", "updated_at": now()}

    def _status(self, service: str) -> dict[str, str]:
        order = list(DESCRIPTIONS)
        impacts = [one.impact for one in self.state.open_incidents(service)]
        if not impacts:
            return {"indicator": CALM[0], "description": CALM[1]}
        worst = max(impacts, key=order.index)
        return {"indicator": worst, "description": DESCRIPTIONS[worst]}

    def _component(self, service: str, name: str) -> dict[str, Any]:
        hit = [one for one in self.state.open_incidents(service) if one.component == name]
        return {
            "id": f"{service}-{name.lower().replace(' ', '-')}",
            "name": name,
            "status": OUTAGES[hit[0].impact] if hit else "operational",
            "created_at": BEGAN,
            "updated_at": hit[0].updates[-1].at if hit else BEGAN,
            "position": SERVICES[service][1].index(name) + 1,
            "description": None,
            "showcase": True,
            "start_date": None,
            "group_id": None,
            "page_id": f"{service}page",
            "group": False,
            "only_show_if_degraded": False,
        }

    def _update(self, incident: Incident, update: Update) -> dict[str, Any]:
        component = self._component(incident.service, incident.component)
        code = {"code": component["id"], "name": incident.component}
        return {
            "id": update.id,
            "status": update.status,
            "body": update.body,
            "incident_id": incident.id,
            "created_at": update.at,
            "updated_at": update.at,
            "display_at": update.at,
            "affected_components": [{**code, "old_status": update.before, "new_status": update.after}],
            "deliver_notifications": True,
            "custom_tweet": None,
            "tweet_id": None,
        }

    def _incident(self, one: Incident) -> dict[str, Any]:
        return {
            "id": one.id,
            "name": one.name,
            "status": one.status,
            "created_at": one.created_at,
            "updated_at": one.updates[-1].at,
            "monitoring_at": None,
            "resolved_at": one.resolved_at,
            "impact": one.impact,
            "shortlink": f"https://stspg.example/{one.id}",
            "started_at": one.created_at,
            "page_id": f"{one.service}page",
            "incident_updates": [self._update(one, update) for update in reversed(one.updates)],
            "components": [self._component(one.service, one.component)],
            "reminder_intervals": None,
        }

    async def document(self, request: Request) -> Response:
        service, name = request.path_params["service"], request.path_params["name"]
        if service not in SERVICES:
            return JSONResponse({"error": "Not found"}, 404)
        every = [self._incident(one) for one in reversed(self.state.incidents) if one.service == service]
        parts: dict[str, Any] = {
            "status": self._status(service),
            "components": [self._component(service, part) for part in SERVICES[service][1]],
            "incidents": [one for one in every if one["resolved_at"] is None],
            "scheduled_maintenances": [],
        }
        shown: dict[str, dict[str, Any]] = {
            "summary": parts,
            "status": {"status": parts["status"]},
            "components": {"components": parts["components"]},
            "incidents": {"incidents": every},
            "incidents/unresolved": {"incidents": parts["incidents"]},
        }
        for path in ("", "/upcoming", "/active"):
            shown[f"scheduled-maintenances{path}"] = {"scheduled_maintenances": []}
        if name not in shown:
            return JSONResponse({"error": "Not found"}, 404)
        return JSONResponse({"page": self._page(service), **shown[name]})

    async def human(self, request: Request) -> Response:
        """What a person sees who follows the link to the status page."""
        service = request.path_params["service"]
        if service not in SERVICES:
            return HTMLResponse("Not found", 404)
        open_now = "".join(
            f"<h2>{html.escape(one.name)}</h2><p>{html.escape(one.updates[-1].body)}</p>"
            for one in self.state.open_incidents(service)
        )
        name, status = html.escape(SERVICES[service][0]), html.escape(self._status(service)["description"])
        page = f'<!doctype html><html lang="en"><title>{name} status</title><h1>{name}: {status}</h1>{open_now}</html>'
        return HTMLResponse(page)

    def routes(self) -> list[Route]:
        return [
            Route("/{service}", self.human),
            Route("/{service}/", self.human),
            Route("/{service}/api/v2/{name:path}.json", self.document),
        ]
