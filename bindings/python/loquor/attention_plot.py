"""Heat maps of attention scores, by matplotlib. `loquor attention --out` runs this file by itself, with JSON on standard input:
{"pieces": [text of each token], "panels": [{"title", "rows": [[...], ...]}]}, and the picture's path as the argument."""

import json
import math
import sys


def _shown(piece):
    return piece.replace("\n", "\\n").replace("$", "\\$") if piece.strip() else repr(piece)[1:-1].replace(" ", "\u2423")


def draw(pieces, panels, path):
    """Writes a picture (.png, .svg, .pdf) of one heat map for each panel: tokens that look downwards, tokens that are looked at to the right.

    pieces  the text of each of T tokens
    panels  [(title, T x T probabilities)]
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n, words = len(panels), [_shown(p) for p in pieces]
    across = math.ceil(math.sqrt(n))
    side = min(14.0, max(3.0, 0.32 * len(words) + 1.4)) if n == 1 else min(4.2, max(2.2, 0.18 * len(words) + 0.8))
    size = max(3.0, min(9.0, 72 * side * 0.7 / max(len(words), 1)))
    fig, axes = plt.subplots(math.ceil(n / across), across, figsize=(side * across + 0.6, side * math.ceil(n / across) + 0.3), squeeze=False, layout="constrained")
    for ax in axes.flat[n:]:
        ax.set_axis_off()
    for ax, (title, rows) in zip(axes.flat, panels):
        image = ax.imshow(rows, cmap="magma_r", vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(title, fontsize=9)
        ax.set_xticks(range(len(words)), words, rotation=90, fontsize=size)
        ax.set_yticks(range(len(words)), words, fontsize=size)
        ax.tick_params(length=0)
    if n == 1:
        axes[0][0].set_xlabel("looked at", fontsize=9)
        axes[0][0].set_ylabel("looks", fontsize=9)
    fig.colorbar(image, ax=axes, shrink=0.6, label="weight")
    fig.savefig(path, dpi=130)
    plt.close(fig)


if __name__ == "__main__":
    try:
        document = json.load(sys.stdin)
        draw(document["pieces"], [(p["title"], p["rows"]) for p in document["panels"]], sys.argv[1])
    except ImportError:
        sys.exit("matplotlib is not installed for this Python: pip install matplotlib")
    except (OSError, ValueError) as error:
        sys.exit(str(error))
