"""Writes the migrations of the benchmark, in the layout of each contender, into `benches/speed/sets`."""

from pathlib import Path

SETS = Path(__file__).resolve().parent / "sets"
SIZES = {"one": 1, "hundred": 100, "thousand": 1000, "history": 5000}

# What the files are. If it changes, they are written again.
EDITION = "1"


def text(name, n):
    """The file n of a set: a table, an index and a row. All but the first file of `history` only insert a row."""
    if name == "history":
        create = "CREATE TABLE notes (\n    id INTEGER PRIMARY KEY,\n    note VARCHAR(200) NOT NULL\n);\n" if n == 1 else ""
        return create + f"INSERT INTO notes (id, note) VALUES ({n}, '{'the survey of orders was closed on time; ' * 4}');\n"
    return f"""CREATE TABLE table_{n} (
    id INTEGER PRIMARY KEY,
    name VARCHAR(200) NOT NULL,
    amount INTEGER NOT NULL
);
CREATE INDEX table_{n}_name ON table_{n} (name);
INSERT INTO table_{n} (id, name, amount) VALUES (1, 'first', {n});
"""


def write():
    """Writes the files, unless they are already there."""
    stamp = SETS / "edition"
    if stamp.is_file() and stamp.read_text() == EDITION:
        return
    table = []
    for name, size in SIZES.items():
        table.append(f"pub const {name.upper()}: &[(&str, &str)] = &[\n")
        for n in range(1, size + 1):
            sql = text(name, n)
            put(SETS / "versions" / name / f"V{n}__table.sql", sql)
            put(SETS / "sqlx" / name / f"{n:04}_table.sql", sql)
            put(SETS / "diesel" / name / f"{n:04}_table" / "up.sql", sql)
            table.append(f'    ("V{n}__table", include_str!("versions/{name}/V{n}__table.sql")),\n')
        table.append("];\n")
    put(SETS / "files.rs", "".join(table))
    stamp.write_text(EDITION)


def put(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
