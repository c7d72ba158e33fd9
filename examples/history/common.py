"""What the scripts of examples/history share: where their findings go, tables, plots, recurrent nets of one size."""

import pathlib
import platform
import re

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE, PICTURES = ROOT / "docs" / "history.md", ROOT / "docs" / "history"
COLOURS = {"RNN": "#c44e52", "LSTM": "#4c72b0", "GRU": "#55a868", "Transformer": "#8172b2", "MLP": "#937860"}


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines)


def picture(name):
    PICTURES.mkdir(exist_ok=True)
    plt.tight_layout()
    plt.savefig(PICTURES / f"{name}.png", dpi=90, metadata={"Software": None})
    plt.close()
    return f"![{name}](history/{name}.png)"


def cpu():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        return re.search(r"model name\s*: (.*)", text).group(1)
    except (OSError, AttributeError):
        return platform.processor() or "unknown CPU"


def report(section, text):
    """Puts the text between the section's marks in docs/history.md."""
    page = PAGE.read_text()
    begin, end = f"<!-- {section} -->", f"<!-- end {section} -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    PAGE.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}")
    print(text)


def bodies(width, parameters):
    """Layers from `width` to a width of their own, with about so many parameters: name -> (text, width)."""
    made = {}
    for name, gates in (("RNN", 1), ("LSTM", 4), ("GRU", 3)):
        size = max(n for n in range(4, 2000) if gates * n * (n + width + 2) <= parameters)
        made[name] = (f"{name.lower()} {width} {size}", size)
    # Each layer: 4 C^2 for attention, 4 C^2 for a feed-forward of 2 C, and vectors.
    c = max(n for n in range(8, 1024, 8) if 2 * (8 * n * n + 11 * n) + width * n + n <= parameters)
    made["Transformer"] = (f"linear {width} {c} | transformer {c} heads=4 layers=2 ff={2 * c} causal pre_norm | layer_norm {c}", c)
    return made
