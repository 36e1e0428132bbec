"""One HTML page that needs nothing but itself: text, tables, and charts as inline SVG. What it shows is perf/report's."""

import html
import math
from typing import NamedTuple

INK, FAINT, GRID = "#1c2430", "#667085", "#e4e7ec"
OURS, OTHER, SECOND, GOOD, BAD = "#2166ac", "#98a2b3", "#d9730d", "#1a7f4b", "#c0362c"
FONT = 12
LETTER = 0.56 * FONT  # as wide as one is in the middle
WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 118, 16, 46

STYLE = f"""
:root {{ color-scheme: light }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: {INK}; background: #fff; margin: 0 auto; padding: 24px 28px 80px; max-width: 1180px }}
h1 {{ font-size: 26px; margin: 0 0 4px }} h2 {{ font-size: 19px; margin: 40px 0 6px }} h3 {{ font-size: 14px; margin: 14px 0 4px }}
p {{ margin: 4px 0 10px; max-width: 80ch }} .faint {{ color: {FAINT} }}
table {{ border-collapse: collapse; font-size: 14px }} th {{ text-align: left; color: {FAINT}; font-weight: 600 }}
td, th {{ padding: 4px 14px 4px 0; border-bottom: 1px solid {GRID}; vertical-align: top }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }}
td.met, td.missed, td.faint {{ white-space: nowrap }}
.met {{ color: {GOOD} }} .missed {{ color: {BAD}; font-weight: 600 }}
.warning {{ border-left: 4px solid {SECOND}; background: #fff6ec; padding: 8px 14px; margin: 12px 0; max-width: none }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(460px, 1fr)); gap: 8px 32px }}
.charts > div {{ min-width: 0 }}
svg {{ width: 100%; height: auto; max-width: {WIDTH}px; display: block }}
svg text {{ font: {FONT}px system-ui, sans-serif; fill: {INK} }} svg text.faint {{ fill: {FAINT} }}
pre {{ font-size: 12px; line-height: 1.4; overflow-x: auto; background: #f7f8fa; padding: 12px }}
iframe {{ width: 100%; border: 1px solid {GRID} }}
details {{ margin: 8px 0 }} summary {{ cursor: pointer; color: {FAINT} }}
"""


def escape(text):
    return html.escape(str(text))


def short(value):
    """A number for an axis: 1,500 is 1.5 k."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


def cut(content, letters):
    return content if len(content) <= letters else content[:letters - 1] + "…"


# ---- charts

class Series(NamedTuple):
    name: str
    points: list  # (x, y)
    color: str = OURS
    is_dashed: bool = False


class Scale:
    """From values to places; ticks are round numbers. A tight one ends where the values do."""

    def __init__(self, values, first, last, is_log=False, is_tight=False):
        self.first, self.last, self.is_log = first, last, is_log
        least, most = min(values), max(values)
        if is_log:
            self.ticks = [10.0**power for power in range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)]
            if len(self.ticks) == 1:
                self.ticks.append(self.ticks[0] * 10)
            if is_tight:
                self.ticks = [tick for tick in self.ticks if least <= tick <= most]
                self.ticks = self.ticks if len(self.ticks) > 1 else sorted({least, most})
        else:
            step = self.round_step((most - min(0, least)) / 4 or 1)
            self.ticks = [step * number for number in range(math.floor(min(0, least) / step), math.ceil(most / step - 1e-9) + 1)]
        ends = (least, most) if is_tight else (self.ticks[0], self.ticks[-1])
        self.least, self.most = map(self.of, ends)

    @staticmethod
    def round_step(rough):
        power = 10 ** math.floor(math.log10(rough))
        return next(power * digit for digit in (1, 2, 2.5, 5, 10) if power * digit >= rough * 0.999)

    def of(self, value):
        return math.log10(value) if self.is_log else value

    def __call__(self, value):
        return self.first + (self.of(value) - self.least) / (self.most - self.least) * (self.last - self.first)


def text(x, y, content, anchor="start", kind="", color=None):
    shown = f' style="fill:{color}"' if color else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}"{shown}>{escape(content)}</text>'


def svg(width, height, parts):
    return f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img">' + "".join(parts) + "</svg>"


def apart(places, least):
    """The same places in their order, moved so that none is nearer than `least` to the next."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for before, at in zip(order, order[1:]):
        moved[at] = max(moved[at], moved[before] + least)
    return moved


def axes(x, y, x_name, y_name):
    yield text(0, TOP - 4, y_name, kind="faint")
    for tick in y.ticks:
        yield f'<line x1="{x.first}" x2="{x.last}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="{GRID}"/>'
        yield text(x.first - 8, y(tick) + 4, short(tick), "end", "faint")
    for tick in x.ticks:
        yield text(x(tick), y.first + 18, short(tick), "middle", "faint")
    yield text((x.first + x.last) / 2, y.first + 36, x_name, "middle", "faint")


def lines(series, x_name, y_name, is_x_log=False, is_y_log=False):
    """Each series is a line with its name at its end; the pointer on a point reads its values."""
    points = [point for one in series for point in one.points]
    if not points:
        return ""
    x = Scale([point[0] for point in points], LEFT, WIDTH - RIGHT, is_x_log, is_tight=is_x_log)
    y = Scale([point[1] for point in points], HEIGHT - BOTTOM, TOP + 8, is_y_log)
    parts = list(axes(x, y, x_name, y_name))
    ends = apart([y(one.points[-1][1]) for one in series], FONT + 3)
    for one, end in zip(series, ends):
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in one.points)
        dashes = ' stroke-dasharray="5 4"' if one.is_dashed else ""
        parts.append(f'<polyline points="{path}" fill="none" stroke="{one.color}" stroke-width="2"{dashes}/>')
        if not one.is_dashed:
            parts += [f'<circle cx="{x(at):.1f}" cy="{y(value):.1f}" r="{3 if len(one.points) < 25 else 1.5}" fill="{one.color}">'
                      f'<title>{escape(one.name)}: {short(value)} at {short(at)}</title></circle>' for at, value in one.points]
        parts.append(text(x(one.points[-1][0]) + 8, end + 4, one.name, color=one.color))
    return svg(WIDTH, HEIGHT, parts)


class Bar(NamedTuple):
    name: str
    value: float
    says: str
    color: str = OURS


def bars(rows):
    """Lying bars from nought, each with its name in front and what it says behind."""
    if not rows:
        return ""
    row_height, left = 25, 12 + LETTER * max(len(row.name) for row in rows)
    right = 14 + LETTER * max(len(row.says) for row in rows)
    most = max(row.value for row in rows) or 1
    parts = []
    for number, row in enumerate(rows):
        y = 4 + number * row_height
        width = max(1, row.value / most * (WIDTH - left - right))
        parts += [text(left - 8, y + 15, row.name, "end"), f'<rect x="{left:.1f}" y="{y + 2}" width="{width:.1f}" height="18" rx="2" fill="{row.color}"/>',
                  text(left + width + 7, y + 15, row.says, kind="faint")]
    return svg(WIDTH, 8 + len(rows) * row_height, parts)


# ---- text

def table(heads, rows, numbers=()):
    """`numbers`: columns that stand to the right. A cell is text, or (text, class)."""
    def cell(tag, at, content):
        content, kind = content if isinstance(content, tuple) else (content, "")
        kind = f"{kind} number" if at in numbers else kind
        return f'<{tag} class="{kind.strip()}">{escape(content)}</{tag}>'
    head = "".join(cell("th", at, name) for at, name in enumerate(heads))
    body = "".join("<tr>" + "".join(cell("td", at, content) for at, content in enumerate(row)) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def paragraph(content, kind=""):
    return f'<p class="{kind}">{escape(content)}</p>'


def chart(title, picture):
    return f"<div><h3>{escape(title)}</h3>{picture}</div>" if picture else ""


def charts(*pictures):
    return f'<div class="charts">{"".join(pictures)}</div>' if any(pictures) else ""


def section(title, *parts):
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>" if any(parts) else ""


def folded(title, content):
    return f"<details><summary>{escape(title)}</summary><pre>{escape(content)}</pre></details>"


def document(title, *parts):
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width"/>'
            f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n")
