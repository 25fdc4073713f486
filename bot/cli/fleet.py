"""`mend check` of many connections: gently, a line each as it ends, and at the end what they have in common."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.cli.text import clean
from bot.settings import Settings
from flows.core.sheet import SheetError

if TYPE_CHECKING:
    from rich.text import Text

Result = dict[str, Any]
# Side by side, but gently: a fleet behind one host must not look like an attack.
AT_ONCE, AT_ONE_HOST = 16, 4
# More than a screen of rows: each has told its own line already, and what is good needs no second.
MANY, NAMED = 30, 8
NARROW = 100
COLOUR = {"good": "green", "bad": "red", "unclear": "yellow", "skipped": "dim"}
ORDER = {"bad": 0, "unclear": 1, "good": 2}
# What a proxy on the way can be the reason of.
_ON_THE_WAY = ("tls", "proxy", "network", "dns")


def side_by_side(
    settings: Settings, names: Sequence[str], look: Callable[[str], Result], done: dict[str, Result], *, quiet: bool
) -> None:
    """Look at many at once; results go into `done` as they come. Lines and progress go to standard error."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True, highlight=False)
    with Progress(console=console, disable=quiet, transient=True) as progress:
        task = progress.add_task("checking", total=len(names))
        for one in ended({name: host_of(settings, name) for name in names}, look):
            done[one["connection"]] = one
            progress.advance(task)
            if not quiet:
                counted = f"{len(done)}/{len(names)}".ljust(2 * len(str(len(names))) + 1)
                progress.console.print(_line(one, counted), soft_wrap=True)


def ended(hosts: Mapping[str, str], look: Callable[[str], Result]) -> Iterator[Result]:
    """Results as they come. A slow host keeps nobody waiting but its own, and its threads no program alive."""
    waiting: dict[str, deque[str]] = {}
    for name, host in hosts.items():
        waiting.setdefault(host, deque()).append(name)
    busy: Counter[str] = Counter()
    through: SimpleQueue[tuple[str, Result | Exception]] = SimpleQueue()

    def run(name: str) -> None:
        try:
            through.put((name, look(name)))
        except Exception as error:  # told by whoever waits
            through.put((name, error))

    for _ in hosts:
        for host in _free(waiting, busy):
            busy[host] += 1
            Thread(target=run, args=(waiting[host].popleft(),), daemon=True).start()
        name, result = _next(through)
        busy[hosts[name]] -= 1
        if isinstance(result, Exception):
            raise result
        yield result


def _free(waiting: Mapping[str, deque[str]], busy: Counter[str]) -> Iterator[str]:
    """Hosts in turn, as long as there is room for one more."""
    while busy.total() < AT_ONCE:
        fit = [host for host, names in waiting.items() if names and busy[host] < AT_ONE_HOST]
        if not fit:
            return
        yield min(fit, key=lambda host: busy[host])


def _next(through: SimpleQueue[tuple[str, Result | Exception]]) -> tuple[str, Result | Exception]:
    """Waiting in short steps: Ctrl-C does not reach a wait without an end on every system."""
    while True:
        try:
            return through.get(timeout=0.5)
        except Empty:
            continue


def host_of(settings: Settings, name: str) -> str:
    """What a connection talks to, as far as mend.yml says it."""
    connection = settings.connections[name]
    given = connection.settings.get("host") or connection.settings.get("base_url") or connection.connector
    return urlsplit(str(given)).netloc or str(given)


def _line(found: Result, number: str) -> Text:
    from rich.text import Text

    said = "" if found["verdict"] == "good" else f": {clean(found['summary'])}"
    return (
        Text(f"{number} ")
        .append(f"{found['verdict']:8}", COLOUR[found["verdict"]])
        .append(clean(found["connection"]) + said, "default")
    )


def told(settings: Settings, results: Sequence[Result]) -> None:
    """What stands on standard output at the end: a table where it helps, what is shared, and the count."""
    _table(settings, [r for r in results if len(results) <= MANY or r["verdict"] != "good"], len(results))
    for line in shared(settings, results):
        print(line)
    if len(results) > 1:
        count = Counter(r["verdict"] for r in results)
        print(", ".join(f"{count[v]} {v}" for v in ("good", "bad", "unclear") if count[v]) + f" of {len(results)}")


def shared(settings: Settings, results: Sequence[Result]) -> list[str]:
    """What several connections have in common is said once: the most first."""
    bad = [r for r in results if r["verdict"] != "good" and r["code"] != "config.wrong_format"]
    groups = [group for group in _alike(bad, lambda r: (r["cause"], r["code"], _way(settings, r))) if len(group) > 1]
    told = {r["connection"] for group in groups for r in group}
    # At different places the same thing may still have happened, a change of the network for one.
    alone = _alike([r for r in bad if r["connection"] not in told], lambda r: (r["cause"], r["code"]))
    groups += [group for group in alone if len(group) > 1]
    return [_said(settings, group) for group in sorted(groups, key=lambda group: -len(group))]


def _alike(results: Sequence[Result], by: Callable[[Result], tuple[Any, ...]]) -> list[list[Result]]:
    groups: dict[tuple[Any, ...], list[Result]] = {}
    for r in results:
        groups.setdefault(by(r), []).append(r)
    return list(groups.values())


def _way(settings: Settings, r: Result) -> str:
    """The proxy, where it can be the reason, else the host."""
    proxy = urlsplit(settings.connections[r["connection"]].proxy or "")
    on_the_way = proxy.hostname and str(r["code"]).split(".")[0] in _ON_THE_WAY
    return f"proxy {proxy.hostname}:{proxy.port}" if on_the_way else host_of(settings, r["connection"])


def _said(settings: Settings, group: Sequence[Result]) -> str:
    from messages import render
    from messages.meaning import PROXY

    names = [clean(r["connection"]) for r in group]
    first, ways = group[0], {_way(settings, r) for r in group}
    way = next(iter(ways)) if len(ways) == 1 else "the server"
    summaries = {r["summary"] for r in group}
    proxied = way.startswith("proxy ") and len({host_of(settings, r["connection"]) for r in group}) > 1
    if len(summaries) == 1 and not proxied:
        said = first["summary"]
    else:
        finding = {"verdict": first["verdict"], "cause": first["cause"], "code": first["code"], "evidence": ""}
        host = f"the {way}" if proxied else way
        said = render.summary({**finding, "facts": {"host": host}, "alternatives": []}, {"host": host})
    others = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    waiting = "waiting helps" if first["waiting_helps"] else "waiting does not help"
    who = PROXY if way.startswith("proxy ") else _who(settings, first, name="them") or "Nobody"
    listed = ", ".join(names[:NAMED])
    return f"{len(names)} connections: {clean(said)} ({who[:1].lower()}{who[1:]}; {waiting}) {listed}{others}"


def _who(settings: Settings, r: Result, **instead: str) -> str:
    """Who must act, as the thread calls them."""
    seen = ("verdict", "cause", "code")
    top = next((f for f in r["findings"] if all(f[key] == r[key] for key in seen)), None)
    if r["verdict"] == "good" or top is None:
        return ""
    from bot.views import connection_view
    from messages import render

    try:
        view = connection_view(settings, r["connection"])
    except SheetError:  # there is no such connector
        view = {}
    return str(render.who(top, {**view, **instead}))


def _table(settings: Settings, results: Sequence[Result], of: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not results or (console.is_terminal and (console.width < NARROW or of > MANY)):
        return  # every line has told its own already
    table = Table()
    for header in ("Connection", "Verdict", "What is wrong", "Code", "Who", "Waiting helps"):
        table.add_column(header, overflow="fold")
    for r in sorted(results, key=lambda r: (ORDER[r["verdict"]], r["cause"] or "", r["connection"])):
        good = r["verdict"] == "good"
        waiting = "" if good else "yes" if r["waiting_helps"] else "no"
        cells = [r["connection"], "" if good else r["summary"], r["code"] or "", _who(settings, r)]
        name, *rest = [Text(clean(cell)) for cell in cells]
        table.add_row(name, Text(r["verdict"], COLOUR[r["verdict"]]), *rest, Text(waiting))
    # Cut to 80 columns, a table in a log file would say nothing.
    Console(width=max(console.width, 140) if not console.is_terminal else None).print(table)
