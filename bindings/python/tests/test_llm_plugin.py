"""The plugin for `llm`, in its Python and on its command line."""

import json
import pathlib
import sys

import pytest

import loquor

llm = pytest.importorskip("llm", reason="needs the package llm")
from click.testing import CliRunner  # noqa: E402
from llm.cli import cli  # noqa: E402

import loquor.llm as plugin  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests" / "goldens"))
import tiny_encoder  # noqa: E402


@pytest.fixture()
def user(tmp_path, monkeypatch, path):
    """An empty folder of llm's with our plugin registered, and the default model added by its path."""
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path / "llm"))
    registered = any(p is plugin for p in llm.plugins.pm.get_plugins())  # by the entry point, where loquor is installed
    llm.plugins.load_plugins()
    if not registered and not any(p is plugin for p in llm.plugins.pm.get_plugins()):
        llm.plugins.pm.register(plugin, "loquor")
    if "loquor" not in cli.commands:
        plugin.register_commands(cli)
    run("loquor", "add", path, "--name", "tiny")
    return tmp_path


def run(*arguments, input=None):
    result = CliRunner().invoke(cli, list(arguments), input=input, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_models_by_path_and_by_name(user, path):
    assert "loquor/tiny" in run("models", "list")
    listed = run("loquor", "list")
    assert f"loquor/tiny\tllama\t{path}" in listed
    assert CliRunner().invoke(cli, ["loquor", "add", __file__]).exit_code == 1  # no model
    run("loquor", "remove", "tiny")
    assert "loquor/tiny" not in run("models", "list")
    assert "was not added" in CliRunner().invoke(cli, ["loquor", "remove", "tiny"]).output


def test_the_command_line_answers(user, path):
    out = run("-m", "loquor/tiny", "Name a colour.", "-o", "max_tokens", "8", "-o", "temperature", "0", "-s", "You are brief.")
    with loquor.Model(path) as m:
        want = m.create_chat_completion([{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Name a colour."}], max_tokens=8, temperature=0)
    assert out.strip() == want["choices"][0]["message"]["content"].strip()
    logged = json.loads(run("logs", "list", "--json", "-n", "1"))[0]
    assert (logged["input_tokens"], logged["output_tokens"]) == (want["usage"]["prompt_tokens"], want["usage"]["completion_tokens"])
    assert run("-m", "loquor/tiny", "A number?", "-o", "regex", "[0-9]{3}").strip().isdigit()
    bad = CliRunner().invoke(cli, ["-m", "loquor/tiny", "x", "-o", "regex", "(("])
    assert bad.exit_code == 1 and "regular expression" in bad.output
    assert CliRunner().invoke(cli, ["-m", "loquor/tiny", "x", "-o", "warmth", "1"]).exit_code == 1


def test_streaming_and_conversations(user):
    model = llm.get_model("loquor/tiny")
    options = dict(max_tokens=12, temperature=0)
    pieces = list(model.prompt("Tell me a story.", **options))
    assert len(pieces) > 3
    assert "".join(pieces) == model.prompt("Tell me a story.", stream=False, **options).text()
    talk = model.conversation()
    first = talk.prompt("My name is Ada.", **options)
    first.text()
    second = talk.prompt("What is my name?", **options)
    second.text()
    said = plugin.to_messages(second.prompt.messages)
    assert [m["role"] for m in said] == ["user", "assistant", "user"] and said[1]["content"] == first.text()
    assert "b" not in model.prompt("Write: a b c", stop="b", **options).text()


def test_schemas(user):
    model = llm.get_model("loquor/tiny")
    schema = {"type": "object", "properties": {"name": {"enum": ["Ada", "Bo"]}, "age": {"type": "integer", "maximum": 99, "minimum": 1}}, "required": ["name", "age"], "additionalProperties": False}
    answer = json.loads(model.prompt("A person.", schema=schema, seed=1).text())
    assert answer["name"] in ("Ada", "Bo") and 1 <= answer["age"] <= 99


def test_tools_are_called(user, monkeypatch):
    """A model of 135 M parameters does not always call a tool: the first turn must, the second must not."""
    complete = loquor.Model.create_chat_completion

    def first_calls(self, messages, **options):
        return complete(self, messages, tool_choice="none" if messages[-1]["role"] == "tool" else "required", parallel_tool_calls=False, **options)

    monkeypatch.setattr(loquor.Model, "create_chat_completion", first_calls)
    called = []

    def shout(word: str) -> str:
        """Says a word loudly."""
        called.append(word)
        return word.upper()

    chain = llm.get_model("loquor/tiny").chain("Shout the word hello.", tools=[shout], options={"temperature": 0, "max_tokens": 60})
    text = chain.text()
    first, second = chain._responses
    assert [c.name for c in first.tool_calls()] == ["shout"] and len(called) == 1 and first.tool_calls()[0].arguments == {"word": called[0]}
    assert second.prompt.tool_results[0].output == called[0].upper() and not second.tool_calls() and second.text() in text


def test_messages_of_tools_become_openais():
    from llm.parts import Message, TextPart, ToolCallPart, ToolResultPart

    said = plugin.to_messages([
        Message("user", [TextPart("2 + 3?")]), Message("assistant", [ToolCallPart("add", {"a": 2, "b": 3}, "c1")]), Message("tool", [ToolResultPart("add", "5", "c1")]),
    ])
    assert [m["role"] for m in said] == ["user", "assistant", "tool"] and said[2]["content"] == "5" and said[2]["tool_call_id"] == "c1"
    assert json.loads(said[1]["tool_calls"][0]["function"]["arguments"]) == {"a": 2, "b": 3}


def test_embeddings(user, tmp_path):
    folder = tmp_path / "bert"
    folder.mkdir()
    tiny_encoder.write(folder)
    run("loquor", "add", str(folder), "--name", "vectors")
    assert "loquor/vectors" in run("embed-models", "list") and "loquor/vectors" not in run("models", "list")
    want = loquor.Embedder(loquor.Model(folder)).embed(["Hello there", "the inner text"])
    assert json.loads(run("embed", "-m", "loquor/vectors", "-c", "Hello there")) == pytest.approx(want[0].tolist())
    got = list(llm.get_embedding_model("loquor/vectors").embed_multi(["Hello there", "the inner text"]))
    assert got[1] == pytest.approx(want[1].tolist())
