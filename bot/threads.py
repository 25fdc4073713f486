"""Where checks, repairs and desks run: plain synchronous functions, beside the loop that speaks with Slack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Threads(ThreadPoolExecutor):
    async def run(self, work: Callable[[*Args], T], *args: *Args) -> T:
        return await asyncio.get_running_loop().run_in_executor(self, work, *args)
