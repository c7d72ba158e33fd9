"""Vectors of texts as a transformer of scikit-learn.

    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from loquor.sklearn import TextEmbedder

    classifier = make_pipeline(TextEmbedder(), LogisticRegression()).fit(texts, labels)

Needs the package scikit-learn (pip install 'loquor[sklearn]').
"""

from __future__ import annotations

import os
import threading

import numpy
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from .shared import SharedEmbedder

_lock = threading.Lock()


class TextEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Texts to their vectors by a text encoder. Nothing is learnt: fit() only checks its input, and transform() works without it.

    model         a name of loquor.models(), or the path of a text encoder
    normalize     vectors of length 1
    pooling       "mean", "cls", "last"; "": as the model says
    max_tokens    longer texts are cut; 0 = as the model says
    batch_tokens  about how many tokens are computed at once; 0 = 1024
    threads       computing threads, 0 = the CPUs this process may use

    Pickled, copied and cloned are the parameters alone: the model is loaded where it is first needed, once in a process, so `model` must be
    there under the same name. Errors of loading come from fit() and transform().
    """

    def __init__(self, model="minilm", *, normalize=True, pooling="", max_tokens=0, batch_tokens=0, threads=0):
        self.model = model
        self.normalize = normalize
        self.pooling = pooling
        self.max_tokens = max_tokens
        self.batch_tokens = batch_tokens
        self.threads = threads

    def fit(self, X, y=None):
        """Loads the model. X: texts (n,), str or bytes; y is not used."""
        _texts(X)
        self._n_features_out = self._embedder().dimension
        return self

    def transform(self, X):
        """float32 (n, dimension) for n texts: a list, an array of one dimension or of one column, or a column of a data frame.

        Errors: ValueError for one str in place of many, and for what are not texts.
        """
        return self._embedder().embed(_texts(X))

    def _embedder(self) -> SharedEmbedder:
        # Parameters may change after fit(), by set_params; the process by fork().
        wanted = (os.getpid(), os.fspath(self.model), self.normalize, self.pooling, self.max_tokens, self.batch_tokens, self.threads)
        with _lock:
            loaded = self.__dict__.get("_loaded")
            if loaded is None or loaded[0] != wanted:
                more = dict(normalize=self.normalize, pooling=self.pooling, max_tokens=self.max_tokens, batch_tokens=self.batch_tokens)
                loaded = self._loaded = (wanted, SharedEmbedder(self.model, self.threads, **more))
        return loaded[1]

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("_loaded", None)
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        tags.requires_fit = False
        return tags


def _texts(X) -> list:
    if isinstance(X, (str, bytes)):
        raise ValueError("TextEmbedder: one text, expected a list of them")
    if hasattr(X, "to_numpy"):  # a pandas or polars column, or a frame of one
        X = X.to_numpy()
    if isinstance(X, numpy.ndarray):
        if X.ndim == 2 and X.shape[1] == 1:
            X = X[:, 0]
        if X.ndim != 1:
            raise ValueError(f"TextEmbedder: an array of shape {X.shape}, expected one column of texts")
    rows = list(X)
    for i, row in enumerate(rows):
        if not isinstance(row, (str, bytes)):
            raise ValueError(f"TextEmbedder: row {i} is a {type(row).__name__}, expected a text")
    return rows
