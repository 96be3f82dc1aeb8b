"""Deploys a SAM template: transform, then one resource after the other, by their references;
`updates` brings a stack to another template."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.embedded.kernel.intrinsics import Resolver, TemplateError
from tools.embedded.kernel.order import in_order
from tools.embedded.kernel.removers import REMOVERS
from tools.embedded.kernel.resources import MAKERS, Context, Made
from tools.embedded.kernel.runtime import empty_zip
from tools.embedded.kernel.stack import Stack, as_given, checked_parameters, is_kept, load
from tools.embedded.kernel.updates import FUNCTION, LAYER, MACHINE, Update

if TYPE_CHECKING:
    from tools.embedded.kernel.account import Account

_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")
_ANSWER_SECONDS = 3600


class Engine:
    """Makes and removes stacks in one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.stacks: dict[str, Stack] = {}

    @property
    def account(self) -> Account:
        return self._account

    def now(self) -> datetime:
        return self._account.clock.now()

    def deploy(self, path: Path, name: str, given: Mapping[str, Any]) -> Stack:
        """Raises TemplateError naming the resource that could not be made."""
        account, template = self._account, load(path, given)
        stack = Stack(
            name=name,
            stack_id=f"arn:aws:cloudformation:{account.region}:{account.account_id}"
            f":stack/{name}/{uuid.uuid4()}",
            body=path.read_text(),
            template=template,
            folder=path.parent.resolve(),
            parameters=checked_parameters(template, given),
            created=account.clock.now(),
        )
        resolver = self._resolver(stack)
        wanted = _wanted(template, resolver)
        order = in_order(wanted)
        self.stacks[name] = stack
        stack.becomes("CREATE_IN_PROGRESS", account.clock.now())
        for logical in order:
            self.make(stack, resolver, logical, wanted[logical])
        _tell_outputs(stack, resolver)
        stack.becomes("CREATE_COMPLETE", account.clock.now())
        return stack

    def update(self, path: Path, name: str, given: Mapping[str, Any]) -> Stack:
        """Brings a stack to another template. Parameters that are not given keep their values, also
        those that were defaults of the template before, as `sam deploy` asks CloudFormation.

        Raises TemplateError naming the resource that could not be changed. Nothing is rolled back:
        the stack is UPDATE_FAILED, and another update may follow.
        """
        before = self.stacks[name]
        known = as_given(before.parameters)
        template = load(path, {**known, **given})
        kept = {key: value for key, value in known.items() if key in template.get("Parameters", {})}
        stack = replace(
            before,
            body=path.read_text(),
            template=template,
            folder=path.parent.resolve(),
            parameters=checked_parameters(template, {**kept, **given}),
            made=dict(before.made),
            types=dict(before.types),
            given=dict(before.given),
            order=list(before.order),
            outputs={},
        )
        resolver = self._resolver(stack)
        wanted = _wanted(template, resolver)
        order = in_order(wanted)
        self.stacks[name] = stack
        stack.becomes("UPDATE_IN_PROGRESS", self.now())
        try:
            Update(self, before, stack).carry_out(resolver, wanted, order)
            _tell_outputs(stack, resolver)
        except Exception as wrong:
            stack.becomes("UPDATE_FAILED", self.now(), str(wrong))
            raise
        stack.becomes("UPDATE_COMPLETE", self.now())
        return stack

    def delete(self, name: str) -> None:
        """Removes a stack in reverse order; raises TemplateError and leaves DELETE_FAILED."""
        stack, clock = self.stacks[name], self._account.clock
        stack.becomes("DELETE_IN_PROGRESS", clock.now())
        for logical in reversed(list(stack.order)):
            if is_kept(stack.template["Resources"][logical]):
                stack.notes(logical, "DELETE_SKIPPED", clock.now())
                continue
            stack.notes(logical, "DELETE_IN_PROGRESS", clock.now())
            try:
                self._remove(stack, logical)
            except Exception as wrong:
                stack.notes(logical, "DELETE_FAILED", clock.now(), str(wrong))
                stack.becomes("DELETE_FAILED", clock.now(), f"{logical}: {wrong}")
                raise TemplateError(stack.reason) from wrong
            stack.notes(logical, "DELETE_COMPLETE", clock.now())
            stack.order.remove(logical)
        stack.becomes("DELETE_COMPLETE", clock.now())

    def delete_in_background(self, name: str) -> threading.Thread:
        """Starts a deletion; its outcome is the stack's status."""

        def run() -> None:
            try:
                self.delete(name)
            except TemplateError:
                return  # said by the stack's status and reason

        thread = threading.Thread(target=run, name=f"delete-{name}", daemon=True)
        self.stacks[name].status = "DELETE_IN_PROGRESS"
        thread.start()
        return thread

    def make(
        self, stack: Stack, resolver: Resolver, logical: str, resource: Mapping[str, Any]
    ) -> None:
        kind, clock = resource["Type"], self._account.clock
        stack.notes(logical, "CREATE_IN_PROGRESS", clock.now())
        try:
            properties = resolver.value(resource.get("Properties", {}))
            made = self.made(stack, logical, kind, properties)
        except Exception as wrong:
            stack.notes(logical, "CREATE_FAILED", clock.now(), str(wrong))
            stack.becomes("CREATE_FAILED", clock.now(), f"{logical} ({kind}): {wrong}")
            raise TemplateError(stack.reason) from wrong
        stack.made[logical] = made
        stack.types[logical] = kind
        stack.given[logical] = properties
        stack.order.append(logical)
        stack.notes(logical, "CREATE_COMPLETE", clock.now())

    def made(self, stack: Stack, logical: str, kind: str, properties: dict[str, Any]) -> Made:
        """Makes one resource."""
        context = self.context(stack)
        if kind == FUNCTION:
            return self._function(context, stack, logical, properties)
        if self.is_custom(kind):
            return self.custom(stack, logical, "Create", properties)
        if kind == MACHINE:
            self.check_machine(properties)
        made = MAKERS[kind](context, logical, properties)
        if kind == LAYER:
            folder = stack.folder / properties["Content"]["S3Key"]
            self._account.runtime.layers[made.physical_id] = folder
        return made

    def check_machine(self, properties: Mapping[str, Any]) -> None:
        """Raises TemplateError when its role may not do what Step Functions needs of it."""
        if refused := self._account.acting.run(properties["RoleArn"], properties):
            raise TemplateError(refused)

    def _function(
        self, context: Context, stack: Stack, logical: str, properties: dict[str, Any]
    ) -> Made:
        name = properties.get("FunctionName") or context.name(logical)
        folder = stack.folder / properties["Code"]["S3Key"]
        arn = self._account.runtime.define(name, folder, properties)
        context.boto("lambda").create_function(
            FunctionName=name,
            Runtime=properties["Runtime"],
            Role=properties["Role"],
            Handler=properties["Handler"],
            Code={"ZipFile": empty_zip()},
            Timeout=int(properties.get("Timeout", 3)),
            MemorySize=int(properties.get("MemorySize", 128)),
        )
        return Made(name, name, {"Arn": arn})

    @staticmethod
    def is_custom(kind: str) -> bool:
        return kind.startswith(_CUSTOM)

    def custom(
        self,
        stack: Stack,
        logical: str,
        request_type: str,
        properties: dict[str, Any],
        physical_id: str | None = None,
    ) -> Made:
        url, wait = self._account.front.expect_answer()
        event = {
            "RequestType": request_type,
            "ServiceToken": properties["ServiceToken"],
            "ResponseURL": url,
            "StackId": stack.stack_id,
            "RequestId": str(uuid.uuid4()),
            "LogicalResourceId": logical,
            "ResourceType": stack.template["Resources"][logical]["Type"],
            "ResourceProperties": {key: str(value) for key, value in properties.items()},
        }
        if physical_id is not None:
            event["PhysicalResourceId"] = physical_id
        self._account.functions.invoke_async(properties["ServiceToken"], json.dumps(event).encode())
        answer = wait(float(properties.get("ServiceTimeout", _ANSWER_SECONDS)))
        if answer is None:
            raise TemplateError("the custom resource did not answer in time")
        if answer["Status"] != "SUCCESS":
            raise TemplateError(answer.get("Reason", "the custom resource failed"))
        found = answer.get("PhysicalResourceId", logical)
        return Made(found, found, answer.get("Data", {}), properties)

    def _remove(self, stack: Stack, logical: str) -> None:
        self.remove_made(stack, logical, stack.types[logical], stack.made[logical])

    def remove_made(self, stack: Stack, logical: str, kind: str, made: Made) -> None:
        """Removes one resource, which its stack may know no more."""
        if kind == FUNCTION:
            self._account.runtime.undefine(made.physical_id)
            self._account.boto("lambda").delete_function(FunctionName=made.physical_id)
        elif self.is_custom(kind):
            self.custom(stack, logical, "Delete", made.properties, made.physical_id)
        elif kind == LAYER:
            self._account.runtime.layers.pop(made.physical_id, None)
        else:
            REMOVERS[kind](self.context(stack), made)

    def context(self, stack: Stack) -> Context:
        account = self._account
        return Context(account.boto, account.account_id, account.region, stack.name)

    def _resolver(self, stack: Stack) -> Resolver:
        account = self._account
        pseudo = {
            "AWS::StackName": stack.name,
            "AWS::StackId": stack.stack_id,
            "AWS::Region": account.region,
            "AWS::AccountId": account.account_id,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
        }

        def attribute(logical: str, name: str) -> Any:
            try:
                return stack.made[logical].attributes[name]
            except KeyError:
                raise TemplateError(f"{logical}.{name} is not known") from None

        def reference(logical: str) -> Any:
            if logical not in stack.made:
                raise TemplateError(f"{logical} is neither a parameter nor a resource made by now")
            return stack.made[logical].ref

        return Resolver(stack.template, stack.parameters, pseudo, reference, attribute)


def _wanted(template: Mapping[str, Any], resolver: Resolver) -> dict[str, Any]:
    """The resources whose conditions hold; TemplateError for a type that is not known."""
    wanted = {
        logical: resource
        for logical, resource in template["Resources"].items()
        if "Condition" not in resource or resolver.condition(resource["Condition"])
    }
    _check_types(wanted)
    return wanted


def _tell_outputs(stack: Stack, resolver: Resolver) -> None:
    for key, output in stack.template.get("Outputs", {}).items():
        if "Condition" not in output or resolver.condition(output["Condition"]):
            stack.outputs[key] = str(resolver.value(output["Value"]))


def _check_types(resources: Mapping[str, Any]) -> None:
    unknown = {
        resource["Type"]
        for resource in resources.values()
        if resource["Type"] not in MAKERS
        and resource["Type"] != FUNCTION
        and not resource["Type"].startswith(_CUSTOM)
    }
    if unknown:
        raise TemplateError(f"the embedded account cannot make {', '.join(sorted(unknown))}")
