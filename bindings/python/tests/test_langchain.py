"""ChatLoquor and LoquorEmbeddings with langchain-core."""

import copy
import pathlib
import pickle
import sys

import pytest

import loquor

pytest.importorskip("langchain_core", reason="needs the package langchain-core")
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage  # noqa: E402
from langchain_core.output_parsers import StrOutputParser  # noqa: E402
from langchain_core.prompts import ChatPromptTemplate  # noqa: E402
from langchain_core.tools import tool  # noqa: E402
from langchain_core.vectorstores import InMemoryVectorStore  # noqa: E402
from pydantic import BaseModel, Field  # noqa: E402

from loquor.langchain import ChatLoquor, LoquorEmbeddings  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests" / "goldens"))
import tiny_encoder  # noqa: E402


@pytest.fixture(scope="module")
def chat(path):
    return ChatLoquor(model=path, threads=2, temperature=0, max_tokens=16)


@tool
def add(a: int, b: int) -> int:
    """Adds two whole numbers."""
    return a + b


def test_invoke_is_the_models_answer(chat, model):
    messages = [SystemMessage("You are brief."), HumanMessage("Name a colour.")]
    answer = chat.invoke(messages)
    want = model.create_chat_completion([{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Name a colour."}], temperature=0, max_tokens=16)
    assert isinstance(answer, AIMessage) and answer.content == want["choices"][0]["message"]["content"]
    assert answer.usage_metadata["total_tokens"] == want["usage"]["total_tokens"] and answer.response_metadata["finish_reason"] in ("stop", "length")
    assert chat.invoke("Name a colour.", max_tokens=2).usage_metadata["output_tokens"] == 2
    with pytest.raises(loquor.InvalidArgument, match="warmth"):
        chat.invoke("x", warmth=1)


def test_streams(chat):
    chunks = list(chat.stream("Tell me a story."))
    whole = sum(chunks[1:], chunks[0])
    assert len(chunks) > 5 and whole.content == chat.invoke("Tell me a story.").content
    assert whole.usage_metadata["output_tokens"] == 16 and whole.response_metadata["finish_reason"] == "length"
    stream = chat.stream("Tell me a story.")
    next(stream)
    stream.close()  # given up; the session is free again
    assert chat.invoke("Tell me a story.").content == whole.content


def test_stops(chat):
    whole = chat.invoke("Count from one to ten.").content
    word = whole.split()[2]
    assert chat.invoke("Count from one to ten.", stop=[word]).content == whole[: whole.index(word)]
    assert "".join(c.content for c in chat.bind(stop=[word]).stream("Count from one to ten.")) == whole[: whole.index(word)]
    assert ChatLoquor(model=chat.model, temperature=0, max_tokens=16, threads=2, stop=[word]).invoke("Count from one to ten.").content == whole[: whole.index(word)]


def test_batches_of_threads_say_the_same(chat):
    asked = [f"Name {thing}." for thing in ("a colour", "an animal", "a city", "a river", "a tree")]
    assert [a.content for a in chat.batch(asked, config={"max_concurrency": 3})] == [chat.invoke(q).content for q in asked]
    assert 1 <= len(chat._pool.free) <= 4


def test_in_a_chain_and_async(chat):
    import asyncio

    chain = ChatPromptTemplate.from_messages([("system", "You are brief."), ("user", "Name {thing}.")]) | chat | StrOutputParser()
    text = chain.invoke({"thing": "a colour"})
    assert text == chat.invoke([SystemMessage("You are brief."), HumanMessage("Name a colour.")]).content
    assert asyncio.run(chain.ainvoke({"thing": "a colour"})) == text


def test_tools(chat):
    bound = chat.bind_tools([add], tool_choice="add", parallel_tool_calls=False)
    answer = bound.invoke("What is 2 and 3?", max_tokens=60)
    (call,) = answer.tool_calls
    assert call["name"] == "add" and set(call["args"]) == {"a", "b"} and all(isinstance(v, int) for v in call["args"].values())
    result = add.invoke(call)
    assert isinstance(result, ToolMessage)
    assert bound.bind(tool_choice="none").invoke([HumanMessage("What is 2 and 3?"), answer, result]).content
    chunks = list(bound.stream("What is 2 and 3?", max_tokens=60))
    whole = sum(chunks[1:], chunks[0])
    assert [(c["name"], c["args"]) for c in whole.tool_calls] == [(call["name"], call["args"])] and whole.response_metadata["finish_reason"] == "tool_calls"


class Person(BaseModel):
    """A person."""

    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=120)


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(chat, method):
    free = chat.model_copy(update={"max_tokens": 100})
    person = free.with_structured_output(Person, method=method).invoke("Ada is 36 years old. Who is it?")
    assert isinstance(person, Person) and 0 <= person.age <= 120
    raw = free.with_structured_output(Person.model_json_schema(), method=method, include_raw=True).invoke("Ada is 36 years old. Who is it?")
    assert set(raw["parsed"]) == {"name", "age"} and isinstance(raw["raw"], AIMessage) and raw["parsing_error"] is None
    if method == "json_schema":
        cut = chat.with_structured_output(Person, include_raw=True).invoke("Who?", max_tokens=3)
        assert cut["parsed"] is None and cut["parsing_error"]
        with pytest.raises(ValueError, match="method is"):
            chat.with_structured_output(Person, method="telepathy")


def test_copies(chat):
    want = chat.invoke("Name a colour.").content
    for other in (pickle.loads(pickle.dumps(chat)), copy.deepcopy(chat), chat.model_copy()):
        assert other.invoke("Name a colour.").content == want
    assert chat.model_copy(update={"n_ctx": 64}).invoke("Name a colour.").content == want
    with pytest.raises(loquor.NotFound):
        chat.model_copy(update={"model": "no-such-model"}).invoke("x")


def test_embeddings(tmp_path):
    tiny_encoder.write(tmp_path)
    e = LoquorEmbeddings(str(tmp_path))
    want = loquor.Embedder(loquor.Model(tmp_path)).embed(["Hello there", "the inner text"])
    assert e.embed_documents(["Hello there", "the inner text"]) == want.tolist() and e.embed_query("Hello there") == want[0].tolist()
    store = InMemoryVectorStore.from_texts(["Hello there", "the inner text"], e)
    assert store.similarity_search("the inner text", k=1)[0].page_content == "the inner text"
