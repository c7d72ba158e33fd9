"""Writes loquor/cdef.lua: the declarations of the C interface as LuaJIT's ffi.cdef reads them.

    python make_cdef.py loquor.h OUTPUT
"""

import pathlib
import re
import sys


def expand(path, seen):
    """The text of a header with our own headers in place of their #include lines, each once."""
    if path in seen:
        return ""
    seen.add(path)
    include = re.compile(r'^#include "(lq_\w+\.h)"$', re.M)
    return include.sub(lambda m: expand(path.parent / m.group(1), seen), path.read_text())


def declarations(header):
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    text = re.sub(r"^#ifdef __cplusplus.*?^#endif", "", text, flags=re.S | re.M)
    text = re.sub(r"^\s*#.*$", "", text.replace("\\\n", " "), flags=re.M)
    text = text.replace("LQ_API ", "").replace(" LQ_NOEXCEPT", "")
    return re.sub(r"\s*\n\s*(?=\n)", "", text).strip()


def main():
    header, output = map(pathlib.Path, sys.argv[1:])
    output.parent.mkdir(parents=True, exist_ok=True)
    text = declarations(expand(header, set()))
    output.write_text(f"-- Made from the C headers by make_cdef.py; do not edit.\nreturn [[\n{text}\n]]\n")


if __name__ == "__main__":
    main()
