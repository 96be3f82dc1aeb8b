"""The grammar of metric math: a text becomes a tree.

or      := and ("OR" | "||" and)*         and   := compare ("AND" | "&&" compare)*
compare := sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum)?
sum     := product (("+" | "-") product)* product := unary (("*" | "/") unary)*
unary   := "-" unary | power              power := atom ("^" unary)?
atom    := number | text | name | name "(" arguments ")" | "[" arguments "]" | "(" or ")"
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))"
)
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


class MathError(ValueError):
    """An expression that CloudWatch would refuse."""


@dataclass(frozen=True)
class Node:
    """One operation; `kind` is number, text, name, list, call or an operator's sign."""

    kind: str
    value: str | float = ""
    children: tuple[Node, ...] = field(default=())


def parse_math(text: str) -> Node:
    """Raises MathError with the place that is not understood."""
    parser = _Parser(_tokens(text), text)
    node = parser.either()
    if parser.peek() != ("end", ""):
        raise MathError(f"Error in expression '{text}': unexpected '{parser.peek()[1]}'")
    return node


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        found = TOKEN.match(stripped, position)
        if not found or found.lastgroup is None:
            raise MathError(f"Error in expression '{text}' at character {position}")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        position = found.end()
    return [*tokens, ("end", "")]


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._at = 0

    def peek(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _take(self, *wanted: str) -> str | None:
        kind, value = self.peek()
        is_sign = kind == "sign" or (kind == "name" and value in ("AND", "OR"))
        if not is_sign or value not in wanted:
            return None
        self._at += 1
        return value

    def _expect(self, sign: str) -> None:
        if self._take(sign) is None:
            raise MathError(f"Error in expression '{self._text}': '{sign}' is missing")

    def either(self) -> Node:
        node = self._both()
        while self._take("OR", "||"):
            node = Node("||", children=(node, self._both()))
        return node

    def _both(self) -> Node:
        node = self._compared()
        while self._take("AND", "&&"):
            node = Node("&&", children=(node, self._compared()))
        return node

    def _compared(self) -> Node:
        node = self._sum()
        sign = self._take(*COMPARISONS)
        return Node(sign, children=(node, self._sum())) if sign else node

    def _sum(self) -> Node:
        node = self._product()
        while sign := self._take("+", "-"):
            node = Node(sign, children=(node, self._product()))
        return node

    def _product(self) -> Node:
        node = self._unary()
        while sign := self._take("*", "/"):
            node = Node(sign, children=(node, self._unary()))
        return node

    def _unary(self) -> Node:
        if self._take("-"):
            return Node("-", children=(Node("number", 0.0), self._unary()))
        node = self._atom()
        return Node("^", children=(node, self._unary())) if self._take("^") else node

    def _atom(self) -> Node:
        if self._take("("):
            node = self.either()
            self._expect(")")
            return node
        if self._take("["):
            return Node("list", children=self._arguments("]"))
        kind, value = self._next()
        if kind == "number":
            return Node("number", float(value))
        if kind == "text":
            return Node("text", value[1:-1])
        if kind == "name":
            if self._take("("):
                return Node("call", value.upper(), self._arguments(")"))
            return Node("name", value)
        raise MathError(f"Error in expression '{self._text}': unexpected '{value}'")

    def _arguments(self, closing: str) -> tuple[Node, ...]:
        if self._take(closing):
            return ()
        found = [self.either()]
        while self._take(","):
            found.append(self.either())
        self._expect(closing)
        return tuple(found)
