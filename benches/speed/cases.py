"""What is measured: each case gives one value of a contender in one round."""

import os
import statistics
import subprocess
import time

from processes import LineProcess, Refused
from sets import SETS, SIZES

STORM = 50
AGAIN = 10
SETTLE = 0.02  # seconds, for a pool that takes its first connection back
DELAY = 1000  # microseconds

# Case, what it is, unit.
NOTHING = ("nothing-100", "nothing-100-again", "nothing-5000", "nothing-5000-again")
TITLES = {
    "nothing-100": "nothing pending, 100 applied, first call",
    "nothing-100-again": "nothing pending, 100 applied, repeated",
    "nothing-5000": "nothing pending, 5000 applied, first call",
    "nothing-5000-again": "nothing pending, 5000 applied, repeated",
    "first": "first migration on an empty database",
    "hundred": "100 migrations",
    "hundred-1ms": "100 migrations, +1 ms",
    "thousand": "1000 migrations",
    "thousand-1ms": "1000 migrations, +1 ms",
    "lone": "connect, and 100 migrations",
    "storm": f"the same, {STORM} processes on one empty database, all done",
    "process-nothing": "whole process, nothing pending, 100 applied",
    "process-hundred": "whole process, 100 migrations",
}
APPLIES = {
    "first": ("one", 0),
    "hundred": ("hundred", 0),
    "hundred-1ms": ("hundred", DELAY),
    "thousand": ("thousand", 0),
    "thousand-1ms": ("thousand", DELAY),
}
ONE_TRANSACTION = "jetbase-one-tx"
CHECKED = "floor-checked"
# What these contenders show, they show in these cases.
ONLY_IN = {ONE_TRANSACTION: tuple(APPLIES), CHECKED: (*NOTHING, *APPLIES)}
# A file of SQLite is not far away, and its processes share one machine.
NOT_ON_SQLITE = ("hundred-1ms", "thousand-1ms", "lone", "storm")
# The long cases are not in every round: in one of so many.
EVERY = {"thousand": 3, "thousand-1ms": 15, "lone": 3, "storm": 3, "process-nothing": 3, "process-hundred": 3}
VERIFY = {"one": "SELECT count(*) FROM table_1", "hundred": "SELECT count(*) FROM table_100"}
VERIFY |= {"thousand": "SELECT count(*) FROM table_1000", "history": "SELECT count(*) FROM notes"}


def verify(server, database, name):
    """Raises an error unless the files were applied, each once."""
    found, wanted = int(server.value(database, VERIFY[name])), SIZES["history"] if name == "history" else 1
    if found != wanted:
        raise Refused(f"the set `{name}` left {found} rows instead of {wanted}")


class Contender:
    """A program that applies migrations."""

    def __init__(self, name, program, arguments=()):
        self.name = name
        self.command = [str(program), *arguments]

    def start(self, environment=None):
        process = LineProcess(self.command, environment)
        process.answer()
        return process

    def connected(self, server, database, port=None, environment=None):
        process = self.start(environment)
        try:
            process.ask(f"connect {server.kind} {server.url(database, port)}")
        except Refused:
            process.close()
            raise
        return process

    def apply(self, server, database, name, delay=0):
        """Applies a set over a new connection and returns the milliseconds of the call."""
        port = server.proxy(delay) if delay else None
        with self.connected(server, database, port) as process:
            return int(process.ask(f"migrate {name} 1")) / 1e6

    def whole(self, server, database, name):
        """The milliseconds of a process that connects and applies a set."""
        start = time.monotonic()
        with self.connected(server, database) as process:
            process.ask(f"migrate {name} 1")
        return (time.monotonic() - start) * 1e3

    def storm(self, server, database, processes):
        """Milliseconds until all processes have succeeded, and how many of them failed at first."""
        started = [self.start() for _ in range(processes)]
        try:
            start = time.monotonic()
            for process in started:
                process.send(f"storm {server.kind} {server.url(database)} hundred")
            answers = [process.answer().split() for process in started]
            took = (time.monotonic() - start) * 1e3
        finally:
            for process in started:
                process.process.stdin.close()
            for process in started:
                process.close()
        return took, sum(int(failed) > 0 for failed, _ in answers)


class PythonTool:
    """The Python tool: only its whole process can be measured."""

    name = "Python"

    def __init__(self, program, folder):
        self.program = program.absolute()
        self.project = folder / "jetbase"
        self.project.mkdir(parents=True, exist_ok=True)
        (self.project / "migrations").symlink_to(SETS / "versions" / "hundred")

    def whole(self, server, database, name):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("JETBASE_")}
        environment["JETBASE_SQLALCHEMY_URL"] = server.python_url(database)
        start = time.monotonic()
        done = subprocess.run(
            [self.program, "upgrade"], cwd=self.project, env=environment, capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            raise Refused((done.stdout + done.stderr).strip().splitlines()[-1])
        return (time.monotonic() - start) * 1e3

    apply = whole


class Measurement:
    """The samples of one database: a value of each contender for each case and round."""

    def __init__(self, server, contenders, python):
        self.server, self.contenders, self.python = server, contenders, python
        self.samples, self.problems, self.failures = {}, {}, {}
        self.prepared = {}

    def round(self, number, cases):
        """Runs every case once with every contender. The order of the contenders changes."""
        for case in cases:
            turn, left_out = divmod(number, EVERY.get(case, 1))
            if left_out:
                continue
            takers = [it for it in self.contenders if case in ONLY_IN.get(it.name, TITLES)]
            if case.startswith("process-") and self.python:
                takers = [*takers, self.python]
            first = turn % len(takers)
            for contender in takers[first:] + takers[:first]:
                if (case, contender.name) in self.problems:
                    continue
                try:
                    self.sample(case, contender)
                except (Refused, subprocess.TimeoutExpired) as error:
                    self.problems[case, contender.name] = str(error)

    def record(self, case, contender, value):
        self.samples.setdefault(case, {}).setdefault(contender.name, []).append(value)

    def sample(self, case, contender):
        server = self.server
        if case in ("nothing-100", "nothing-5000"):
            name = "hundred" if case == "nothing-100" else "history"
            database = self.applied(contender, name)
            with contender.connected(server, database) as process:
                time.sleep(SETTLE)
                self.record(case, contender, int(process.ask(f"migrate {name} 1")) / 1e6)
                again = process.ask(f"migrate {name} {AGAIN}").split()
                self.record(f"{case}-again", contender, statistics.median(map(int, again)) / 1e6)
            return
        if case == "process-nothing":
            database = self.applied(contender, "hundred")
            self.record(case, contender, contender.whole(server, database, "hundred"))
            return
        database = server.create()
        try:
            if case == "process-hundred":
                self.record(case, contender, contender.whole(server, database, "hundred"))
            elif case in ("lone", "storm"):
                took, failed = contender.storm(server, database, 1 if case == "lone" else STORM)
                self.record(case, contender, took)
                if case == "storm":
                    self.failures.setdefault(contender.name, []).append(failed)
            else:
                name, delay = APPLIES[case]
                self.record(case, contender, contender.apply(server, database, name, delay))
        finally:
            server.drop(database)

    def applied(self, contender, name):
        """A database in which the contender has already applied a set."""
        key = (contender.name, name)
        if key not in self.prepared:
            self.prepared[key] = self.server.create()
            contender.apply(self.server, self.prepared[key], name)
            verify(self.server, self.prepared[key], name)
        return self.prepared[key]
