#!/usr/bin/env python3
"""JSON-Schema-Test-Suite (draft 2020-12) through our grammars, llguidance's and xgrammar's: which schemas each takes, whether it tells the
valid instances from the others, whether what it draws is valid (ours), and what a token's mask costs.

    python examples/bench/json_schema SUITE build/bin/mask_cases [--model M.gguf]

SUITE: the suite's folder, or the source package of jsonschema from PyPI (jsonschema-*.tar.gz), which carries it. Needs jsonschema;
llguidance, xgrammar, transformers and gguf for the peers. An instance counts as taken if one of its spellings is: its members in any order,
1.0 as 1, with and without \\u escapes and spaces. The suite's format.json, by which formats mean nothing, is left out in favour of optional/format/.
Each engine runs in a process of its own; one that it kills counts as "crashed" and the next case goes on.
"""

import argparse
import decimal
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE.parent), str(HERE)]

from peers.env import default_model, stamp  # noqa: E402

FORMATS = ("date", "time", "date-time", "uuid", "email", "ipv4", "ipv6", "hostname", "duration")
DOCUMENTS = [
    ({"type": "object", "properties": {"name": {"type": "string", "maxLength": 60}, "age": {"type": "integer", "minimum": 0, "maximum": 130},
      "email": {"type": "string", "format": "email"}, "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 8},
      "zip": {"type": "string", "pattern": "^[0-9]{5}$"}}, "required": ["name", "age"], "additionalProperties": False},
     {"name": "Ann Example", "age": 42, "email": "ann.example@mail.example.org", "tags": ["one", "two words", 'three "quoted"'], "zip": "01234"}),
    (True, {"id": 17, "title": "The quick brown fox jumps over the lazy dog.", "values": [1, 2.5, -3e10, None, True], "nested": {"a": [[[{"b": "c"}]]]}}),
    ({"$defs": {"node": {"type": "object", "properties": {"value": {"type": "number"}, "children": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
                         "required": ["value", "children"], "additionalProperties": False}}, "$ref": "#/$defs/node"},
     {"value": 1, "children": [{"value": 2, "children": [{"value": 3.25, "children": []}]}, {"value": 4, "children": []}]}),
]


def orders(value, limit=720):
    """The value with its objects' members in every order (at most `limit` of them)."""
    if isinstance(value, list):
        return [list(x) for x in itertools.islice(itertools.product(*(orders(v, limit) for v in value)), limit)]
    if not isinstance(value, dict):
        return [value]
    values = itertools.product(*(orders(v, limit) for v in value.values()))
    made = (dict(zip(keys, (dict(zip(value, vs))[k] for k in keys))) for vs in values for keys in itertools.permutations(value))
    return list(itertools.islice(made, limit))


def plain(value):
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return int(value) if isinstance(value, float) and value == int(value) else value


def spellings(value):
    how = [{"ensure_ascii": a, "separators": b} for a in (False, True) for b in ((", ", ": "), (",", ":"))]
    texts = [json.dumps(v, **h) for base in (value, plain(value)) for v in orders(base) for h in how]
    return list(dict.fromkeys(t for t in texts if "\n" not in t))


def cases(folder):
    """[{"file", "what", "schema", "instances": [(value, valid)]}]"""
    files = [f for f in sorted(folder.glob("*.json")) if f.name != "format.json"]
    files += [folder / "optional" / "format" / (n + ".json") for n in FORMATS]
    out = []
    for f in files:
        for group in json.loads(f.read_text(encoding="utf-8")):
            out.append({"file": f.stem, "what": group["description"], "schema": group["schema"], "instances": [(t["data"], t["valid"]) for t in group["tests"]]})
    for schema, value in DOCUMENTS:
        out.append({"file": "(documents)", "what": "", "schema": schema, "instances": [(value, True)]})
    return out


def suite_folder(path, scratch):
    path = pathlib.Path(path)
    if path.is_file():
        with tarfile.open(path) as tar:
            tar.extractall(scratch, filter="data")
        path = next(pathlib.Path(scratch).glob("*/json"))
    return path / "tests" / "draft2020-12"


# Each engine: one case in, {"refused": why} or {"ms", "taken": [bool of each text], "times": [(first, again) of each]} out.


def run_loquor(program, model, chosen, samples):
    feed = "".join("\n".join([json.dumps(c["schema"]), *c["texts"]]) + "\n\n" for c in chosen)
    out = subprocess.run([program, model, str(samples)], input=feed, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True).stdout
    found = []
    for block in out.split("\n\n")[: len(chosen)]:
        head, *rest = block.split("\n")
        kind, what = head.split("\t", 1)
        if kind == "refused":
            found.append({"refused": what})
            continue
        rows = [r.split("\t") for r in rest]
        numbers = lambda s: [float(x) for x in s.split(",")]  # noqa: E731
        texts = [r for r in rows if r[0] != "drawn"]
        found.append({"ms": float(what), "taken": [r[0] == "yes" for r in texts], "drawn": [r[1] for r in rows if r[0] == "drawn"],
                      "times": [tuple(map(numbers, r[1:3])) if len(r) == 3 else None for r in texts]})
        last = found[-1]
        if last["drawn"] is not None and any(r[0] == "refused" for r in rows):
            found[-1] = {"refused": next(r[1] for r in rows if r[0] == "refused")}
    assert len(found) == len(chosen)
    return found


def run_peer(name, model, chosen):
    """In a child process, again from the next case if the engine kills it."""
    found = []
    while len(found) < len(chosen):
        feed = json.dumps([{"schema": c["schema"], "texts": c["texts"]} for c in chosen[len(found) :]])
        child = subprocess.run([sys.executable, str(HERE / "peer.py"), name, model], input=feed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        lines = [json.loads(x) for x in child.stdout.splitlines() if x.startswith("{")]
        if not lines and not found and child.returncode == 3:
            return None
        found += lines
        if len(found) < len(chosen):
            found.append({"crashed": True})
    return found


def judge(case, result):
    """(valid instances not taken, others taken)"""
    missed = wrong = 0
    at = 0
    for (value, valid), n in zip(case["instances"], case["counts"]):
        taken = any(result["taken"][at : at + n])
        at += n
        missed += valid and not taken
        wrong += taken and not valid
    return missed, wrong


def drawn_invalid(case, result, jsonschema):
    """[(text, exactly)]: what jsonschema refuses, with floats and, exactly, with decimals: 0.3006 is a multiple of 0.0001 only in the latter."""
    def valid(text, **how):
        schema = json.loads(json.dumps(case["schema"]), **how)
        checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
        return jsonschema.Draft202012Validator(schema, format_checker=checker).is_valid(json.loads(text, **how))

    exact = {"parse_float": decimal.Decimal, "parse_int": decimal.Decimal} if "multipleOf" in json.dumps(case["schema"]) else {"parse_float": decimal.Decimal}
    return [(t, not valid(t, **exact)) for t in result["drawn"] if not valid(t)]


def quantiles(values):
    values = sorted(values)
    at = lambda q: values[int(q * (len(values) - 1))]  # noqa: E731
    return at(0.5), at(0.99), values[-1]


def speed_rows(chosen, results):
    """Over the texts that all engines take: first and kept masks in microseconds, compiling in milliseconds."""
    rows, common = {}, []
    for i, case in enumerate(chosen):
        if all("taken" in r[i] for r in results.values()):
            common += [(i, k) for k in range(len(case["texts"])) if all(r[i]["taken"][k] and r[i]["times"][k] for r in results.values())]
    for name, r in results.items():
        first = [t for i, k in common for t in r[i]["times"][k][0]]
        again = [t for i, k in common for t in r[i]["times"][k][1]]
        rows[name] = (quantiles(first), quantiles(again), quantiles([r[i]["ms"] for i in sorted({i for i, _ in common})]), len(first))
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("suite")
    p.add_argument("program", help="build/bin/mask_cases")
    p.add_argument("--model", default=default_model(), help="whose vocabulary is used")
    p.add_argument("--samples", type=int, default=20, help="random texts a schema")
    p.add_argument("--peers", default="llguidance,xgrammar")
    args = p.parse_args()
    import jsonschema

    with tempfile.TemporaryDirectory() as scratch:
        chosen = cases(suite_folder(args.suite, scratch))
    for c in chosen:
        lists = [spellings(v) for v, _ in c["instances"]]
        c["texts"], c["counts"] = [t for x in lists for t in x], [len(x) for x in lists]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    results = {"loquor": run_loquor(args.program, args.model, chosen, args.samples)}
    for name in filter(None, args.peers.split(",")):
        found = run_peer(name, args.model, chosen)
        if found is None:
            print(f"{name}: not installed, left out", file=sys.stderr)
        else:
            results[name] = found
    text = report(chosen, results, jsonschema)
    print(text)
    return 1 if "INVALID" in text else 0


def report(chosen, results, jsonschema):
    s = stamp()
    out = [f"{len(chosen)} schemas, {sum(len(c['instances']) for c in chosen)} instances; {s['cpu']}, {s['date']}, {s['commit']}, one thread", "",
           "| engine | schemas refused | taken, every verdict right | taken, a valid instance not taken | taken, an invalid instance taken | crashed |", "|---|---|---|---|---|---|"]
    notes = []
    for name, r in results.items():
        counts = dict.fromkeys(("refused", "right", "missed", "wrong", "crashed"), 0)
        for case, result in zip(chosen, r):
            if "taken" not in result:
                counts["crashed" if "crashed" in result else "refused"] += 1
                continue
            missed, wrong = judge(case, result)
            counts["wrong" if wrong else "missed" if missed else "right"] += 1
            if name == "loquor" and (missed or wrong):
                notes.append(f"{case['file']}, {case['what']}: {missed} valid not taken, {wrong} invalid taken")
        out.append(f"| {name} | {counts['refused']} | {counts['right']} | {counts['missed']} | {counts['wrong']} | {counts['crashed']} |")
    ours = results["loquor"]
    drawn = [(c, r) for c, r in zip(chosen, ours) if "drawn" in r]
    bad = [(c, t, exactly) for c, r in drawn for t, exactly in drawn_invalid(c, r, jsonschema)]
    out += ["", f"Drawn at random under loquor's masks: {sum(len(r['drawn']) for _, r in drawn)} texts of {len(drawn)} schemas; not valid by jsonschema: {sum(x for _, _, x in bad)}, "
            f"and {sum(not x for _, _, x in bad)} more if numbers are rounded to binary floats first."]
    out += [f"{'INVALID' if exactly else 'By floats only'}: {c['file']}, {c['what']}: {t[:200]}" for c, t, exactly in bad[:20]]
    out += ["", "| engine | mask and token, first time: p50, p99, max us | again: p50, p99, max us | compiling: p50, p99, max ms | tokens |", "|---|---|---|---|---|"]
    for name, (first, again, ms, n) in speed_rows(chosen, results).items():
        show = lambda q: ", ".join(f"{x:.1f}" if x < 100 else f"{x:.0f}" for x in q)  # noqa: E731
        out.append(f"| {name} | {show(first)} | {show(again)} | {', '.join(f'{x:.2f}' for x in ms)} | {n} |")
    out += ["", "Not as the suite says (loquor):" if notes else "loquor: nothing it takes is judged otherwise than the suite says."] + [f"- {n}" for n in notes]
    refused = {}
    for case, r in zip(chosen, ours):
        if "refused" in r:
            refused.setdefault(case["file"], []).append(r["refused"])
    out += ["", "Refused by loquor, by the suite's file:"] + [f"- {f}: {len(m)} ({m[0][:120]})" for f, m in refused.items()]
    return "\n".join(out)


if __name__ == "__main__":
    sys.exit(main())
