"""How soon Slack gets its acknowledgement, idle and under stress, and what an event costs that posts nothing."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator

import aiohttp

from bench.bots import Running, bare, mend, stub
from bench.measure import cpu_seconds, median, percentile
from bench.place import Place
from bench.seed import thread
from bench.slack_side import Send, SlackSide, lines, offered, posts
from bench.table import Line

CASES = 1000


def at_port(port: int) -> dict[str, object]:
    return {"connector": "postgres", "settings": {"host": "127.0.0.1", "port": port, "database": "d", "user": "u"}}


WAREHOUSE = {"warehouse": at_port(9)}


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f}"


def acks(place: Place) -> list[Line]:
    """Goals 1 and 2: a click that is committed before it is acknowledged, beside Bolt's echo."""
    return asyncio.run(_acks(place))


async def _acks(place: Place) -> list[Line]:
    rates = (20, 50) if place.quick else (20, 50, 100)
    seen: dict[tuple[str, int], list[list[float]]] = {}
    with stub(place.folder) as api, bare(place.folder, api) as y1, bare(place.folder, api, "pbr") as y2, \
            mend(place.folder, api, place.database(CASES), WAREHOUSE) as ours:  # fmt: skip
        async with lines() as session:
            sides = {name: SlackSide(session, run.url)
                     for name, run in (("Y1", y1), ("Y2", y2), ("Mend", ours))}  # fmt: skip
            await warm(session, api, sides["Mend"])
            for turn in range(place.rounds):
                for rate in rates:
                    place.tell(f"acknowledgements, round {turn + 1} of {place.rounds}, {rate}/s")
                    for name, side in sides.items():
                        send = _clicks(side) if name == "Mend" else _commands(side)
                        taken = await offered(send, rate, place.seconds)
                        seen.setdefault((name, rate), []).append(taken)
                        if name == "Mend":
                            await posts(session, api, len(taken), 120)
    return [_ack_line("1", "p50", 0.5, 0.35, seen, rates), _ack_line("2", "p99", 0.99, 1.0, seen, rates)]


def _clicks(side: SlackSide) -> Send:
    return lambda n: side.click(f"c{n % CASES + 1}")


def _commands(side: SlackSide, text: str = "hello") -> Send:
    return lambda _: side.command(text)


async def warm(session: aiohttp.ClientSession, api: str, side: SlackSide) -> None:
    """The worker is up and has its connections when the first messages have come out."""
    await asyncio.gather(*(side.words(thread(n)) for n in range(1, 21)))
    await posts(session, api, 20)


def _ack_line(
    number: str, name: str, share: float, goal: float, seen: dict[tuple[str, int], list[list[float]]],
    rates: tuple[int, ...],
) -> Line:  # fmt: skip
    at = {key: median([percentile(one, share) for one in rounds]) for key, rounds in seen.items()}
    ratios = [at["Mend", rate] / at["Y1", rate] for rate in rates]
    each = "; ".join(
        f"{rate}/s {ms(at['Mend', rate])} ms ({ratio:.2f}x; Y2 {ms(at['Y2', rate])})"
        for rate, ratio in zip(rates, ratios, strict=True)
    )
    return Line(number, f"ack {name}, committed first", f"<= {goal}x Y1", each, max(ratios) <= goal)


# Stress ---------------------------------------------------------------------------------------------------------------


def stress(place: Place) -> list[Line]:
    """Goal 3: a slow Slack, silent sources, burning processes."""
    return asyncio.run(_stress(place))


async def _stress(place: Place) -> list[Line]:
    seen: dict[str, list[float]] = {}
    with silent() as port, stub(place.folder) as api:
        known = {**WAREHOUSE, "silent": at_port(port)}
        with mend(place.folder, api, place.database(CASES), known) as ours:
            async with lines() as session:
                side = SlackSide(session, ours.url)
                await warm(session, api, side)
                for turn in range(max(2, place.rounds - 2)):
                    place.tell(f"acknowledgements under stress, round {turn + 1}")
                    await _stressed(place, session, api, side, seen)
    p99 = {name: percentile(taken, 0.99) for name, taken in seen.items()}
    worst = max(p99.values())
    said = ", ".join(f"{name} {ms(value)}" for name, value in p99.items())
    goal = "<= 5x idle and < 250 ms"
    return [Line("3", "ack p99 under stress, 40/s, ms", goal, said, worst <= 5 * p99["idle"] and worst < 0.25)]


async def _stressed(
    place: Place, session: aiohttp.ClientSession, api: str, side: SlackSide, seen: dict[str, list[float]]
) -> None:
    async def click(name: str) -> None:
        taken = await offered(_clicks(side), 40, place.seconds)
        seen.setdefault(name, []).extend(taken)
        await posts(session, api, len(taken), 240)

    await click("idle")
    await session.get(f"{api}/delay?seconds=0.2")
    await click("slow Slack")
    await session.get(f"{api}/delay?seconds=0")
    await asyncio.gather(*(side.command("silent") for _ in range(50)))
    await click("50 silent checks")
    # The silent ones end after their limit; their last messages are not the next round's.
    await asyncio.sleep(12)
    await posts(session, api, 0)
    with burning(2):
        await click("2 burning processes")


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that accepts and says nothing."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(server.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield int(server.getsockname()[1])
    for peer in kept:
        peer.close()


def _burn() -> None:
    while True:
        sum(range(100_000))


@contextlib.contextmanager
def burning(count: int) -> Iterator[None]:
    """So many processes that use a whole core each."""
    processes = [multiprocessing.get_context("spawn").Process(target=_burn, daemon=True) for _ in range(count)]
    for one in processes:
        one.start()
    time.sleep(1)
    try:
        yield
    finally:
        for one in processes:
            one.kill()
            one.join()


# Nothing posted -------------------------------------------------------------------------------------------------------


def nothing_posted(place: Place) -> list[Line]:
    """Goal 4: what an acknowledged command costs that leads to nothing, in the process that acknowledges."""
    return asyncio.run(_nothing_posted(place))


async def _nothing_posted(place: Place) -> list[Line]:
    with stub(place.folder) as api, bare(place.folder, api, "pbr") as y2, \
            mend(place.folder, api, place.database(CASES), WAREHOUSE) as ours:  # fmt: skip
        async with lines() as session:
            side = SlackSide(session, ours.url)
            await warm(session, api, side)
            yardstick = SlackSide(session, y2.url)
            sends = {
                "Y2": (y2, _commands(yardstick)),
                "/mend help": (ours, _commands(side, "help")),
                "message of others": (ours, lambda _: side.words("", "good morning")),
            }
            cost: dict[str, list[float]] = {}
            for turn in range(place.rounds):
                place.tell(f"events that post nothing, round {turn + 1} of {place.rounds}")
                for name, (running, send) in sends.items():
                    cost.setdefault(name, []).append(await _cost(running, send, place.seconds))
    at = {name: median(values) for name, values in cost.items()}
    ratio = at["/mend help"] / at["Y2"]
    said = ", ".join(f"{name} {value * 1e6:.0f} us" for name, value in at.items())
    return [Line("4", "CPU per event to the ack", "<= 2.0x Y2", f"{ratio:.2f}x ({said})", ratio <= 2.0)]


async def _cost(running: Running, send: Send, seconds: float) -> float:
    """CPU seconds per event of the acknowledging process alone, at 200/s."""
    before = cpu_seconds(running.pid, alone=True)
    taken = await offered(send, 200, seconds)
    return (cpu_seconds(running.pid, alone=True) - before) / len(taken)
