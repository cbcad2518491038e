"""Bars as SVG: one panel for each database, one bar for each contender, with the quartiles."""

from html import escape
from urllib.parse import quote

from cases import ONE_TRANSACTION
from report import quartiles, shown

COLOURS = {"jetbase": "#c2410c", ONE_TRANSACTION: "#ea8a4f", "floor": "#9ca3af"}
OTHER = "#3b6ea5"
LABEL, PANEL, BAR, GAP, ROW = 110, 250, 16, 24, 22


def bars(title, note, panels, names):
    """The plot. A panel is a name and the samples of each contender. Each panel has its own scale."""
    width = LABEL + len(panels) * (PANEL + GAP)
    height = 74 + len(names) * ROW + 26
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12" fill="#1f2937">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="16" font-weight="bold">{escape(title)}</text>',
        f'<text x="12" y="{height - 10}" fill="#6b7280" font-size="11">{escape(note)}</text>',
    ]
    for at, name in enumerate(names):
        out.append(f'<text x="{LABEL - 10}" y="{74 + at * ROW + 12}" text-anchor="end">{escape(name)}</text>')
    for number, (database, samples) in enumerate(panels):
        left = LABEL + number * (PANEL + GAP)
        out.append(f'<text x="{left}" y="56" font-weight="bold">{escape(database)}</text>')
        largest = max((quartiles(values)[1] for values in samples.values()), default=1)
        scale = (PANEL - 70) / largest
        for at, name in enumerate(names):
            top = 74 + at * ROW
            if name not in samples:
                out.append(f'<text x="{left}" y="{top + 12}" fill="#6b7280">not measured</text>')
                continue
            low, middle, high = quartiles(samples[name])
            length, centre = middle * scale, top + BAR / 2
            ends = [left + min(value * scale, PANEL - 62) for value in (low, high)]
            out.append(
                f'<rect x="{left}" y="{top}" width="{length:.1f}" height="{BAR}" fill="{COLOURS.get(name, OTHER)}"/>'
                f'<line x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{centre}" y2="{centre}" stroke="#111827"/>'
                f'<text x="{max(left + length, ends[1]) + 6:.1f}" y="{top + 12}">{shown(middle)} ms</text>'
            )
    return "\n".join([*out, "</svg>"]) + "\n"


def embedded(files):
    """The plots as link definitions with their whole text. The documentation of the crate has no files beside it."""
    return "".join(f"[plot-{file.stem}]: data:image/svg+xml,{quote(file.read_text())}\n" for file in files)
