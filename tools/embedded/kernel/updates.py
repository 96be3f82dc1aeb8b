"""A stack is brought to another template, as CloudFormation does it.

Resources are changed in the order of their references, one after the other, so that for a while
old and new functions work side by side. What cannot be changed in place is made anew; the old one
goes at the end, like what the new template does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tools.embedded.kernel.intrinsics import Resolver, TemplateError
from tools.embedded.kernel.resources import Made
from tools.embedded.kernel.stack import Stack, is_kept
from tools.embedded.kernel.updaters import FIXED, UPDATERS

if TYPE_CHECKING:
    from tools.embedded.kernel.engine import Engine

FUNCTION = "AWS::Lambda::Function"
LAYER = "AWS::Lambda::LayerVersion"
MACHINE = "AWS::StepFunctions::StateMachine"
_CODE = {FUNCTION: ("Code", "S3Key"), LAYER: ("Content", "S3Key")}


@dataclass
class Update:
    """One update of a stack. `before` is the stack as it was; `after` takes its place."""

    engine: Engine
    before: Stack
    after: Stack
    left: list[tuple[str, str, Made]] = field(default_factory=list)  # (logical id, type, made)

    def carry_out(self, resolver: Resolver, wanted: Mapping[str, Any], order: list[str]) -> None:
        """Raises TemplateError naming the resource that could not be changed."""
        for logical in order:
            if logical not in self.before.made:
                self.engine.make(self.after, resolver, logical, wanted[logical])
                continue
            self._change(resolver, logical, wanted[logical])
        for logical in [one for one in self.before.order if one not in wanted]:
            self.after.order.remove(logical)
            made = self.after.made.pop(logical)
            if not is_kept(self.before.template["Resources"][logical]):
                self.left.append((logical, self.after.types.pop(logical), made))
        # What refers to others goes before them.
        place = self.before.order.index
        for logical, kind, made in sorted(self.left, key=lambda one: place(one[0]), reverse=True):
            self.engine.remove_made(self.before, logical, kind, made)
            if logical not in wanted:
                self.before.notes(logical, "DELETE_COMPLETE", self.engine.now())

    def _change(self, resolver: Resolver, logical: str, resource: Mapping[str, Any]) -> None:
        stack, kind, now = self.after, resource["Type"], self.engine.now
        try:
            properties = resolver.value(resource.get("Properties", {}))
            if self._is_same(logical, kind, properties):
                return
            stack.notes(logical, "UPDATE_IN_PROGRESS", now())
            made = self._changed(logical, kind, properties)
        except Exception as wrong:
            stack.notes(logical, "UPDATE_FAILED", now(), str(wrong))
            raise TemplateError(f"{logical} ({kind}): {wrong}") from wrong
        stack.made[logical], stack.types[logical] = made, kind
        stack.given[logical] = properties
        stack.notes(logical, "UPDATE_COMPLETE", now())

    def _is_same(self, logical: str, kind: str, properties: Mapping[str, Any]) -> bool:
        same = kind == self.before.types[logical] and properties == self.before.given[logical]
        if not same or kind not in _CODE:
            return same
        outer, inner = _CODE[kind]
        place = properties[outer][inner]
        return bool((self.before.folder / place) == (self.after.folder / place))

    def _changed(self, logical: str, kind: str, properties: dict[str, Any]) -> Made:
        engine, stack, made = self.engine, self.after, self.before.made[logical]
        known = self.before.given[logical]
        fixed = any(known.get(name) != properties.get(name) for name in FIXED.get(kind, ()))
        if kind != self.before.types[logical] or fixed:
            return self._replaced(logical, kind, properties)
        if kind == FUNCTION:
            return self._function(made, properties)
        if engine.is_custom(kind):
            return engine.custom(stack, logical, "Update", properties, made.physical_id)
        if kind == LAYER:
            self.left.append((logical, kind, made))
            return self._layer(made, properties)
        if kind == MACHINE:
            engine.check_machine(properties)
        if kind not in UPDATERS:
            return self._replaced(logical, kind, properties)
        UPDATERS[kind](engine.context(stack), made, properties)
        return made

    def _replaced(self, logical: str, kind: str, properties: dict[str, Any]) -> Made:
        self.left.append((logical, self.before.types[logical], self.before.made[logical]))
        return self.engine.made(self.after, logical, kind, properties)

    def _function(self, made: Made, properties: dict[str, Any]) -> Made:
        """New code, environment or settings under the same name; what runs ends as it began."""
        account, folder = self.engine.account, self.after.folder / properties["Code"]["S3Key"]
        account.runtime.define(made.physical_id, folder, properties)
        account.boto("lambda").update_function_configuration(
            FunctionName=made.physical_id,
            Role=properties["Role"],
            Handler=properties["Handler"],
            Timeout=int(properties.get("Timeout", 3)),
            MemorySize=int(properties.get("MemorySize", 128)),
        )
        return made

    def _layer(self, made: Made, properties: dict[str, Any]) -> Made:
        """Another version; functions that refer to it are changed after it."""
        name, _, version = made.physical_id.rpartition(":")
        arn = f"{name}:{int(version) + 1}"
        folder = self.after.folder / properties["Content"]["S3Key"]
        self.engine.account.runtime.layers[arn] = folder
        return Made(arn, arn)
