import os
import signal

import pytest

import loquor


# A job started in the background ignores SIGINT, and Python then leaves it so; the tests of Ctrl-C, in child processes
# too, need what a terminal gives.
signal.signal(signal.SIGINT, signal.default_int_handler)


def cached_path():
    cache = os.environ.get("LOQUOR_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "loquor")
    return os.environ.get("LQ_TEST_MODEL") or os.path.join(cache, "models", "SmolLM2-135M-Instruct.Q4_1.gguf")


@pytest.fixture(scope="session")
def path():
    p = cached_path()
    if not os.path.exists(p):
        pytest.skip(f"needs the default model, which is not cached: {p}")
    return p


@pytest.fixture(scope="session")
def model(path):
    with loquor.Model(path, threads=2) as m:
        yield m
