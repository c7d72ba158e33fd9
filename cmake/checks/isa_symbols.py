#!/usr/bin/env python3
"""Fails if an object of one instruction set defines a weak symbol without that set's tag: the linker could hand such code to
a CPU that cannot run it.

    python cmake/checks/isa_symbols.py BUILD-DIR
"""

import pathlib
import re
import subprocess
import sys

TAGS = {"scalar": "Scalar", "avx2": "Avx2", "avx512": "Avx512", "avx512vnni": "Avx512Vnni"}


def main():
    objects = sorted(pathlib.Path(sys.argv[1]).rglob("isa_*.cpp.o"))
    if not objects:
        print(f"isa_symbols: no isa_*.cpp.o under {sys.argv[1]}")
        return 1
    bad = []
    for path in objects:
        isa = re.match(r"isa_(\w+)\.cpp\.o", path.name).group(1)
        if isa == "scalar":
            continue  # built for the baseline: its inline functions run everywhere
        table = subprocess.run(["nm", "-C", "--defined-only", str(path)], capture_output=True, text=True, check=True).stdout
        for line in table.splitlines():
            kind, name = line.split(maxsplit=2)[1:]
            # DW.ref.*: a pointer that the unwinder uses, no code.
            if kind in "WwVvu" and not name.startswith("DW.ref.") and f"arch::{TAGS[isa]}" not in name:
                bad.append(f"{path.name}: weak symbol without its tag: {name}")
    print("\n".join(bad) or f"isa_symbols: {len(objects)} objects, every weak symbol carries its tag")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
