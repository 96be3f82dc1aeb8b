"""A comparison as one self-contained page: no script, no font, no request to anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from autoscaler.ledger.style import CSS
from autoscaler.replay.results import Outcome

from .compare import Comparison
from .pictures import demand, scatter, strip
from .wording import HEADINGS, bounds_sentence, cells, world_sentence

_CSS = """
.needed{fill:#d5dde2}.desired{stroke:var(--provisioning);stroke-width:1.2}
.serving{stroke:var(--serving);stroke-width:1.8;fill:none}
.strip{display:grid;grid-template-columns:130px 1fr 90px;gap:10px;align-items:end;margin-top:10px}
.strip svg{width:100%;height:56px;overflow:visible}.strip p{margin:0;font-size:13px}
.strip p:last-child{text-align:right;color:var(--soft)}
.scatter{width:100%;height:auto}.scatter text{font-size:12.5px;fill:var(--soft)}
.scatter .right{text-anchor:end}.scatter .middle{text-anchor:middle}
.scatter path{fill:none}.scatter .lead{stroke:var(--line)}
circle.other{fill:var(--idle_tail);stroke:var(--always)}circle.us{fill:var(--serving)}
circle.bound{fill:none;stroke:var(--good);stroke-width:2}
.scatter text.us{fill:var(--serving);font-weight:650}
tr.us td{font-weight:650;color:var(--good)}
.wide{overflow-x:auto}.wide td{white-space:nowrap}
"""


def render(comparisons: Sequence[Comparison]) -> str:
    """Returns the page; everything that comes from outside is escaped."""
    sections = "".join(_trace(comparison) for comparison in comparisons)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>Autoscaling policies compared</title><style>{CSS}{_CSS}</style></head>"
        "<body><main><header><div><h1>Autoscaling policies, compared</h1>"
        f'<p class="sub">{escape(world_sentence(comparisons[0].world))}</p></div></header>'
        f"{sections}</main></body></html>\n"
    )


def _trace(comparison: Comparison) -> str:
    needed = demand(comparison)
    trace = comparison.trace
    rows = "".join(_row(comparison, outcome) for outcome in comparison.outcomes)
    heads = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
    strips = "".join(_strip(comparison, outcome, needed) for outcome in comparison.outcomes)
    days = f"{trace.seconds / 86400:.1f} days"
    return (
        f"<section><h2>{escape(trace.name)}</h2>"
        f'<p class="cap">{len(trace):,} requests in {days}. {bounds_sentence(comparison)}</p>'
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        "</div></section>"
        f"<section><h2>Dollars against waiting</h2>{scatter(comparison)}"
        '<ul class="legend"><li class="always">costs as much in all as ours</li></ul></section>'
        f'<section><h2>Demand and copies</h2>{strips}<ul class="legend">'
        "<li>grey: copies that the requests needed</li><li>green: copies that served</li>"
        "<li>yellow: copies that were asked for</li></ul></section>"
    )


def _row(comparison: Comparison, outcome: Outcome) -> str:
    us = ' class="us"' if outcome.policy == "ours" else ""
    texts = cells(comparison, outcome)
    columns = "".join(
        f'<td data-label="{heading}"><span>{escape(texts[heading])}</span></td>'
        for heading in HEADINGS[1:]
    )
    return f"<tr{us}><td>{escape(outcome.policy)}</td>{columns}</tr>"


def _strip(comparison: Comparison, outcome: Outcome, needed: Sequence[int]) -> str:
    return (
        f'<div class="strip"><p>{escape(outcome.policy)}</p>'
        f"{strip(comparison, outcome, needed)}<p>${outcome.total_usd:,.2f}</p></div>"
    )
