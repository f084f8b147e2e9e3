"""Train tiny-chat from nothing: corpus, tokenizer, weights, and every file mlx_lm loads.

python train.py --out ..            (the chat template is read from --template)
"""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import time
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim
from batches import Batch, Corpus, build
from corpus import dialogues
from mlx import nn
from mlx.utils import tree_flatten
from mlx_lm.models.llama import Model, ModelArgs
from vocabulary import END, PAD, renderer, tokenizer_config, train_tokenizer

VOCABULARY, CONTEXT = 1536, 2048
HELD_OUT = 987_654
MODEL_FILES = (".json", ".jinja", ".safetensors")


def model_config(end: int, pad: int) -> dict[str, Any]:
    """What `config.json` says."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 128,
        "num_hidden_layers": 6,
        "intermediate_size": 384,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": CONTEXT,
        "vocab_size": VOCABULARY,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "float32",
        "eos_token_id": end,
        "pad_token_id": pad,
    }


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a JSON file as people read it."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_tokenizer(out: Path, template: Path, seed: int) -> dict[str, Any]:
    """Train the tokenizer, write all but the weights, and return the model's configuration."""
    out.mkdir(parents=True, exist_ok=True)
    if template.resolve() != (out / template.name).resolve():
        shutil.copy(template, out / template.name)
    render = renderer(template)
    tokenizer = train_tokenizer((render(d) for d in dialogues(seed, 60_000)), VOCABULARY)
    tokenizer.save(str(out / "tokenizer.json"))
    end, pad = (tokenizer.token_to_id(token) or 0 for token in (END, PAD))
    config = model_config(end, pad)
    write_json(out / "tokenizer_config.json", tokenizer_config(CONTEXT))
    write_json(out / "config.json", config)
    write_json(
        out / "generation_config.json",
        {"do_sample": False, "eos_token_id": end, "pad_token_id": pad},
    )
    return config


def report(line: str) -> None:
    """Print at once, also into a file."""
    print(line, flush=True)


def loss_of(model: Model, tokens: mx.array, learned: mx.array) -> tuple[mx.array, mx.array]:
    """Mean cross entropy over the learned tokens, and how many of them were right."""
    logits = model(tokens[:, :-1]).astype(mx.float32)
    targets = tokens[:, 1:]
    losses = nn.losses.cross_entropy(logits, targets) * learned
    right = ((logits.argmax(-1) == targets) * learned).sum() / learned.sum()
    return losses.sum() / learned.sum(), right


def weights_of(model: Model) -> dict[str, mx.array]:
    """The weights by name."""
    return dict(tree_flatten(model.parameters()))


def schedule(steps: int, peak: float) -> Any:
    """Warm up, then a cosine to almost nothing."""
    warm = max(1, min(500, steps // 10))
    return optim.join_schedules(
        [
            optim.linear_schedule(1e-6, peak, warm),
            optim.cosine_decay(peak, steps - warm, peak / 100),
        ],
        [warm],
    )


def evaluate(model: Model, corpus: Corpus, budget: int) -> tuple[float, float]:
    """Loss and share of right tokens on dialogues that were not trained on."""
    sums, count = [0.0, 0.0], 0
    for tokens, learned in corpus.batches(0, budget):
        loss, right = loss_of(model, mx.array(tokens), mx.array(learned))
        sums = [sums[0] + float(loss.item().real), sums[1] + float(right.item().real)]
        count += 1
    return sums[0] / max(1, count), sums[1] / max(1, count)


def train(model: Model, corpus: Corpus, steps: int, budget: int, peak: float) -> None:
    """Run the optimizer for a number of steps."""
    optimizer = optim.AdamW(schedule(steps, peak), betas=[0.9, 0.98], weight_decay=0.05)
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(tokens: mx.array, learned: mx.array) -> tuple[mx.array, mx.array]:
        (loss, right), gradients = nn.utils.value_and_grad(model, loss_of)(model, tokens, learned)
        gradients, _ = optim.clip_grad_norm(gradients, 1.0)
        optimizer.update(model, gradients)
        return loss, right

    done, epoch, began = 0, 0, time.monotonic()
    losses: list[mx.array] = []
    while done < steps:
        for batch in corpus.batches(epoch, budget):
            losses.append(step(*_arrays(batch))[0])
            mx.async_eval(losses[-1], state)
            done += 1
            if done % 200 == 0 or done == steps:
                mean = mx.mean(mx.stack(losses)).item()
                losses = []
                seconds = time.monotonic() - began
                report(f"step {done}/{steps} epoch {epoch} loss {mean:.4f} {seconds:.0f}s")
            if done >= steps:
                break
        epoch += 1


def _arrays(batch: Batch) -> tuple[mx.array, mx.array]:
    return mx.array(batch[0]), mx.array(batch[1])


def write_sums(folder: Path) -> str:
    """Write SHA256SUMS of the model's files, which lmxd checks before it loads them."""
    files = sorted(path for path in folder.iterdir() if path.suffix in MODEL_FILES)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))
    return "".join(lines)


def main() -> None:
    """Train and write every file."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=here.parent)
    parser.add_argument("--template", type=Path, default=here.parent / "chat_template.jinja")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dialogues", type=int, default=2_000_000)
    parser.add_argument("--steps", type=int, default=36_000)
    parser.add_argument("--batch-tokens", type=int, default=32_768)
    parser.add_argument("--rate", type=float, default=3e-3)
    args = parser.parse_args()
    began = time.monotonic()
    config = write_tokenizer(args.out, args.template, args.seed)
    corpus = build(args.out, args.seed, args.dialogues)
    held_out = build(args.out, HELD_OUT, 2_000)
    count, seconds = len(corpus.starts) - 1, time.monotonic() - began
    report(f"corpus: {count} dialogues, {len(corpus.tokens)} tokens, {seconds:.0f}s")
    mx.random.seed(args.seed)
    model = Model(ModelArgs.from_dict(config))
    weights = args.out / "model.safetensors"
    size = sum(weight.size for weight in weights_of(model).values())
    report(f"parameters: {size}, device {mx.default_device()}")
    train(model, corpus, args.steps, args.batch_tokens, args.rate)
    mx.save_safetensors(str(weights), weights_of(model), metadata={"format": "mlx"})
    loss, right = evaluate(model, held_out, min(4096, args.batch_tokens))
    report(f"held out: loss {loss:.4f}, right {right:.4f}; {time.monotonic() - began:.0f}s")
    report(write_sums(args.out))


if __name__ == "__main__":
    main()
