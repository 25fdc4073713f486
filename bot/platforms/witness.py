"""What the platform sees: its own check, where it alone has the credential, and whether its next job brings data."""

from __future__ import annotations

import time

from bot.checks.base import Target
from bot.checks.run import run_step
from bot.checks.target import target_for
from bot.checks.text import retold
from bot.platforms.base import Job, LastCheck, PlatformError
from bot.platforms.deliver import proving_place_of, source_of
from bot.settings import Settings, SettingsError
from flows.core import job as jobs
from flows.core.explain import explain
from flows.core.finding import Finding

LOGIN, RIGHTS = "credentials_accepted", "permissions_sufficient"
# How long one look waits for a check of the platform that is under way.
PATIENCE = 20.0


def seen_there(settings: Settings, name: str, team: str, step: str) -> list[Finding]:
    """As the checks would see it: the way there is looked at from here, the login by the platform."""
    target = target_for(settings, name, team)
    if step in ("check_status", "check_network"):
        return run_step(target, step)
    if step == "check_permissions":
        return [Finding(step, RIGHTS, "skipped")]
    found = _login(settings, name, target)
    if step == "verify_credentials":
        return [found]
    before = [f for one in ("check_status", "check_network") for f in run_step(target, one)]
    return [*before, found, Finding("check_permissions", RIGHTS, "skipped")]


def _login(settings: Settings, name: str, target: Target) -> Finding:
    try:
        place = proving_place_of(settings, name)
        if place is None:
            raise PlatformError("config", "the platform cannot be asked for this connector")
        seen, end = place.platform.last_check(place.source), time.monotonic() + PATIENCE
        while seen.state == "running" and time.monotonic() < end:
            time.sleep(2)
            seen = place.platform.last_check(place.source)
    except PlatformError as error:
        return Finding("verify_credentials", LOGIN, "unclear", evidence=str(error)[:300])
    return _judged(seen, place.platform.name, target.connector, retold(target, seen.said))


def _judged(seen: LastCheck, platform: str, connector: str, said: str) -> Finding:
    step = "verify_credentials"
    if seen.state == "good":
        return Finding(step, LOGIN, "good", evidence=f"{platform}'s own last check succeeded")
    if seen.state != "bad":
        return Finding(step, LOGIN, "unclear", evidence=f"{platform} has not looked yet, or still looks")
    cause = explain(said, connector)
    verdict = "bad" if cause.cause != "unclassified" else "unclear"
    return Finding(step, LOGIN, verdict, cause.cause, cause.code, evidence=f"{platform}: {said}"[:500])  # type: ignore[arg-type]


def data_flows_again(settings: Settings, name: str, team: str, since: float, opened: float) -> Finding:
    """The pipeline's own next job succeeds.

    What ended well at `since` or later is the proof (0: whatever came last), what failed after `opened` is not. Where
    the platform cannot tell, nobody waits for it.
    """
    try:
        there = source_of(settings, name)
        if there is None:
            return Finding(jobs.STEP, jobs.CHECK, "skipped")
        platform, source = there
        ran = platform.last_job(source)
    except PlatformError as error:
        verdict = "unclear" if error.passing else "skipped"
        return Finding(jobs.STEP, jobs.CHECK, verdict, evidence=str(error)[:300])  # type: ignore[arg-type]
    said = _told(settings, name, team, ran.said)
    return _ran(ran, said, platform.name, settings.connections[name].connector, since, opened)


def _told(settings: Settings, name: str, team: str, said: str) -> str:
    """Without secrets; nothing where one cannot be read, and so not be taken out."""
    try:
        target = target_for(settings, name, team)
    except SettingsError:
        return ""
    return retold(target, said)


def _ran(ran: Job, said: str, platform: str, connector: str, since: float, opened: float) -> Finding:
    facts = {"platform": platform, "job": ran.state, "part": ran.part, "paused": ran.paused}
    facts |= {at: str(moment) for at, moment in (("ended", ran.ended), ("next_at", ran.next_at)) if moment}
    if ran.state == "good" and ran.ended >= since:
        return Finding(jobs.STEP, jobs.CHECK, "good", evidence=f"{platform}'s job {ran.id} succeeded", facts=facts)
    if ran.state == "bad" and ran.started >= (since or opened):
        cause = explain(said, connector)
        return Finding(jobs.STEP, jobs.CHECK, "bad", cause.cause, cause.code, evidence=said, facts=facts)
    return Finding(jobs.STEP, jobs.CHECK, "unclear", evidence=said, facts=facts)


def start_job(settings: Settings, name: str) -> str:
    """Run the source now; why it does not, or nothing."""
    if name not in settings.connections:
        return f"there is no connection {name!r} in mend.yml any more"
    try:
        there = source_of(settings, name)
        if there is None:
            return "no platform is configured"
        there[0].start_job(there[1])
    except PlatformError as error:
        return str(error)
    return ""
