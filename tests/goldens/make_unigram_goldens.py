#!/usr/bin/env python3
"""Writes tests/goldens/unigram.gguf, a small Unigram vocabulary with SentencePiece's normalisation nmt_nfkc (that of XLM-R
and T5), and unigram_goldens.json: what SentencePiece and Hugging Face `tokenizers` make of about 1 MB of mixed text and of
every code point with it, and of texts with combining marks. The texts are those of make_tokenizer_goldens.py; only hashes
of the ids are kept. "keep" leaves white space as it is; "bytes" adds byte tokens to the vocabulary's end.

Usage: make_unigram_goldens.py      (pip install tokenizers sentencepiece gguf)
"""
import json
import pathlib
import unicodedata

import gguf
import sentencepiece
import sentencepiece_models
import tokenizers
from make_tokenizer_goldens import CHUNKS, SWEEP_BLOCK, chunk, ids_hash, sweep_text
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).parent
BYTES = ["<0x%02X>" % b for b in range(256)]
MARKED = ["a\u0302\u0301", "o\u031b\u0323", "\u1100\u1161\u11a8\u1112\u1161\u11ab", "\u0915\u094d\u0937\u093f", "\r\n", "\n\n",
          "\U0001f469\u200d\U0001f4bb", "\U0001f1eb\U0001f1f7\U0001f1e9", "\u0e01\u0e33", "e\u0301", "\u0644\u0627\u0301", " \u0301",
          "\ufb01\u0308", "x", " ", "\u00e9", "\u212b\u0327"]


def trained(texts):
    lines = [line for t in texts for line in t.split("\n") if 0 < len(line.encode()) < 4000 and "\0" not in line]
    (HERE / "unigram.txt").write_text("\n".join(lines), encoding="utf-8")
    prefix = str(HERE / "unigram")
    sentencepiece.SentencePieceTrainer.train(
        input=prefix + ".txt", model_prefix=prefix, vocab_size=3000, character_coverage=0.98, model_type="unigram",
        normalization_rule_name="nmt_nfkc", num_threads=1, hard_vocab_limit=False, minloglevel=2)
    data = (HERE / "unigram.model").read_bytes()
    for end in (".txt", ".model", ".vocab"):
        (HERE / ("unigram" + end)).unlink()
    return sentencepiece_models.read(data)


def write_gguf(tokens, scores, types, charsmap):
    w = gguf.GGUFWriter(str(HERE / "unigram.gguf"), "bert")
    w.add_tokenizer_model("t5")
    w.add_token_list(tokens)
    w.add_token_scores(scores)
    w.add_token_types(types)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_unk_token_id(0)
    w.add_remove_extra_whitespaces(True)
    w.add_precompiled_charsmap(charsmap)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.close()


def hugging_face(tokens, scores, charsmap, shape, byte_fallback):
    tok = Tokenizer(models.Unigram(list(zip(tokens, scores)), unk_id=0, byte_fallback=byte_fallback))
    steps = [normalizers.Precompiled(charsmap)]
    if shape == "collapse":
        steps += [normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "\u2581")]
    tok.normalizer = normalizers.Sequence(steps)
    metaspace = pre_tokenizers.Metaspace(prepend_scheme="always")
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace]) if shape == "words" else metaspace
    return tok


def main():
    corpus = json.loads((HERE / "tokenizer_corpus.json").read_text(encoding="utf-8"))
    texts = [chunk(i, corpus) for i in range(CHUNKS)]
    sweeps = [sweep_text(b, set()) for b in range(0x110000 // SWEEP_BLOCK)]
    tokens, scores, types, charsmap = trained(texts)
    write_gguf(tokens, scores, types, charsmap)
    more = (tokens + BYTES, scores + [0.0] * 256, types + [6] * 256)

    def sp(tokens, scores, types, remove):
        return sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_models.model(
            sentencepiece_models.UNIGRAM, tokens, scores, types, charsmap, remove)).encode

    encoders = {"sentencepiece": sp(tokens, scores, types, True), "sentencepiece, keep": sp(tokens, scores, types, False),
                "sentencepiece, bytes": sp(*more, True)}
    for shape in ("collapse", "words", "keep"):
        tok = hugging_face(tokens, scores, charsmap, shape, False)
        encoders["tokenizers, " + shape] = lambda t, tok=tok: tok.encode(t).ids
    tok = hugging_face(more[0], more[1], charsmap, "words", True)
    encoders["tokenizers, bytes"] = lambda t: tok.encode(t).ids
    marked = ["".join(MARKED[(i * 7 + j * j * 3 + j) % len(MARKED)] for j in range(i % 5 + 1)) for i in range(400)]
    marked += [unicodedata.normalize("NFD", t) for t in corpus["fragments"]]
    result = {"made_by": "tests/goldens/make_unigram_goldens.py", "marked_texts": marked,
              "versions": {"tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}}
    for name, encode in encoders.items():
        result[name] = {kind: [ids_hash(encode(t)) for t in list_]
                        for kind, list_ in (("plain", texts), ("sweep", sweeps), ("marked", marked))}
    text = json.dumps(result, separators=(",", ":"), ensure_ascii=True).replace('","', '",\n"')
    (HERE / "unigram_goldens.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
