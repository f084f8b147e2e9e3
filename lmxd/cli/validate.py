"""`lmxd validate`: reads a document as the daemon would, and says what is wrong with it where."""

from __future__ import annotations

from lmxd.cli.options import Document, Form, Output, document_path

__all__ = ["validate"]


def validate(file: Document = None, output: Output = Form.TABLE) -> int:
    """Check a document; asks and changes nothing.

    \b
    Examples:
      lmxd validate
      lmxd validate desired-state.yaml -o json
    """
    from lmxd.cli import checking

    return checking.check(document_path(file), output)
