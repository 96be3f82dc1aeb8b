"""The page of the endpoint file has every key that the spec has, with its default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from autoscaler.spec import EndpointSpec

PAGE = Path(__file__).parents[2] / "docs" / "endpoint-file.md"
REQUIRED, NONE = "required", "none"
_ROW = re.compile(r"\| `([^`]+)` \| (?:`([^`]+)`|(required|none)) \|")


def nested(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model that a field is, or is made of, and what a path has for it: `[]` of a tuple, `*` of
    a mapping."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    parts = [one for one in map(nested, get_args(annotation)) if one[0] is not None]
    if not parts:
        return None, ""
    model, step = parts[0]
    return model, {tuple: "[]", dict: ".*"}.get(get_origin(annotation), "") + step


def written(value: Any) -> str:
    """A default as a file would have it."""
    match value:
        case None:
            return NONE
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
        case list():
            return f"[{', '.join(map(str, value))}]"
        case _:
            return str(value)


def keys(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, str]]:
    """Each key by its path, and its default; of what is a section only the keys in it."""
    defaults = model.model_construct().model_dump(mode="json")
    for name, field in model.model_fields.items():
        path, (inner, step) = f"{before}{name}", nested(field.annotation)
        if inner is None or inner is not field.annotation:
            yield path, REQUIRED if field.is_required() else written(defaults[name])
        if inner is not None:
            yield from keys(inner, f"{path}{step}.")


def rows(text: str) -> Iterator[tuple[str, str]]:
    """Key and default of each row of the page's tables."""
    for line in text.splitlines():
        if line.startswith("| `"):
            found = _ROW.match(line)
            assert found, f"key and default cannot be read: {line:.80}"
            yield found[1], found[2] or found[3]


def test_the_page_has_every_key_of_the_spec_with_its_default() -> None:
    said = list(rows(PAGE.read_text()))
    assert len(said) == len(dict(said))  # none twice
    assert dict(said) == dict(keys(EndpointSpec))


def test_the_walk_goes_into_sections_lists_and_names() -> None:
    found = dict(keys(EndpointSpec))
    assert found["scaling.stabilization_window"] == "5m"
    assert found["scaling.keep_alive"] == "learned"
    assert found["schedule.windows"] == "[]"
    assert found["schedule.windows[].deferrable"] == "false"
    assert found["schedule.holidays.calendar"] == REQUIRED
    assert found["tenants.*.share"] == "1"
    assert found["network.vpc"] == NONE
    assert "scaling" not in found
