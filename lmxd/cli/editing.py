"""The document in somebody's editor: fetched, edited, applied, and opened again when refused.

The draft is a file of its own in the temporary folder. It is removed when it has become the
document or was not changed; else its path is said, so that no text is lost.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from lmxd.cli import change_view, client
from lmxd.cli.messages import explain, note
from lmxd.cli.options import Form
from lmxd.cli.speech import YAML, Call, Terms
from schemas.errors import Code, LmxdError, RequestError

__all__ = ["edit"]

_AGAIN = (Code.VALIDATION_FAILED, Code.INVALID_JSON, Code.INVALID_REQUEST)
"""What another look at the text may mend."""


def edit(url: str, terms: Terms, form: Form) -> int:
    """Edit until it is accepted, or left as it was; returns the exit code."""
    with client.Client(url) as daemon:
        before, etag = daemon.document()
    descriptor, name = tempfile.mkstemp(prefix="lmxd-", suffix=".yaml")
    with open(descriptor, "wb") as file:
        file.write(before)
    draft, refused = Path(name), b""
    try:
        while True:
            _open(draft)
            after = draft.read_bytes()
            if after == before:
                draft.unlink()
                note("nothing was changed")
                return 0
            if after == refused:
                note(f"left as it was: not applied; the text is kept in {draft}")
                return 1
            call = Call("PUT", client.DESIRED, after, YAML, replace(terms, if_match=etag))
            try:
                code = change_view.carry_out(url, call, form)
            except RequestError as error:
                if error.code not in _AGAIN:
                    raise
                explain(error)
                refused = after
                continue
            draft.unlink()
            return code
    except BaseException:
        if draft.exists():
            note(f"the text is kept in {draft}")
        raise


def _open(draft: Path) -> None:
    """Wait for the editor; raises LmxdError when there is none, or when it failed."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        status = subprocess.run([*shlex.split(editor), str(draft)], check=False).returncode
    except (OSError, ValueError) as error:
        raise LmxdError(
            Code.NOT_FOUND, f"the editor {editor!r} cannot be started: {error}", hint="set EDITOR"
        ) from error
    if status:
        raise LmxdError(Code.INTERNAL, f"the editor {editor!r} ended with status {status}")
