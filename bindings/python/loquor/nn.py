"""Small networks, described by a line of text, and their training.

    import loquor.nn as nn
    net = nn.Network("linear 2 16 | tanh | linear 16 2", seed=1)
    trainer = nn.Trainer(net, learning_rate=0.05, epochs=200)
    trainer.fit(([[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]))
    net([[0, 1]])                                   # (1, 2) float32

docs/training.md lists the layers.
"""

from __future__ import annotations

import os
import sys

import numpy as np

from . import _native
from .errors import InvalidArgument


def _array(values, integers: bool, what: str):
    a = np.asarray(values)
    if integers and a.size and not np.issubdtype(a.dtype, np.integer) and a.dtype != bool:
        raise InvalidArgument(f"{what}: ids are integers, not {a.dtype}")
    if integers and a.size and (a.max() > 2**31 - 1 or a.min() < -(2**31)):
        raise InvalidArgument(f"{what}: ids from {a.min()} to {a.max()} are not all of 32 bits")
    return np.ascontiguousarray(a, np.int32 if integers else np.float32)


class Network:
    """Layers in a row. One thread at a time, its trainers included.

    description  "embedding 65 64 | lstm 64 128 layers=2 | linear 128 65"
    seed         of the random parameters: the same description and seed give the same ones
    threads      computing threads, 0 = the CPUs this process may use; they do not change a bit of any result
    isa          one of loquor.isas(); default: the best
    """

    def __init__(self, description: str, *, seed: int = 0, threads: int = 0, isa: str = ""):
        self._n = _native.Network(description, seed, threads, isa)

    @classmethod
    def load(cls, path, *, threads: int = 0, isa: str = "") -> Network:
        """From a file of save() or a trainer's checkpoint."""
        self = cls.__new__(cls)
        self._n = _native.Network.load(os.fspath(path), threads, isa)
        return self

    def save(self, path) -> None:
        """A safetensors file with the names of torch's state_dict()."""
        self._n.save(os.fspath(path))

    def load_parameters(self, path) -> None:
        """From a safetensors file of exactly these parameters, such as one of torch's."""
        self._n.load_parameters(os.fspath(path))

    @property
    def description(self) -> str:
        return self._n.description

    @property
    def takes_ids(self) -> bool:
        """The input is ids, not numbers."""
        return self.description.split(None, 1)[0] == "embedding"

    def parameters(self) -> dict:
        """Name -> float32 array, a view: writing to it changes the network. Names are torch's."""
        return self._n.parameters()

    @property
    def size(self) -> int:
        """How many numbers the parameters have in all."""
        return sum(p.size for p in self.parameters().values())

    def __call__(self, x, *, carry: bool = False):
        """The output for x, whose first dimension counts examples. With `carry`, recurrent layers go on from where
        the last such call ended, until reset()."""
        return self._n.run(_array(x, self.takes_ids, "x"), carry)

    def reset(self) -> None:
        self._n.reset()

    def __repr__(self) -> str:
        return f"Network({self.description!r})"


class Text:
    """Windows of `window` ids of a text, `stride` (default: window) apart; the targets are the same ids one later."""

    def __init__(self, ids, window: int, stride: int = 0):
        self._d = _native.Dataset(_array(ids, True, "ids").ravel(), window, stride or window)

    def __len__(self) -> int:
        return len(self._d)


class Pairs:
    """Examples: inputs x and targets y, copied. What fit() makes of a tuple (x, y)."""

    def __init__(self, x, y, *, ids: bool, classes: bool):
        self._d = _native.Dataset(_array(x, ids, "x"), _array(y, classes, "y"))

    def __len__(self) -> int:
        return len(self._d)


_LOSSES = ("cross_entropy", "mse")


class Trainer:
    """Trains a network. A run is a function of network, data, options and seed: neither threads nor interruption and
    resumption change a bit of it.

    loss              "cross_entropy" (targets are class ids; those below 0 do not count) or "mse"
    optimizer         "adamw", "adam" or "sgd", with torch.optim's arithmetic; learning_rate, beta1, beta2, eps,
                      momentum and nesterov (sgd), weight_decay
    clip              the largest norm of all gradients together; 0 = no limit
    schedule          "constant", "linear" or "cosine", to min_rate at the last step, after `warmup` steps of rising
    batch             examples at once; accumulate: batches for one update
    steps or epochs   how long
    shuffle           examples in another order in each epoch
    carry             recurrent state runs on from batch to batch: the data, in order, is cut into `batch` streams
    eval_every        updates between evaluations (0 = an epoch); patience: evaluations without a better one after
                      which training ends, with the best parameters
    checkpoint        a file, written every checkpoint_every updates and at the end; if it exists, fit() resumes from it
    """

    def __init__(
        self, network: Network, *, loss: str = "cross_entropy", optimizer: str = "adamw", learning_rate: float = 1e-3,
        beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, momentum: float = 0.0, nesterov: bool = False,
        weight_decay: float = 0.0, clip: float = 0.0, schedule: str = "constant", min_rate: float = 0.0, warmup: int = 0,
        batch: int = 32, accumulate: int = 1, steps: int = 0, epochs: int = 1, shuffle: bool = True, carry: bool = False,
        seed: int = 0, eval_every: int = 0, patience: int = 0, checkpoint="", checkpoint_every: int = 0,
    ):
        if loss not in _LOSSES:
            raise InvalidArgument(f"no loss {loss!r}; there are {', '.join(_LOSSES)}")
        options = {k: v for k, v in locals().items() if k not in ("self", "network")}
        for name in ("warmup", "batch", "accumulate", "steps", "epochs", "eval_every", "patience", "checkpoint_every", "seed"):
            if options[name] < 0:
                raise InvalidArgument(f"{name} is {options[name]}")
        options["checkpoint"] = os.fspath(checkpoint)
        options["shuffle"] = shuffle and not carry
        self.network = network
        self._classes = loss == "cross_entropy"
        self._t = _native.Trainer(network._n, options)

    def _data(self, data):
        if isinstance(data, (Text, Pairs)):
            return data._d
        x, y = data
        return Pairs(x, y, ids=self.network.takes_ids, classes=self._classes)._d

    def fit(self, train, eval=None, *, progress=None, cancel=None) -> dict:
        """Trains to the end and returns the last progress.

        train, eval  (x, y), Pairs or Text
        progress     called after each update with a dict of step, steps, epoch, skipped, loss, rate, gradient_norm,
                     eval_loss and examples_per_s; return False to end there (call fit() again to go on). True: a bar
                     on stderr
        cancel       a loquor.Cancel; Cancelled is raised, the parameters are those of the last whole update
        """
        bar = Bar() if progress is True else None
        try:
            return self._t.fit(self._data(train), None if eval is None else self._data(eval), bar or progress or None, cancel)
        finally:
            if bar:
                bar.close()

    def step(self, x, y) -> float:
        """One update; returns the loss before it."""
        return self._t.step(_array(x, self.network.takes_ids, "x"), _array(y, self._classes, "y"))

    def evaluate(self, data, *, cancel=None) -> float:
        """The mean loss."""
        return self._t.evaluate(self._data(data), cancel)

    def save(self, path) -> None:
        """A checkpoint: everything that the rest of a run depends on."""
        self._t.save(os.fspath(path))

    def load(self, path) -> None:
        self._t.load(os.fspath(path))


class Bar:
    """A progress callback that draws a line on stderr, at most ten times a second."""

    def __init__(self, out=None):
        self._out, self._last, self._drawn = out or sys.stderr, 0.0, False

    def __call__(self, p: dict) -> None:
        import time

        now = time.monotonic()
        if now - self._last < 0.1 and p["step"] != p["steps"]:
            return
        self._last, self._drawn = now, True
        width = 24
        full = width * p["step"] // max(p["steps"], 1)
        seen = "" if p["eval_loss"] != p["eval_loss"] else f"  eval {p['eval_loss']:.4f}"
        print(f"\r[{'#' * full}{'.' * (width - full)}] {p['step']}/{p['steps']}  loss {p['loss']:.4f}{seen}"
              f"  {p['examples_per_s']:.0f}/s ", end="", file=self._out, flush=True)

    def close(self) -> None:
        if self._drawn:
            print(file=self._out)
