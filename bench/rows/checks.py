"""Live checks beside the bare driver and beside the public connection tests."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from psycopg.conninfo import make_conninfo

from bench.bare_driver import look
from bench.bots import free_port
from bench.measure import Ran, median, run
from bench.place import Place
from bench.rows.acks import ms, silent
from bench.sources import source
from bench.table import Line
from bot.checks.base import Target
from bot.checks.run import run_all
from bot.checks.target import target_for
from bot.settings import Settings
from flows.core.finding import overall

LIMIT = 5.0
# What a client says to learn whether the server speaks TLS.
SSL_REQUEST = (80877103).to_bytes(4, "big")


def _target(known: dict[str, Any]) -> Target:
    return target_for(Settings.model_validate({"connections": {"warehouse": known}}), "warehouse")


def bare_login(known: dict[str, Any]) -> dict[str, Any]:
    s = known["settings"]
    line = make_conninfo("", host=s["host"], port=s["port"], dbname=s["database"], user=s["user"],
                         password=known["secrets"]["password"])  # fmt: skip
    return {"conninfo": line, "tables": known["tables"]}


def live(place: Place) -> list[Line]:
    """Goal 13: warm, in one process, as the worker runs it."""
    taken: dict[str, list[float]] = {}
    for tables in (5, 500):
        with source(place, tables) as known:
            for turn in range(100 if place.quick else 400):
                if turn == 0:
                    place.tell(f"live checks of {tables} tables")
                target, given = _target(known), bare_login(known)
                _time(taken, f"bare {tables}", lambda given=given: look(**given))
                verdict = _time(taken, f"mend {tables}", lambda target=target: overall(run_all(target)))
                if verdict != "good":
                    raise RuntimeError(f"the good source was found {verdict}")
    at = {name: median(values[5:]) for name, values in taken.items()}
    ours, bare = at["mend 5"], at["bare 5"]
    growth, bare_growth = at["mend 500"] / ours, at["bare 500"] / bare
    said = f"{ms(ours)} against {ms(bare)} ms; 500 tables {growth:.2f}x (bare {bare_growth:.2f}x)"
    met = ours <= 1.3 * bare + 0.003 and growth <= 1.3
    return [Line("13", "live check in the bot, good", "<= 1.3x bare + 3 ms; 5 -> 500 tables <= 1.3x", said, met)]


def _time(taken: dict[str, list[float]], name: str, call: Any) -> Any:
    began = time.perf_counter()
    answer = call()
    taken.setdefault(name, []).append(time.perf_counter() - began)
    return answer


# From the command line ------------------------------------------------------------------------------------------------


def one_shot(place: Place) -> list[Line]:
    """Goal 14: `mend check` beside the bare script; `beside.py` has the public tests of the same database."""
    with source(place) as known:
        commands = {
            "bare": [sys.executable, "-m", "bench.bare_driver", json.dumps(bare_login(known))],
            "mend": check(place, {"warehouse": known}, "warehouse"),
        }
        ran: dict[str, list[Ran]] = {}
        for turn in range(3 if place.quick else 12):
            place.tell(f"one-shot checks, round {turn + 1}")
            for name, command in commands.items():
                ran.setdefault(name, []).append(run(command))
        for name, one in ran.items():
            if one[-1].code != 0:
                place.tell(f"{name} ended with {one[-1].code}: {one[-1].output[-300:]}")
    return [_one_shot_line(ran)]


def check(place: Place, connections: dict[str, Any], *names: str) -> list[str]:
    path = place.folder / f"check-{len(list(place.folder.glob('check-*')))}.yml"
    path.write_text(yaml.safe_dump({"connections": connections}), encoding="utf-8")
    return [str(Path(sys.executable).parent / "mend"), "check", *names, "--json", "--config", str(path)]


def _one_shot_line(ran: dict[str, list[Ran]]) -> Line:
    wall = {name: median([r.wall for r in ran[name]]) for name in ("bare", "mend")}
    cpu = {name: median([r.cpu for r in ran[name]]) for name in ("bare", "mend")}
    peak = {name: median([r.peak for r in ran[name]]) for name in ("bare", "mend")}
    ratio, memory = wall["mend"] / wall["bare"], peak["mend"] / peak["bare"]
    said = (
        f"{ratio:.2f}x ({wall['mend']:.2f} against {wall['bare']:.2f} s; CPU {cpu['mend'] / cpu['bare']:.2f}x), "
        f"{memory:.2f}x ({peak['mend']:.0f} against {peak['bare']:.0f} MiB)"
    )
    met = ratio <= 1.8 and memory <= 1.5
    return Line("14", "`mend check`, start to end", "<= 1.8x bare; memory <= 1.5x", said, met)


# Bad cases ------------------------------------------------------------------------------------------------------------


def bad(place: Place) -> list[Line]:
    """Goal 15: each ends within its limit and names the step that it reached."""
    with source(place) as known, silent() as quiet, dripping() as drip:
        at = known["settings"]
        cases: dict[str, tuple[dict[str, Any], str]] = {
            "password": ({**known, "secrets": {"password": "wrong"}}, "verify_credentials"),
            "closed": ({**known, "settings": {**at, "port": free_port()}}, "check_network"),
            "silent": ({**known, "settings": {**at, "port": quiet}}, "check_network"),
            "drip": ({**known, "settings": {**at, "port": drip}}, "verify_credentials"),
        }
        walls, right = {}, True
        for name, (connection, step) in cases.items():
            place.tell(f"bad case: {name}")
            one = run(check(place, {"warehouse": connection}, "warehouse"))
            walls[name] = one.wall
            found = json.loads(one.output[one.output.index("\n{") :])
            right = right and step in {f["step"] for f in found["findings"] if f["verdict"] == "bad"}
    said = ", ".join(f"{name} {wall:.1f} s" for name, wall in walls.items()) + ("" if right else "; a wrong step")
    met = right and max(walls.values()) <= LIMIT + 0.5
    return [Line("15", "bad cases, `mend check`", f"<= {LIMIT:g} + 0.5 s, names the step", said, met)]


@contextlib.contextmanager
def dripping() -> Iterator[int]:
    """A PostgreSQL without TLS whose answer to the login comes by one byte a second."""

    def drip(peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            while peer.recv(4096)[4:8] == SSL_REQUEST:
                peer.sendall(b"N")
            for byte in b"R\0\0\0\x20" + bytes(30):
                peer.sendall(bytes([byte]))
                time.sleep(1)

    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(server.getsockname()[1])


def hanging(place: Place) -> list[Line]:
    """Goal 16: 45 silent ones asked first, then 5 good ones, on as many threads as the worker has."""
    with source(place) as known, silent() as quiet:
        slow = _target({**known, "settings": {**known["settings"], "port": quiet}})

        def good() -> float:
            began = time.perf_counter()
            run_all(_target(known))
            return time.perf_counter() - began

        alone, beside = [], []
        for turn in range(1 if place.quick else 3):
            place.tell(f"hanging checks, round {turn + 1}")
            with ThreadPoolExecutor(64) as pool:
                alone.append(max(pool.map(lambda _: good(), range(5))))
                held = [pool.submit(run_all, slow) for _ in range(45)]
                time.sleep(0.3)
                beside.append(max(pool.map(lambda _: good(), range(5))))
                for one in held:
                    one.result()
    ratio = median(beside) / median(alone)
    said = f"{ratio:.1f}x ({ms(median(beside))} against {ms(median(alone))} ms)"
    return [Line("16", "slowest of 5 good checks beside 45 silent", "<= 3x alone", said, ratio <= 3)]
