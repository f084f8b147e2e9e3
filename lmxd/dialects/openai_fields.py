"""Fields of OpenAI's text APIs that are known and not read: one table for each kind of body."""

from __future__ import annotations

from collections.abc import Mapping

from lmxd.dialects.fields import Table

_GENERATED: Mapping[str, tuple[object, ...]] = {
    "adapter": (),
    "adapters": (),
    "allowed_token_ids": ([],),
    "bad_words": ([],),
    "chat_template": (),
    "documents": ([],),
    "dry_multiplier": (0,),
    "dynatemp_range": (0,),
    "ignore_eos": (False,),
    "include_stop_str_in_output": (False,),
    "keep_alive": (),
    "length_penalty": (1,),
    "logits_processors": ([],),
    "min_tokens": (0,),
    "mirostat": (0,),
    "prompt_logprobs": (),
    "return_token_ids": (False,),
    "return_tokens_as_token_ids": (False,),
    "skip_special_tokens": (True,),
    "stop_token_ids": ([],),
    "tfs_z": (1,),
    "top_a": (0,),
    "truncate_prompt_tokens": (),
    "ttl": (),
    "typical_p": (1,),
    "use_beam_search": (False,),
}
_ADVISED = frozenset(
    {
        "cache_prompt",
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "spaces_between_special_tokens",
        "store",
    }
)

CHAT = Table(
    unserved={
        **_GENERATED,
        "add_special_tokens": (False,),
        "audio": (),
        "best_of": (1,),
        "echo": (False,),
        "function_call": ("none", "auto"),
        "functions": ([],),
        "include_reasoning": (True,),
        "modalities": (["text"],),
        "verbosity": ("medium",),
        "web_search_options": (),
    },
    advisory=_ADVISED | {"moderation", "prediction"},
    instead={"functions": "tools", "function_call": "tool_choice"},
)
"""Fields of a chat request that `ChatRequest` does not declare."""

COMPLETION = Table(
    unserved={
        **_GENERATED,
        "add_special_tokens": (True,),
        "prompt_embeds": (),
        "reasoning_effort": (),
        "tools": ([],),
    },
    advisory=_ADVISED,
)
"""Those of a completion."""

RESPONSE = Table(
    unserved={
        "adapter": (),
        "background": (False,),
        "context_management": ([],),
        "conversation": (),
        "max_tool_calls": (),
        "n": (1,),
        "prompt": (),
        "response_format": ({"type": "text"},),
        "truncation": ("disabled",),
    },
    advisory=_ADVISED | {"moderation", "stream_options"},
    instead={"response_format": "text.format"},
)
"""Those of a response."""

RESPONSE_REASONING = Table(
    unserved={}, advisory=frozenset({"context", "generate_summary", "mode", "summary"})
)
TEXT = Table(unserved={"verbosity": ("medium",)}, advisory=frozenset())

TOKENIZE = Table(
    unserved={
        "add_generation_prompt": (True,),
        "chat_template": (),
        "return_token_strs": (False,),
        "with_pieces": (False,),
        "parse_special": (True,),
    },
    advisory=frozenset(),
)
DETOKENIZE = Table(unserved={}, advisory=frozenset())

MESSAGE = Table(
    unserved={"audio": (), "function_call": ()},
    advisory=frozenset({"annotations", "id", "reasoning_details", "refusal"}),
    instead={"function_call": "tool_calls"},
)
"""Fields of a message; clients send back what they got, with all its decoration."""

STREAM_OPTIONS = Table(
    unserved={"continuous_usage_stats": (False,)}, advisory=frozenset({"include_obfuscation"})
)

THINKING = Table(unserved={"exclude": (False,)}, advisory=frozenset({"summary"}))
"""Fields of the object `reasoning`."""

STRUCTURED = Table(
    unserved={"structural_tag": ()},
    advisory=frozenset(
        {
            "disable_additional_properties",
            "disable_any_whitespace",
            "disable_fallback",
            "whitespace_pattern",
        }
    ),
)
"""Fields of the object `structured_outputs`; what they advise holds for every answer."""
