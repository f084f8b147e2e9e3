"""DeepSeek V3.2: tags marked `DSML`, whose arguments say whether they are strings."""

from __future__ import annotations

from lmxd.worker.parsing.tagged import Tag, Tagged
from lmxd.worker.parsing.texts import Texts

__all__ = ["DEEPSEEK_DSML"]

_MARK = "\uff5cDSML\uff5c"
DEEPSEEK_DSML = Tagged(
    "deepseek_v32",
    section=(f"<{_MARK}function_calls>", f"</{_MARK}function_calls>"),
    call=Tag(f"<{_MARK}invoke name=", ">", f"</{_MARK}invoke>"),
    argument=Tag(f"<{_MARK}parameter name=", ">", f"</{_MARK}parameter>"),
    texts=Texts(f"</{_MARK}parameter>", trim="none"),
    markers=(_MARK,),
    hint="string",
)
