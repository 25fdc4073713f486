"""What Stitch's extractions and loads say of a source: https://www.stitchdata.com/docs/developers/stitch-connect/api"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bot.platforms.base import Job, Paused, moment

# 100 records a page; nobody has more sources than that many pages.
PAGES = 50
Call = Callable[[str], Any]
Row = Mapping[str, Any]


def newest(source: Row, call: Call) -> Job:
    """The last run of a source: its extraction, and where that was good, whether the destination took the rows."""
    client, schedule = source.get("stitch_client_id"), source.get("schedule")
    more: dict[str, Any] = {
        "paused": paused_by(source),
        "next_at": moment(schedule.get("next_fire_time")) if schedule else 0.0,
    }
    ran = next((one for one in _pages(f"/v4/{client}/extractions", call) if one.get("source_id") == source["id"]), None)
    if ran is None:
        return Job("", "none", **more)
    more |= {"started": moment(ran.get("start_time")), "ended": moment(ran.get("completion_time"))}
    name, said = str(ran.get("job_name") or ""), _failure(ran)
    if said:
        return Job(name, "bad", part="extraction", said=said, **more)
    if not more["ended"]:
        return Job(name, "running", **more)
    loads = (one for one in _pages(f"/v4/{client}/loads", call) if one.get("source_name") == source.get("name"))
    refused = next((one["error_state"] for one in loads if one.get("error_state")), None)
    if refused:
        return Job(name, "bad", part="loading", said=_of_load(refused), **more)
    return Job(name, "good", **more)


def paused_by(source: Row) -> Paused:
    return "platform" if source.get("system_paused_at") else "somebody" if source.get("paused_at") else ""


def _failure(ran: Row) -> str:
    """Why an extraction failed. One that was stopped has no exit status at all, and says so in words."""
    parts = ("discovery", "tap", "target")
    for part in parts:
        if ran.get(f"{part}_exit_status"):
            return str(ran.get(f"{part}_description") or f"the {part} ended with {ran[f'{part}_exit_status']}")
    stopped = ran.get("completion_time") and all(ran.get(f"{part}_exit_status") is None for part in parts)
    return str(ran.get("tap_description") or "Terminated") if stopped else ""


def _of_load(state: Any) -> str:
    """Its shape may change, says the documentation."""
    seen = state.get("notification_data") if isinstance(state, dict) else None
    seen = seen if isinstance(seen, dict) else {}
    keys = ("warehouse_message", "exception_message", "message", "error")
    return next((str(seen[k]) for k in keys if seen.get(k)), "the destination refused the rows")


def _pages(path: str, call: Call) -> Iterator[Row]:
    for _ in range(PAGES):
        page = call(path)
        page = page if isinstance(page, dict) else {}
        yield from (one for one in page.get("data") or [] if isinstance(one, dict))
        links = page.get("links")
        path = str((links if isinstance(links, dict) else {}).get("next") or "")
        if not path.startswith("/"):  # a whole address would take the token somewhere else
            return
