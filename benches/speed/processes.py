"""The programs of the benchmark: contenders and servers, which read a command a line and answer with a line."""

import mmap
import os
import select
import shutil
import struct
import subprocess
import time
from pathlib import Path

ANSWER_LIMIT = 300  # seconds


class Refused(Exception):
    """The answer was an error, or there was none."""


class LineProcess:
    """A process that answers each line with a line: `ok …` or `error …`."""

    def __init__(self, command, environment=None):
        self.name = Path(command[0]).name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env={**os.environ, **(environment or {})}
        )
        self.buffer = b""

    def send(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise Refused(f"{self.name} has ended") from None

    def answer(self):
        """The words of the answer without `ok`."""
        deadline = time.monotonic() + ANSWER_LIMIT
        out = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([out], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise Refused(f"{self.name} did not answer within {ANSWER_LIMIT} s")
            read = os.read(out, 1 << 16)
            if not read:
                raise Refused(f"{self.name} ended without an answer")
            self.buffer += read
        line, self.buffer = self.buffer.split(b"\n", 1)
        verdict, _, rest = line.decode().partition(" ")
        if verdict != "ok":
            raise Refused(rest)
        return rest

    def ask(self, line):
        self.send(line)
        return self.answer()

    def close(self):
        """Ends the process: at the end of its input, or else with a signal."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class FsyncCounter:
    """How often the processes of a server or a program have made a file durable."""

    def __init__(self, library, folder):
        self.file = folder / "fsyncs"
        self.file.write_bytes(bytes(8))
        # The server runs as another user, who can enter this folder.
        self.file.chmod(0o666)
        copy = shutil.copy(library, folder)
        self.environment = {"LD_PRELOAD": str(copy), "SPEED_FSYNCS": str(self.file)}
        with self.file.open("r+b") as opened:
            self.memory = mmap.mmap(opened.fileno(), 8)

    @staticmethod
    def build(source, library):
        """Compiles the library that counts, or returns why it cannot."""
        compiler = shutil.which("cc")
        if not compiler:
            return "there is no C compiler `cc`"
        library.parent.mkdir(parents=True, exist_ok=True)
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True)
        return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["`cc` failed"])[-1]

    def read(self):
        return struct.unpack("=Q", self.memory[:8])[0]


class Server:
    """A private server, and its proxies."""

    def __init__(self, program, kind, arguments=(), environment=None):
        self.kind = kind
        self.program = LineProcess([program, kind, *arguments], environment)
        self.proxies = {}
        self.count = 0
        try:
            self.version = self.program.answer()
            self.port = self.program.ask("port")
        except Refused:
            self.close()
            raise

    def proxy(self, delay):
        """The port of a proxy that adds `delay` microseconds to a round trip."""
        if delay not in self.proxies:
            self.proxies[delay] = self.program.ask(f"proxy {delay}")
        return self.proxies[delay]

    def url(self, database, port=None):
        user = "postgres" if self.kind == "postgres" else "root"
        return f"{self.kind}://{user}@127.0.0.1:{port or self.port}/{database}"

    def python_url(self, database):
        driver = {"postgres": "postgresql+psycopg2", "mysql": "mysql+pymysql"}[self.kind]
        return self.url(database).replace(self.kind, driver, 1)

    def create(self):
        self.count += 1
        name = f"speed_{self.count}"
        self.program.ask(f"create {name}")
        return name

    def drop(self, database):
        self.program.ask(f"drop {database}")

    def statements(self):
        answer = self.program.ask("statements")
        return int(answer) if answer else None

    def value(self, database, sql):
        return self.program.ask(f"value {database} {sql}")

    def close(self):
        self.program.close()


class SqliteFiles:
    """What `Server` is for the other databases: databases are files in a folder."""

    kind = "sqlite"

    def __init__(self, folder):
        self.folder = folder / "sqlite"
        self.folder.mkdir(exist_ok=True)
        self.count = 0
        self.version = "SQLite"

    def url(self, database, port=None):
        return f"sqlite://{self.folder}/{database}?mode=rwc"

    def python_url(self, database):
        return f"sqlite:///{self.folder}/{database}"

    def create(self):
        self.count += 1
        return f"{self.count}.db"

    def drop(self, database):
        for file in self.folder.glob(f"{database}*"):
            file.unlink(missing_ok=True)

    def statements(self):
        return None

    def value(self, database, sql):
        import sqlite3

        connection = sqlite3.connect(self.folder / database)
        try:
            return str(connection.execute(sql).fetchone()[0])
        finally:
            connection.close()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
