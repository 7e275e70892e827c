"""How many processor threads there are, and one function applied on several of them."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["available_threads", "run_threads"]


def available_threads() -> int:
    """Return how many processor threads this process may use: what OMP_NUM_THREADS says, else all cores it may run on."""
    budget = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if budget.isdigit() and int(budget) > 0:
        return int(budget)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_threads(function: Callable[[Any], Any], items: Iterable[Any], n_threads: int) -> list[Any]:
    """Apply `function` to every item on `n_threads` threads, keeping the order.

    Worth it where `function` spends its time in a library that releases Python's lock.
    """
    if n_threads == 1:
        return [function(item) for item in items]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(function, items))
