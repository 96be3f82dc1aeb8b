"""Where a repository's own files name code to be run: `auto_map`, in whatever .json it stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from .errors import UnsafeFormatError

# Above this a .json is a vocabulary, and parsed it takes ten times its size: it is parsed only
# when it could hold the key, also spelled with escapes.
_PARSED_BYTES = 4 * 1024 * 1024
_COULD_NAME_CODE = re.compile(rb"auto_map|\\u00(?:61|75|74|6[fF]|5[fF]|6[dD]|70)|\x00")
_MOST_ENTRIES = 50


class CodeEntry(BaseModel):
    """One entry of an auto_map: which class of the repository's code stands for what."""

    model_config = ConfigDict(frozen=True, defer_build=True, extra="forbid")

    path: str
    name: Annotated[str, Field(max_length=200)]
    reference: Annotated[str, Field(max_length=200)]


def find_remote_code(path: str, content: bytes, trust_remote_code: bool) -> list[CodeEntry]:
    """The code that a .json names.

    Raises UnsafeFormatError when a configuration is no JSON, when it names code that nobody
    trusts, and when the code is another repository's, which no commit of ours pins.
    """
    could_name_code = bool(_COULD_NAME_CODE.search(content))
    if len(content) > _PARSED_BYTES and not could_name_code:
        return []
    try:
        maps = list(_auto_maps(json.loads(content)))
    except (ValueError, RecursionError) as wrong:
        if not could_name_code and not path.lower().endswith("config.json"):
            return []  # a log or a list of lines, which nobody loads as a configuration
        raise UnsafeFormatError(f"{path} is not valid JSON") from wrong
    if maps and not trust_remote_code:
        raise UnsafeFormatError(
            f"{path} has an auto_map: this model runs code from its repository; set "
            "trust_remote_code: true under model: in the endpoint file if you have read that code"
        )
    found = [entry for auto_map in maps for entry in _entries(path, auto_map)]
    for entry in found:
        if "--" in entry.reference:
            raise UnsafeFormatError(
                f"{path}: its auto_map takes {entry.name} from another repository "
                f"({entry.reference}), whose code is not pinned with this commit"
            )
    return found


def _entries(path: str, auto_map: Any) -> Iterator[CodeEntry]:
    """Raises UnsafeFormatError for what is not a name and one or more references."""
    pairs = auto_map.items() if isinstance(auto_map, dict) else [("auto_map", auto_map)]
    for count, (name, said) in enumerate(pairs):
        references = said if isinstance(said, list) else [said]
        for reference in references:
            if reference is None:  # a tokenizer without its fast, or slow, twin
                continue
            fits = isinstance(reference, str) and len(reference) <= 200 and len(name) <= 200
            if not fits or count >= _MOST_ENTRIES:
                raise UnsafeFormatError(f"{path}: its auto_map makes no sense")
            yield CodeEntry(path=path, name=name, reference=reference)


def _auto_maps(document: Any) -> Iterator[Any]:
    waiting = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "auto_map" in part:
                yield part["auto_map"]
            waiting += [value for name, value in part.items() if name != "auto_map"]
        elif isinstance(part, list):
            waiting += part
