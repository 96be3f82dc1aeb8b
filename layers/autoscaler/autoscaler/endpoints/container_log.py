"""Reads what a container says while it starts: does it come up, or does it die again and again?

SageMaker itself says nothing until the health check times out, up to an hour later, and bills all
the while. The engines say within seconds why they die. The patterns are the words of vLLM, SGLang,
TGI, DJL, PyTorch and the NVIDIA driver, as their sources and issue trackers have them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from .redacted import without_secrets

_LONGEST_QUOTE = 240
# Characters of a line that are looked at: CloudWatch takes a megabyte, and engines say it sooner.
_LONGEST_LINE = 4000
# A container that died for no reason that we know is believed to be in a loop from this start on.
_STARTS_UNTIL_LOOP = 3
# Processes of one start say the same beside each other: what comes sooner is no other start.
_APART = timedelta(seconds=5)


@dataclass(frozen=True)
class LogLine:
    """One line of one copy's container."""

    at: datetime
    stream: str
    text: str


@dataclass(frozen=True)
class Crash:
    """Why a container died. `advice` says what would help; `line` is what it said."""

    reason: str
    advice: str
    line: str

    @property
    def sentence(self) -> str:
        return f"its container dies: {self.reason} ({self.line}). {self.advice}"


@dataclass(frozen=True)
class _Known:
    pattern: re.Pattern[str]
    reason: str
    advice: str


def _known(pattern: str, reason: str, advice: str) -> _Known:
    return _Known(re.compile(pattern, re.IGNORECASE), reason, advice)


_FATAL = (
    _known(
        r"CUDA driver version is insufficient|NVIDIA driver on your system is too old|"
        r"unsupported display driver|forward compatibility was attempted|"
        r"no kernel image is available|"
        r"cuda>=\d+\.\d+.{0,200}(unsatisfied|please update your driver)",
        "the driver of the machine image is too old for the container",
        "Use an image with a newer machine image (serving.image with cu13 in its name gets one), "
        "or an older image.",
    ),
    _known(
        r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory|"
        r"No available memory for the cache blocks|not enough memory|"
        r"larger than the (maximum number of tokens that can be stored in|available) KV cache|"
        r"KV cache .{0,40}(needed|larger).{0,80}available|insufficient memory",
        "it runs out of accelerator memory",
        "Lower serving.context_tokens or serving.concurrency_per_copy, or take a larger instance "
        "type (autoscaler fit).",
    ),
    _known(
        r"bfloat16 is (only|not) supported|not supported on (this|your) (gpu|device)|"
        r"(unsupported|invalid|unknown) (data ?type|dtype)|"
        r"quantization .{0,60}not supported|minimum capability",
        "a data type is not supported on this accelerator",
        "Set serving.parameters.dtype to one that it supports, or take a newer instance type.",
    ),
    _known(
        # optional libraries that are not there are complained of by healthy containers too
        r"(?<!shared object file: )No such file or directory|FileNotFoundError|"
        r"does not appear to have a file named|"
        r"can'?t load the configuration|cannot find any model weights|"
        r"\b(no|unable to find any) (?!model\.safetensors\.index).{0,20}safetensors",
        "a file is missing",
        "Look whether the repository has all the files that the engine needs at this revision.",
    ),
    _known(
        # engines print their arguments too, this one among them
        r"\b(pass|set|setting|argument|option|use|using)\b.{0,40}trust_remote_code(=| )True|"
        r"requires you to execute the (configuration|modeling) file",
        "the model needs code of its repository",
        "Read that code, then set model.trust_remote_code: true.",
    ),
    _known(
        r"Model architectures .{0,120}not supported|model type .{0,60}not recognize|"
        r"Unsupported model type",
        "the engine does not know this architecture",
        "Take another engine, or a newer image in serving.image.",
    ),
    _known(
        r"unrecognized arguments|error: argument |unexpected argument|invalid choice:",
        "the engine does not take one of its parameters",
        "Mend serving.parameters.",
    ),
    _known(
        r"401 Client Error|403 Client Error|gated repo|Access to model .{0,120}restricted|"
        r"GatedRepoError|Repository Not Found",
        "the Hub refuses the model",
        "Ask for access on the model's page and put a token into the stack's Hub secret.",
    ),
    _known(
        r"total number of attention heads .{0,40}must be divisible|world size .{0,40}GPUs|"
        r"tensor parallel size .{0,60}(exceeds|larger|greater|not divisible)",
        "the model cannot be split over these accelerators",
        "Set instances.accelerators_per_copy to a divisor of its attention heads.",
    ),
)
# It is over with this process: nothing comes after these but another start.
_ENDED = re.compile(
    r"Engine core initialization failed|EngineCore failed to start|Engine process failed to start|"
    r"Shutting down|ShardCannotStart|Shard process was signaled|WebserverStartFailed|"
    r"Worker (died|disconnected)|Received signal|SystemExit|exited with (code|status) [1-9]|"
    r"Backend worker .{0,40}(died|failed)|Scheduler hit an exception|Killed",
    re.IGNORECASE,
)
# The first words of a process, once each start; and the words of one that is up.
_BEGINS = re.compile(r"API server version|server_args=|Args \{|Starting djl-serving", re.IGNORECASE)
_UP = re.compile(
    r"Starting vLLM API server|Application startup complete|Uvicorn running|fired up and ready|"
    r"Model server started|API bind to",
    re.IGNORECASE,
)
# DJL relays what its engine says; the level that counts is the engine's.
_RELAYED = re.compile(r"^.{0,80}?-std(out|err): ")
# What the engine itself holds for no error, behind its process and its time. Nothing that was taken
# is given back (`*+`): a line of 2 KB full of "()" took 16 s, and whoever sends a request can have
# an engine log one.
_MILD = re.compile(
    r"^[^\w(]*+(\([^)]*+\)\s*+)*+(\d\S++\s++)*+\W*+(INFO|WARNING|WARN|DEBUG)\b|"
    r"NCCL (INFO|WARN)|[a-z]Warning: "
)
_COMPLAINT = re.compile(r"error|exception|fatal|traceback|fail", re.IGNORECASE)


def crash_in(lines: Sequence[LogLine]) -> Crash | None:
    """Returns why a copy's container cannot come up, or None as long as it may.

    A complaint alone is no death: engines try one way and then another. It is one when the process
    said that it ended, or was started anew; or complained of the same twice before it began to
    speak for itself. One that came up has got over whatever it complained of.
    """
    found = (_crash_of(stream) for stream in _streams(lines))
    return next((crash for crash in found if crash), None)


def crash_beside(lines: Sequence[LogLine]) -> Crash | None:
    """As `crash_in`, of copies that start while others serve and write into the same log.

    What counts is a stream's last start that did not come up, from the first words of its process
    on: a copy that serves complains of requests in the same words, and one that died while it
    served may come up again.
    """
    found = (_crash_of(_unfinished(stream)) for stream in _streams(lines))
    return next((crash for crash in found if crash), None)


def _streams(lines: Sequence[LogLine]) -> list[list[LogLine]]:
    """The lines of each stream, oldest first."""
    streams: dict[str, list[LogLine]] = {}
    for line in sorted(lines, key=lambda one: one.at):
        streams.setdefault(line.stream, []).append(line)
    return list(streams.values())


def _said(line: LogLine) -> str:
    """The engine's own words."""
    return _RELAYED.sub("", line.text[:_LONGEST_LINE])


def _unfinished(lines: list[LogLine]) -> list[LogLine]:
    """Of one stream, what was said since the first start after it was up last."""
    texts = [_said(line) for line in lines]
    up = max((n for n, text in enumerate(texts) if _UP.search(text)), default=-1)
    starts = (n for n, text in enumerate(texts) if n > up and _BEGINS.search(text))
    return lines[next(starts, len(lines)) :]


@dataclass
class _Told:
    """What one container has told so far."""

    starts: int = 0
    begun: datetime | None = None  # its last start
    complaint: tuple[_Known, LogLine] | None = None
    last: LogLine | None = None  # its last words that sound like trouble


def _crash_of(lines: Sequence[LogLine]) -> Crash | None:
    """Of one container's lines, oldest first."""
    told = _Told()
    for line in lines:
        text = _said(line)
        if _UP.search(text):
            told.complaint = None
        elif crash := _heard(told, line, text):
            return crash
    if told.starts < _STARTS_UNTIL_LOOP:
        return None
    said = quoted(told.last.text) if told.last else "it says nothing"
    return Crash(f"it was started {told.starts} times", "Read its log in CloudWatch.", said)


def _heard(told: _Told, line: LogLine, text: str) -> Crash | None:
    """Takes one line in; returns a crash when it proves the complaint before it."""
    begins = bool(_BEGINS.search(text))
    anew = begins and (told.begun is None or line.at - told.begun >= _APART)
    known = None if begins or _MILD.search(text) else _fatal(text)
    if told.complaint and (
        _ENDED.search(text) or (anew and told.starts > 0) or _said_again(told, line, known)
    ):
        cause, complaint = told.complaint
        return Crash(cause.reason, cause.advice, quoted(complaint.text))
    if anew:
        told.starts, told.begun, told.complaint = told.starts + 1, line.at, None
    elif known:
        told.complaint = told.complaint or (known, line)
    elif _COMPLAINT.search(text):
        told.last = line
    return None


def _said_again(told: _Told, line: LogLine, known: _Known | None) -> bool:
    """Whether it died before its first words, and is at the same place again."""
    if told.complaint is None or told.starts:
        return False
    return known is told.complaint[0] and line.at - told.complaint[1].at >= _APART


def _fatal(text: str) -> _Known | None:
    return next((one for one in _FATAL if one.pattern.search(text)), None)


def started_at(lines: Sequence[LogLine]) -> datetime | None:
    """When the first container said anything: it runs, and what follows is loading."""
    return min((line.at for line in lines), default=None)


def quoted(text: str) -> str:
    """A line that may be told: short, without control characters or anything like a secret or a
    prompt."""
    clean = "".join(c if c.isprintable() else " " for c in text[:_LONGEST_LINE]).strip()
    return without_secrets(clean)[:_LONGEST_QUOTE]
