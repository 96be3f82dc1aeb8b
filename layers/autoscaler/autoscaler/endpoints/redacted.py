"""Text from outside without what nobody may read in it: credentials, signatures, prompts. Pure.

Two strengths. What has the shape of a credential is one wherever it stands. What is only named as
one (`password: x`) is taken out of a container's lines, and not out of the controller's own
sentences, which speak of tokens and secrets too. No pattern gives back what it took (`*+`): whoever
sends a request can have an engine log a long line.
"""

from __future__ import annotations

import re
from functools import cache

HIDDEN = "***"
_SHAPES = (
    # of a signed address the query, of any the name and the password before its host
    (r"(?i:(https?://[^\s?]{1,200})\?\S+)", rf"\1?{HIDDEN}"),
    (r"(?i:(\b[a-z][a-z0-9+.-]{1,20}://))[^\s/@]{1,200}@", rf"\1{HIDDEN}@"),
    (r"(?i:authorization['\"]?\s*+[:=]\s*+['\"]?(?:[a-z0-9-]++\s++)?)\S+", HIDDEN),
    (r"(?i:\bbearer\s++)\S+", HIDDEN),
    (
        r"hf_[A-Za-z0-9]{6,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bgh[pousr]_[A-Za-z0-9]{20,}|"
        r"\bgithub_pat_\w{20,}|\bglpat-[\w-]{8,}|\bxox[abeprs]-[\w-]{8,}|\bsk-[\w-]{8,}|"
        r"(?<![\w-])eyJ[\w-]{8,2000}+\.[\w-]{8,}+(?:\.[\w-]*+)?",
        HIDDEN,
    ),
)
_NAMES = r"passw(?:or)?d|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key"
_NAMED = (
    (
        rf"(?i:token|bearer|\bpwd|{_NAMES})['\"]?(?i:\s*+[=:]\s*+|\s++is\s++|\s++)"
        r"(?:\"[^\"]*+\"|'[^']*+'|\S+)",
        HIDDEN,
    ),
    # as a part of a name, too (aws_secret_access_key=); counts of tokens are none
    (rf"(?i:token(?!s)|signature|credential|{_NAMES})[\w.-]{{0,40}}=\S+", HIDDEN),
    # An engine's complaint of a request may quote it; what follows is the caller's own.
    (r"(?i:(\bprompts?['\"]?\s*+[=:]\s*+))(?s:.+)", rf"\1{HIDDEN}"),
    (
        r"(?i:(\b(?:inputs?|input_value|messages|content)['\"]?\s*+[=:]\s*+(?=['\"\[{])))(?s:.+)",
        rf"\1{HIDDEN}",
    ),
)


def without(text: str, secret: str) -> str:
    """The text without a secret that is known, in whatever case it is repeated; as it is without
    one."""
    return re.sub(re.escape(secret), HIDDEN, text, flags=re.IGNORECASE) if secret else text


def without_credentials(text: str) -> str:
    """The text with `***` in the place of whatever has the shape of a credential."""
    return _without(text, _SHAPES)


def without_secrets(text: str) -> str:
    """The same without what is named as a secret, and without what a request said."""
    return _without(without_credentials(text), _NAMED)


def _without(text: str, patterns: tuple[tuple[str, str], ...]) -> str:
    for pattern, instead in patterns:
        text = _compiled(pattern).sub(instead, text)
    return text


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """When it is first needed: compiling takes milliseconds, which every cold start would pay."""
    return re.compile(pattern)
