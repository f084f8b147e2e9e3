"""Messages to a prompt, and how its answers are read: the chat side of one model.

Its template and vocabulary are looked at once; what they tell decides which tokens are shown to
parsers, and what grammars may name. `prompt` runs on the preparation thread. Templates run in
transformers' sandbox; what one raises is the client's error, since the messages (or an inline
template) made it raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lmxd.worker.checks import invalid
from lmxd.worker.constrain import Constrainer, Lexicon
from lmxd.worker.conversation import messages, tools, variables
from lmxd.worker.mlx.detokenize import Vocabulary
from lmxd.worker.mlx.loading import Model
from lmxd.worker.mlx.masks import encoder, lexicon
from lmxd.worker.reading import Reader, Reading, Voice
from schemas.inference import Request

__all__ = ["Chats"]


class Chats:
    """The chats of one model. vocabulary: of its tokens, which knows the format's markers."""

    def __init__(self, model: Model) -> None:
        self._tokenizer = model.tokenizer
        self._constrainer = Constrainer(self._lexicon)
        self._width = model.width
        tokens = model.tokenizer.get_vocab()
        encode = encoder(model.tokenizer)
        self._reader = Reader(_template(model.tokenizer), tokens, self._constrainer, encode)
        self._markers = self._reader.own.form.markers
        known = {tokens[marker] for marker in self._markers if marker in tokens}
        self.vocabulary = Vocabulary(model.tokenizer, known)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What can be asked for beside text: `tools`, `reasoning`, `structured`."""
        own, chat = self._reader.own, self._tokenizer.has_chat_template
        offered = {
            "tools": chat and own.calls,
            "reasoning": chat and own.form.thinks,
            "structured": self.vocabulary.bytewise and bool(self._tokenizer.eos_token_ids),
        }
        return tuple(name for name, there in offered.items() if there)

    def read_ahead(self) -> None:
        """Reads the vocabulary for grammars, beside everything else: a first one need not wait."""
        if "structured" in self.capabilities:
            self._constrainer.warm()

    def prompt(self, request: Request) -> tuple[str, Reading]:
        """The rendered prompt, and how its answers are read. Raises RequestError."""
        voice = self._reader.voice(request)
        prompt = self._render(request, voice)
        return prompt, self._reader.read(request, voice, prompt)

    def text(self, request: Request) -> str:
        """The rendered prompt alone. Raises RequestError."""
        return self._render(request, self._reader.voice(request))

    def raw(self, request: Request) -> Reading:
        """How answers are read that go on from a prompt without any template."""
        return self._reader.raw(request)

    def _render(self, request: Request, voice: Voice) -> str:
        if not request.messages:
            raise invalid("messages is empty")
        if request.template is None and not self._tokenizer.has_chat_template:
            raise invalid(
                f"the model of {request.name!r} has no chat template",
                hint="set the model's `template` in the desired state",
            )
        if request.prefill and request.messages[-1].role != "assistant":
            raise invalid("only an assistant message can be the beginning of the answer")
        options: dict[str, Any] = variables(request, voice.words)
        # mlx-lm says False for every tokenizer without tags among its tokens.
        options.setdefault("enable_thinking", voice.form.thinks)
        if request.template is not None:
            options["chat_template"] = request.template
        if request.tools and request.tool_use.choice != "none":
            options["tools"] = tools(request.tools)
        render: Callable[..., str] = self._tokenizer.apply_chat_template
        try:
            return render(
                messages(request, voice.words),
                tokenize=False,
                add_generation_prompt=not request.prefill,
                continue_final_message=request.prefill,
                **options,
            )
        except Exception as error:
            raise invalid(
                f"the chat template cannot render these messages: {error}",
                hint="check the roles and their order, and template_kwargs",
            ) from error

    def _lexicon(self) -> Lexicon | None:
        return lexicon(self._tokenizer, self.vocabulary, self._width, self._markers)


def _template(tokenizer: Any) -> str | None:
    """The text of the chat template; of all, where there is one for tools too."""
    template = tokenizer.chat_template
    if isinstance(template, dict):
        return "\n".join(str(each) for each in template.values())
    return template if isinstance(template, str) else None
