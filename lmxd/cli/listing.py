"""`lmxd list` and `lmxd ps`: the models there are, and those in memory."""

from __future__ import annotations

from lmxd.cli.options import DEFAULT_URL, Form, Output, Url

__all__ = ["list_", "ps"]


def list_(output: Output = Form.TABLE, url: Url = DEFAULT_URL) -> int:
    """List the models of the document: what they should be, and what they take on disk.

    \b
    Examples:
      lmxd list
      lmxd list -o json
    """
    from lmxd.cli import listing_view

    return listing_view.show(url, output, in_memory=False)


def ps(output: Output = Form.TABLE, url: Url = DEFAULT_URL) -> int:
    """List the models in memory: what they take, and what they are busy with.

    \b
    Examples:
      lmxd ps
    """
    from lmxd.cli import listing_view

    return listing_view.show(url, output, in_memory=True)
