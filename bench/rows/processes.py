"""Memory of the process that acknowledges, and what 200 connectors cost beside 2."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from bench.bots import ROOT, bare, mend, stub
from bench.measure import median, pss
from bench.place import Place
from bench.rows.acks import CASES, WAREHOUSE, warm
from bench.rows.steps import steps
from bench.slack_side import SlackSide, lines
from bench.table import Line


def memory(place: Place) -> list[Line]:
    """Goal 12."""
    return asyncio.run(_memory(place))


async def _memory(place: Place) -> list[Line]:
    place.tell("memory of idle processes")
    with stub(place.folder) as api, bare(place.folder, api) as y1, \
            mend(place.folder, api, place.database(CASES), WAREHOUSE) as ours:  # fmt: skip
        async with lines() as session:
            await warm(session, api, SlackSide(session, ours.url))
            await SlackSide(session, y1.url).command()
        time.sleep(2)
        yardstick, front, whole = pss(y1.pid), pss(ours.pid, alone=True), pss(ours.pid)
    said = f"{front / yardstick:.2f}x ({front:.0f} against {yardstick:.0f} MiB; with the worker {whole:.0f})"
    return [Line("12", "PSS of the acknowledging process", "<= 2x Y1", said, front <= 2 * yardstick)]


def connectors(place: Place) -> list[Line]:
    """Goal 10: the same bot with 2 and with 200 sheets and connections."""
    return asyncio.run(_connectors(place))


async def _connectors(place: Place) -> list[Line]:
    cost: dict[int, list[float]] = {2: [], 200: []}
    with stub(place.folder) as api, contextlib.ExitStack() as stack:
        yardstick = stack.enter_context(bare(place.folder, api)).cpu
        bots = {}
        houses = {count: _house(place.folder / f"house{count}", count) for count in (2, 200)}
        # The first start of all reads everything from the disk; it is not one of those that are compared.
        with mend(place.folder, api, place.database(CASES + 2), houses[2][1], home=houses[2][0]):
            pass
        for count, (home, known) in houses.items():
            # A database each: two bots on one would work off each other's queue.
            database = place.database(CASES + count)
            bots[count] = stack.enter_context(mend(place.folder, api, database, known, home=home))
        async with lines() as session:
            for bot in bots.values():
                await warm(session, api, SlackSide(session, bot.url))
            for turn in range(place.rounds):
                place.tell(f"2 and 200 connectors, round {turn + 1} of {place.rounds}")
                # Who comes second finds the caches as the first one left them.
                for count, bot in sorted(bots.items(), reverse=turn % 2 == 1):
                    cost[count].append((await steps(session, api, bot, place.seconds, CASES)).cpu)
        added = pss(bots[200].pid) - pss(bots[2].pid)
        start, growth = bots[200].cpu / yardstick, bots[200].cpu / bots[2].cpu
    ratio = median(cost[200]) / median(cost[2])
    began = f"CPU to start {start:.1f}x bare ({bots[200].cpu:.2f} s; {growth:.2f}x that with 2)"
    said = f"{ratio:.2f}x, {added:+.0f} MiB, {began}"
    met = ratio <= 1.1 and added <= 50 and start <= 2
    return [Line("10", "200 connectors / 2", "CPU <= 1.1x, <= +50 MiB, start <= 2x bare", said, met)]


def _house(home: Path, count: int) -> tuple[Path, dict[str, object]]:
    """Our rooms with `count` sheets, and a connection of each."""
    home.mkdir()
    for room in ("bot", "messages"):
        (home / room).symlink_to(ROOT / room)
    (home / "flows/connectors").mkdir(parents=True)
    for path in (ROOT / "flows").iterdir():
        if path.name != "connectors":
            (home / "flows" / path.name).symlink_to(path)
    text = (ROOT / "flows/connectors/postgres.yaml").read_text(encoding="utf-8")
    keys = ["postgres", *(f"pg{n}" for n in range(1, count))]
    for key in keys:
        made = text.replace("key: postgres", f"key: {key}", 1).replace("aliases: [postgresql, pg]", "aliases: []")
        (home / f"flows/connectors/{key}.yaml").write_text(made, encoding="utf-8")
    known = dict.fromkeys(["warehouse"], WAREHOUSE["warehouse"])
    return home, {**known, **{key: {**WAREHOUSE["warehouse"], "connector": key} for key in keys}}
