"""Networks and training."""

import io
import pathlib
import signal
import threading
import time

import numpy as np
import pytest

import loquor
import loquor.nn as nn

X = [[0, 0], [0, 1], [1, 0], [1, 1]]
Y = [0, 1, 1, 0]
TEXT = np.arange(400) * 7 % 11


def test_a_network_learns_xor_and_is_saved(tmp_path):
    net = nn.Network("linear 2 16 | tanh | linear 16 2", seed=3, threads=1)
    trainer = nn.Trainer(net, learning_rate=0.05, epochs=200)
    seen = []
    done = trainer.fit((X, Y), progress=lambda p: seen.append(p["loss"]))
    assert done["step"] == 200 == len(seen) and seen[-1] < 0.1 < seen[0]
    assert trainer.evaluate((X, Y)) < 0.1
    out = net(X)
    assert out.dtype == np.float32 and list(out.argmax(axis=1)) == Y
    net.save(tmp_path / "xor.safetensors")
    again = nn.Network.load(tmp_path / "xor.safetensors", threads=2)
    assert again.description == net.description and np.array_equal(again(X), out)


def test_parameters_are_views_with_torchs_names():
    net = nn.Network("embedding 5 4 | gru 4 6 layers=2 | linear 6 5")
    p = net.parameters()
    assert list(p)[:3] == ["0.weight", "1.weight_ih_l0", "1.weight_hh_l0"] and p["1.weight_ih_l1"].shape == (18, 6)
    assert net.size == sum(v.size for v in p.values())
    p["2.weight"][:] = 0
    p["2.bias"][:] = 7
    assert np.all(net([[1, 2]]) == 7)
    view = nn.Network("linear 3 3", seed=1).parameters()["0.weight"]  # outlives its network's last name
    assert np.isfinite(view).all() and np.abs(view).max() > 0


def test_regression_and_text(tmp_path):
    x = np.linspace(-1, 1, 64)[:, None]
    net = nn.Network("linear 1 32 | tanh | linear 32 1", seed=1)
    t = nn.Trainer(net, loss="mse", learning_rate=0.02, steps=400)
    t.fit((x, x**2))
    assert t.evaluate((x, x**2)) < 1e-3
    text = nn.Text(TEXT, 12)
    assert len(text) == 33
    net = nn.Network("embedding 11 16 | lstm 16 24 | linear 24 11", seed=1)
    t = nn.Trainer(net, learning_rate=0.02, epochs=30, batch=8, carry=True)
    t.fit(text)
    assert t.evaluate(text) < 0.2


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path):
    def run(**options):
        net = nn.Network("embedding 11 16 | dropout p=0.2 | gru 16 24 | linear 24 11", seed=1, threads=options.pop("threads", 1))
        stop = options.pop("stop", 10**9)
        nn.Trainer(net, batch=4, epochs=4, seed=5, schedule="cosine", **options).fit(nn.Text(TEXT, 12), progress=lambda p: p["step"] < stop)
        return net.parameters()

    whole = run()
    checkpoint = tmp_path / "run.safetensors"
    run(checkpoint=checkpoint, stop=13)
    resumed = run(checkpoint=checkpoint, threads=2)
    assert all(np.array_equal(whole[k], resumed[k]) for k in whole)
    with pytest.raises(loquor.Mismatch, match="other options"):
        run(checkpoint=checkpoint, clip=1.0)


def test_what_is_wrong_is_named():
    with pytest.raises(loquor.InvalidArgument, match="no layer 'liner'"):
        nn.Network("liner 2 2")
    net = nn.Network("linear 2 2")
    with pytest.raises(loquor.InvalidArgument, match="no loss 'hinge'"):
        nn.Trainer(net, loss="hinge")
    with pytest.raises(loquor.InvalidArgument, match="no 'lion'"):
        nn.Trainer(net, optimizer="lion")
    with pytest.raises(loquor.InvalidArgument, match="batch is -1"):
        nn.Trainer(net, batch=-1)
    with pytest.raises(loquor.InvalidArgument, match="ids are integers"):
        nn.Trainer(net).fit((X, [0.5, 1, 1, 0]))
    with pytest.raises(loquor.InvalidArgument, match="x has 4 examples, y has 3"):
        nn.Trainer(net).fit((X, [1, 1, 0]))
    with pytest.raises(loquor.InvalidArgument):
        net([[1, 2, 3]])
    with pytest.raises(loquor.InvalidArgument):
        nn.Network("embedding 5 2")([[5]])
    with pytest.raises(ZeroDivisionError):
        nn.Trainer(net).fit((X, Y), progress=lambda p: 1 / 0)


def test_training_ends_by_cancel_and_by_ctrl_c():
    net = nn.Network("linear 2 2", threads=1)
    t = nn.Trainer(net, steps=10**9)
    cancel = loquor.Cancel()
    threading.Timer(0.1, cancel.trigger).start()
    with pytest.raises(loquor.Cancelled):
        t.fit((X, Y), cancel=cancel)
    start = time.monotonic()
    threading.Timer(0.1, lambda: signal.raise_signal(signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        t.fit((X, Y))
    assert time.monotonic() - start < 5


def test_torchs_parameters_give_torchs_outputs():
    safetensors = pytest.importorskip("safetensors.numpy")
    golden = safetensors.load_file(pathlib.Path(__file__).resolve().parents[3] / "tests" / "goldens" / "train.safetensors")
    net = nn.Network("linear 5 16 | tanh | linear 16 3")
    for name, values in net.parameters().items():
        values[:] = golden["p/" + name]
    t = nn.Trainer(net, optimizer="sgd", learning_rate=0.1)
    for x, y in zip(golden["x"], golden["t"]):
        t.step(x, y)
    for name, values in net.parameters().items():
        np.testing.assert_allclose(values, golden["sgd/" + name], atol=1e-5)


def test_the_bar_shows_where_training_is():
    out = io.StringIO()
    bar = nn.Bar(out)
    nn.Trainer(nn.Network("linear 2 2"), epochs=3).fit((X, Y), progress=bar)
    bar.close()
    assert "3/3" in out.getvalue() and out.getvalue().endswith("\n")
