"""What one full step costs: event, acknowledgement, transition, history, words, one message in the thread."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from bench.bots import Running, bare, mend, stub
from bench.measure import cpu_seconds, median, percentile, pss
from bench.place import Place
from bench.rows.acks import CASES, WAREHOUSE, ms, warm
from bench.seed import thread
from bench.slack_side import SlackSide, lines, log_of, offered, posts
from bench.sources import source
from bench.table import Line

RATE = 25
MANY = 1_000_000


@dataclass(frozen=True)
class Steps:
    """CPU seconds per step and the acknowledgements of one turn."""

    cpu: float
    acks: Sequence[float]


async def steps(session: aiohttp.ClientSession, api: str, running: Running, seconds: float, cases: int = 0) -> Steps:
    """Steps at a fixed rate until the last message is out: words in threads of `cases`, or a bare app's commands."""
    side = SlackSide(session, running.url)
    before = cpu_seconds(running.pid)
    # Spread over all cases, so that every step finds another row.
    stride = max(1, cases // int(RATE * seconds))
    taken = await offered(
        lambda n: side.words(thread(n * stride % cases + 1)) if cases else side.command(), RATE, seconds
    )
    await posts(session, api, len(taken))
    return Steps((cpu_seconds(running.pid) - before) / len(taken), taken)


def plain(place: Place) -> list[Line]:
    """Goals 5 and 7, and the time to the first message."""
    return asyncio.run(_plain(place))


async def _plain(place: Place) -> list[Line]:
    cost: dict[str, list[float]] = {"Y1-post": [], "Mend": []}
    with stub(place.folder) as api, bare(place.folder, api, "post") as y1, \
            mend(place.folder, api, place.database(CASES), WAREHOUSE) as ours:  # fmt: skip
        async with lines() as session:
            await warm(session, api, SlackSide(session, ours.url))
            for turn in range(place.rounds):
                place.tell(f"full steps, round {turn + 1} of {place.rounds}")
                cost["Y1-post"].append((await steps(session, api, y1, place.seconds)).cpu)
                cost["Mend"].append((await steps(session, api, ours, place.seconds, CASES)).cpu)
    bare_cost, our_cost = median(cost["Y1-post"]), median(cost["Mend"])
    ratio, per_core = our_cost / bare_cost, 1 / our_cost
    said = f"{ratio:.1f}x ({our_cost * 1000:.1f} against {bare_cost * 1000:.1f} ms)"
    beside = f"{per_core:.0f} (Y1-post {1 / bare_cost:.0f})"
    return [
        Line("5", "CPU per full step, PostgreSQL", "<= 1.8x Y1-post", said, ratio <= 1.8),
        Line("7", "steps per second and core", ">= 600", beside, per_core >= 600),
    ]


def by_tls(place: Place) -> list[Line]:
    """Goal 6: the same where Slack's API is behind TLS."""
    return asyncio.run(_by_tls(place))


async def _by_tls(place: Place) -> list[Line]:
    trust = {"SSL_CERT_FILE": str(place.bundle)}
    cost: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(stub(place.folder, place.certificate))
        bots = {
            "Y1-post": stack.enter_context(bare(place.folder, api, "post", env=trust)),
            "sync": stack.enter_context(bare(place.folder, api, "sync", env=trust)),
            "Mend": stack.enter_context(mend(place.folder, api, place.database(CASES), WAREHOUSE, env=trust)),
        }
        async with lines(ssl=False) as session:
            await warm(session, api, SlackSide(session, bots["Mend"].url))
            for turn in range(place.rounds):
                place.tell(f"full steps by TLS, round {turn + 1} of {place.rounds}")
                for name, bot in bots.items():
                    one = await steps(session, api, bot, place.seconds, CASES if name == "Mend" else 0)
                    cost.setdefault(name, []).append(one.cpu)
    at = {name: median(values) for name, values in cost.items()}
    ratio, to_sync = at["Mend"] / at["Y1-post"], at["Mend"] / at["sync"]
    said = f"{ratio:.2f}x, {to_sync:.2f}x ({', '.join(f'{name} {ms(value)} ms' for name, value in at.items())})"
    met = ratio <= 0.7 and to_sync <= 0.03
    return [Line("6", "CPU per full step, TLS", "<= 0.7x Y1-post, <= 0.03x sync", said, met)]


def first_message(place: Place) -> list[Line]:
    """From the command to the first message in the new thread."""
    return asyncio.run(_first_message(place))


async def _first_message(place: Place) -> list[Line]:
    taken: dict[str, list[float]] = {"root": [], "thread": []}
    with source(place) as known, stub(place.folder) as api, \
            mend(place.folder, api, place.database(CASES), {"warehouse": known}) as ours:  # fmt: skip
        async with lines() as session:
            side = SlackSide(session, ours.url)
            await warm(session, api, side)
            for turn in range(10 if place.quick else 30):
                place.tell(f"first messages, {turn + 1}")
                await log_of(session, api)
                began = time.monotonic()
                await side.command("warehouse")
                seen = await posts(session, api, 2)
                taken["root"].append(seen[0]["at"] - began)
                taken["thread"].append(next(p["at"] for p in seen if p["thread"]) - began)
                await asyncio.sleep(1.5)
    at = {name: median(values) for name, values in taken.items()}
    said = f"{ms(at['thread'])} ms (root {ms(at['root'])}; p90 {ms(percentile(taken['thread'], 0.9))})"
    return [Line("first", "command to first thread message", "< 100 ms median", said, at["thread"] < 0.1)]


def open_cases(place: Place) -> list[Line]:
    """Goals 8 and 9: a thousand open cases beside a million."""
    return asyncio.run(_open_cases(place))


async def _open_cases(place: Place) -> list[Line]:
    many = 50_000 if place.quick else MANY
    cost: dict[int, list[float]] = {}
    acks: dict[int, list[float]] = {}
    with stub(place.folder) as api, contextlib.ExitStack() as stack:
        bots = {n: stack.enter_context(mend(place.folder, api, place.database(n), WAREHOUSE)) for n in (CASES, many)}
        async with lines() as session:
            for bot in bots.values():
                await warm(session, api, SlackSide(session, bot.url))
            for turn in range(place.rounds):
                place.tell(f"{CASES:,} and {many:,} open cases, round {turn + 1} of {place.rounds}")
                for count, bot in bots.items():
                    one = await steps(session, api, bot, place.seconds, count)
                    cost.setdefault(count, []).append(one.cpu)
                    acks.setdefault(count, []).append(percentile(one.acks, 0.99))
        memory = {count: pss(bot.pid) for count, bot in bots.items()}
    ratio, late = median(cost[many]) / median(cost[CASES]), median(acks[many]) / median(acks[CASES])
    grown = (memory[many] - memory[CASES]) / (many - CASES) * 100_000
    between = f"{many:,} / {CASES:,}"
    return [
        Line("8", f"growth with open cases, {between}", "CPU <= 1.1x, ack p99 <= 2x",
             f"{ratio:.2f}x, {late:.2f}x", ratio <= 1.1 and late <= 2),
        Line("9", "memory per 100,000 open cases", "<= 10 MiB", f"{grown:.1f} MiB", grown <= 10),
    ]  # fmt: skip
