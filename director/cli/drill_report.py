"""The report of one drill as a page that needs nothing else: no script, no font, no other file.

Everything that is shown comes from the content whose hash the directors keep, and all of it is
escaped: names, reasons and notes are other people's words.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any

from director.cli.words import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MS_PER_S = 1_000
_WIDTH = 920
_LEFT = 84
_ROW = 30
_TICKS = 6
_LABEL_CHARS_PX = 7
_COLOUR_BY_PART = {
    "guarding": "#9aa5b1",
    "injecting": "#d64545",
    "recovered": "#e8a33d",
    "restoring": "#4c8bf5",
    "detect": "#d64545",
    "decide": "#e8a33d",
    "fence": "#8a5cc7",
    "promote": "#4c8bf5",
    "publish": "#2f9e6e",
}
_COLOUR_ELSE = "#7b8794"
_WORD_BY_VERDICT = {"PASSED": "pass", "FAILED": "fail", "ABORTED": "abort", "SKIPPED": "skip"}

_STYLE = """
:root{color-scheme:light dark;--line:#cbd2d9;--soft:#f5f7fa;--ink:#1f2933;--dim:#616e7c}
@media(prefers-color-scheme:dark){:root{--line:#3e4c59;--soft:#1f2933;--ink:#f5f7fa;--dim:#9aa5b1}
body{background:#12181f}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);max-width:60rem;margin:2rem auto}
body{padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.05rem;margin:2rem 0 .5rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;white-space:nowrap}
.verdict{display:inline-block;padding:.1rem .7rem;border-radius:1rem;color:#fff;font-weight:700}
.pass{background:#1f7a52}.fail{background:#b42318}.abort{background:#9a5b00}.skip{background:#52606d}
.dim{color:var(--dim)}.wrap{overflow-wrap:anywhere}
pre{background:var(--soft);padding:.8rem;overflow:auto;border-radius:.4rem}
svg{width:100%;height:auto}svg text{fill:var(--ink);font:12px system-ui,sans-serif}
code{background:var(--soft);padding:.1rem .3rem;border-radius:.2rem}
""".strip()


def report_html(content: Mapping[str, Any], report_hash: str) -> str:
    """Return the page for a report's ``content``, which may be of another release."""
    drill_id = str(content.get("drill_id", ""))
    sections = (
        _head(content),
        _section("Budgets", _budgets(content)),
        _section("Timeline", _timeline(content)),
        _section("Recovery", _table(("phase", "took", "what ended it"), _phases(content))),
        _section("Guards", _table(("guard", "", "what it said"), _guards(content))),
        _section("Evidence", _table(("seen by", "found", "age"), _evidence(content))),
        _section("Stages", _table(("at", "stage", "note"), _moments(content))),
        _section("Left as it was", _left_over(content)),
        _section("Configuration at the time", _configuration(content)),
        _section("Authenticity", _authenticity(drill_id, report_hash)),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Drill {escape(drill_id)}</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(filter(None, sections))
        + "\n</body></html>\n"
    )


# -- parts -----------------------------------------------------------------------------------------


def _head(content: Mapping[str, Any]) -> str:
    spec, scenario = _spec(content), _scenario(content)
    verdict = str(content.get("verdict") or "")
    word = _WORD_BY_VERDICT.get(verdict, "skip")
    cause = str(content.get("cause") or "")
    rows = (
        ("service", str(spec.get("service_id", ""))),
        ("lost", f"{scenario.get('region_id', '')} ({_how(scenario)}) for {_ms(spec, 'for_ms')}"),
        ("owner at the start", str(content.get("home") or "every region served")),
        ("asked by", str(content.get("actor", ""))),
        ("why", str(content.get("reason") or "no reason was given")),
        ("schedule", _schedule(content)),
        ("began", _when(content.get("started_wall_ms"))),
        ("ended", _when(content.get("ended_wall_ms"))),
        ("cut short because", str(content.get("abort_note") or "")),
        ("moves", ", ".join(map(str, _list(content, "run_ids")))),
    )
    return (
        f"<h1>Drill {_text(content.get('drill_id'))} "
        f'<span class="verdict {word}">{_text(verdict or "no verdict")}</span></h1>'
        + (f'<p class="dim">{escape(cause)}</p>' if cause else "")
        + _table((), ((name, said) for name, said in rows if said))
    )


def _how(scenario: Mapping[str, Any]) -> str:
    kind = str(scenario.get("kind", ""))
    if kind == "ErrorRate":
        return f"{kind}, {_int(scenario, 'share_per_mille') / 10:g} % of the probes"
    if kind == "Latency":
        return f"{kind}, {_int(scenario, 'delay_ms')} ms more"
    return kind


def _schedule(content: Mapping[str, Any]) -> str:
    name = str(content.get("schedule_id") or "")
    occurrence_ms = content.get("occurrence_ms")
    if not name or not isinstance(occurrence_ms, int):
        return name
    return f"{name}, due {_when(occurrence_ms)}"


def _budgets(content: Mapping[str, Any]) -> str:
    rto_ms, loss_ms = content.get("measured_rto_ms"), content.get("loss_bound_ms")
    rows = (
        ("recovery", rto_ms, _int(content, "rto_budget_ms")),
        ("writes that may be lost", loss_ms, content.get("rpo_budget_ms")),
    )
    return _table(("", "measured", "allowed", ""), (_budget(*row) for row in rows))


def _budget(name: str, measured_ms: object, allowed_ms: object) -> tuple[str, ...]:
    measured = measured_ms if isinstance(measured_ms, int) else None
    allowed = allowed_ms if isinstance(allowed_ms, int) else None
    said = ""
    if measured is not None and allowed is not None:
        said = "kept" if measured <= allowed else "missed"
    return name, seconds(measured), "any" if allowed is None else seconds(allowed), said


def _phases(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for each in _list(content, "phases"):
        yield str(each.get("phase", "")), seconds(_int(each, "ms")), str(each.get("note", ""))


def _guards(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for each in _list(content, "guards"):
        passed = "passed" if each.get("passed") else "REFUSED"
        yield str(each.get("guard", "")), passed, str(each.get("message", ""))


def _evidence(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for each in _list(content, "evidence"):
        age = seconds(_int(each, "age_ms"))
        yield str(each.get("vantage", "")), str(each.get("finding", "")), age


def _moments(content: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    began_ms = _int(content, "started_at_ms")
    for each in _list(content, "timeline"):
        at = f"{(_int(each, 'at_ms') - began_ms) / _MS_PER_S:.1f}s"
        yield at, str(each.get("stage", "")), str(each.get("note", ""))


def _left_over(content: Mapping[str, Any]) -> str:
    lines = [str(each) for each in _list(content, "state_diff")]
    if lines:
        return _table(("not as before",), ((each,) for each in lines))
    return (
        "<p>Owners, serving regions, verdicts, drains, overrides, pauses and documents at the end "
        "are those of the start.</p>"
    )


def _configuration(content: Mapping[str, Any]) -> str:
    value = content.get("configuration")
    if value is None:
        return ""
    shown = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
    revision = _int(content, "revision")
    return f"<details><summary>revision {revision}</summary><pre>{escape(shown)}</pre></details>"


def _authenticity(drill_id: str, report_hash: str) -> str:
    name = escape(drill_id.replace("/", "-"))
    return (
        f'<p class="wrap">SHA-256 of the content: <code>{escape(report_hash)}</code></p>'
        "<p>The directors keep this hash in their replicated state. "
        f"<code>director drill report --verify {name}.json</code> works it out again from the JSON "
        "beside this page and compares.</p>"
    )


# -- the drawing -----------------------------------------------------------------------------------


def _timeline(content: Mapping[str, Any]) -> str:
    began_ms = _int(content, "started_at_ms")
    stages = _stage_bars(content, began_ms)
    injected_ms = content.get("injected_at_ms")
    phases: list[tuple[str, int, int]] = []
    budget_ms = 0
    if isinstance(injected_ms, int):
        at_ms = injected_ms - began_ms
        budget_ms = at_ms + _int(content, "rto_budget_ms")
        for each in _list(content, "phases"):
            spent_ms = max(0, _int(each, "ms"))
            phases.append((str(each.get("phase", "")), at_ms, at_ms + spent_ms))
            at_ms += spent_ms
    end_ms = max([1, budget_ms, *(end for _, _, end in (*stages, *phases))])
    height = 3 * _ROW + 24
    drawn = [
        *_bars("stages", stages, 8, end_ms),
        *_bars("recovery", phases, 8 + _ROW, end_ms),
        *_ticks(end_ms, 8 + 2 * _ROW),
    ]
    if budget_ms:
        x = _x(budget_ms, end_ms)
        drawn.append(
            f'<line x1="{x}" x2="{x}" y1="4" y2="{8 + 2 * _ROW}" stroke="currentColor" '
            f'stroke-dasharray="4 3"><title>allowed for the recovery</title></line>'
        )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="stages and recovery of the drill over time">{"".join(drawn)}</svg>'
        '<p class="dim">The dashed line is the end of the time allowed for the recovery.</p>'
    )


def _stage_bars(content: Mapping[str, Any], began_ms: int) -> list[tuple[str, int, int]]:
    moments = [
        (str(each.get("stage", "")), max(0, _int(each, "at_ms") - began_ms))
        for each in _list(content, "timeline")
    ]
    ends = [at_ms for _, at_ms in moments[1:]]
    return [(stage, at_ms, end) for (stage, at_ms), end in zip(moments, ends, strict=False)]


def _bars(name: str, bars: Sequence[tuple[str, int, int]], top: int, end_ms: int) -> Iterator[str]:
    yield f'<text x="0" y="{top + 15}">{escape(name)}</text>'
    for part, from_ms, to_ms in bars:
        x, width = _x(from_ms, end_ms), max(1, _x(to_ms, end_ms) - _x(from_ms, end_ms))
        colour = _COLOUR_BY_PART.get(part, _COLOUR_ELSE)
        took = seconds(to_ms - from_ms)
        yield (
            f'<rect x="{x}" y="{top}" width="{width}" height="20" rx="2" fill="{colour}">'
            f"<title>{escape(part)} {took}</title></rect>"
        )
        if width > len(part) * _LABEL_CHARS_PX:
            yield f'<text x="{x + 4}" y="{top + 14}" style="fill:#fff">{escape(part)}</text>'


def _ticks(end_ms: int, top: int) -> Iterator[str]:
    for at in range(_TICKS + 1):
        at_ms = end_ms * at // _TICKS
        x = _x(at_ms, end_ms)
        anchor = "end" if at == _TICKS else "middle"
        yield f'<line x1="{x}" x2="{x}" y1="{top}" y2="{top + 6}" stroke="currentColor"/>'
        yield f'<text x="{x}" y="{top + 20}" text-anchor="{anchor}">{seconds(at_ms)}</text>'


def _x(at_ms: int, end_ms: int) -> int:
    return _LEFT + (_WIDTH - _LEFT - 4) * max(0, at_ms) // end_ms


# -- plumbing --------------------------------------------------------------------------------------


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of texts, escaped; the first column names the row. "" without rows."""
    lines = [
        "<tr>"
        + f"<th>{escape(row[0])}</th>"
        + "".join(f'<td class="wrap">{escape(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    ]
    if not lines:
        return ""
    head = "".join(f"<th>{escape(each)}</th>" for each in header)
    return f"<table>{f'<tr>{head}</tr>' if any(header) else ''}{''.join(lines)}</table>"


def _text(value: object) -> str:
    return escape(str(value or ""))


def _spec(content: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = content.get("spec")
    return spec if isinstance(spec, dict) else {}


def _scenario(content: Mapping[str, Any]) -> Mapping[str, Any]:
    scenario = _spec(content).get("scenario")
    return scenario if isinstance(scenario, dict) else {}


def _list(content: Mapping[str, Any], name: str) -> list[Any]:
    value = content.get(name)
    return value if isinstance(value, list) else []


def _int(content: Mapping[str, Any], name: str) -> int:
    value = content.get(name)
    return value if isinstance(value, int) else 0


def _ms(content: Mapping[str, Any], name: str) -> str:
    return seconds(_int(content, name))


def _when(wall_ms: object) -> str:
    if not isinstance(wall_ms, int) or wall_ms <= 0:
        return ""
    try:
        moment = datetime.fromtimestamp(wall_ms / _MS_PER_S, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return f"{wall_ms} ms since 1970"
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
