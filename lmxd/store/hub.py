"""Questions to the hub: which commit is a revision, what does it hold, where are its bytes.

Used by `hub_models`. Two JSON calls of the public API, asked with our own bounded retries, because
huggingface_hub asks `repo_info` once only, sleeps in threads that cannot be cancelled for the
tree, and hides the cause of some failures (acquire.md 1.3). Bytes are `fetcher`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import httpx2

from lmxd.store.access import HubAccess
from lmxd.store.cache import is_commit
from lmxd.store.digest import digest_of_blob
from lmxd.store.listing import Listing, RemoteFile
from lmxd.store.refusals import is_refusal, refusal, unreachable
from lmxd.store.retries import FetchRules, Tries
from schemas.errors import ActionError

DEFAULT_REVISION = "main"
_PAGES = 1000


def make_client(rules: FetchRules) -> httpx2.AsyncClient:
    """The HTTP client for questions and bytes. httpx2 drops Authorization when a redirect leaves
    the origin; our own headers are made for each request, never set on the client.
    """
    timeout = httpx2.Timeout(rules.answer_s, connect=rules.connect_s, pool=None)
    return httpx2.AsyncClient(timeout=timeout, follow_redirects=True, max_redirects=5)


class HubClient:
    """Asks one hub. `access` is called for each question, so that a new token counts at once."""

    def __init__(
        self, client: httpx2.AsyncClient, access: Callable[[], HubAccess], rules: FetchRules
    ) -> None:
        self._client = client
        self._access = access
        self._rules = rules

    async def commit_of(self, repo: str, revision: str | None) -> str:
        """The commit a branch, tag or commit means now. Cancellable; raises ActionError."""
        name = revision or DEFAULT_REVISION
        url = f"{self._access().endpoint}/api/models/{repo}/revision/{quote(name, safe='')}"
        body, _ = await self._ask(url, f"hf:{repo}@{name}", repo)
        commit = body.get("sha") if isinstance(body, dict) else None
        if not isinstance(commit, str) or not is_commit(commit):
            raise self._not_a_hub(f"hf:{repo}@{name}", "no commit in its answer")
        return commit

    async def listing(self, repo: str, commit: str) -> Listing:
        """Every file of a commit. Cancellable; raises ActionError."""
        what = f"hf:{repo}@{commit[:12]}"
        url: str | None = (
            f"{self._access().endpoint}/api/models/{repo}/tree/{commit}?recursive=true&expand=false"
        )
        files: list[RemoteFile] = []
        for _ in range(_PAGES):
            if url is None:
                return Listing(repo, commit, tuple(files))
            body, url = await self._ask(url, what, repo)
            if not isinstance(body, list):
                raise self._not_a_hub(what, "no list of files in its answer")
            try:
                files += [file for entry in body if (file := _remote_file(entry)) is not None]
            except ValueError as error:
                raise self._not_a_hub(what, str(error)) from error
        raise self._not_a_hub(what, f"more than {_PAGES} pages of files")

    def file_url(self, repo: str, commit: str, path: str) -> str:
        """Where a file of a commit is asked for; LFS files are redirected from there."""
        return f"{self._access().endpoint}/{repo}/resolve/{commit}/{quote(path)}"

    def page(self, repo: str) -> str:
        """Where a person can look at a repository."""
        return f"{self._access().endpoint}/{repo}"

    async def _ask(self, url: str, what: str, repo: str) -> tuple[object, str | None]:
        """The JSON answer and the URL of the next page, if there is one."""
        tries = Tries(self._rules)
        while True:
            try:
                return await self._ask_once(url, what, repo)
            except httpx2.RequestError as error:
                failure = unreachable(error, what, self.page(repo))
                failure.__cause__ = error
            except ActionError as error:
                failure = error
            await tries.pause(failure)

    async def _ask_once(self, url: str, what: str, repo: str) -> tuple[object, str | None]:
        try:
            request = self._client.build_request("GET", url, headers=self._access().headers(url))
        except httpx2.InvalidURL as error:
            raise self._not_a_hub(what, f"its URL is not one: {error}", terminal=True) from error
        response = await self._client.send(request)
        if is_refusal(response.status_code):
            raise refusal(response.status_code, response.headers, what, self.page(repo))
        try:
            body: object = json.loads(response.content)
        except ValueError as error:
            kind = response.headers.get("content-type", "no type")[:40]
            raise self._not_a_hub(what, f"its answer is not JSON but {kind}") from error
        following: object = response.links.get("next", {}).get("url")
        return body, str(response.url.join(following)) if isinstance(following, str) else None

    def _not_a_hub(self, what: str, detail: str, *, terminal: bool = False) -> ActionError:
        return ActionError(
            "HubUnreachable",
            f"{self._access().endpoint} does not behave like a hub for {what}: {detail}",
            hint="check HF_ENDPOINT and any proxy between",
            terminal=terminal,
        )


def _remote_file(entry: object) -> RemoteFile | None:
    """One entry of a tree listing; None for folders. Raises ValueError for nonsense."""
    match entry:
        case {"type": "file", "path": str(path), "lfs": {"oid": str(name), "size": int(size)}}:
            digest = digest_of_blob(name)
        case {"type": "file", "path": str(path), "oid": str(name), "size": int(size)}:
            digest = digest_of_blob(name)
        case {"type": "file"}:
            raise ValueError("a file without name, size or digest")
        case _:
            return None
    if digest is None or size < 0:
        raise ValueError(f"file {path[:100]} has no digest lmxd knows")
    return RemoteFile(path, size, digest)
