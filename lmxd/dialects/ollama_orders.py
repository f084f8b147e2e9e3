"""Names and recipes of Ollama's verbs to what the document knows; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lmxd.dialects.fields import Table
from lmxd.dialects.ollama import jinja
from lmxd.dialects.ollama_fields import chosen
from lmxd.dialects.validation import invalid, validated
from schemas.errors import Code, RequestError
from schemas.wire.ollama import OllamaOptions

__all__ = ["fields", "key", "source"]

_LINK = re.compile(r"(?:https?://)?(?:hf\.co|huggingface\.co)/([^/\s]+/[^/\s]+)")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_RECIPE = Table(
    unserved={
        "adapters": ({},),
        "files": ({},),
        "messages": ([],),
        "modelfile": ("",),
        "path": ("",),
        "quantization": ("",),
        "quantize": ("",),
    },
    advisory=frozenset({"license", "stream"}),
)
"""What a recipe may hold beside what the document has fields for."""

_NO_FIELD = ("repetition", "presence", "frequency")


def source(name: str) -> str:
    """What is to be pulled, as `reconciler.naming` reads it: repositories of the hub are written
    `hf.co/org/name:QUANT` there.
    """
    link = _LINK.fullmatch(name)
    return f"hf:{link[1]}" if link else name


def key(name: str) -> str:
    """The key of a model that is to be made. Raises RequestError (invalid_request)."""
    plain = name.removesuffix(":latest")
    if _KEY.fullmatch(plain):
        return plain
    hint = "use letters, digits, dot, dash and underscore, and no tag"
    raise invalid("model", f"is {name[:64]!r}, which is no key of a model", hint=hint)


def fields(body: Mapping[str, object]) -> dict[str, object]:
    """The fields of an entry of `models` that a recipe comes to. Raises RequestError."""
    rest = {k: v for k, v in body.items() if k not in ("model", "name", "from", *_OWN)}
    _RECIPE.sift(rest)
    found: dict[str, object] = {"state": "on-demand"}
    system = body.get("system")
    if system is not None and not isinstance(system, str):
        raise invalid("system", "must be text")
    if system:
        found["system"] = system
    template = body.get("template")
    if template is not None and not isinstance(template, str):
        raise invalid("template", "must be text")
    if template:
        found["template"] = jinja(template, "template")
    parameters = body.get("parameters")
    if parameters is not None:
        if not isinstance(parameters, Mapping):
            raise invalid("parameters", "must be an object")
        found |= _parameters(parameters)
    return found


_OWN = ("system", "template", "parameters")


def _parameters(given: Mapping[str, object]) -> dict[str, object]:
    """`sampling`, and `context` for num_ctx: this is no request, so it may say it."""
    options = chosen(validated(OllamaOptions, given), [])
    for name in _NO_FIELD:
        if getattr(options.sampling, name) is not None:
            raise RequestError(
                Code.UNSUPPORTED_PARAMETER,
                f"parameters: the document has no field for {name} penalties",
                hint="send them with each request",
                param="parameters",
            )
    kept = ("temperature", "top_p", "top_k", "min_p", "seed")
    values = {name: getattr(options.sampling, name) for name in kept}
    sampling = {name: value for name, value in values.items() if value is not None}
    if options.max_tokens is not None:
        sampling["max_tokens"] = options.max_tokens
    if options.stop:
        sampling["stop"] = list(options.stop)
    found: dict[str, object] = {"sampling": sampling} if sampling else {}
    context = given.get("num_ctx")
    if context is not None:
        if type(context) is not int or not 0 < context < 2**31:
            raise invalid("parameters.num_ctx", "must be a whole number from 1 on")
        found["context"] = context
    return found
