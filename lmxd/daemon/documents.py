"""The document and the leases over it, as one: `reconciler.ports.Documents` for the loop."""

from __future__ import annotations

from dataclasses import replace

from lmxd.desired.document import DesiredFile
from lmxd.desired.leases import Leases
from reconciler.state import ConfigView


class Documents:
    """What the file says, with the leases that lie over it."""

    def __init__(self, document: DesiredFile, leases: Leases) -> None:
        self._document = document
        self._leases = leases

    def view(self) -> ConfigView:
        """The last good generation, how the file stands, and the leases. Never blocks."""
        return replace(self._document.view(), leases=self._leases.all())
