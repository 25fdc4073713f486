"""What a message and a diagnosis cost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from bench.measure import median
from bench.place import Place
from bench.rows.acks import WAREHOUSE
from bench.seed import case
from bench.table import Line
from bot import views
from bot.settings import Settings
from flows.core.errors_file import load
from flows.core.explain import Rules
from flows.core.flow import STEP_OF
from messages import render

BUTTONS = ("mend_update_credentials", "mend_fixed", "mend_check_again", "mend_skip", "mend_escalate")
TEXT = 'tap - CRITICAL FATAL: password authentication failed for user "stitch", pattern word77 item77 seen'


def each(call: Callable[[], object], times: int) -> float:
    """The median seconds of a call, warm."""
    for _ in range(20):
        call()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return median(taken)


def message(place: Place) -> list[Line]:
    """Goal 17: the question after a refused password, as the worker makes it."""
    place.tell("a message")
    settings = Settings.model_validate({"connections": WAREHOUSE})
    one = case()

    def made() -> str:
        view = views.case_view(one, settings, step=STEP_OF[one.state])
        return json.dumps(render.message("failed", view, BUTTONS, key="k"))

    seconds = each(made, 300 if place.quick else 2000)
    said = f"{seconds * 1000:.2f} ms"
    return [Line("17", "message: view, words, blocks, JSON", "<= 0.25 ms", said, seconds <= 0.00025)]


def diagnosis(place: Place) -> list[Line]:
    """Goal 11: a text against 50 and against 5,000 messages of the catalogue."""
    place.tell("an error text")
    taken = {}
    for count in (50, 5000):
        rules = _rules(count)
        taken[count] = each(lambda: rules.explain(TEXT), 300 if place.quick else 2000)  # noqa: B023 - called at once
    growth = taken[5000] / taken[50]
    said = f"{taken[5000] * 1000:.3f} ms, {growth:.2f}x"
    met = taken[5000] <= 0.0001 and growth <= 2
    return [Line("11", "error text to cause, 5,000 messages", "<= 0.1 ms, 5,000 / 50 <= 2x", said, met)]


def _rules(count: int) -> Rules:
    """Mend's rules with `count` messages instead of its own catalogue."""
    entries = [{"says": f"pattern word{n} item{n} seen", "cause": "config_error", "stage": "settings"}
               for n in range(50, count + 50)]  # fmt: skip
    return Rules({**load(), "catalogue": entries})
