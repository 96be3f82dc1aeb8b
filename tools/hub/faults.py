"""Trouble that a test orders, and the count of what really happened."""

from __future__ import annotations

import fnmatch
import threading
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What the stand-in can do wrong."""

    # answered by the Hub itself, before anything else
    THROTTLE = "throttle"  # 429 with Retry-After
    RATE_LIMIT = "rate_limit"  # 429 with the Hub's RateLimit header alone
    SERVER_ERROR = "server_error"  # 500
    WRONG_COMMIT = "wrong_commit"  # X-Repo-Commit names another one
    FOREIGN_REDIRECT = "foreign_redirect"  # 302 to a host that nobody allowed
    ALLOWED_REDIRECT = "allowed_redirect"  # 302 to the CDN, with the same path
    FOREIGN_PAGE = "foreign_page"  # the next page of the tree is on another host (target "page")
    UNAUTHORIZED = "unauthorized"  # 401 and no X-Error-Code
    FORBIDDEN = "forbidden"  # 403 and its reason in X-Error-Message alone
    # where the bytes are served: the Hub, or for LFS files the CDN
    EXPIRED = "expired"  # the signed address is refused with 403
    HTML = "html"  # 200 and a web page
    MOVED = "moved"  # 302 to somewhere else
    ENCODED = "encoded"  # Content-Encoding, and other bytes of the right number
    CHUNKED = "chunked"  # Transfer-Encoding: chunked in the place of a length
    DRIP_HEADERS = "drip_headers"  # a header that does not end, a byte every 50 ms
    IGNORE_RANGE = "ignore_range"  # 200 and everything, although a range was asked for
    WRONG_RANGE = "wrong_range"  # 206 and another range
    WRONG_SIZE = "wrong_size"  # one byte more than listed
    RESET = "reset"  # TCP reset after `after_bytes`
    TRUNCATE = "truncate"  # an orderly end after `after_bytes`
    STALL = "stall"  # silence of `seconds` after `after_bytes`
    DRIP = "drip"  # a byte every 50 ms after `after_bytes`
    WRONG_BYTES = "wrong_bytes"  # the last byte is changed


AT_THE_HUB = frozenset(
    {
        Fault.THROTTLE,
        Fault.RATE_LIMIT,
        Fault.SERVER_ERROR,
        Fault.WRONG_COMMIT,
        Fault.FOREIGN_REDIRECT,
        Fault.ALLOWED_REDIRECT,
        Fault.FOREIGN_PAGE,
        Fault.UNAUTHORIZED,
        Fault.FORBIDDEN,
    }
)


@dataclass
class Injection:
    """`target` is a pattern over file paths; "revision" and "tree" are the two API calls."""

    fault: Fault
    target: str = "*"
    times: int = 1
    after_bytes: int = 0
    seconds: float = 1.0


class FaultPlan:
    """Orders that are waiting, and `fired`, which counts those that were carried out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[Injection] = []
        self.fired: Counter[Fault] = Counter()

    def add(self, injection: Injection) -> None:
        with self._lock:
            self._waiting.append(injection)

    def take(self, target: str, at_the_hub: bool, has_range: bool) -> Injection | None:
        """The next order for this place and target, counted as fired."""
        with self._lock:
            for injection in self._waiting:
                fault = injection.fault
                if (fault in AT_THE_HUB) is not at_the_hub or injection.times < 1:
                    continue
                if fault in {Fault.IGNORE_RANGE, Fault.WRONG_RANGE} and not has_range:
                    continue
                if (fault is Fault.FOREIGN_PAGE) is not (target == "page"):
                    continue
                if fnmatch.fnmatchcase(target, injection.target):
                    injection.times -= 1
                    self.fired[fault] += 1
                    return injection
        return None
