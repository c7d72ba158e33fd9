"""Clients that people use, where they are installed."""

import pytest


def test_openai(server):
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=server.base + "/v1", api_key="none", max_retries=0)
    assert [m.id for m in client.models.list()] == ["smollm2", "tiny-bert"]
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    whole = client.chat.completions.create(model="smollm2", messages=messages, temperature=0, max_tokens=20, logprobs=True, top_logprobs=2)
    text = whole.choices[0].message.content
    assert "Paris" in text and whole.usage.completion_tokens == len(whole.choices[0].logprobs.content)
    stream = client.chat.completions.create(model="smollm2", messages=messages, temperature=0, max_tokens=20, stream=True)
    assert "".join(c.choices[0].delta.content or "" for c in stream) == text
    assert client.completions.create(model="smollm2", prompt="One, two, three,", max_tokens=4, temperature=0).choices[0].text.startswith(" four")
    assert len(client.embeddings.create(model="tiny-bert", input=["a", "b"]).data[1].embedding) == 64
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-9", messages=messages)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="smollm2", messages=messages, temperature=5)


def test_langchain(server):
    langchain_openai = pytest.importorskip("langchain_openai")
    chat = langchain_openai.ChatOpenAI(base_url=server.base + "/v1", api_key="none", model="smollm2", temperature=0, max_tokens=20, max_retries=0)
    text = chat.invoke("What is the capital of France?").content
    assert "Paris" in text
    assert "".join(c.content for c in chat.stream("What is the capital of France?")) == text
    vectors = langchain_openai.OpenAIEmbeddings(base_url=server.base + "/v1", api_key="none", model="tiny-bert", check_embedding_ctx_length=False)
    assert len(vectors.embed_query("hello")) == 64
