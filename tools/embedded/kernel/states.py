"""moto's state machine interpreter, in the account's time and with a JSONata evaluator.

What is mended here, each in a few lines: the interpreter is switched on; a definition is checked
once (that was a third of a stack's creation) and read once, not by every execution; JSONata gets an
evaluator; Wait states and retry intervals follow the account's clock; clients are made once (moto
makes one a task) and know the service names that Step Functions uses.
"""

from __future__ import annotations

import contextlib
import datetime as real_datetime
import importlib
import pkgutil
import re
import sys
import threading
import time
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any

import boto3
from botocore.config import Config

from tools.embedded.kernel import expressions, state_errors
from tools.embedded.types import Clock

_SERVICES = {
    "applicationautoscaling": "application-autoscaling",
    "cloudwatchlogs": "logs",
    "sagemakerruntime": "sagemaker-runtime",
    "eventbridge": "events",
    "sfn": "stepfunctions",
}
_ERROR_NAMES = {
    "sagemaker": "SageMaker",
    "applicationautoscaling": "ApplicationAutoScaling",
    "lambda": "Lambda",
    "sqs": "Sqs",
    "cloudwatch": "CloudWatch",
    "cloudwatchlogs": "CloudWatchLogs",
}
_NAP_SECONDS = 0.05
OWN_KEY = "states"  # Step Functions itself, where no role of a machine is at work
_ACCOUNT = {"aws_access_key_id": OWN_KEY, "aws_secret_access_key": OWN_KEY}
_CONFIG = Config(
    parameter_validation=False,
    retries={"total_max_attempts": 1},
    read_timeout=1000,
    max_pool_connections=64,
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[A-Z]+[a-z0-9]*|[0-9]+")


class _Present:
    """The account that runs now; the patched functions look here."""

    clock: Clock
    endpoint_url: str


def install(clock: Clock, endpoint_url: str) -> None:
    """Mends moto once, and points it to this account from now on."""
    _Present.clock = clock
    _Present.endpoint_url = endpoint_url
    _client.cache_clear()
    _session_of.cache_clear()
    _mend()


@cache
def _mend() -> None:
    from moto.core.config import default_user_config
    from moto.stepfunctions.parser import asl
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.intrinsic import jsonata as intrinsic
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
        state_task_service,
        state_task_service_aws_sdk,
        state_task_service_callback,
    )
    from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (  # noqa: E501
        StateTaskService,
    )
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import (
        WaitFunction,
    )
    from moto.stepfunctions.parser.asl.jsonata import jsonata
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
    from moto.stepfunctions.parser.models import StepFunctionsParserBackend as Backend

    default_user_config["stepfunctions"]["execute_state_machine"] = True
    StateTaskService._normalise_parameters = _to_boto
    StateTaskService._normalise_response = _from_boto
    StateTaskService._to_sfn_cased = staticmethod(spelled)
    state_task_service.camel_to_snake_case = _snake
    state_task_service_callback._DELAY_SECONDS_SYNC_CONDITION_CHECK = _NAP_SECONDS
    state_task_service_aws_sdk._SERVICE_ERROR_NAMES.update(_ERROR_NAMES)
    waiting = state_task_service_callback.StateTaskServiceCallback
    waiting._wait_for_task_token_timeout = _unless_stopped(waiting._wait_for_task_token_timeout)
    state_errors.install()
    Backend._validate_definition = staticmethod(lru_cache(256)(Backend._validate_definition))
    AmazonStateLanguageParser.parse = staticmethod(_read_once(AmazonStateLanguageParser.parse))
    jsonata._eval_jsonata = evaluate
    for name in expressions.ADDED:
        intrinsic._DECLARATION_BY_VARIABLE_REFERENCE.pop(f"${name}")
    WaitFunction._wait_interval = _wait
    retrier_decl.time = _AccountTime
    for module in pkgutil.walk_packages(asl.__path__, f"{asl.__name__}."):
        with contextlib.suppress(ImportError):
            importlib.import_module(module.name)
    for module in list(sys.modules.values()):
        name = getattr(module, "__name__", "")
        if not name.startswith("moto.stepfunctions"):
            continue
        for attribute, better in (
            ("boto_client_for", _client_for),
            ("encode_jsonata_variable_declarations", _declare),
        ):
            if hasattr(module, attribute):
                setattr(module, attribute, better)
        if getattr(module, "datetime", None) is real_datetime:
            module.datetime = _ACCOUNT_DATETIME


def _read_once(parse: Any) -> Any:
    """What runs is made anew for each execution, from a definition's text that is read once."""
    from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

    @lru_cache(256)
    def tree_of(definition: str) -> Any:
        return parse(definition)[1]

    def parsed(definition: str) -> tuple[Any, Any]:
        tree, visitor = tree_of(definition), Preprocessor()
        visitor._query_language_per_scope = []  # moto has one for all, and many read at once
        return visitor.visit(tree), tree

    return parsed


def _unless_stopped(wait: Any) -> Any:
    """Of an execution that was stopped moto evaluates nothing any more, and takes for the timeout
    what else lies on its stack."""

    def waited(task: Any, timeout_seconds: Any, callback_endpoint: Any) -> Any:
        if not isinstance(timeout_seconds, int | float):
            return None
        return wait(task, timeout_seconds, callback_endpoint)

    return waited


def evaluate(expression: str) -> Any:
    """The value of a JSONata expression as JSON; raises moto's JSONataException."""
    from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException

    try:
        return expressions.value_of(expression)
    except Exception as wrong:
        raise JSONataException("UNKNOWN", str(wrong)) from wrong


def _declare(bindings: dict[str, Any]) -> str:
    return expressions.declared(_without_dates(bindings))


def spelled(member: str) -> str:
    """A member of an API as Step Functions spells it: in the words of the AWS SDK for Java 2,
    where an abbreviation is a word like any other: UUID is Uuid, KMSKeyId is KmsKeyId."""
    return "".join(word[:1].upper() + word[1:].lower() for word in _words(member))


def _snake(member: str) -> str:
    return "_".join(word.lower() for word in _words(member))


def _words(member: str) -> list[str]:
    return _WORD.findall(member)


def _to_boto(
    task: Any,
    parameters: dict[str, Any],
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    """Members as botocore names them; refuses one that Step Functions does not know."""
    operation = _operation(task, boto_service_name, service_action_name)
    if operation.input_shape is None:
        return
    known = {spelled(member) for member in operation.input_shape.members}
    if unknown := sorted(set(parameters) - known):
        raise RuntimeError(
            f'The field "{unknown[0]}" is not supported by Step Functions: '
            f"{operation.name} takes {', '.join(sorted(known))}"
        )
    task._to_boto_request(parameters, operation.input_shape)


def _from_boto(
    task: Any,
    response: Any,
    boto_service_name: str | None = None,
    service_action_name: str | None = None,
) -> None:
    operation = _operation(task, boto_service_name, service_action_name)
    if isinstance(response, dict):
        if operation.output_shape is not None:
            task._from_boto_response(response, operation.output_shape)
        for key, value in response.items():
            response[key] = _without_dates(value)


def _operation(task: Any, service: str | None, action: str | None) -> Any:
    client = _client_for("us-east-1", task._get_boto_service_name(service))
    name = client.meta.method_to_api_mapping[task._get_boto_service_action(action)]
    return client.meta.service_model.operation_model(name)


def _without_dates(value: Any) -> Any:
    if isinstance(value, real_datetime.datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _without_dates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_dates(item) for item in value]
    return value


def _wait(_self: Any, env: Any, wait_seconds: float) -> None:
    clock = _Present.clock
    end = clock.time() + wait_seconds
    while env.is_running() and (left := end - clock.time()) > 0:
        time.sleep(min(left / clock.speed, _NAP_SECONDS))


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, real_datetime.datetime)


class _AccountDatetime(real_datetime.datetime, metaclass=_AnyDatetime):
    """`datetime.datetime` whose present is the account's."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        now = _Present.clock.now()
        return now.astimezone(tz) if tz else now.replace(tzinfo=None)


# Stands for the module `datetime`: executions begin and end in the account's time.
_ACCOUNT_DATETIME = SimpleNamespace(**{**vars(real_datetime), "datetime": _AccountDatetime})


class _AccountTime:
    """Stands for the module `time` where the interpreter waits before a retry."""

    @staticmethod
    def sleep(seconds: float) -> None:
        _Present.clock.sleep(seconds)


def _client_for(region: str, service: str, state_credentials: Any = None) -> Any:
    """A client with the credentials of the running machine's role, as Step Functions has it."""
    role = getattr(state_credentials, "role_arn", None)
    with _LOCK:
        return _client(region, _SERVICES.get(service, service), role)


_LOCK = threading.Lock()


@cache
def _client(region: str, service: str, role: str | None) -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=_Present.endpoint_url,
        config=_CONFIG,
        **(_session_of(role) if role else _ACCOUNT),
    )


@cache
def _session_of(role: str) -> dict[str, str]:
    sts = boto3.client(
        "sts", endpoint_url=_Present.endpoint_url, region_name="us-east-1", **_ACCOUNT
    )
    given = sts.assume_role(RoleArn=role, RoleSessionName="states")["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
