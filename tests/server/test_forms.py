"""Answers held to a form: response_format and tools."""

import json

import pytest

CHAT = "/v1/chat/completions"
ASK = {"messages": [{"role": "user", "content": "What is the weather in Oslo?"}], "temperature": 0, "max_tokens": 200}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 120}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 30}}, "required": ["city"], "additionalProperties": False},
        },
    }
]
NAMED = {"type": "function", "function": {"name": "get_weather"}}


def form(schema):
    return {"type": "json_schema", "json_schema": {"name": "form", "schema": schema, "strict": True}}


def test_response_format(server):
    body = server.chat("A person as JSON, please.", response_format=form(PERSON), max_tokens=200)
    assert set(json.loads(body["choices"][0]["message"]["content"])) == {"name", "age"}
    assert body["choices"][0]["finish_reason"] == "stop"
    body = server.chat("JSON, please.", response_format={"type": "json_object"}, max_tokens=30)
    assert body["choices"][0]["message"]["content"].lstrip().startswith("{")
    assert server.chat("Hi", response_format={"type": "text"}, max_tokens=3)["choices"][0]["finish_reason"] == "length"
    two = server.chat("A person.", response_format=form(PERSON), max_tokens=200, n=2, temperature=1, seed=5)
    for choice in two["choices"]:
        assert set(json.loads(choice["message"]["content"])) == {"name", "age"}


def test_formats_that_are_not_understood(server):
    for format_ in ({"type": "xml"}, "json", {"type": "json_schema"}, {"type": "json_schema", "json_schema": {}}, form({"uniqueItems": True}), form({"type": "void"})):
        status, body, _ = server.post(CHAT, {**ASK, "response_format": format_})
        assert status == 400 and body["error"]["param"].startswith("response_format"), body
    assert "uniqueItems" in server.post(CHAT, {**ASK, "response_format": form({"uniqueItems": True})})[1]["error"]["message"]


def test_tool_calls(server):
    for choice in ("required", NAMED):
        body = server.post(CHAT, {**ASK, "tools": TOOLS, "tool_choice": choice, "parallel_tool_calls": False})[1]
        c = body["choices"][0]
        assert c["finish_reason"] == "tool_calls" and c["message"]["content"] is None
        call = c["message"]["tool_calls"][0]
        assert call["type"] == "function" and call["function"]["name"] == "get_weather" and call["id"].startswith("call_")
        assert set(json.loads(call["function"]["arguments"])) == {"city"}
    result = {"role": "tool", "tool_call_id": call["id"], "content": "Sunny, 21 degrees."}
    said = {**ASK, "messages": ASK["messages"] + [c["message"], result], "tools": TOOLS, "tool_choice": "none", "max_tokens": 30}
    c = server.post(CHAT, said)[1]["choices"][0]
    assert c["message"]["content"] and "tool_calls" not in c["message"]
    assert server.post(CHAT, {**ASK, "tools": TOOLS})[0] == 200


def test_tool_calls_stream(server):
    connection, _, events = server.stream(CHAT, {**ASK, "tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": False})
    chunks = [e for e in events if e != "[DONE]"]
    connection.close()
    chunks = [json.loads(c) if isinstance(c, str) else c for c in chunks]
    deltas = [c["choices"][0]["delta"] for c in chunks if c["choices"]]
    calls = [d["tool_calls"] for d in deltas if "tool_calls" in d]
    assert len(calls) == 1 and calls[0][0]["index"] == 0 and set(json.loads(calls[0][0]["function"]["arguments"])) == {"city"}
    assert not any(d.get("content") for d in deltas)
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_tools_that_are_not_understood(server):
    for more in ({"tools": []}, {"tools": {}}, {"tools": [{}]}, {"tools": TOOLS * 2}, {"tools": TOOLS, "tool_choice": "sometimes"}, {"tool_choice": "required"},
                 {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "other"}}}, {"tools": TOOLS, "response_format": form(PERSON)}):
        status, body, _ = server.post(CHAT, {**ASK, **more})
        assert status == 400 and body["error"]["param"].startswith("tool"), (more, body)


def test_openai_client_parses_forms_and_tools(server):
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=server.base + "/v1", api_key="none", max_retries=0)
    r = client.chat.completions.create(model="smollm2", messages=ASK["messages"], tools=TOOLS, tool_choice="required", parallel_tool_calls=False, temperature=0, max_tokens=200)
    assert json.loads(r.choices[0].message.tool_calls[0].function.arguments)
    again = ASK["messages"] + [r.choices[0].message, {"role": "tool", "tool_call_id": r.choices[0].message.tool_calls[0].id, "content": "Rain."}]
    assert client.chat.completions.create(model="smollm2", messages=again, tools=TOOLS, temperature=0, max_tokens=30).choices[0].message
    pydantic = pytest.importorskip("pydantic")

    class Person(pydantic.BaseModel):
        name: str = pydantic.Field(max_length=20)
        age: int = pydantic.Field(ge=0, le=120)

    parsed = client.chat.completions.parse(model="smollm2", messages=ASK["messages"], response_format=Person, temperature=0, max_tokens=200).choices[0].message.parsed
    assert isinstance(parsed, Person) and 0 <= parsed.age <= 120
