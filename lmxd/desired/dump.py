"""Plain JSON values -> YAML text, for people who read what the daemon answered.

Called by the command line. It writes new text only and never an edit of somebody's document:
that one keeps its comments, and is spliced.
"""

from __future__ import annotations

import io

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from lmxd.desired.quoting import doubtful

__all__ = ["dump"]

_WIDTH = 4096
_STRING = "tag:yaml.org,2002:str"


class _Representer(SafeRepresenter):
    """Strings that other readers may take for something else are quoted; lines stay lines."""

    def represent_str(self, data: str) -> ScalarNode:
        """One string as a node."""
        node: ScalarNode = self.represent_scalar(_STRING, data, style=_style(data))
        return node


def _style(data: str) -> str | None:
    """Quotes, a literal block, or None for what is left to the emitter."""
    if doubtful(data) or not all(line.isprintable() for line in data.split("\n")):
        return '"'
    return "|" if "\n" in data else None


_Representer.add_representer(str, _Representer.represent_str)


def dump(value: object) -> str:
    """YAML 1.2, block style, in the order of the maps, lines not folded."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.width = _WIDTH
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    yaml.dump(value, text)
    return text.getvalue().removesuffix("...\n")
