"""Raw mlx-lm in a process of its own, driven by JSON lines: the yardstick of every ratio.

Reads {"prompts": [...], "max_tokens": N} and answers {"seconds", "first_s", "tokens"}; one prompt
runs through `stream_generate`, several through `BatchGenerator`, greedily.
"""

from __future__ import annotations

import json
import sys
import time

from mlx_lm import load, stream_generate
from mlx_lm.generate import BatchGenerator


def main() -> None:
    model, tokenizer = load(sys.argv[1])[:2]
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        prompts = [_tokens(tokenizer, text) for text in task["prompts"]]
        run = _single if len(prompts) == 1 else _batch
        print(json.dumps(run(model, tokenizer, prompts, task["max_tokens"])), flush=True)


def _tokens(tokenizer, text: str) -> list[int]:
    messages = [{"role": "user", "content": text}]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer.encode(rendered, add_special_tokens=False)


def _single(model, tokenizer, prompts: list[list[int]], max_tokens: int) -> dict[str, float]:
    began, first_s, tokens = time.perf_counter(), 0.0, 0
    for answer in stream_generate(model, tokenizer, prompts[0], max_tokens=max_tokens):
        first_s = first_s or time.perf_counter() - began
        tokens = answer.generation_tokens
    return {"seconds": time.perf_counter() - began, "first_s": first_s, "tokens": tokens}


def _batch(model, tokenizer, prompts: list[list[int]], max_tokens: int) -> dict[str, float]:
    began, first_s, tokens, left = time.perf_counter(), 0.0, 0, len(prompts)
    generator = BatchGenerator(model, stop_tokens=[[t] for t in tokenizer.eos_token_ids])
    generator.insert(prompts, [max_tokens] * len(prompts))
    while left:
        for response in generator.next_generated():
            first_s = first_s or time.perf_counter() - began
            tokens += 1
            left -= response.finish_reason is not None
    generator.close()
    return {"seconds": time.perf_counter() - began, "first_s": first_s, "tokens": tokens}


if __name__ == "__main__":
    main()
