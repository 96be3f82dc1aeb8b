"""Slack's Web API for a bot, as far as alerts use it: posting, and uploading in three steps.

Error names, limits and the order of an upload are those of Slack's documentation of
chat.postMessage, files.getUploadURLExternal and files.completeUploadExternal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

API, UPLOAD = "/api/", "/upload/"
TOKEN = "xoxb-receiver"
_PNG = b"\x89PNG\r\n\x1a\n"


class ApiError(Exception):
    """Slack's name of what is wrong."""


@dataclass
class Channel:
    """Where the bot may write, unless something was done to it."""

    id: str
    name: str
    archived: bool = False
    member: bool = True
    messages: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class BotApi:
    """`validated` refuses what a webhook would refuse too."""

    address: str
    validated: Callable[[bytes], dict[str, Any]]
    token: str = TOKEN
    channels: list[Channel] = field(default_factory=lambda: [Channel("C0000001", "gpu")])
    failing: str = ""  # what every call is answered from now on, e.g. account_inactive
    scopes: set[str] = field(default_factory=lambda: {"chat:write", "files:write"})
    calls: list[str] = field(default_factory=list)
    _waiting: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
        """The JSON of a method; None: the bytes of an upload were taken."""
        if path.startswith(UPLOAD):
            self.calls.append("upload")
            self._uploaded(path.removeprefix(UPLOAD), body)
            return None
        place = urlsplit(path)
        method = place.path.removeprefix(API)
        self.calls.append(method)
        try:
            self._admit(headers)
            return {"ok": True, **self._call(method, _arguments(place.query, headers, body))}
        except ApiError as error:
            return {"ok": False, "error": str(error)}

    def _admit(self, headers: Mapping[str, str]) -> None:
        if self.failing:
            raise ApiError(self.failing)
        given = headers.get("Authorization", "").removeprefix("Bearer ")
        if not given:
            raise ApiError("not_authed")
        if given != self.token:
            raise ApiError("invalid_auth")

    def _call(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        if method == "chat.postMessage":
            return self._post(given)
        if method == "files.getUploadURLExternal":
            return self._begin(given)
        if method == "files.completeUploadExternal":
            return self._complete(given)
        raise ApiError("unknown_method")

    def _post(self, given: dict[str, Any]) -> dict[str, Any]:
        self._need("chat:write")
        channel = self._channel(str(given.get("channel", "")), by_name=True)
        options = {"channel", "thread_ts", "unfurl_links", "unfurl_media"}
        content = {key: value for key, value in given.items() if key not in options}
        try:
            checked = self.validated(json.dumps(content).encode())
        except ValueError as invalid:
            raise ApiError(str(invalid).partition(":")[0]) from invalid
        stamp = f"1700000000.{len(channel.messages):06}"
        channel.messages.append({**checked, "ts": stamp, "thread_ts": given.get("thread_ts")})
        return {"channel": channel.id, "ts": stamp}

    def _begin(self, given: dict[str, Any]) -> dict[str, Any]:
        self._need("files:write")
        if not given.get("filename") or int(given.get("length", 0)) < 1:
            raise ApiError("invalid_arguments")
        file_id = f"F{len(self._waiting):07}"
        self._waiting[file_id] = {"length": int(given["length"]), "name": given["filename"]}
        return {"file_id": file_id, "upload_url": f"{self.address}{UPLOAD}{file_id}"}

    def _uploaded(self, file_id: str, body: bytes) -> None:
        self._waiting[file_id]["body"] = body

    def _complete(self, given: dict[str, Any]) -> dict[str, Any]:
        self._need("files:write")
        # An upload names the channel by its id; a name is not found.
        channel = self._channel(str(given.get("channel_id", "")), by_name=False)
        files = given.get("files", [])
        listed = json.loads(files) if isinstance(files, str) else files
        for one in listed:
            waiting = self._waiting.get(one["id"], {})
            body = waiting.get("body", b"")
            if len(body) != waiting.get("length") or not body.startswith(_PNG):
                raise ApiError("file_update_failed")
            channel.files.append({**one, "body": body, "name": waiting["name"]})
        return {"files": [{"id": one["id"], "title": one.get("title")} for one in listed]}

    def _channel(self, wanted: str, *, by_name: bool) -> Channel:
        for channel in self.channels:
            if wanted == channel.id or (by_name and wanted.lstrip("#") == channel.name):
                if channel.archived:
                    raise ApiError("is_archived")
                if not channel.member:
                    raise ApiError("not_in_channel")
                return channel
        raise ApiError("channel_not_found")

    def _need(self, scope: str) -> None:
        if scope not in self.scopes:
            raise ApiError("missing_scope")


def _arguments(query: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {name: values[0] for name, values in parse_qs(query).items()}
    if "json" in headers.get("Content-Type", ""):
        found.update(json.loads(body or b"{}"))
    else:
        found.update({name: values[0] for name, values in parse_qs(body.decode()).items()})
    return found
