"""The tables of the results, as Markdown."""

import statistics

from cases import CHECKED, ONE_TRANSACTION, STORM, TITLES
from counts import CASES, MEASURES, per_migration

NO_PEER = ("jetbase", "floor", CHECKED, ONE_TRANSACTION)


def quartiles(values):
    """The lower quartile, the median and the upper quartile."""
    if len(values) == 1:
        return values * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def shown(value):
    """Three digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values):
    low, middle, high = map(shown, quartiles(values))
    return f"{middle} ({low}–{high})" if len(values) > 1 else middle


def ratio(own, other):
    """The ratio of the medians, and the quartiles of the ratios of the rounds."""
    if not own or not other:
        return ""
    rounds = [mine / theirs for mine, theirs in zip(own, other)]
    low, _, high = quartiles(rounds)
    return f"{statistics.median(own) / statistics.median(other):.2f} ({low:.2f}–{high:.2f})"


def best_peer(samples):
    """The peer with the smallest median."""
    peers = [name for name in samples if name not in NO_PEER]
    return min(peers, key=lambda name: statistics.median(samples[name]), default=None)


def times(measured, names):
    """One row for each database and case. Milliseconds."""
    head = ["database", "case", *names, "jetbase ÷ floor", f"jetbase ÷ {CHECKED}", "jetbase ÷ best peer", "rounds"]
    lines = [row(head), row(["---"] * len(head))]
    for database, measurement in measured:
        for case, samples in ((case, measurement.samples.get(case)) for case in TITLES):
            if not samples and not any(failed == case for failed, _ in measurement.problems):
                continue
            samples = samples or {}
            cells = []
            for name in names:
                cell = spread(samples[name]) if name in samples else ""
                if (case, name) in measurement.problems:
                    cell = "failed"
                elif case == "storm" and any(measurement.failures.get(name, [])):
                    failed = statistics.median(measurement.failures[name])
                    cell += f", {failed:.0f} of {STORM} fail first"
                cells.append(cell)
            own, peer = samples.get("jetbase"), best_peer(samples)
            against = ratio(own, samples.get(peer)) if peer else ""
            rounds = max(map(len, samples.values()), default=0)
            floors = [ratio(own, samples.get(name)) for name in ("floor", CHECKED)]
            cells += [*floors, f"{against} {peer}" if against else "", str(rounds)]
            lines.append(row([database, TITLES[case], *cells]))
    return "\n".join(lines) + "\n"


def count_table(counted, names):
    """One row for each database, case and contender."""
    head = ["database", "case", "contender", *(measure.replace("-", " ") for measure in MEASURES)]
    lines = [row(head), row(["---"] * len(head))]
    for database, counter in counted:
        for case, _, _ in CASES:
            for name in names:
                counts = counter.counts.get((case, name))
                if counts:
                    lines.append(row([database, TITLES[case], name, *(str(counts.get(it, "")) for it in MEASURES)]))
                elif (case, name) in counter.problems:
                    lines.append(row([database, TITLES[case], name, *["failed"] * len(MEASURES)]))
        for name in names:
            more = [per_migration(counter.counts, name, measure) for measure in MEASURES]
            if any(value is not None for value in more):
                cells = ["" if value is None else f"{value:.2f}".rstrip("0").rstrip(".") for value in more]
                lines.append(row([database, "each further migration", name, *cells]))
    return "\n".join(lines) + "\n"


def problems(measured):
    """The errors behind each `failed`."""
    lines = []
    for database, it in measured:
        for (case, name), error in it.problems.items():
            lines.append(f"- {database}, {TITLES[case]}, {name}: {error}")
    return "\n".join(lines) + "\n" if lines else ""


def row(cells):
    return "| " + " | ".join(cells) + " |"
