"""`lmxd edit`: the document in an editor, applied when it is saved."""

from __future__ import annotations

from lmxd.cli.options import DEFAULT_URL, Force, Form, Manager, Note, Output, Url, Wait, seconds

__all__ = ["edit"]


def edit(
    force: Force = False,
    wait: Wait = None,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Open the document in $VISUAL or $EDITOR and apply what was saved.

    What is refused is shown, and the editor opens again with the text as it was left. Whatever
    happens, the text is kept in a file that is named at the end.

    \b
    Examples:
      lmxd edit
      EDITOR="code --wait" lmxd edit --wait 5m
    """
    from lmxd.cli import editing
    from lmxd.cli.speech import Terms

    terms = Terms(force=force, wait_s=seconds(wait) if wait else None, manager=manager, note=note)
    return editing.edit(url, terms, output)
