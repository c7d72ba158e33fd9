"""loquor.sklearn over a small random encoder, and with all-MiniLM-L6-v2 if it is there."""

import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

import loquor

pytest.importorskip("sklearn", reason="needs the package scikit-learn")
from sklearn.base import clone  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import Pipeline  # noqa: E402

from loquor.sklearn import TextEmbedder  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests" / "goldens"))
import tiny_encoder  # noqa: E402

TEXTS = ["Hello there", "the inner text", "some other words", "and more"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("bert")
    tiny_encoder.write(path)
    return str(path)


@pytest.fixture(scope="module")
def minilm():
    try:
        loquor.inspect("minilm")
    except loquor.NotFound:
        pytest.skip("needs the text encoder minilm, which is not cached")
    return "minilm"


def test_vectors_are_those_of_the_embedder(folder):
    want = loquor.Embedder(loquor.Model(folder)).embed(TEXTS)
    e = TextEmbedder(folder)
    assert np.array_equal(e.transform(TEXTS), want) and e.transform(TEXTS).dtype == np.float32
    assert np.array_equal(e.fit_transform(np.array(TEXTS, dtype=object)), want)
    assert np.array_equal(e.transform(np.array(TEXTS)[:, None]), want)
    assert list(e.get_feature_names_out()[:2]) == ["textembedder0", "textembedder1"] and len(e.get_feature_names_out()) == 64
    assert e.transform([]).shape == (0, 64)
    with pytest.raises(ValueError, match="one text"):
        e.transform("Hello")
    with pytest.raises(ValueError, match="row 1 is a int"):
        e.fit(["a", 2])
    with pytest.raises(ValueError, match="shape"):
        e.transform(np.zeros((2, 3)))
    with pytest.raises(loquor.NotFound):
        TextEmbedder("no-such-model").fit(TEXTS)


def test_parameters_copies_and_pickles(folder):
    e = TextEmbedder(folder, normalize=False, pooling="cls").fit(TEXTS)
    assert e.get_params() == dict(model=folder, normalize=False, pooling="cls", max_tokens=0, batch_tokens=0, threads=0)
    other = clone(e)
    assert other.get_params() == e.get_params() and "_loaded" not in vars(other)
    again = pickle.loads(pickle.dumps(e))
    assert np.array_equal(again.transform(TEXTS), e.transform(TEXTS))
    before = e.transform(TEXTS)
    assert not np.array_equal(e.set_params(pooling="mean").transform(TEXTS), before)  # what is loaded follows the parameters
    assert len(pickle.dumps(e)) < 1000
    assert again._embedder()._model is e._embedder()._model  # one model in the process


def test_a_pickle_works_in_another_process(folder, tmp_path):
    e = TextEmbedder(folder).fit(TEXTS)
    (tmp_path / "e.pickle").write_bytes(pickle.dumps(e))
    script = f"import pickle; print(pickle.load(open({str(tmp_path / 'e.pickle')!r}, 'rb')).transform(['Hello there']).tobytes().hex())"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert out == e.transform(["Hello there"]).tobytes().hex()


def test_pipeline_and_grid_search(minilm):
    good = ["I love this film", "A wonderful book", "What a great evening", "Truly delightful music", "The best meal ever", "Very happy with it"]
    bad = ["I hate this film", "A terrible book", "What an awful evening", "Truly dreadful music", "The worst meal ever", "Very angry about it"]
    labels = [1] * len(good) + [0] * len(bad)
    pipeline = Pipeline([("vectors", TextEmbedder(minilm)), ("classifier", LogisticRegression(C=10))]).fit(good + bad, labels)
    assert list(pipeline.predict(["An excellent and lovely song", "A horrible and nasty song"])) == [1, 0]
    search = GridSearchCV(pipeline, {"vectors__max_tokens": [8, 0], "classifier__C": [1, 10]}, cv=2).fit(good + bad, labels)
    assert search.best_score_ > 0.7 and search.best_estimator_.predict(["A lovely day"])[0] == 1
    assert list(pickle.loads(pickle.dumps(search)).predict(["A lovely day"])) == [1]
