"""Fine-tuning: adapters (LoRA) trained on examples."""

import json
import os
import tempfile
from typing import Any, Iterable, Optional, Sequence, Union

from . import _native
from .errors import InvalidArgument
from .model import Model
from .nn import Bar

Data = Union[str, os.PathLike, Iterable[dict]]


def finetune(
    model: Model,
    data: Data,
    out,
    *,
    eval_data: Optional[Data] = None,
    eval_fraction: float = 0.0,
    rank: int = 8,
    alpha: float = 0.0,
    dropout: float = 0.0,
    targets: Sequence[str] = (),
    max_tokens: int = 0,
    completions_only: bool = True,
    pack: bool = True,
    base: str = "",
    learning_rate: float = 2e-4,
    schedule: str = "cosine",
    min_rate: float = 0.0,
    warmup: int = 0,
    optimizer: str = "adamw",
    weight_decay: float = 0.0,
    clip: float = 1.0,
    batch: int = 4,
    accumulate: int = 1,
    epochs: int = 1,
    steps: int = 0,
    seed: int = 0,
    eval_every: int = 0,
    patience: int = 0,
    checkpoint_every: int = 0,
    progress: Any = None,
    cancel=None,
) -> dict:
    """Trains a LoRA adapter for a model, whose own weights stay as they are, quantised. Use it by
    `session.set_adapters([(loquor.Adapter(model, out), 1.0)])`, in PEFT or in llama.cpp.

    data              a JSONL file, or rows: {"messages": [{"role", "content"}, ...]} by the chat template, {"prompt", "completion"} as they
                      are, or {"text"}; "end": False in the last two leaves out the token that ends a text, for pieces that go on elsewhere
    out               a folder: adapter_config.json and adapter_model.safetensors (PEFT's), adapter.gguf (llama.cpp's). While it trains there
                      is a checkpoint in it, from which the same call goes on after it was ended or killed
    eval_data         the same as data, not trained on; or eval_fraction: so much of data is held out
    rank, alpha       of the adapter; what was learnt counts alpha / rank times (0: alpha is twice the rank)
    dropout           of what the adapter's narrow matrices see
    targets           matrices ("q_proj", "v_proj", ...); none: all of attention and feed-forward
    max_tokens        of a text and of a row; longer texts are left out and counted. 0 = 512
    completions_only  learn what the assistant says or completes; otherwise prompts too
    pack              as many texts in a row as fit, which do not see each other
    base              the model's name in the adapter's configuration
    learning_rate, schedule, min_rate, warmup, optimizer, weight_decay, clip, batch, accumulate, epochs, steps, seed, eval_every, patience, checkpoint_every
                      as of loquor.nn.Trainer; a batch is of rows
    progress          called after each update with a dict of step, steps, loss, eval_loss, ...; return False to end training there. True: a bar
    cancel            a loquor.Cancel; Cancelled is raised, and the same call goes on later
    Returns {"train": {"lines", "too_long", "empty", "tokens", "learnt"}, "rows", "row_tokens", "parameters", "steps", "loss", "seconds", and with texts to
    evaluate on "eval", "perplexity_before", "perplexity_after", ...}.
    """
    for name in ("rank", "max_tokens", "warmup", "batch", "accumulate", "epochs", "steps", "seed", "eval_every", "patience", "checkpoint_every"):
        if locals()[name] < 0:
            raise InvalidArgument(f"{name} is {locals()[name]}")
    train = dict(
        loss="cross_entropy", optimizer=optimizer, schedule=schedule, checkpoint="", learning_rate=learning_rate, min_rate=min_rate, beta1=0.9, beta2=0.999,
        eps=1e-8, momentum=0.0, weight_decay=weight_decay, clip=clip, nesterov=False, shuffle=True, carry=False, seed=seed, batch=batch, accumulate=accumulate,
        steps=steps, epochs=epochs, warmup=warmup, eval_every=eval_every, patience=patience, checkpoint_every=checkpoint_every,
    )
    bar = Bar() if progress is True else None
    with tempfile.TemporaryDirectory() as folder:
        options = dict(
            data=_file(data, folder, "train.jsonl"), eval_data=_file(eval_data, folder, "eval.jsonl") if eval_data is not None else "", out=os.fspath(out), base=base,
            eval_fraction=eval_fraction, rank=rank, alpha=alpha, dropout=dropout, targets=list(targets), max_tokens=max_tokens, completions_only=completions_only,
            pack=pack, train=train,
        )
        try:
            return json.loads(_native.finetune(model._m, options, bar or progress or None, cancel))
        finally:
            if bar:
                bar.close()


def _file(data: Data, folder: str, name: str) -> str:
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        for row in data:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path
