"""What stampede is to reach, as data: perf/report and perf/ledger hold their figures against it, and nothing else has the numbers.

`found` says where a figure stands: the script, then keys of its JSON; a dictionary chooses the entry of a list that has these values.
A goal without it is measured by hand, by what `path` names.
"""

import statistics
from typing import NamedTuple, Optional


class Goal(NamedTuple):
    path: str
    sign: str  # ">=" or "<="
    bound: float
    found: tuple = ()
    unit: str = ""

    def text(self):
        return f"{'≥' if self.sign == '>=' else '≤'} {number_text(self.bound)} {self.unit}".strip()

    def is_met(self, value):
        return value >= self.bound if self.sign == ">=" else value <= self.bound


def of_compare(load, target, figure):
    return ("compare", "medians", {"load": load, "target": target}, figure)


def of_latency(figure):
    return ("latency", "medians", "lines", {"share": 0.5}, figure)


def of_ledger(figure):
    return ("ledger", "goals", {"figure": figure}, "value")


def of_sustained(figure):
    return ("sustained", "figures", "now", figure)


GOALS = [
    Goal("accepted, durable, one a round trip, 256 connections: of the floor", ">=", 0.88, of_compare("256x1", "accepted", "of_floor")),
    Goal("the same: of nginx's return 200", ">=", 1.05, of_compare("256x1", "accepted", "of_nginx")),
    Goal("accepted, 64 connections: of the floor", ">=", 0.72, of_compare("64x1", "accepted", "of_floor")),
    Goal("refused (sold_out), 256 connections: of the floor", ">=", 0.95, of_compare("256x1", "sold_out", "of_floor")),
    Goal("refused behind every check of the door, 256 connections: of the floor", ">=", 0.9, of_compare("256x1", "guarded", "of_floor")),
    Goal("accepted, 16 pipelined: of the floor", ">=", 0.4, of_compare("256x16", "accepted", "of_floor")),
    Goal("refused, 16 pipelined: of the floor", ">=", 0.65, of_compare("256x16", "sold_out", "of_floor")),
    Goal("whole process with SQLite drained beside, 256 connections: of the floor", ">=", 0.75,
         of_compare("256x1", "accepted", "whole_of_floor")),
    Goal("latency at half of the highest rate, p50: of the disk's", "<=", 1.5, of_latency("p50_of_disk")),
    Goal("the same, p99", "<=", 3, of_latency("p99_of_disk")),
    Goal("ledger in Redis: orders per CPU-second, of the embedded one's", ">=", 0.95, of_ledger("orders per CPU-second, redis / embedded")),
    Goal("orders per script call", ">=", 100, of_ledger("orders per script call")),
    Goal("Redis CPU an order: one EVALSHA each / ledger", ">=", 15, of_ledger("Redis CPU, one EVALSHA each / ledger")),
    Goal("Redis reachable again to first grant, p99", "<=", 200, of_ledger("Redis reachable again to first grant, p99"), "ms"),
    Goal("last unit returned to last unit sold, slowest", "<=", 1000, of_ledger("last unit returned to last unit sold, slowest"), "ms"),
    Goal("recovery", ">=", 2_000_000, ("recovery", "medians", "records_per_s"), "records/s"),
    Goal("from the start to ready behind SIGKILL, 1 GiB of log or more", "<=", 2, ("recovery", "medians", "ready_s_of_a_gib"), "s"),
    Goal("late orders a CPU-second (second half) of the first, whole process", ">=", 0.85, of_sustained("late_of_first")),
    Goal("bytes written, of the log's", "<=", 1.5, of_sustained("written_of_log")),
    Goal("resident bytes an order, at half of the orders", "<=", 220, of_sustained("bytes_an_order_at_half"), "B"),
    Goal("resident memory of a process that has sold nothing", "<=", 60, of_sustained("resident_empty_mib"), "MiB"),
    Goal("idle connection, in the process", "<=", 200, ("scale", "idle", -1, "process_bytes"), "B"),
    *(Goal(f"cost of an order with more {dimension}: of the cheapest size below", "<=", 1.15, ("scale", "flatness", dimension, "worst"))
      for dimension in ("stock", "users", "items", "connections")),
    Goal("pause of a hand-over (perf/hand_over)", "<=", 300, unit="ms"),
    Goal("rows a second into PostgreSQL beside a rush, of psql's COPY", ">=", 0.8),
    Goal("rush of make demo, a million users, generator included", "<=", 8, unit="s"),
]


def number_text(value):
    """As many digits as somebody compares."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def look_up(results, found):
    """The value at a place of {script: JSON}; None when there is none."""
    value = results
    for key in found:
        try:
            value = next(one for one in value if all(one[name] == wanted for name, wanted in key.items())) if isinstance(key, dict) else value[key]
        except (KeyError, IndexError, TypeError, StopIteration):
            return None
    return value


def neighbours_in(result):
    """What measure.Neighbours saw in each measurement of a script's JSON."""
    if isinstance(result, list):
        return [seen for one in result for seen in neighbours_in(one)]
    if not isinstance(result, dict):
        return []
    own = [result["neighbours"]] if isinstance(result.get("neighbours"), dict) else []
    return own + [seen for name, one in result.items() if name != "neighbours" for seen in neighbours_in(one)]


def others_beside(results, found) -> Optional[float]:
    """How many CPUs others took beside a figure: of the measurements behind it where they are known, else of its whole script."""
    beside = look_up(results, found[:-1])
    if isinstance(beside, dict) and "others" in beside:
        return beside["others"]
    seen = neighbours_in(results.get(found[0]))
    return statistics.median(one["others"] + one["steal"] for one in seen) if seen else None


def held_against(results):
    """A row for each goal: what was measured, None where nothing was, and whether that meets it."""
    rows = []
    for goal in GOALS:
        value = look_up(results, goal.found) if goal.found else None
        rows.append({"path": goal.path, "goal": goal.text(), "measured": value,
                     "text": "–" if value is None else f"{number_text(value)} {goal.unit}".strip(),
                     "met": None if value is None else goal.is_met(value),
                     "script": goal.found[0] if goal.found else None,
                     "others": None if value is None else others_beside(results, goal.found)})
    return rows


def of_script(*found):
    """The goal of a figure, for the script that measures it."""
    return next((goal for goal in GOALS if goal.found == found), None)
