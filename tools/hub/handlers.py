"""What the Hub and its CDN answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tools.hub.faults import Fault
from tools.hub.repository import Repository, RepositoryFile
from tools.hub.serving import Handler

if TYPE_CHECKING:
    from tools.hub.server import HubServer

_REVISION = re.compile(r"/api/models/(?P<model>[^/]+/[^/]+)/revision/(?P<revision>[^/]+)")
_TREE = re.compile(r"/api/models/(?P<model>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)")
_RESOLVE = re.compile(r"/(?P<model>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


class HubHandler(Handler):
    """`/api/models/...` and `/<model>/resolve/...`."""

    place = "hub"

    def do_GET(self) -> None:
        self.note()
        path = urlsplit(self.path).path
        for pattern, answer in (
            (_REVISION, self._revision),
            (_TREE, self._tree),
            (_RESOLVE, self._resolve),
        ):
            match = pattern.fullmatch(path)
            if match and match["model"] in self.hub.renamed:
                old, new = match["model"], self.hub.renamed[match["model"]]
                self.answer(307, Location=self.path.replace(f"/{old}/", f"/{new}/", 1))
                return
            if match:
                parts = {name: unquote(value) for name, value in match.groupdict().items()}
                repository = self._repository(parts["model"], parts["revision"])
                if repository is not None:
                    answer(repository, parts)
                return
        self.refuse(404, "", "Sorry, we can't find the page you are looking for.")

    def _repository(self, model_id: str, revision: str) -> Repository | None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        repository = self.hub.by_id.get(model_id)
        if token and token not in self.hub.tokens:
            self.refuse(401, "", "Invalid username or password.")
        elif repository is None or (repository.private and not self._opens(token, model_id)):
            if token:
                self.refuse(404, "RepoNotFound", "Repository not found")
            else:
                self.refuse(401, "RepoNotFound", "Invalid username or password.")
        elif not repository.has_revision(revision):
            self.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return repository
        return None

    def _opens(self, token: str, model_id: str) -> bool:
        return model_id in self.hub.tokens.get(token, frozenset())

    def _trouble(self, target: str) -> bool:
        """Carries out an order for the Hub itself; True when the request is answered by it."""
        trouble = self.hub.faults.take(target, at_the_hub=True, has_range="Range" in self.headers)
        if trouble is None:
            return False
        match trouble.fault:
            case Fault.THROTTLE:
                told = f"{trouble.seconds:g}"
                self.refuse(429, "", "We had to rate limit you.", Retry_After=told)
            case Fault.RATE_LIMIT:
                told = f'"resolvers";r=0;t={trouble.seconds:g}'
                self.refuse(429, "", "We had to rate limit you.", RateLimit=told)
            case Fault.SERVER_ERROR:
                self.refuse(500, "", "Internal Error - We're working hard to fix this.")
            case Fault.WRONG_COMMIT:
                self.answer(200, b"moved", X_Repo_Commit="f" * 40)
            case Fault.FOREIGN_REDIRECT:
                self.answer(302, Location="http://hub.example.invalid/weights")
            case Fault.UNAUTHORIZED:
                self.refuse(401, "", "Invalid username or password.")
            case Fault.FORBIDDEN:
                message = "Please enable access to public gated repositories in your token settings"
                self.refuse(403, "", message, X_Error_Message=message)
            case Fault.ALLOWED_REDIRECT:
                self.answer(302, Location=self.hub.cdn + self.path)
        return True

    def _revision(self, repository: Repository, parts: dict[str, str]) -> None:
        if self._trouble("revision"):
            return
        found = {
            "id": repository.model_id,
            "sha": repository.commit,
            "private": repository.private,
            "gated": "manual" if repository.gated else False,
            "cardData": {"license": repository.licence} if repository.licence else {},
            "siblings": [{"rfilename": path} for path in sorted(repository.files)],
        }
        self.answer(200, json.dumps(found).encode(), Content_Type="application/json")

    def _tree(self, repository: Repository, parts: dict[str, str]) -> None:
        if self._trouble("tree"):
            return
        query = parse_qs(urlsplit(self.path).query)
        start = int(query.get("cursor", ["0"])[0])
        size = min(int(query.get("limit", ["1000"])[0]), self.hub.page_entries)
        files = [repository.files[path] for path in sorted(repository.files)]
        folders = {parent for path in repository.files for parent in _parents(path)}
        entries = [{"type": "directory", "path": path, "oid": "0" * 40} for path in sorted(folders)]
        entries += [file.entry() for file in files]
        headers = {"Content_Type": "application/json", "X_Repo_Commit": repository.commit}
        if self.hub.faults.take("page", at_the_hub=True, has_range=False):
            headers["Link"] = f'<http://hub.example.invalid{self.path}&cursor=1>; rel="next"'
        elif start + size < len(entries):
            address = self.hub.endpoint + self.path.split("?")[0]
            more = f"recursive=true&expand=false&limit={size}&cursor={start + size}"
            headers["Link"] = f'<{address}?{more}>; rel="next"'
        self.answer(200, json.dumps(entries[start : start + size]).encode(), **headers)

    def _resolve(self, repository: Repository, parts: dict[str, str]) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository.gated and not self._opens(token, repository.model_id):
            message = (
                f"Access to model {repository.model_id} is restricted"
                + ("" if not token else " and you are not in the authorized list")
                + f". Visit https://huggingface.co/{repository.model_id} to ask for access."
            )
            self.refuse(403 if token else 401, "GatedRepo", message)
            return
        file = repository.files.get(parts["path"])
        if file is None:
            self.refuse(404, "EntryNotFound", "Entry not found")
            return
        if self._trouble(file.path):
            return
        if not file.is_lfs:
            self.serve(file, X_Repo_Commit=repository.commit, ETag=f'"{file.git_oid}"')
            return
        self.answer(
            302,
            Location=_signed(self.hub, file),
            X_Repo_Commit=repository.commit,
            X_Linked_Size=str(file.size_bytes),
            X_Linked_ETag=f'"{file.sha256}"',
            ETag=f'"{file.sha256}"',
        )


class CdnHandler(Handler):
    """`/lfs/<sha256>?expires=...&signature=...`, and no token ever."""

    place = "cdn"

    def do_GET(self) -> None:
        self.note()
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        expires = query.get("expires", ["0"])[0]
        sha256 = parts.path.rpartition("/")[2]
        is_signed = query.get("signature", [""])[0] == _signature(self.hub, sha256, expires)
        file = self.hub.by_sha256(sha256)
        if not is_signed or float(expires) < time.time() or "Authorization" in self.headers:
            self.answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif file is None:
            self.answer(404)
        else:
            self.serve(file, ETag=f'"{sha256}"')


def _signed(hub: HubServer, file: RepositoryFile) -> str:
    expires = f"{time.time() + hub.address_seconds:.3f}"
    signature = _signature(hub, file.sha256, expires)
    return f"{hub.cdn}/lfs/{quote(file.sha256)}?expires={expires}&signature={signature}"


def _signature(hub: HubServer, sha256: str, expires: str) -> str:
    return hmac.new(hub.secret.encode(), f"{sha256}{expires}".encode(), hashlib.sha256).hexdigest()


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
