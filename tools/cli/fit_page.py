"""How `autoscaler fit` looks: the sum, the table, and the choice in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from rich.table import Table
from rich.text import Text

from autoscaler.catalog.memory import GIB, Memory, memory_of
from autoscaler.catalog.models import ModelFacts
from autoscaler.catalog.options import Option, cheapest_per_hour, cheapest_per_token
from autoscaler.catalog.prices import PriceBook
from autoscaler.spec import Serving
from tools.cli import output

_MOST_ROWS = 12


@dataclass(frozen=True)
class Found:
    """What was found out, cheapest a token first."""

    facts: ModelFacts
    source: str
    serving: Serving
    book: PriceBook
    options: Sequence[Option]

    @property
    def fitting(self) -> list[Option]:
        return [option for option in self.options if option.fit.fits]

    @property
    def memory(self) -> Memory:
        """On the fewest accelerators of any type that holds it; on one, if none does."""
        degrees = [option.fit.accelerators_per_copy for option in self.fitting]
        return memory_of(self.facts, self.serving, min(degrees, default=1))


def show(found: Found, *, everything: bool) -> None:
    """Prints it; `everything`: also the types that do not hold the model."""
    for line in (*_model(found), _sum(found)):
        output.console.print(Text(line), soft_wrap=True)
    rows = found.options if everything else found.fitting[:_MOST_ROWS]
    if rows:
        output.print_wide(_table(rows))
    for line in choice(found):
        output.console.print(Text(line), soft_wrap=True)
    hidden = len(found.fitting) - len(rows)
    if hidden > 0:
        output.console.print(Text(f"{hidden} dearer types hold it too: --all shows them."))


def _model(found: Found) -> Iterator[str]:
    facts = found.facts
    params = (
        "parameters not known" if facts.params is None else f"{_count(facts.params)} parameters"
    )
    if facts.experts and facts.active_params:
        params += (
            f", of which a token meets {_count(facts.active_params)} "
            f"({facts.experts.per_token} of {facts.experts.total} experts)"
        )
    dtypes = ", ".join(f"{name} {_gb(size)}" for name, size in facts.bytes_by_dtype.items())
    split = f" ({dtypes})" if dtypes else ""
    yield f"{facts.id}: {params}; weights {_gb(facts.weight_bytes)}{split}; from {found.source}"
    kind = f"{facts.attention} attention" if facts.attention else "attention"
    window = ""
    if facts.window:
        share = facts.window.bytes_per_token / facts.kv_bytes_per_token
        window = f", {share:.0%} of it only for the last {facts.window.tokens:,} tokens"
    yield (
        f"{kind}, {facts.attention_heads} heads: {facts.kv_bytes_per_token:,} bytes of KV cache a "
        f"token{window}; context up to {facts.max_context_tokens:,}"
    )


def _sum(found: Found) -> str:
    memory, serving = found.memory, found.serving
    parts = (("weights", memory.weights), ("cache", memory.cache),
             ("overhead", memory.overhead), ("runtime", memory.runtime))  # fmt: skip
    told = " + ".join(f"{name} {size / GIB:.1f}" for name, size in parts)
    return (
        f"a copy at context {serving.context_tokens:,} and concurrency "
        f"{serving.concurrency_per_copy}: {told} = {memory.total / GIB:.1f} GiB (requests fill a "
        "quarter of their context; more accelerators add runtime, and cache where heads repeat)"
    )


def _table(options: Sequence[Option]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("type", no_wrap=True)
    for heading in ("GPUs a copy", "copies", "$/h", "tokens/s*", "$/M tokens*", "all busy*"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("memory", overflow="fold")
    for option in options:
        table.add_row(*_cells(option))
    table.caption = "* estimates: of one copy at that concurrency; all busy: of every copy"
    table.caption_justify = "left"
    return table


def _cells(option: Option) -> tuple[str, ...]:
    found, rate, hour = option.fit, option.throughput, _short(option.usd_per_hour)
    if not found.fits:
        return (option.name, "no", "", hour, "", "", "", found.explanation)
    return (
        option.name,
        str(found.accelerators_per_copy),
        str(found.copies_per_instance),
        hour,
        f"{rate.tokens_per_second:,.0f}" if rate else "?",
        _short(option.usd_per_million_tokens),
        _short(option.usd_per_million_tokens_when_full),
        f"{found.bytes_needed / GIB:.1f} of {found.bytes_available / GIB:.1f} GiB",
    )


def _short(amount: Decimal | None) -> str:
    return "?" if amount is None else f"{amount:,.2f}"


def choice(found: Found) -> Iterator[str]:
    """Which type to take, and why."""
    token, hour = cheapest_per_token(found.options), cheapest_per_hour(found.options)
    if not found.fitting:
        yield _nothing_fits(found)
        return
    if token is not None:
        yield _why(found, token)
    if hour is not None and hour is not token:
        rate = hour.usd_per_million_tokens
        more = (
            "its tokens cannot be estimated" if rate is None else f"a million tokens {_usd(rate)}"
        )
        yield (
            f"Cheapest an hour is {hour.name}, {_usd(hour.usd_per_hour)} ({more}): take it when "
            "the endpoint is awake more than it is busy."
        )
    unpriced = [option.name for option in found.fitting if option.usd_per_hour is None]
    if unpriced:
        yield f"Their prices are not known, so they were not compared: {', '.join(unpriced)}."
    yield found.book.sentence()


def _why(found: Found, best: Option) -> str:
    rate, copies = best.throughput, best.fit.copies_per_instance
    assert rate is not None  # or it had no price a token
    together = found.serving.concurrency_per_copy
    told = (
        f"Cheapest a token is {best.name}: with {together} requests at once it writes about "
        f"{rate.tokens_per_second:,.0f} tokens a second, so a million cost about "
        f"{_usd(best.usd_per_million_tokens)} (an estimate: each step is bound by "
        f"{'memory bandwidth' if rate.bound_by == 'memory' else 'multiplication'}; reading prompts "
        "is not counted)."
    )
    if copies > 1:
        told += (
            f" Its {copies} copies take {copies * together} requests; with that many a million "
            f"cost about {_usd(best.usd_per_million_tokens_when_full)}."
        )
    return told


def _nothing_fits(found: Found) -> str:
    closest = max(found.options, key=lambda o: o.fit.bytes_available / max(1, o.fit.bytes_needed))
    return (
        f"{found.facts.id} fits none of these types at this context and concurrency; closest is "
        f"{closest.name} ({closest.fit.explanation}). Try a smaller --context or --concurrency, "
        "or weights in fewer bits."
    )


def document(found: Found) -> dict[str, Any]:
    """Everything, for programs. Dollars are texts, so that no digit is lost."""
    facts, token = found.facts, cheapest_per_token(found.options)
    return {
        "model": {
            "id": facts.id,
            "source": found.source,
            "params": facts.params,
            "active_params": facts.active_params,
            "weight_bytes": facts.weight_bytes,
            "bytes_by_dtype": dict(facts.bytes_by_dtype),
            "attention": facts.attention,
            "attention_heads": facts.attention_heads,
            "kv_heads": facts.kv_heads,
            "kv_bytes_per_token": facts.kv_bytes_per_token,
            "window": asdict(facts.window) if facts.window else None,
            "max_context_tokens": facts.max_context_tokens,
        },
        "context_tokens": found.serving.context_tokens,
        "concurrency": found.serving.concurrency_per_copy,
        "region": found.book.region,
        "memory": asdict(found.memory) | {"total": found.memory.total},
        "cheapest_per_token": token.name if token else None,
        "explanation": list(choice(found)),
        "types": [_row(found.book, option) for option in found.options],
    }


def _row(book: PriceBook, option: Option) -> dict[str, Any]:
    rate, price = option.throughput, book.price(option.name)
    return {
        "type": option.name,
        "fits": option.fit.fits,
        "explanation": option.fit.explanation,
        "accelerators_per_copy": option.fit.accelerators_per_copy,
        "copies_per_instance": option.fit.copies_per_instance,
        "memory": asdict(option.memory),
        "usd_per_hour": _text(option.usd_per_hour),
        "price_source": price.source,
        "estimated_tokens_per_second": round(rate.tokens_per_second, 1) if rate else None,
        "estimated_usd_per_million_tokens": _text(option.usd_per_million_tokens),
        "estimated_usd_per_million_tokens_when_full": _text(
            option.usd_per_million_tokens_when_full
        ),
        "bound_by": rate.bound_by if rate else None,
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:.4f}"


def _usd(amount: Decimal | None) -> str:
    return "not known" if amount is None else f"${amount:,.2f}"


def _count(number: int) -> str:
    return f"{number / 1e9:,.2f} billion" if number >= 1e9 else f"{number / 1e6:,.1f} million"


def _gb(size: int) -> str:
    return f"{size / 1e9:,.2f} GB" if size >= 1e8 else f"{size / 1e6:,.2f} MB"
