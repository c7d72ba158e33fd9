"""The shapes of OpenAI's API: what goes in, what comes out, what is refused."""

import base64
import concurrent.futures
import json
import struct

import pytest

QUESTION = "What is the capital of France?"


def test_models_health_page_and_metrics(server):
    status, body, _ = server.request("GET", "/v1/models")
    assert status == 200 and [m["id"] for m in body["data"]] == ["smollm2", "tiny-bert"]
    assert server.request("GET", "/v1/models/smollm2")[1]["object"] == "model"
    assert server.request("GET", "/v1/models/gpt-9")[0] == 404
    assert server.request("GET", "/health")[1] == {"status": "ok"}
    status, page, headers = server.request("GET", "/")
    assert status == 200 and "<title>Loquor</title>" in page and headers["Content-Type"].startswith("text/html")
    metrics = server.request("GET", "/metrics")[1]
    names = {line.split()[2] for line in metrics.splitlines() if line.startswith("# TYPE")}
    assert {"loquor_generated_tokens_total", "loquor_first_token_seconds", "loquor_generations_active"} <= names
    for line in metrics.splitlines():
        assert line.startswith("#") or len(line.rsplit(" ", 1)) == 2 and float(line.rsplit(" ", 1)[1]) >= 0


def test_chat_whole_and_streamed(server):
    body = server.chat(QUESTION, max_tokens=20, model="smollm2")
    choice = body["choices"][0]
    assert "Paris" in choice["message"]["content"] and choice["finish_reason"] == "stop"
    assert body["object"] == "chat.completion" and body["usage"]["completion_tokens"] <= 20
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    request = {"messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}], "temperature": 0, "max_tokens": 20}
    connection, _, events = server.stream("/v1/chat/completions", {**request, "stream_options": {"include_usage": True}})
    events = list(events)
    connection.close()
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(e["choices"][0]["delta"].get("content", "") for e in events[:-1]) == choice["message"]["content"]
    assert events[-2]["choices"][0]["finish_reason"] == "stop"
    assert events[-1]["choices"] == [] and events[-1]["usage"]["completion_tokens"] == body["usage"]["completion_tokens"]
    assert len({e["id"] for e in events}) == 1


def test_sampling_options(server):
    same = [server.chat("Tell me a story.", temperature=1.0, seed=7, max_tokens=16)["choices"][0]["message"]["content"] for _ in range(2)]
    assert same[0] == same[1]
    other = server.chat("Tell me a story.", temperature=1.0, seed=8, max_tokens=16)["choices"][0]["message"]["content"]
    assert other != same[0]
    many = server.chat("Tell me a story.", temperature=1.0, seed=7, n=3, max_tokens=16)["choices"]
    assert [c["index"] for c in many] == [0, 1, 2] and many[0]["message"]["content"] == same[0]
    assert len({c["message"]["content"] for c in many}) == 3
    text = server.chat("Count: 1, 2, 3", stop=["Paris", "\n"], max_tokens=30)["choices"][0]["message"]["content"]
    assert "\n" not in text
    biased = server.chat(QUESTION, logit_bias={"504": -100}, max_tokens=12)["choices"][0]["message"]["content"]
    assert not biased.startswith("The")


def test_logprobs(server):
    c = server.chat(QUESTION, max_tokens=5, logprobs=True, top_logprobs=3)["choices"][0]
    entries = c["logprobs"]["content"]
    assert "".join(e["token"] for e in entries) == c["message"]["content"] and len(entries) == 5
    for e in entries:
        assert len(e["top_logprobs"]) == 3 and e["top_logprobs"][0]["logprob"] == e["logprob"] <= 0
        assert bytes(e["bytes"]).decode() == e["token"]
    status, body, _ = server.post("/v1/completions", {"prompt": "The sky is", "max_tokens": 4, "temperature": 0, "logprobs": 2})
    logs = body["choices"][0]["logprobs"]
    assert status == 200 and "".join(logs["tokens"]) == body["choices"][0]["text"]
    assert logs["text_offset"] == [len("".join(logs["tokens"][:i])) for i in range(4)] and all(len(t) == 2 for t in logs["top_logprobs"])


def test_completions(server):
    def complete(prompt, **options):
        status, body, _ = server.post("/v1/completions", {"prompt": prompt, "temperature": 0, "max_tokens": 6, **options})
        assert status == 200, body
        return [c["text"] for c in body["choices"]]

    both = complete(["The capital of France is", "One, two, three,"])
    assert both == complete("The capital of France is") + complete("One, two, three,") and "Paris" in both[0]
    assert complete("The capital of France is", echo=True)[0] == "The capital of France is" + both[0]
    one = complete([504, 3575, 282])  # tokens
    assert complete([[504, 3575, 282]]) == one
    connection, _, events = server.stream("/v1/completions", {"prompt": "One, two, three,", "temperature": 0, "max_tokens": 6})
    assert "".join(e["choices"][0]["text"] for e in events) == both[1]
    connection.close()
    status, body, _ = server.post("/v1/completions", {"prompt": "One, two", "temperature": 0})
    assert body["usage"]["completion_tokens"] == 16  # as OpenAI's


def test_many_at_once_get_what_each_gets_alone(server):
    prompts = [f"Write {n} words about {what}." for n in (3, 30) for what in ("rain", "trains", "the sea", "a fox", "bread", "Rome")]
    alone = [server.chat(p, max_tokens=24)["choices"][0]["message"]["content"] for p in prompts]
    with concurrent.futures.ThreadPoolExecutor(len(prompts)) as pool:
        together = list(pool.map(lambda p: server.chat(p, max_tokens=24)["choices"][0]["message"]["content"], prompts))
    assert together == alone


def test_a_conversation_reuses_its_beginning(server):
    story = "Once upon a time there was a fox who lived near a river. " * 12
    first = server.chat(story + "What animal is it?", max_tokens=8)
    again = server.chat(story + "Where does it live?", max_tokens=8)
    assert again["usage"]["prompt_tokens_details"]["cached_tokens"] >= 64, (first, again)


def test_embeddings(server):
    texts = ["Hello there", "the inner text", "a"]
    status, body, _ = server.post("/v1/embeddings", {"input": texts, "model": "tiny-bert"})
    assert status == 200 and [d["index"] for d in body["data"]] == [0, 1, 2] and body["usage"]["prompt_tokens"] > 0
    vectors = [d["embedding"] for d in body["data"]]
    assert all(len(v) == 64 and abs(sum(x * x for x in v) - 1) < 1e-4 for v in vectors)
    _, packed, _ = server.post("/v1/embeddings", {"input": texts[0], "encoding_format": "base64"})
    raw = base64.b64decode(packed["data"][0]["embedding"], validate=True)
    assert list(struct.unpack("<64f", raw)) == pytest.approx(vectors[0], abs=1e-7)
    assert server.post("/v1/embeddings", {"input": texts, "dimensions": 32})[0] == 400
    assert server.post("/v1/embeddings", {"input": 5})[0] == 400


CHAT = {"messages": [{"role": "user", "content": "Hi"}]}
REFUSED = [
    ({}, "messages"), ({"messages": []}, "messages"), ({"messages": "Hi"}, "messages"), ({"messages": [5]}, "messages[0]"),
    ({"messages": [{"role": "king", "content": "Hi"}]}, "messages[0].role"), ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": "Hi", "mood": "good"}]}, "messages[0].mood"),
    ({**CHAT, "temperature": 3}, "temperature"), ({**CHAT, "temperature": "hot"}, "temperature"), ({**CHAT, "top_p": -1}, "top_p"),
    ({**CHAT, "max_tokens": 0}, "max_tokens"), ({**CHAT, "max_tokens": 1.5}, "max_tokens"), ({**CHAT, "max_tokens": 1 << 63}, "max_tokens"),
    ({**CHAT, "n": 17}, "n"), ({**CHAT, "stream": "yes"}, "stream"), ({**CHAT, "stop": [""]}, "stop"), ({**CHAT, "stop": [1]}, "stop"),
    ({**CHAT, "top_logprobs": 5}, "top_logprobs"), ({**CHAT, "logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({**CHAT, "logit_bias": {"x": 1}}, "logit_bias"), ({**CHAT, "logit_bias": {"99999999": 1}}, "logit_bias"), ({**CHAT, "seed": 1.5}, "seed"),
    ({**CHAT, "temprature": 1}, "temprature"), ({**CHAT, "stream_options": {"include": True}}, "stream_options.include"),
]


@pytest.mark.parametrize("body,param", REFUSED, ids=[p + str(i) for i, (_, p) in enumerate(REFUSED)])
def test_bad_requests_are_refused_by_name(server, body, param):
    status, answer, _ = server.post("/v1/chat/completions", body)
    assert status == 400 and answer["error"]["param"] == param and answer["error"]["type"] == "invalid_request_error", answer


def test_bodies_that_are_no_requests(server):
    def status(body, **headers):
        return server.post("/v1/chat/completions", body, headers=headers)[0]

    for body in ("", "{", "[]", "null", '"x"', b"\xff\xfe", b'{"messages": "\xff"}', "[" * 100000, '{"a":' * 50000, json.dumps(CHAT)[:-1]):
        assert status(body) == 400, body[:40]
    assert status(json.dumps(CHAT), **{"Content-Type": "text/plain"}) == 415
    assert server.post("/v1/chat/completions", {**CHAT, "model": "gpt-9"})[1]["error"]["code"] == "model_not_found"
    long = {"messages": [{"role": "user", "content": "word " * 4000}]}
    assert server.post("/v1/chat/completions", long)[1]["error"]["code"] == "context_length_exceeded"
    assert server.request("GET", "/v1/chat/completions")[0] == 404
    assert server.request("GET", "/../../etc/passwd")[0] in (400, 404)
    assert server.chat(QUESTION, max_tokens=12)["choices"][0]["message"]["content"]  # it goes on
