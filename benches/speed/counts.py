"""What a contender sends and what the server does for it: counts, which do not depend on the speed of the machine."""

import time
from pathlib import Path

from cases import verify
from processes import Refused
from sets import SIZES

MEASURES = ("round-trips", "messages", "bytes-sent", "bytes-received", "connections", "statements", "fsyncs")
# A pool takes a connection back after the answer, and pings it. A server flushes in the background. Seconds.
SETTLE = 0.1
SETTLE_LIMIT = 10
AGAIN = 5
# Case, set, whether the set was applied before.
CASES = (
    ("nothing-100", "hundred", True),
    ("nothing-100-again", "hundred", True),
    ("nothing-5000", "history", True),
    ("nothing-5000-again", "history", True),
    ("first", "one", False),
    ("hundred", "hundred", False),
)
LIMITS = Path(__file__).resolve().parent / "limits"
HEADER = """# The largest counts of jetbase that `benches/speed/run --short` accepts. `--write-limits` writes this file
# again, with a little room. Read each changed line before you commit it: a number that grows is a cost
# that each start or each migration pays.
#
# database case measure limit
"""


class Counter:
    """Counts on one database. `fsyncs` counts for the server, or for the contender on SQLite."""

    def __init__(self, server, fsyncs):
        self.server, self.fsyncs = server, fsyncs
        self.counts, self.problems = {}, {}

    def run(self, contenders):
        for contender in contenders:
            databases = {}
            for case, name, is_applied in CASES:
                try:
                    if is_applied and name not in databases:
                        databases[name] = self.server.create()
                        contender.apply(self.server, databases[name], name)
                        verify(self.server, databases[name], name)
                    applied = databases.get(name) if is_applied else None
                    self.counts[case, contender.name] = self.least(contender, case, name, applied)
                except Refused as error:
                    self.problems[case, contender.name] = str(error)
            for database in databases.values():
                self.server.drop(database)

    def least(self, contender, case, name, applied):
        """The counts. If nothing is pending, an fsync is most likely one in the background: then they are read again."""
        found = self.count(contender, case, name, applied)
        for _ in range(AGAIN if applied else 0):
            if found.get("fsyncs"):
                found = min(found, self.count(contender, case, name, applied), key=lambda counts: counts["fsyncs"])
        return found

    def count(self, contender, case, name, applied):
        server = self.server
        database = applied or server.create()
        on_server = server.kind != "sqlite"
        port = server.proxy(0) if on_server else None
        environment = self.fsyncs.environment if self.fsyncs and not on_server else None
        process = contender.connected(server, database, port, environment)
        try:
            if case.endswith("-again"):
                process.ask(f"migrate {name} 1")
            self.settle()
            if on_server:
                server.program.ask(f"reset {port}")
            statements, fsyncs = server.statements(), self.fsyncs.read() if self.fsyncs else None
            process.ask(f"migrate {name} 1")
            time.sleep(SETTLE)
            found = {}
            if self.fsyncs:
                found["fsyncs"] = self.fsyncs.read() - fsyncs
            if on_server:
                turns, sent, received, messages, _, connections = map(int, server.program.ask(f"counts {port}").split())
                found |= {"round-trips": turns, "messages": messages, "connections": connections}
                found |= {"bytes-sent": sent, "bytes-received": received}
            if statements is not None:
                found["statements"] = server.statements() - statements
        finally:
            process.close()
        verify(server, database, name)
        if not applied:
            server.drop(database)
        return found

    def settle(self):
        """Waits until what came before has no effect on the counts any more."""
        deadline, before = time.monotonic() + SETTLE_LIMIT, None
        while time.monotonic() < deadline:
            time.sleep(SETTLE)
            now = self.fsyncs.read() if self.fsyncs else 0
            if now == before:
                return
            before = now

    def sent(self, contender, name="hundred"):
        """What a contender sends for a set, as escaped text."""
        database, port = self.server.create(), self.server.proxy(0)
        with contender.connected(self.server, database, port) as process:
            self.settle()
            self.server.program.ask(f"reset {port}")
            process.ask(f"migrate {name} 1")
            text = self.server.program.ask(f"sent {port}")
        self.server.drop(database)
        return text


def room(database, measure, value):
    """The limit for a count of today. Bytes differ by the digits of process ids and times, and a server can
    flush in the background. All other counts are the same in each run."""
    if measure.startswith("bytes"):
        return value * 103 // 100
    if measure == "fsyncs" and database != "sqlite":
        return value * 5 // 4 + 5
    return value


def read_limits():
    limits = {}
    for line in LIMITS.read_text().splitlines() if LIMITS.is_file() else ():
        if line and not line.startswith("#"):
            database, case, measure, limit = line.split()
            limits[database, case, measure] = int(limit)
    return limits


def write_limits(counters):
    """Writes the limits of the measured databases, and keeps those of the others."""
    measured = {database for database, _ in counters}
    limits = {key: limit for key, limit in read_limits().items() if key[0] not in measured}
    for database, counter in counters:
        for (case, name), counts in counter.counts.items():
            if name == "jetbase":
                for measure, value in counts.items():
                    limits[database, case, measure] = room(database, measure, value)
    LIMITS.write_text(HEADER + "".join(f"{' '.join(key)} {limit}\n" for key, limit in sorted(limits.items())))


def above_limits(database, counter):
    """A sentence for each count that is above its limit, or that has none."""
    limits = read_limits()
    found = [f"{database} {case}: jetbase failed: {error}" for (case, name), error in counter.problems.items() if name == "jetbase"]
    for (case, name), counts in counter.counts.items():
        for measure, value in counts.items() if name == "jetbase" else ():
            limit = limits.get((database, case, measure))
            if limit is None:
                found.append(f"{database} {case}: {LIMITS.name} has no limit for {measure}; `--write-limits` adds it")
            elif value > limit:
                found.append(f"{database} {case}: {value} {measure}, and the limit is {limit}")
    return found


def per_migration(counts, name, measure):
    """The count of one more migration, from 1 and 100 migrations."""
    first, hundred = counts.get(("first", name)), counts.get(("hundred", name))
    if not first or not hundred or measure not in first:
        return None
    return (hundred[measure] - first[measure]) / (SIZES["hundred"] - 1)
