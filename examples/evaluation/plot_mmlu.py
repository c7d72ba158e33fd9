#!/usr/bin/env python3
"""Draws reports of `loquor mmlu --json` or `loquor.mmlu`: subjects and categories beside random choice and human experts.

    python examples/evaluation/plot_mmlu.py zero.json five.json --labels "no examples" "five examples" --out mmlu.png
"""

import argparse
import json
import pathlib

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

EXPERTS, RANDOM = 89.8, 25.0  # Hendrycks et al. 2021, table 1 and its text


def rows(report):
    """(name, accuracy, standard error) in percent: all questions, the categories, the subjects."""
    named = [("all questions", report["micro"])] + list(report.get("categories", {}).items()) + list(report["subjects"].items())
    return [(name.replace("_", " "), 100 * s["accuracy"], 100 * s["std_error"]) for name, s in named]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("reports", nargs="+", help="files of JSON")
    p.add_argument("--labels", nargs="*", help="one for each report; the file names otherwise")
    p.add_argument("--out", required=True)
    args = p.parse_args()
    labels = args.labels or [pathlib.Path(r).stem for r in args.reports]
    if len(labels) != len(args.reports):
        p.error("one label for each report")
    figures = [rows(json.loads(pathlib.Path(r).read_text())) for r in args.reports]
    names = [name for name, _, _ in figures[0]]
    fig, ax = plt.subplots(figsize=(8, 1.5 + 0.22 * len(names)))
    height = 0.8 / len(figures)
    for k, (label, found) in enumerate(zip(labels, figures)):
        by_name = {name: (a, e) for name, a, e in found}
        values = [by_name.get(name, (0, 0)) for name in names]
        at = [i + (k - (len(figures) - 1) / 2) * height for i in range(len(names))]
        ax.barh(at, [a for a, _ in values], height, xerr=[e for _, e in values], label=label, error_kw={"linewidth": 0.7})
    ax.axvline(RANDOM, color="grey", linestyle="--", label=f"random choice ({RANDOM:g} %)")
    ax.axvline(EXPERTS, color="black", linestyle=":", label=f"human experts ({EXPERTS} %)")
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(0, 100)
    ax.set_xlabel("accuracy in %, standard error")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=8, frameon=False)
    fig.tight_layout()
    fig.savefig(args.out, dpi=130)


if __name__ == "__main__":
    main()
