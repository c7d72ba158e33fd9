"""tokenizers_job.py MODEL.gguf ROUNDS TEXT...: MB/s of Loquor, Hugging Face `tokenizers` and tiktoken on the same texts, one
thread, in turn, as JSON: {text: {library: {"mb_per_s": [of each round], "note", "version"} or why there is none}}.

The peers are built from the GGUF's own vocabulary and merges (tests/goldens/make_tokenizer_goldens.py has how). Ids are compared
before anything is timed. Each library gets a text whole and cut into documents of about 4 KB at blank lines, and its better one counts.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "goldens"))

CONTRACTIONS = r"'(?:[sdmt]|ll|ve|re)"
GPT2 = CONTRACTIONS + r"| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
# Every digit is a piece of its own, cut out before the rest: to the rest a digit is the end of the text.
DIGITS = CONTRACTIONS + r"|\p{N}| ?\p{L}++| ?[^\s\p{L}\p{N}]++|\s++(?=\p{N}|$)|\s+(?!\S)|\s"
DOCUMENT = 4096


def alphabet():
    import make_tokenizer_goldens as goldens

    return {c: b for b, c in goldens.byte_alphabet().items()}


def build_tiktoken(path):
    """tiktoken ranks merges by the id of what they make: true of vocabularies whose ids follow their merges."""
    import gguf
    import make_tokenizer_goldens as goldens
    import tiktoken

    fields = gguf.GGUFReader(path).fields
    tokens, types, merges = (fields["tokenizer.ggml." + n].contents() for n in ("tokens", "token_type", "merges"))
    pre, to_byte, ids, ranks = fields["tokenizer.ggml.pre"].contents(), alphabet(), {}, {}
    for i, (token, kind) in enumerate(zip(tokens, types)):
        if kind == 1:
            ids[bytes(to_byte[c] for c in token)] = i
    for b in range(256):  # it insists on every byte
        ranks[bytes([b])] = len(ranks)
    for merge in merges:
        ranks.setdefault(bytes(to_byte[c] for c in merge.replace(" ", "")), len(ranks))
    patterns = {"llama-bpe": goldens.CL100K % "{1,3}", "qwen2": goldens.CL100K % "", "gpt-2": GPT2, "mpt": GPT2}
    made = tiktoken.Encoding(pre, pat_str=patterns.get(pre, DIGITS), mergeable_ranks=ranks, special_tokens={})
    to_id = {rank: ids[token] for token, rank in ranks.items() if token in ids}
    return made, to_id


def libraries(path):
    """{name: (encode(text) -> ids, fast(text), note)} or {name: reason}. fast() is what is timed: ids in the library's own form."""
    import loquor

    model = loquor.Model(path, vocab_only=True)
    out = {"loquor": (lambda t: model.tokenize(t, parse_special=False).tolist(), lambda t: model.tokenize(t, parse_special=False), "")}
    try:
        import make_tokenizer_goldens as goldens

        hf = goldens.build(path)[1]
        out["tokenizers"] = (lambda t: hf.encode(t).ids, lambda t: hf.encode_batch_fast([t]), "encode_batch_fast, no offsets")
    except ImportError as e:
        out["tokenizers"] = str(e)
    try:
        tik, to_id = build_tiktoken(path)
        out["tiktoken"] = (lambda t: [to_id.get(i, -1) for i in tik.encode_ordinary(t)],
                           lambda t: tik.encode_to_numpy(t, disallowed_special=()), "encode_to_numpy")
    except ImportError as e:
        out["tiktoken"] = str(e)
    return out


def documents(text):
    """The text cut at line ends into pieces of at least DOCUMENT characters."""
    out, at = [], 0
    while at < len(text):
        end = text.find("\n", at + DOCUMENT)
        end = len(text) if end < 0 else end + 1
        out.append(text[at:end])
        at = end
    return out


def seconds(fn, parts):
    start = time.perf_counter()
    for p in parts:
        fn(p)
    return time.perf_counter() - start


def measure(found, text, rounds):
    cuts = {"whole": [text], f"documents of {DOCUMENT} bytes": documents(text)}
    expected = {how: [found["loquor"][0](p) for p in parts] for how, parts in cuts.items()}
    size, out = len(text.encode()) / 1e6, {}
    for name, library in found.items():
        if isinstance(library, str):
            out[name] = library
        elif any([library[0](p) for p in parts] != expected[how] for how, parts in cuts.items()):
            out[name] = "its ids are not equal to ours"
    able = [name for name in found if name not in out]
    times = {(name, how): [] for name in able for how in cuts}
    for r in range(rounds):
        for key in list(times)[:: 1 if r % 2 else -1]:
            times[key].append(seconds(found[key[0]][1], cuts[key[1]]))
    for name in able:
        how = min(cuts, key=lambda how: sorted(times[name, how])[rounds // 2])
        out[name] = {"mb_per_s": [size / t for t in times[name, how]], "note": f"{found[name][2]} {how}".strip(),
                     "version": importlib.metadata.version(name)}
    return out


def main():
    path, rounds, texts = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    found = libraries(path)
    print(json.dumps({pathlib.Path(t).name: measure(found, pathlib.Path(t).read_text("utf-8"), rounds) for t in texts}))


if __name__ == "__main__":
    main()
