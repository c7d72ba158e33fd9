"""Models and encoders that the adapters of one process share, so that copies of an estimator or a chat model load nothing twice."""

from __future__ import annotations

import os
import threading
import weakref

from .embedding import Embedder
from .model import Model

_lock = threading.Lock()
_models: "weakref.WeakValueDictionary[tuple, Model]" = weakref.WeakValueDictionary()


def shared_model(source="smollm2", threads: int = 0) -> Model:
    """The Model of this source and number of threads; loaded if nobody in this process holds it. It is freed with its last holder."""
    key = (os.getpid(), os.fspath(source), int(threads))  # a child of fork() cannot use its parent's
    with _lock:
        model = _models.get(key)
        if model is None:
            model = _models[key] = Model(source, threads=threads)
        return model


class SharedEmbedder:
    """An Embedder over a shared model, usable from several threads (which wait for each other)."""

    def __init__(self, source="minilm", threads: int = 0, **options):
        self._model = shared_model(source, threads)
        self._embedder = Embedder(self._model, **options)
        self._lock = threading.Lock()
        self.dimension = self._embedder.dimension

    def embed(self, texts):
        """As Embedder.embed: float32 (n, dimension) for a list, (dimension,) for one text."""
        with self._lock:
            return self._embedder.embed(texts)
