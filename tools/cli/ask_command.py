"""`autoscaler ask` and `autoscaler result`: a request by way of the queue, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from tools.cli import output
from tools.cli.client import CliError, StackClient
from tools.cli.harmless import harmless
from tools.cli.mailbox import Found, Mailbox
from tools.cli.questions import Typed, checked_id, question
from tools.cli.waiting import wait_for_result

Endpoint = Annotated[str, typer.Argument(help="The endpoint's name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the whole result as JSON.")]


class NotYetError(CliError):
    """There is no result yet."""

    exit_code = 3


def ask(
    context: typer.Context,
    endpoint: Endpoint,
    prompt: Annotated[str | None, typer.Argument(help="What to ask.", show_default=False)] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="For the answer; else the id is printed.")
    ] = True,
    system: Annotated[str | None, typer.Option(help="The system message.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Of the answer.")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="0: always the same answer.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--file", help="A request body (JSON) in place of a prompt; -: stdin."),
    ] = None,
    deferrable: Annotated[
        bool, typer.Option("--deferrable", help="It may wait for idle capacity.")
    ] = False,
    deadline: Annotated[
        str | None,
        typer.Option(help='An answer is of no use after: 2h, 18:00, "2026-11-24 18:00".'),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Asks an endpoint, asleep or awake, and prints its answer; nothing else is on stdout.

    The id comes first, on stderr. Exit status 1, with the reason, if the request is refused.
    """
    client: StackClient = context.obj
    typed = Typed(prompt, file, system, max_tokens, temperature, deferrable, deadline)
    asked, mailbox = question(typed, client.now()), Mailbox(client, endpoint)
    before = mailbox.look(asked.id) if typed.file is not None else None  # its id may be an old one
    mailbox.send(asked)
    _say(f"request {asked.id}")
    if not wait:
        typer.echo(json.dumps({"endpoint": endpoint, "id": asked.id}) if as_json else asked.id)
        return
    _show(_awaited(client, mailbox, asked.id, before), as_json)


def result_of(
    context: typer.Context,
    endpoint: Endpoint,
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The request's id.")],
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until there is one.")] = False,
    as_json: AsJson = False,
) -> None:
    """Prints the answer to a request that was sent before.

    Exit status 1, with the reason, if it was refused; 3 if there is no result yet.
    """
    mailbox = Mailbox(context.obj, endpoint)
    found = mailbox.look(checked_id(request_id))
    if found is None and not wait:
        context.obj.command("get", endpoint=endpoint)  # names those there are, if it is none
        raise NotYetError(
            f"there is no result of {request_id} yet: it waits, or nobody sent it, or it has "
            "expired (the stack's ResultDays); --wait waits for it"
        )
    _show(found.document if found else _awaited(context.obj, mailbox, request_id), as_json)


def _awaited(
    client: StackClient, mailbox: Mailbox, request_id: str, before: Found | None = None
) -> dict[str, Any]:
    """`before`: the result that lay there when it was sent. An answer is one to this request too,
    a refusal is not: what was refused may be sent again."""
    refusal = before if before and "error" in before.document else None
    try:
        return wait_for_result(client, mailbox, request_id, refusal)
    except KeyboardInterrupt:
        _say(
            "the request goes on without you; "
            f"autoscaler result {mailbox.endpoint} {request_id} --wait"
        )
        raise


def _show(found: Mapping[str, Any], as_json: bool) -> None:
    """The answer to stdout, what one should know of it to stderr."""
    if as_json:
        typer.echo(harmless(json.dumps(found, indent=2, ensure_ascii=False)))
    if "error" in found:
        raise CliError(harmless(f"refused: {found['error']}"))
    for note in notes(found):
        _say(note)
    if not as_json:
        typer.echo(harmless(text_of(found["answer"])))


def text_of(answer: Any) -> str:
    """What the model says, without its reasoning; of several choices, each after a blank line.

    Calls of tools are JSON, a line each; what has no known shape is shown as it is.
    """
    first = answer[0] if isinstance(answer, list) and answer else None
    if isinstance(first, dict) and "generated_text" in first:
        return str(first["generated_text"])
    if not (choices := _choices(answer)):
        return _as_it_is(answer)
    return "\n\n".join(_said(choice) for choice in choices)


def _choices(answer: Any) -> list[Any]:
    choices = answer.get("choices") if isinstance(answer, dict) else None
    return choices if isinstance(choices, list) else []


def _said(choice: Any) -> str:
    if not isinstance(choice, dict):
        return _as_it_is(choice)
    if "message" not in choice:
        return _text(choice.get("text"))
    message = choice["message"]
    calls = message.get("tool_calls") or [] if isinstance(message, dict) else None
    if not isinstance(calls, list):
        return _as_it_is(message)
    called = [_as_it_is(one["function"] if _is_call(one) else one) for one in calls]
    return "\n".join(part for part in (_text(message.get("content")), *called) if part)


def _is_call(one: Any) -> bool:
    return isinstance(one, dict) and "function" in one


def _text(content: Any) -> str:
    return content if isinstance(content, str) else _as_it_is(content) if content else ""


def _as_it_is(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def notes(found: Mapping[str, Any]) -> Iterator[str]:
    """What of an answer is not in its text."""
    if found.get("answered_by"):
        yield f"{found['answered_by']} answered in its place"
    if found.get("cached"):
        yield "a kept answer: the same was asked before"
    if found.get("late"):
        yield "it came after its deadline"
    choices = _choices(found["answer"])
    if any(one.get("finish_reason") == "length" for one in choices if isinstance(one, dict)):
        silent = not any(_said(choice) for choice in choices)
        yield (
            "the answer was cut at max_tokens"
            + (", before it said anything: the model still reasoned" if silent else "")
        )


def _say(text: str) -> None:
    output.errors.print(text, style="dim", highlight=False, markup=False, soft_wrap=True)
