import json

import pytest

import loquor

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
    },
    {"type": "function", "function": {"name": "stop_all", "parameters": {"type": "object", "properties": {}, "additionalProperties": False}}},
]


def test_grammars_accept_their_texts():
    assert loquor.Grammar.gbnf('root ::= "a"+').accepts("aaa")
    assert not loquor.Grammar.gbnf('other ::= "a"', "other").accepts("b")
    assert loquor.Grammar.regex("[é日]+").accepts("日é")
    assert loquor.Grammar.choices(["yes", "no"]).accepts("no")
    schema = loquor.Grammar.json_schema(PERSON)
    assert schema.accepts(json.dumps({"name": "Ann", "age": 12}))
    assert schema.accepts(json.dumps({"name": "日", "age": 12}, indent=2))
    assert not schema.accepts('{"name": "Ann"}')
    assert not loquor.Grammar.json_schema(PERSON, compact=True).accepts('{"name": "A", "age": 1}')


def test_bad_grammars_raise():
    with pytest.raises(loquor.InvalidArgument, match="line 1"):
        loquor.Grammar.gbnf("root ::= (")
    with pytest.raises(loquor.Unsupported, match="uniqueItems"):
        loquor.Grammar.json_schema({"uniqueItems": True})
    with pytest.raises(loquor.LimitReached):
        loquor.Grammar.regex("(a{1000}){1000}")
    with pytest.raises(loquor.InvalidArgument):
        loquor.Grammar.json_schema({"a": object()})


def test_generation_keeps_to_the_form(model):
    text = model.generate("Describe a person as JSON.", json_schema=PERSON, temperature=1.0, seed=3, max_tokens=200).text
    assert set(json.loads(text)) == {"name", "age"}
    assert model.generate("Is the sky blue?", choices=["yes", "no"], seed=1).text in ("yes", "no")
    r = model.generate("A phone number:", regex="[0-9]{3}-[0-9]{4}", raw=True, temperature=1.5, seed=2)
    assert len(r.text) == 8 and r.text[3] == "-" and r.finish_reason == "stop"
    assert model.generate("x", grammar='root ::= "left" | "right"').text in ("left", "right")
    with pytest.raises(loquor.InvalidArgument, match="only one"):
        model.generate("x", regex="a", choices=["b"])


def test_schemas_of_pydantic_like_classes(model):
    class Answer:
        @staticmethod
        def model_json_schema():
            return {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"], "additionalProperties": False}

    assert json.loads(model.generate("Fine?", json_schema=Answer, seed=1).text)["ok"] in (True, False)


def test_response_format(model):
    ask = [{"role": "user", "content": "A person, please."}]
    r = model.create_chat_completion(ask, response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}, seed=1, max_tokens=200)
    assert set(json.loads(r["choices"][0]["message"]["content"])) == {"name", "age"}
    r = model.create_chat_completion(ask, response_format={"type": "json_object"}, seed=1, max_tokens=400, temperature=0)
    if r["choices"][0]["finish_reason"] == "stop":
        assert isinstance(json.loads(r["choices"][0]["message"]["content"]), dict)
    with pytest.raises(loquor.InvalidArgument, match="response_format"):
        model.create_chat_completion(ask, response_format={"type": "xml"})


def test_tool_calls_and_their_results(model):
    ask = [{"role": "user", "content": "What is the weather in Oslo?"}]
    r = model.create_chat_completion(ask, tools=TOOLS, tool_choice="required", parallel_tool_calls=False, seed=1, max_tokens=200)
    choice = r["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    call = choice["message"]["tool_calls"][0]
    assert call["type"] == "function" and call["function"]["name"] in ("get_weather", "stop_all")
    r = model.create_chat_completion(ask, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "get_weather"}}, parallel_tool_calls=False, seed=1, max_tokens=200)
    message = r["choices"][0]["message"]
    assert set(json.loads(message["tool_calls"][0]["function"]["arguments"])) == {"city"}
    # The result goes back, and an answer in words comes.
    said = ask + [message, {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "Sunny, 21 degrees."}]
    r = model.create_chat_completion(said, tools=TOOLS, tool_choice="none", seed=1, max_tokens=40)
    assert r["choices"][0]["message"]["content"] and "tool_calls" not in r["choices"][0]["message"]
    with pytest.raises(loquor.InvalidArgument, match="named 'x'"):
        model.create_chat_completion(ask, tools=TOOLS, tool_choice={"type": "function", "function": {"name": "x"}})


def test_tool_calls_stream(model):
    ask = [{"role": "user", "content": "What is the weather in Oslo?"}]
    chunks = list(model.create_chat_completion(ask, tools=TOOLS, tool_choice="required", parallel_tool_calls=False, stream=True, seed=1, max_tokens=200))
    deltas = [c["choices"][0]["delta"] for c in chunks]
    calls = [d["tool_calls"] for d in deltas if "tool_calls" in d]
    assert len(calls) == 1 and calls[0][0]["index"] == 0
    json.loads(calls[0][0]["function"]["arguments"])
    assert not any(d.get("content") for d in deltas)
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    plain = loquor.Grammar.choices(["<b>bold</b>"])
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in model.create_chat_completion(ask, grammar=plain, stream=True))
    assert text == "<b>bold</b>"


def test_tool_calls_are_found():
    found = loquor.tool_calls('Let me see.\n<tool_call>\n{"name": "f", "arguments": {"x": [1]}}\n</tool_call>')
    assert found == {"content": "Let me see.", "tool_calls": [{"name": "f", "arguments": {"x": [1]}}]}
