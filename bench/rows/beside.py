"""`mend check` beside the public connection tests, in every situation, one after another in one run."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from bench.bots import free_port
from bench.measure import Ran, median, run
from bench.peers import OF_DATABASES, OF_HTTP, Known, Peer
from bench.place import Place
from bench.rows.acks import silent
from bench.rows.checks import LIMIT, bare_login, check
from bench.rows.http import api, places
from bench.sources import source
from bench.table import Line

# Who has said nothing by then hangs: the longest of Mend's own limits is a quarter of it.
PATIENCE = 20.0
BARE_HTTP = "import requests, sys; sys.exit(requests.get(sys.argv[1], headers={'Authorization': 'Bearer ' + sys.argv[2]}, timeout=5).status_code != 200)"  # noqa: E501


@dataclass
class Situation:
    """The commands of one situation, and what each took."""

    name: str
    commands: dict[str, list[str]]
    took: dict[str, list[Ran]] = field(default_factory=dict)

    @property
    def healthy(self) -> bool:
        return self.name.endswith(("healthy", "tables"))

    def turn(self) -> None:
        for name, command in self.commands.items():
            self.took.setdefault(name, []).append(run(command, PATIENCE))


def beside(place: Place) -> list[Line]:
    """Goal 14 with the peers: healthy, refused, wrong password, silent, 500 tables."""
    if not place.peers:
        return [Line("14", f"beside {peer.name}", _goal(peer), "left out (--peers installs it)", None)
                for peer in (*OF_DATABASES, *OF_HTTP)]  # fmt: skip
    homes = {}
    for peer in (*OF_DATABASES, *OF_HTTP):
        place.tell(f"installing {peer.name} into an environment of its own")
        homes[peer.name] = peer.install(place.folder)
    with silent() as quiet:
        return [*_databases(place, homes, quiet), *_http(place, homes)]


def _goal(peer: Peer) -> str:
    return f"Mend >= {peer.times:g}x faster" if peer.times else "no goal"


def _databases(place: Place, homes: dict[str, Path], quiet: int) -> list[Line]:
    lines: list[Line] = []
    for tables in (3, 500):
        with source(place, tables) as known:
            at = known["settings"]
            cases = {"healthy": known, "refused": {**known, "settings": {**at, "port": free_port()}},
                     "wrong password": {**known, "secrets": {"password": "wrong"}},
                     "silent": {**known, "settings": {**at, "port": quiet}}}  # fmt: skip
            wanted = cases if tables == 3 else {"500 tables": known}
            bare = [sys.executable, "-m", "bench.bare_driver"]
            made = [_situation(place, homes, name, one, OF_DATABASES, [*bare, json.dumps(bare_login(one))])
                    for name, one in wanted.items()]  # fmt: skip
            lines += _measured(place, made, OF_DATABASES)
    return lines


def _http(place: Place, homes: dict[str, Path]) -> list[Line]:
    with api() as root:
        made = []
        for name, (url, token) in places(root).items():
            settings = {"base_url": url, "auth": "bearer", "probe": "/items", "resources": ["/items"]}
            known = {"connector": "http_api", "secrets": {"token": token}, "settings": settings}
            bare = [sys.executable, "-c", BARE_HTTP, f"{url}/items", token]
            made.append(_situation(place, homes, f"HTTP {name}", known, OF_HTTP, bare))
        return _measured(place, made, OF_HTTP)


def _situation(
    place: Place, homes: dict[str, Path], name: str, known: Known, peers: tuple[Peer, ...], bare: list[str]
) -> Situation:
    commands = {"bare": bare, "mend": check(place, {"warehouse": known}, "warehouse")}
    folder = name.replace(" ", "-")
    return Situation(name, {**commands, **{peer.name: peer.asks(homes[peer.name], folder, known) for peer in peers}})


def _measured(place: Place, made: list[Situation], peers: tuple[Peer, ...]) -> list[Line]:
    rounds = 2 if place.quick else 7
    for turn in range(rounds):
        for one in made:
            # A command that hangs takes all of its patience: once is enough to see that.
            if turn == 0 or not any(ran.wall >= PATIENCE for some in one.took.values() for ran in some):
                place.tell(f"{one.name}, round {turn + 1} of {rounds}")
                one.turn()
                for name, some in one.took.items() if one.healthy and turn == 0 else ():
                    if some[0].code:
                        last = (some[0].output.strip().splitlines() or ["nothing"])[-1]
                        place.tell(f"{name} fails on a source that is well: {last[:200]}")
    return [_line(one, peers) for one in made]


def _line(one: Situation, peers: tuple[Peer, ...]) -> Line:
    wall = {name: median([ran.wall for ran in some]) for name, some in one.took.items()}
    parts = [_said(name, wall[name] / wall["mend"], some) for name, some in one.took.items()]
    peak = {name: median([ran.peak for ran in some]) for name, some in one.took.items()}
    faster = all(wall[peer.name] >= peer.times * wall["mend"] for peer in peers)
    smaller = all(peak["mend"] < peak[peer.name] for peer in peers)
    met = faster and smaller if one.healthy else wall["mend"] <= LIMIT + 0.5
    wanted = ", ".join(f"{peer.name} >= {peer.times:g}x" for peer in peers if peer.times)
    goal = f"{wanted}; memory below each" if one.healthy else f"Mend <= {LIMIT:g} + 0.5 s"
    return Line("14" if one.healthy else "15", f"beside: {one.name}", goal, "; ".join(parts), met)


def _said(name: str, times: float, some: list[Ran]) -> str:
    wall, peak, code = median([ran.wall for ran in some]), median([ran.peak for ran in some]), some[-1].code
    if wall >= PATIENCE:
        return f"{name} > {PATIENCE:g} s, killed"
    beside = "" if name == "mend" else f" ({times:.1f}x)"
    return f"{name} {wall:.2f} s{beside} {peak:.0f} MiB, exit {code}"
