"""Stores: documents in one file, found by meaning and by words, and questions answered from them."""

import json
import os
from typing import Any, Callable, Dict, Iterable, List, Optional, Union

from . import _native
from .errors import InvalidArgument, Unsupported
from .model import Model

_KINDS = {"text": 0, "markdown": 1, "code": 2, "html": 3}
_MODES = {"hybrid": 0, "dense": 1, "words": 2}
_CODE = set("c h cc cpp cxx hpp cs py js ts jsx tsx go rs rb java kt swift php lua sh pl sql cmake gd scala".split())


def kind_of(name: str) -> str:
    """The kind of a document by its name's ending: "markdown", "html", "pdf", "code" or "text"."""
    ending = os.path.splitext(name)[1][1:].lower()
    if ending in ("md", "markdown"):
        return "markdown"
    if ending in ("html", "htm", "xhtml"):
        return "html"
    return "pdf" if ending == "pdf" else "code" if ending in _CODE else "text"


def read_pdf(path) -> str:
    """The text of a PDF file, page by page (by the package pypdf). Raises InvalidArgument for a file that is none."""
    try:
        import pypdf
    except ImportError:
        raise Unsupported("PDF files need the package pypdf: pip install pypdf") from None
    try:
        pages = pypdf.PdfReader(path).pages
        return "\n\n".join(page.extract_text() or "" for page in pages)
    except Exception as e:  # of many kinds, none of them documented
        raise InvalidArgument(f"{os.fspath(path)}: not a PDF file that can be read: {e}") from None


def read_document(path, **more) -> dict:
    """A document for Store.add from a file: text, Markdown, HTML, source code or PDF, by its name's ending."""
    path = os.fspath(path)
    kind = more.get("kind") or kind_of(path)
    if kind == "pdf":
        return dict({"key": path, "text": read_pdf(path), "kind": "text", "source": path}, **{k: v for k, v in more.items() if k != "kind"})
    with open(path, "rb") as file:
        data = file.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InvalidArgument(f"{path}: not UTF-8 at byte {e.start}") from None
    return dict({"key": path, "text": text, "kind": kind, "source": path}, **more)


class Store:
    """Documents in one SQLite file, with chunks, vectors and a full-text index.

        store = loquor.Store("notes.store", loquor.Model("minilm"))
        store.add([{"key": "a", "text": "..."}, loquor.read_document("b.md")])
        store.search("a question")
        store.ask(loquor.Model("smollm2"), "a question")["text"]

    encoder          a text encoder's model, which makes the vectors; None: only words are searched
    read_only        any number of readers may have a file open while one writes it
    chunk_tokens, overlap, whole_documents
                     how a new store cuts documents: tokens of a chunk (0: what the encoder takes, at most 200), tokens of a chunk that the next one
                     begins with, or one chunk for each document
    One thread at a time.
    """

    def __init__(self, path, encoder: Optional[Model] = None, *, read_only: bool = False, chunk_tokens: int = 0, overlap: int = 32, whole_documents: bool = False):
        options = dict(read_only=read_only, chunk_tokens=chunk_tokens, overlap=overlap, whole_documents=whole_documents)
        self._native: Optional[_native.Store] = _native.Store(os.fspath(path), encoder._m if encoder is not None else None, options)
        self._sessions: Dict[int, Any] = {}

    @property
    def _s(self) -> "_native.Store":
        if self._native is None:
            raise InvalidArgument("the store is closed")
        return self._native

    def close(self) -> None:
        """Closes the file; also what `with` does at its end."""
        self._native = None
        self._sessions.clear()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def add(self, documents: Union[dict, Iterable[dict]], *, progress: Optional[Callable[[int, int], Optional[bool]]] = None, cancel=None) -> dict:
        """Adds documents: dicts of "key", "text" and perhaps "title", "source", "metadata" (a dict), "kind" ("text", "markdown", "code", "html"), "trust"
        (0 to 1). One of a known key replaces the one before.

        What `progress` was told of (documents done, all) is kept whatever happens, a killed process included. Returns {"added", "replaced", "unchanged",
        "duplicates", "chunks", "failed": [{"key", "reason"}]}.
        """
        rows = [documents] if isinstance(documents, dict) else list(documents)
        return json.loads(self._s.add([_document(d) for d in rows], progress, cancel))

    def index(self, *, progress: Optional[Callable[[int, int], Optional[bool]]] = None, cancel=None) -> None:
        """Makes an approximate index of the vectors (by hnswlib, in a file beside the store's), or makes it anew: worth it from some ten thousand chunks on.

        Searches without a filter then use it. Chunks added later are searched one by one beside it, those removed are left out.
        """
        self._s.index(progress, cancel)

    def remove(self, key: str) -> bool:
        """Whether there was a document of this key."""
        return self._s.remove(key)

    def text(self, key: str) -> str:
        """The text of a document. Raises NotFound."""
        return self._s.text(key)

    def info(self) -> dict:
        """documents, chunks, dimension, encoder, chunk_tokens, overlap, whole_documents, indexed (chunks that the approximate index has, as a search last saw it)."""
        return json.loads(self._s.info(False))

    def keys(self) -> List[str]:
        return json.loads(self._s.info(True))["keys"]

    def __len__(self) -> int:
        return self.info()["documents"]

    def search(self, query: str, k: int = 5, *, mode: str = "hybrid", filter: Optional[dict] = None, min_trust: float = 0.0, mmr: float = 1.0, per_document: int = 0, exact: bool = False) -> List[dict]:
        """The best chunks for a query, best first: dicts of key, title, source, heading, begin and end (bytes of the document's text), text, trust, score,
        bm25, cosine and metadata.

        mode          "hybrid" (reciprocal rank fusion of the others), "dense" (cosine) or "words" (BM25)
        filter        what must hold of the metadata: {"lang": "en", "year": {"$gte": 2020}, "tags": {"$contains": "x"}, "$or": [{...}, {...}]}; also $eq $ne $gt $lt
                      $lte $in $exists $and $not; "a.b" is b in the dict a
        mmr           1: by score alone; less: each next chunk also for being unlike those before
        per_document  most chunks of one document; 0 = any number
        exact         not by the approximate index, if there is one
        """
        return json.loads(self._s.search(query, _search(k, mode, filter, min_trust, mmr, per_document, exact)))

    def ask(
        self,
        model,
        question: str,
        *,
        k: int = 5,
        mode: str = "hybrid",
        filter: Optional[dict] = None,
        min_trust: float = 0.0,
        mmr: float = 1.0,
        per_document: int = 0,
        max_tokens: int = 200,
        budget: int = 0,
        guards: bool = True,
        threshold: float = 0.35,
        instructions: str = "",
        stream: Optional[Callable[[str], Optional[bool]]] = None,
        cancel=None,
    ) -> dict:
        """Answers a question from the documents by a language model (a Model, or a Session, whose contents are replaced), greedily.

        budget        tokens of prompt and answer; sources without room are left out, the worst first. 0: what the session holds
        threshold     below this cosine of the best source there is no answer ("abstained"); calibrated for all-MiniLM-L6-v2
        guards        sources that give orders to the model are left out, and of sources that disagree the more trusted or more numerous are believed
        stream        called with pieces of the answer; return False to end it
        Returns {"text", "abstained", "conflict", "citations": [{"number", "begin", "end"}], "sources": [as search(), and "number", "flags", "says"], ...}.
        """
        options = dict(_search(k, mode, filter, min_trust, mmr, per_document), max_tokens=max_tokens, budget=budget, guards=guards, threshold=threshold, instructions=instructions)
        session = model
        if isinstance(model, Model):
            session = self._sessions.get(id(model))
            if session is None or session.model is not model:
                session = self._sessions[id(model)] = model.session(min(model.info()["n_ctx_train"], 4096))
        return json.loads(self._s.ask(session._s, question, options, stream, cancel))


def _document(d: dict) -> dict:
    if not isinstance(d, dict) or not isinstance(d.get("key"), str) or not isinstance(d.get("text"), str):
        raise InvalidArgument('a document needs "key" and "text"')
    unknown = set(d) - {"key", "text", "title", "source", "metadata", "kind", "trust"}
    if unknown:
        raise InvalidArgument(f"document {d['key']!r}: unknown members {', '.join(sorted(unknown))}")
    kind = d.get("kind") or "text"
    if kind not in _KINDS:
        raise InvalidArgument(f"document {d['key']!r}: kind {kind!r}, expected {', '.join(_KINDS)}")
    metadata = d.get("metadata")
    return dict(key=d["key"], text=d["text"], title=d.get("title") or "", source=d.get("source") or "", kind=_KINDS[kind], trust=float(d.get("trust", 1.0)),
                metadata=json.dumps(metadata, ensure_ascii=False) if metadata else "")


def _search(k: int, mode: str, filter: Optional[dict], min_trust: float, mmr: float, per_document: int, exact: bool = False) -> dict:
    if mode not in _MODES:
        raise InvalidArgument(f"mode {mode!r}, expected {', '.join(_MODES)}")
    if k < 1 or per_document < 0:
        raise InvalidArgument(f"k is {k}, per_document {per_document}")
    return dict(k=k, mode=_MODES[mode], filter=json.dumps(filter) if filter else "", min_trust=min_trust, mmr=mmr, per_document=per_document, exact=exact)
