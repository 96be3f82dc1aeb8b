"""What every step repeats before it touches a file: a plan may have come from anywhere."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import UnsafeFormatError
from .formats import judge
from .names import check_name, check_names
from .plan import PlannedFile


def check_file(file: PlannedFile, trust_remote_code: bool) -> None:
    """Raises UnsafeNameError or UnsafeFormatError for what no plan of ours would hold."""
    check_name(file.path)
    why = judge(file.path, file.size_bytes, trust_remote_code)
    if why is not None:
        raise UnsafeFormatError(f"{file.path} is not staged: {why.value}")


def check_files(files: Iterable[PlannedFile], trust_remote_code: bool) -> None:
    """As `check_file`, and that no two of them are the same name."""
    listed = list(files)
    check_names(file.path for file in listed)
    for file in listed:
        check_file(file, trust_remote_code)
