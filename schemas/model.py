"""One model of the document: every field of `models.<key>` and of `defaults`.

`ModelFields` are the fields that `defaults` may hold too; `Model` adds the source. What a change
of each field costs is said by `FIELD_CLASSES`. Used by `schemas.desired` and `schemas.schedule`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from schemas.base import Invalid, Items, Strict, option
from schemas.quantities import AutoDuration, LongDuration, Size, Tokens
from schemas.source import SourceField

__all__ = [
    "FIELD_CLASSES",
    "Build",
    "Canary",
    "Draft",
    "EngineOptions",
    "FieldClass",
    "Key",
    "KvCache",
    "Model",
    "ModelFields",
    "PrefixCache",
    "Priority",
    "Quantize",
    "Sampling",
    "State",
    "laid_over",
]

KEY_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_LONGEST_KEY = 128


def _key(text: str) -> str:
    if len(text) > _LONGEST_KEY:
        raise Invalid(
            f'"{text[:60]}..." has {len(text)} characters, a key has at most {_LONGEST_KEY}',
            "shorten it",
        )
    if not re.fullmatch(KEY_PATTERN, text):
        fixed = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-") or "model"
        raise Invalid(f'"{text[:60]}" is not a key: letters, digits, . _ -', f'write "{fixed}"')
    return text


Key = Annotated[
    str,
    AfterValidator(_key),
    WithJsonSchema({"type": "string", "pattern": f"^{KEY_PATTERN}$"}),
]
State = Literal["absent", "downloaded", "on-demand", "loaded"]
Priority = Annotated[int, Field(ge=0, le=1000)]
Text = Annotated[str, StringConstraints(min_length=1)]


class Sampling(Strict):
    """How tokens are chosen when a request does not say it itself."""

    temperature: float | None = option(
        None, "Randomness; 0 is greedy. Default: the model's own.", ge=0, le=5
    )
    top_p: float | None = option(None, "Nucleus: a share of probability, above 0.", gt=0, le=1)
    top_k: int | None = option(None, "The most likely tokens looked at; 0 is off.", ge=0)
    min_p: float | None = option(None, "Least probability, relative to the best token.", ge=0, le=1)
    max_tokens: int | None = option(
        None, "Longest answer in tokens. Default: as many as fit the context.", ge=1
    )
    stop: Items[Text] = option((), "Texts that end the answer; they are never shown.")
    seed: int | None = option(None, "Equal seed, prompt and options give equal text.", ge=0)


class KvCache(Strict):
    """Precision of the key-value cache."""

    bits: Literal[4, 8, 16] = option(16, "Bits a value; 16 is not quantized.")
    group_size: Literal[32, 64, 128] = option(64, "Values that share one scale.")


class PrefixCache(Strict):
    """Where prompts that begin alike are kept, so that they are not computed twice."""

    memory: Size = option("0B", "What it may take of memory; counted in the budget.")
    disk: Size = option("0B", "What it may take of disk; survives restarts.")


class Draft(Strict):
    """Speculative decoding by a smaller model of the document."""

    model: Key = Field(description="Key of the model that drafts; its weights are counted here.")
    tokens: int = option(4, "Tokens drafted at a time.", ge=1, le=32)


class EngineOptions(Strict):
    """Options of one engine alone. All of them are gguf's; mlx has none."""

    gpu_layers: int | None = option(None, "gguf: layers on the GPU; -1 is all.", ge=-1)
    threads: int | None = option(None, "gguf: CPU threads.", ge=1, le=1024)
    flash_attention: bool | None = option(None, "gguf: use flash attention.")
    projector: str | None = option(None, "gguf: file of the vision projector in the repository.")


class Canary(Strict):
    """A question asked before a new instance takes over; a wrong answer keeps the old one."""

    prompt: Text = Field(description="What is asked, greedily.")
    expect: Text = Field(description="Text that the answer has to contain.")


class Quantize(Strict):
    """Step of a build: fewer bits a weight."""

    bits: Literal[2, 3, 4, 5, 6, 8] = option(4, "Bits a weight.")
    group_size: Literal[32, 64, 128] = option(64, "Weights that share one scale.")


class Build(Strict):
    """A recipe that makes the model from its source, which is then the base."""

    convert: Literal["mlx", "gguf"] | None = option(None, "Format to convert the base to.")
    quantize: Quantize | None = option(None, "Quantize the weights.")
    fuse: Items[SourceField] = option((), "Adapters fused into the weights, in order.")


class ModelFields(Strict):
    """What may be said of a model, and in `defaults` of all of them."""

    revision: Text | None = option(
        None,
        "Commit, branch or tag. A full commit pins; a branch floats. Default: the main branch.",
        examples=["4f0c8e1b2a3d4c5e6f708192a3b4c5d6e7f80912", "main"],
    )
    state: State = option(
        "downloaded",
        "loaded: on disk and resident. on-demand: on disk, loaded by a request. "
        "downloaded: on disk. absent: unloaded, and the files that lmxd owns deleted.",
    )
    priority: Priority = option(50, "Higher wins memory; ties by order in the file.")
    pinned: bool = option(False, "Never displaced. All pinned models have to fit together.")
    suspend: bool = option(False, "Watch this model but act on nothing of it.")
    group: Key | None = option(None, "At most one model of a group is loaded.")
    engine: Literal["auto", "mlx", "gguf"] = option(
        "auto", "What runs it; auto looks at the files."
    )
    task: Literal["auto", "chat", "embed", "rerank", "vision"] = option(
        "auto", "What it is for; auto looks at the files."
    )
    context: Tokens = option(
        "16k", "Longest prompt and answer together, in tokens; never more than the model's own."
    )
    parallel: int = option(
        8, "Most sequences decoded together; a ceiling, not a reservation.", ge=1, le=1024
    )
    kv_memory: Size | None = option(
        None, "Key-value memory all sequences share. Default: one full context."
    )
    kv_cache: KvCache = option({}, "Precision of the key-value cache.")
    prefix_cache: PrefixCache = option({}, "Keeps prompts that begin alike.")
    warm: Items[Text] = option((), "Texts prefilled after each load.")
    draft: Draft | None = option(None, "Speculative decoding.")
    adapters: dict[Key, SourceField] = option(
        {}, "Adapters by name, used as model+name or by the request field adapter."
    )
    engine_options: EngineOptions = option({}, "Options of one engine alone.")
    template: Text = option(
        "default", "Chat template: default is the model's own; or a preset's name, or inline Jinja."
    )
    tokenizer: SourceField | None = option(None, "Another source for the tokenizer.")
    sampling: Sampling = option({}, "Sampling where a request does not say it itself.")
    system: Text | None = option(None, "System prompt where a request brings none.")
    keep_alive: LongDuration = option(
        "5m", "on-demand only: unloaded this long after the last request; 0s to forever."
    )
    drain: LongDuration = option(
        "5m", "How long running requests may go on before an unload; or forever."
    )
    load_timeout: AutoDuration = option(
        "auto", "Longest load. auto: 5 times the measured one, at least 120 s."
    )
    canary: Canary | None = option(None, "A question asked before a new instance takes over.")
    predict: bool = option(False, "Preload into spare memory at the hours it is usually asked for.")
    protect: bool = option(False, "Only the file, or force, may change it.")
    license: Text | None = option(None, "Name of the licence you acknowledge.")
    preset: Key | None = option(None, "A shipped profile that these fields are laid over.")
    build: Build = option({}, "A recipe; the source is then its base.")


class Model(ModelFields):
    """One entry of `models`."""

    source: SourceField = Field(description="Where it comes from: hf: file: oci: https: builtin:")

    @property
    def artifact(self) -> tuple[str, str | None]:
        """Canonical source text and revision: what identifies its files."""
        return str(self.source), self.revision


class FieldClass(StrEnum):
    """What a change of a field costs a model that is loaded."""

    IN_PLACE = "in place"
    RELOAD = "reload"
    REDOWNLOAD = "redownload"


FIELD_CLASSES: Mapping[str, FieldClass] = {
    **dict.fromkeys(("source", "revision"), FieldClass.REDOWNLOAD),
    **dict.fromkeys(
        (
            "engine", "task", "context", "kv_memory", "kv_cache", "prefix_cache", "draft",
            "adapters", "engine_options", "tokenizer", "build", "preset",
        ),
        FieldClass.RELOAD,
    ),
    **dict.fromkeys(
        (
            "state", "priority", "pinned", "suspend", "group", "parallel", "warm", "template",
            "sampling", "system", "keep_alive", "drain", "load_timeout", "canary", "predict",
            "protect", "license", "prefix_cache.disk",
        ),
        FieldClass.IN_PLACE,
    ),
}  # fmt: skip
"""By field of a model; a dotted name is a part of a field that differs from the whole."""

M = TypeVar("M", bound=Strict)


def laid_over(base: Strict, over: M) -> M:
    """`over` with what it leaves unsaid taken from `base`; maps of fields merge field by field."""
    changes: dict[str, object] = {}
    for name in base.model_fields_set:
        below, above = getattr(base, name), getattr(over, name)
        if name not in over.model_fields_set:
            changes[name] = below
        elif isinstance(below, Strict) and isinstance(above, Strict):
            changes[name] = laid_over(below, above)
    return over.model_copy(update=changes) if changes else over
