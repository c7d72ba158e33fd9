"""Who may come in, how much, how long; clients that go away, that do not read; the end of the server."""

import concurrent.futures
import json
import signal
import socket
import time

LONG = {"messages": [{"role": "user", "content": "Tell me a very long story."}], "temperature": 0, "ignore_eos": True, "max_tokens": 1500}
SHORT = {"messages": [{"role": "user", "content": "Hi"}], "temperature": 0, "max_tokens": 4}
CHAT = "/v1/chat/completions"


def test_api_key_hosts_and_origins(start):
    s = start("--api-key", "secret", "--cors", "https://example.org")
    assert s.post(CHAT, SHORT)[0] == 401 and s.request("GET", "/v1/models")[0] == 401 and s.request("GET", "/metrics")[0] == 401
    for wrong in ("Bearer", "Bearer ", "Bearer secre", "Bearer secrets", "Basic secret"):
        assert s.post(CHAT, SHORT, headers={"Authorization": wrong})[0] == 401
    assert s.request("GET", "/health")[0] == 200
    status, _, headers = s.post(CHAT, SHORT, headers={"Authorization": "Bearer secret"})
    assert status == 200 and headers["Access-Control-Allow-Origin"] == "https://example.org"
    assert s.request("OPTIONS", CHAT)[0] == 204
    open_ = start(env={"LOQUOR_API_KEY": ""})
    status, _, headers = open_.request("GET", "/v1/models")
    assert status == 200 and "Access-Control-Allow-Origin" not in headers
    assert open_.request("GET", "/v1/models", headers={"Host": "evil.example"})[0] == 403
    assert open_.request("GET", "/v1/models", headers={"Host": f"localhost:{open_.port}"})[0] == 200


def test_bodies_have_a_limit(start):
    s = start("--body-mb", 1)
    try:
        assert s.post(CHAT, b'{"messages": "' + b"x" * (2 << 20) + b'"}')[0] == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it may hang up while the body is still being sent
    with socket.create_connection(("127.0.0.1", s.port)) as c:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        c.sendall(head.encode())
        assert b" 411 " in c.recv(100)
    assert s.post(CHAT, SHORT)[0] == 200


def test_the_queue_has_a_limit_and_clients_are_told_when_it_is_full(start):
    s = start("--parallel", 1, "--queue", 2)
    first, response, events = s.stream(CHAT, LONG)
    next(events), next(events)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        pending = [pool.submit(s.post, CHAT, SHORT) for _ in range(6)]
        s.until("loquor_requests_refused_total", 4)
        response.close(), first.close()  # those that wait have their turn
        results = [p.result() for p in pending]
    assert sorted(r[0] for r in results) == [200, 200, 429, 429, 429, 429]
    refused = next(r for r in results if r[0] == 429)
    assert refused[2]["Retry-After"] and refused[1]["error"]["type"] == "rate_limit_error"


def test_a_client_that_goes_away_stops_its_work(start):
    s = start()
    connection, response, events = s.stream(CHAT, LONG)
    for _ in range(5):
        next(events)
    response.close()
    connection.close()
    closed = time.monotonic()
    s.until("loquor_generations_cancelled_total", 1)
    assert time.monotonic() - closed < 1 and s.metric("loquor_generations_active") == 0
    made = s.metric("loquor_generated_tokens_total")
    assert made < 300  # of 1500: those before it was noticed
    # One that waits for the whole answer, too.
    with socket.create_connection(("127.0.0.1", s.port)) as c:
        body = json.dumps(LONG)
        c.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        s.until("loquor_generations_active", 1)
    s.until("loquor_generations_cancelled_total", 2)
    assert s.post(CHAT, SHORT)[0] == 200


def test_a_client_that_does_not_read_holds_up_nobody(start):
    s = start("--write-timeout", 1, "--context", 4096)
    c = socket.socket()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    c.connect(("127.0.0.1", s.port))
    body = json.dumps({**LONG, "stream": True, "n": 8, "logprobs": True, "top_logprobs": 20, "max_tokens": 3000})
    c.sendall(f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    s.until("loquor_generations_active", 8)
    assert s.post(CHAT, SHORT, timeout=5)[0] == 200
    s.until("loquor_generations_cancelled_total", 8, seconds=60)
    c.close()


def test_requests_have_a_time_limit(start):
    s = start("--time", 1, "--context", 8192)
    status, body, _ = s.post(CHAT, {**LONG, "n": 4, "max_tokens": 8000})
    assert status == 504 and body["error"]["code"] == "timeout"
    connection, _, events = s.stream(CHAT, {**LONG, "max_tokens": 8000})
    last = list(events)[-1]
    assert last["error"]["code"] == "timeout"
    connection.close()


def test_it_ends_when_its_work_is_done(start):
    s = start("--drain", 20)
    connection, _, events = s.stream(CHAT, {**LONG, "max_tokens": 300})
    next(events), next(events)
    s.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    assert s.request("GET", "/health")[0] == 503 and s.post(CHAT, SHORT)[0] == 503
    assert len(list(events)) >= 290  # this one ends as it would have
    connection.close()
    assert s.process.wait(10) == 0


def test_it_does_not_wait_for_ever(start):
    s = start("--drain", 1, "--context", 8192)
    connection, _, events = s.stream(CHAT, {**LONG, "n": 4, "max_tokens": 8000})
    next(events)
    began = time.monotonic()
    s.process.send_signal(signal.SIGTERM)
    assert "error" in list(events)[-1]
    connection.close()
    assert s.process.wait(10) == 0 and time.monotonic() - began < 8
