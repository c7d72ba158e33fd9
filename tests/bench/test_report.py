#!/usr/bin/env python3
"""The benchmark's page from recorded figures: nothing is timed, and nothing but Python's standard library is needed."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples" / "bench"), str(pathlib.Path(__file__).resolve().parent)]
import recorded  # noqa: E402
from peers import drive, report, results  # noqa: E402


def line(page, *words):
    found = [text for text in page.splitlines() if text.startswith("|") and all(w in text for w in words)]
    assert len(found) == 1, (words, found)
    return found[0]


class Page(unittest.TestCase):
    def setUp(self):
        self.page = report.markdown(recorded.ENTRIES)

    def test_rows_show_both_engines_the_ratio_and_the_verdict(self):
        best = self.page.split("### ")[1]
        self.assertIn("| 200 tokens/s | 100 (llama.cpp) | 2.00x (1.90-2.10) | 1.6x | 2.5x | met |", line(best, "| D1 |"))
        self.assertIn("| aim met |", line(self.page, "| B1 |"))
        self.assertIn("| <= 0.5 | <= 0.2 | aim met |", line(self.page, "| X3 |"))
        self.assertIn("- X3: 600 frames", self.page)

    def test_a_missed_gate_is_shown_as_missed(self):
        self.assertIn("| 4.00x (3.90-4.20) | 7x | 12x | missed |", line(self.page, "| P1 |"))
        self.assertTrue(line(self.page, "| D4 |").endswith("| missed |"))

    def test_what_could_not_be_measured_says_why(self):
        self.assertIn("not measured: openvino: No module", line(self.page, "| O1 |"))
        alone = line(self.page, "| D2 |")
        self.assertIn("150 tokens/s", alone)
        self.assertIn("llama.cpp: not installed", alone)
        self.assertIn("not measured", alone)

    def test_tables_are_apart_by_instruction_set_and_in_the_order_of_the_list(self):
        best, other = self.page.split("### ")[1:3]
        self.assertIn("avx512vnni", best.splitlines()[0])
        self.assertIn("LQ_FORCE_ISA=avx2", other.splitlines()[0])
        rows = [text.split("|")[1].strip() for text in best.splitlines() if text.startswith("| ")][1:]
        self.assertEqual(rows, ["D1", "D2", "D4", "P1", "O1", "B1", "X3"])

    def test_fractions_of_the_roofline(self):
        # 200 tokens/s of 100 MB are half of 40 GB/s; 1,000 tokens/s of 10^8 multiply-adds a fifth of 1,000 Gop/s
        self.assertIn("| 20.0 GB/s | 0.50 | 200 Gop/s | 0.20 |", self.page)

    def test_versions_and_machine(self):
        self.assertIn("## Test CPU", self.page)
        self.assertIn("llama-cpp-python 9.9.9", self.page)
        self.assertIn("abc1234", self.page)


class Kept(unittest.TestCase):
    def test_a_new_row_takes_the_place_of_all_parts_of_the_old_one(self):
        new = recorded.entry("D1", "depth 0", "decode", 300.0)
        merged = results.merge(recorded.ENTRIES, [new])
        same = [e for e in merged if e["row"] == "D1" and e["isa"] == "avx512vnni"]
        self.assertEqual(same, [new])
        self.assertEqual(len(merged), len(recorded.ENTRIES))
        other = dict(new, cpu="Another CPU")
        self.assertEqual(len(results.merge(merged, [other])), len(merged) + 1)

    def test_ratios_are_of_rounds_and_over_one_is_better(self):
        up = results.entry("D1", "", "", "tokens/s", [10.0, 30.0, 20.0], [10.0, 10.0, 10.0], gate=1.6)
        self.assertEqual((up["ours"], up["ratio"], up["ratio_min"], up["ratio_max"]), (20.0, 2.0, 1.0, 3.0))
        down = results.entry("T1", "", "", "ms", [5.0] * 3, [10.0] * 3, higher_is_better=False, gate=1.5)
        self.assertEqual(down["ratio"], 2.0)
        self.assertEqual(results.verdict(down), "met")
        self.assertEqual(results.verdict(results.entry("X3", "", "", "ms", [0.6], kind="at most", gate=0.5, aim=0.2)), "missed")
        self.assertEqual(results.verdict(results.entry("X2", "", "", "", [0.5], kind="kept", gate=0.45, aim=0.6)), "met")
        for key in ("cpu", "date", "commit"):
            self.assertTrue(up[key])

    def test_interleaving_turns_the_order_and_leaves_the_warm_up_out(self):
        calls = []
        got = drive.interleave(2, {name: lambda name=name: calls.append(name) or len(calls) for name in "ab"})
        self.assertEqual("".join(calls), "baabba")
        self.assertEqual(got, {"a": [3, 6], "b": [4, 5]})

    def test_a_peer_that_is_not_there_says_so(self):
        with self.assertRaises(drive.Absent):
            drive.Worker("llama.cpp", "/no/such/python", "none.gguf", 1)
        with self.assertRaises(drive.Absent) as caught:
            drive.tool("/no/such/build", "roofline")
        self.assertIn("roofline is not built", str(caught.exception))


class Command(unittest.TestCase):
    def render(self, path):
        command = [sys.executable, str(ROOT / "examples/bench/compare"), "--render", "--json", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        return path.with_suffix(".md").read_text()

    def test_the_command_writes_the_page_from_kept_figures(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "benchmarks.json"
            path.write_text(json.dumps({"entries": recorded.ENTRIES}))
            self.assertEqual(self.render(path), report.markdown(recorded.ENTRIES))

    def test_the_page_in_docs_is_what_the_figures_in_docs_give(self):
        kept = ROOT / "docs" / "benchmarks.json"
        if not kept.exists():
            self.skipTest("no figures are kept")
        self.assertEqual((ROOT / "docs/benchmarks.md").read_text(), report.markdown(results.load(kept)))


if __name__ == "__main__":
    unittest.main()
