"""Starts build/bin/loquor-server (LQ_SERVER) and talks to it with nothing but the standard library."""

import http.client
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "goldens"))


class Server:
    def __init__(self, *args, env=None):
        command = [os.environ["LQ_SERVER"], "--port", "0", *map(str, args)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        line = self.process.stdout.readline()
        if not line:
            message = self.process.stderr.read()
            if "fetch" in message or "neither a file nor" in message or "not in the cache" in message:
                pytest.skip("needs the default model: " + message.strip())
            raise RuntimeError(message)
        self.port = int(line.rsplit(":", 1)[1])
        self.base = f"http://127.0.0.1:{self.port}"

    def connect(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, path, body=None, headers=None, timeout=60):
        """(status, JSON or text, headers)"""
        c = self.connect(timeout)
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        sent = {"Content-Type": "application/json"} if data is not None else {}
        c.request(method, path, data, {**sent, **(headers or {})})
        r = c.getresponse()
        text = r.read()
        c.close()
        kind = r.getheader("Content-Type") or ""
        return r.status, json.loads(text) if kind.startswith("application/json") else text.decode(), r.headers

    def post(self, path, body, **kwargs):
        return self.request("POST", path, body, **kwargs)

    def chat(self, text, **options):
        status, body, _ = self.post("/v1/chat/completions", {"messages": [{"role": "user", "content": text}], "temperature": 0, **options})
        assert status == 200, body
        return body

    def stream(self, path, body, timeout=60):
        """A connection whose response is a stream, and an iterator of its events."""
        c = self.connect(timeout)
        c.request("POST", path, json.dumps({**body, "stream": True}), {"Content-Type": "application/json"})
        r = c.getresponse()
        assert r.status == 200, r.read()
        return c, r, self.events(r)

    @staticmethod
    def events(response):
        for line in response:
            if line.startswith(b"data: "):
                if line.strip() == b"data: [DONE]":
                    return
                yield json.loads(line[6:])

    def metric(self, name):
        for line in self.request("GET", "/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
        raise KeyError(name)

    def until(self, name, value, seconds=5):
        end = time.monotonic() + seconds
        while self.metric(name) != value:
            assert time.monotonic() < end, f"{name} is {self.metric(name)}, not {value}"
            time.sleep(0.01)

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(30)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


@pytest.fixture
def start():
    servers = []

    def make(*args, **kwargs):
        servers.append(Server(*args, **kwargs))
        return servers[-1]

    yield make
    for s in servers:
        s.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    import tiny_encoder

    folder = tmp_path_factory.mktemp("models") / "tiny-bert"
    folder.mkdir()
    tiny_encoder.write(folder)
    s = Server("--embedder", folder, "--context", "2048")
    yield s
    assert s.stop() == 0
