"""Trouble on request: the next calls of a method are limited, failed, dropped or slowed."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass
class Fault:
    kind: str
    times: int
    seconds: float = 0.0
    status: int = 500
    error: str = ""
    done_first: bool = False


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_method: dict[str, list[Fault]] = {}

    def _add(self, method: str, fault: Fault) -> None:
        with self._lock:
            self._by_method.setdefault(method, []).append(fault)

    def rate_limit(self, method: str, times: int = 1, retry_after: int = 1) -> None:
        self._add(method, Fault("rate_limit", times, seconds=retry_after))

    def fail(self, method: str, times: int = 1, status: int = 500) -> None:
        self._add(method, Fault("status", times, status=status))

    def refuse(self, method: str, error: str, times: int = 1) -> None:
        self._add(method, Fault("refuse", times, error=error))

    def drop(self, method: str, times: int = 1, done_first: bool = False) -> None:
        """Close the connection without an answer; with `done_first` the work was done all the same."""
        self._add(method, Fault("drop", times, done_first=done_first))

    def slow(self, method: str, seconds: float, times: int = 1) -> None:
        self._add(method, Fault("slow", times, seconds=seconds))

    def clear(self) -> None:
        with self._lock:
            self._by_method.clear()

    def next(self, method: str) -> Fault | None:
        """`*` stands for every method."""
        with self._lock:
            for key in (method, "*"):
                waiting = self._by_method.get(key, [])
                if not waiting:
                    continue
                fault = waiting[0]
                fault.times -= 1
                if fault.times <= 0:
                    waiting.pop(0)
                return fault
        return None
