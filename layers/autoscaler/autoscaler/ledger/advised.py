"""What a report says of how one gets advice, and the advice that it has already. Apart from
`advice.py`, which brings the simulator along."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, ValidationError

from .figures import Advice, CostReport
from .notes import ADVICE


class _Document(BaseModel):
    """Of a report that was written before, of whatever release, only its advice."""

    model_config = ConfigDict(extra="ignore")

    advice: tuple[Advice, ...] = ()


def kept_advice(report: CostReport, before: bytes | None) -> CostReport:
    """The report with the advice that this file of it has: what was replayed for a week stays in
    it when the week is written again."""
    try:
        found = _Document.model_validate_json(before or b"{}").advice
    except ValidationError:
        found = ()  # a file that somebody put there is written over, as it always was
    return noted(report.model_copy(update={"advice": found}), []) if found else report


def noted(report: CostReport, said: Sequence[str]) -> CostReport:
    """These sentences in place of the note that says how one gets advice."""
    kept = tuple(note for note in report.notes if not note.startswith(ADVICE))
    return report.model_copy(update={"notes": (*said, *kept)})
