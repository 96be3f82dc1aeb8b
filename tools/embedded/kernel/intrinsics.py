"""CloudFormation's intrinsic functions over a template whose resources exist one by one."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any


class TemplateError(ValueError):
    """A template that cannot be deployed; names the resource and what is wrong."""


_SUB = re.compile(r"\$\{(!?)([^}]+)\}")
NO_VALUE = object()


class Resolver:
    def __init__(
        self,
        template: dict,
        parameters: dict[str, Any],
        pseudo: dict[str, Any],
        ref: Callable[[str], Any],
        att: Callable[[str, str], Any],
    ):
        self.template, self.parameters, self.pseudo, self._ref, self._att = (
            template,
            parameters,
            pseudo,
            ref,
            att,
        )
        self._conditions: dict[str, bool] = {}

    def condition(self, name: str) -> bool:
        if name not in self._conditions:
            self._conditions[name] = bool(self.value(self.template["Conditions"][name]))
        return self._conditions[name]

    def value(self, v: Any) -> Any:
        if isinstance(v, list):
            return [x for x in (self.value(i) for i in v) if x is not NO_VALUE]
        if not isinstance(v, dict):
            return v
        if len(v) == 1:
            ((key, arg),) = v.items()
            if key == "Ref":
                return self.ref(arg)
            if key == "Condition" and isinstance(arg, str):
                return self.condition(arg)
            if key.startswith("Fn::"):
                return getattr(self, "_" + key[4:].lower())(arg)
        return {k: x for k, x in ((k, self.value(i)) for k, i in v.items()) if x is not NO_VALUE}

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        return self._ref(name)

    def _getatt(self, arg):
        name, att = arg if isinstance(arg, list) else arg.split(".", 1)
        return self._att(name, self.value(att))

    def _sub(self, arg):
        text, extra = (
            (arg, {})
            if isinstance(arg, str)
            else (arg[0], {k: self.value(x) for k, x in arg[1].items()})
        )

        def put(m):
            if m[1]:
                return "${" + m[2] + "}"
            n = m[2].strip()
            if n in extra:
                return str(extra[n])
            return str(
                self._att(*n.split(".", 1))
                if "." in n and not n.startswith("AWS::")
                else self.ref(n)
            )

        return _SUB.sub(put, text)

    def _join(self, arg):
        return arg[0].join(str(x) for x in self.value(arg[1]))

    def _if(self, arg):
        return self.value(arg[1] if self.condition(arg[0]) else arg[2])

    def _equals(self, arg):
        a, b = self.value(arg)
        return str(a) == str(b)

    def _not(self, arg):
        return not self.value(arg)[0]

    def _and(self, arg):
        return all(self.value(arg))

    def _or(self, arg):
        return any(self.value(arg))

    def _select(self, arg):
        return self.value(arg[1])[int(self.value(arg[0]))]

    def _split(self, arg):
        return self.value(arg[1]).split(arg[0])

    def _base64(self, arg):
        return base64.b64encode(self.value(arg).encode()).decode()

    def _tojsonstring(self, arg):
        return json.dumps(self.value(arg))

    def _findinmap(self, arg):
        a, b, c = self.value(arg)
        return self.template["Mappings"][a][b][c]

    def _getazs(self, arg):
        return [self.pseudo["AWS::Region"] + z for z in "abc"]


def references(v: Any, known: set[str]) -> set[str]:
    """Logical ids that a value names, by Ref, GetAtt, Sub."""
    found: set[str] = set()
    if isinstance(v, list):
        for i in v:
            found |= references(i, known)
    elif isinstance(v, dict):
        for key, arg in v.items():
            if key == "Ref" and arg in known:
                found.add(arg)
            elif key == "Fn::GetAtt":
                found.add((arg if isinstance(arg, list) else arg.split("."))[0])
            elif key == "Fn::Sub":
                text = arg if isinstance(arg, str) else arg[0]
                found |= {n.split(".")[0] for e, n in _SUB.findall(text) if not e} & known
                if not isinstance(arg, str):
                    found |= references(arg[1], known)
            else:
                found |= references(arg, known)
    return found & known
