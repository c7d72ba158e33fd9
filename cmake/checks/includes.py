#!/usr/bin/env python3
"""Fails if a layer includes one it must not know, or if any C++ header of the library is included from capi/ downwards.

    python cmake/checks/includes.py [ROOT]
"""

import pathlib
import re
import sys

# area: what it may include besides itself
ALLOWED = {
    "core": set(),
    "simd": {"core"},
    "quant": {"core", "simd"},
    "kernels": {"core", "simd", "quant", "nn"},  # nn/kv_layout.hpp: the shape of a cache page, no code
    "formats": {"core", "quant"},
    "text": {"core"},
    "grammar": {"core", "text"},
    "nn": {"core", "quant", "kernels"},
    "models": {"core", "quant", "kernels", "nn", "formats", "text"},
    "train": {"core", "kernels", "nn", "formats"},
    "tune": {"core", "nn", "formats", "text", "models", "train", "generate"},
    "rag": {"core", "kernels", "text", "models", "generate", "grammar"},
    "prompt": {"core", "text", "models", "generate", "grammar"},
    "eval": {"core", "text", "models", "generate"},
    "generate": {"core", "kernels", "nn", "formats", "text", "grammar", "models"},
}
CORE_EXCEPTIONS = {("lib/core/context.cpp", "kernels")}  # the context picks its kernel table; only there
KERNELS_ONLY = {"loquor/nn/kv_layout.hpp"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"(loquor/([a-z]+)/[^"]+)"', re.M)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    bad = []
    for base in ("include/loquor", "lib"):
        for path in sorted((root / base).rglob("*")):
            if path.suffix not in (".hpp", ".cpp", ".h", ".def"):
                continue
            area = path.relative_to(root / base).parts[0]
            name = path.relative_to(root).as_posix()
            text = path.read_text(encoding="utf-8")
            for header, other in INCLUDE.findall(text):
                if other == area or other in ALLOWED.get(area, set()) or (name, other) in CORE_EXCEPTIONS:
                    if area == "kernels" and other == "nn" and header not in KERNELS_ONLY:
                        bad.append(f"{name}: kernels may include only {', '.join(KERNELS_ONLY)} of nn, not {header}")
                    continue
                bad.append(f"{name}: {area} must not include {header}")
            if re.search(r'#\s*include\s+["<]lq_|#\s*include\s+["<]loquor\.h', text):
                bad.append(f"{name}: the library must not include the C interface")
    for path in sorted((root / "bindings").rglob("*.?pp")) + sorted((root / "examples").glob("*.c*")):
        if '#include "loquor/' in path.read_text(encoding="utf-8") and "bench" not in path.parts:
            bad.append(f"{path.relative_to(root)}: bindings and examples see only capi/")
    print("\n".join(bad) or "includes: every layer knows only what it may")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
