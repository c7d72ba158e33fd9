#!/usr/bin/env python3
"""Writes src/ffi.rs: the declarations of the C interface as Rust reads them.

    python make_ffi.py loquor.h OUTPUT            --check instead of writing: fails if the file is not what it would write

The file is checked in, so that the crate builds without the headers; `ctest -R rust_ffi` checks it. What it cannot read it refuses:
a new kind of declaration in the headers is an error here, never left out.
"""

import pathlib
import re
import subprocess
import sys

SCALARS = {"void": "c_void", "char": "c_char", "int": "c_int", "float": "f32", "double": "f64", "size_t": "usize",
           "int32_t": "i32", "uint32_t": "u32", "int64_t": "i64", "uint64_t": "u64"}
KEYWORDS = {"type", "fn", "in", "match", "move", "ref", "self", "use", "where", "loop", "box", "final"}
HEAD = """\
//! The C interface as it is (loquor.h, whose comments are its documentation). Made by make_ffi.py; do not edit.
#![allow(dead_code, non_camel_case_types, clippy::upper_case_acronyms)]

use std::os::raw::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};

"""


def expand(path, seen):
    """The text of a header with our own headers in place of their #include lines, each once."""
    if path in seen:
        return ""
    seen.add(path)
    include = re.compile(r'^#include "(lq_\w+\.h)"$', re.M)
    return include.sub(lambda m: expand(path.parent / m.group(1), seen), path.read_text())


def name(word):
    return word + "_" if word in KEYWORDS else word


def rust_type(c):
    """`const char* const*` to `*const *const c_char`."""
    tokens = re.findall(r"\w+|\*", c)
    const = tokens[0] == "const"
    base = tokens[1 if const else 0]
    if not (base in SCALARS or base.startswith("lq_")):
        raise ValueError(f"what type is {c!r}?")
    out = SCALARS.get(base, base)
    for token in tokens[2 if const else 1:]:
        if token == "const":
            const = True
        elif token == "*":
            out = f"*{'const' if const else 'mut'} {out}"
            const = False
        else:
            raise ValueError(f"what type is {c!r}?")
    return out


def split(parameters):
    """At the commas that are in no parentheses."""
    parts, depth = [""], 0
    for c in parameters:
        depth += (c == "(") - (c == ")")
        if c == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += c
    return [p.strip() for p in parts if p.strip() not in ("", "void")]


def returned(c):
    return "" if c.strip() == "void" else " -> " + rust_type(c)


def pointer(result, parameters):
    listed = ", ".join(f"{n}: {t}" for n, t in map(declared, split(parameters)))
    return f'Option<unsafe extern "C" fn({listed}){returned(result)}>'


def declared(c):
    """A field or parameter: its name and Rust's type."""
    if m := re.fullmatch(r"(.+?)\(\*(\w+)\)\((.*)\)", c, re.S):
        inner = pointer(m[1], m[3])
        return name(m[2]), inner[len("Option<"):-1]  # a parameter that is a function may not be NULL
    m = re.fullmatch(r"(.+?)\s*(\w+)(?:\[(\w+)\])?", c, re.S)
    kind = rust_type(m[1])
    return name(m[2]), f"[{kind}; {m[3]}]" if m[3] else kind


def members(body):
    """The fields of a structure; `double a, b;` are two."""
    for item in filter(None, map(str.strip, body.split(";"))):
        first, *more = split(item)
        n, kind = declared(first)
        yield n, kind
        yield from ((name(other), kind) for other in more)


def value(text, kind, struct):
    text = text.strip()
    if text.startswith("(uint32_t)sizeof"):
        return f"std::mem::size_of::<{struct}>() as u32"
    if text.startswith("{"):
        return "[0; " + kind.rsplit("; ", 1)[1]
    if text == "NULL":
        return "None" if kind.endswith("_fn") else "null_mut()" if kind.startswith("*mut") else "null()"
    if kind in ("f32", "f64"):
        return str(float(text.rstrip("f")))
    return text


def structs(text, inits):
    for m in re.finditer(r"typedef struct (\w+) \{(.*?)\} \1;", text, re.S):
        fields = list(members(m[2]))
        rows = "".join(f"    pub {n}: {t},\n" for n, t in fields)
        yield f"#[repr(C)]\n#[derive(Clone, Copy)]\npub struct {m[1]} {{\n{rows}}}\n"
        if m[1] not in inits:
            continue
        values = [v for v in re.split(r",(?![^{]*\})", inits.pop(m[1])) if v.strip()]
        if len(values) != len(fields):
            raise ValueError(f"{m[1]} has {len(fields)} fields, its INIT {len(values)} values")
        rows = "".join(f"    {n}: {value(v, t, m[1])},\n" for (n, t), v in zip(fields, values))
        yield f"pub const {m[1].upper()}_INIT: {m[1]} = {m[1]} {{\n{rows}}};\n"


def enums(text):
    for m in re.finditer(r"typedef enum (\w+) \{(.*?)\} \1;", text, re.S):
        rows = [re.fullmatch(r"\s*(\w+) = (-?\d+)\s*", item) for item in m[2].split(",") if item.strip()]
        yield f"pub type {m[1]} = c_int;\n" + "".join(f"pub const {r[1]}: {m[1]} = {r[2]};\n" for r in rows)


def numbers(text):
    """#define NAME number, but for the INITs and what belongs to the compiler."""
    for m in re.finditer(r"^#define (LQ_\w+) (.*\d.*)$", text, re.M):
        if c := re.fullmatch(r"\(?\(?(?:\((size_t|uint64_t)\))?(-?\d+)(?: << (\d+))?\)?\)?", m[2].strip()):
            kind = SCALARS[c[1]] if c[1] else "u32"
            yield f"pub const {m[1]}: {kind} = {kind + '::MAX' if c[2] == '-1' else c[2] + (f' << {c[3]}' if c[3] else '')};\n"


def functions(text):
    for m in re.finditer(r"^LQ_API ([\w *]+?)\b(lq_\w+)\(([^;]*?)\) LQ_NOEXCEPT;", text, re.M):
        listed = ", ".join(f"{n}: {t}" for n, t in map(declared, split(m[3])))
        yield f"    pub fn {m[2]}({listed}){returned(m[1])};\n"


def layout(text):
    """A table for the test below, which compares it with what a C compiler says."""
    rows = []
    for m in re.finditer(r"typedef struct (\w+) \{(.*?)\} \1;", text, re.S):
        rows += [f'("{m[1]}.{n.rstrip("_")}", std::mem::offset_of!({m[1]}, {n}), std::mem::size_of::<{t}>()),\n' for n, t in members(m[2])]
        rows.append(f'("{m[1]}", std::mem::size_of::<{m[1]}>(), 0),\n')
    constants = [f'("{c}", {c}),\n' for m in re.finditer(r"typedef enum (\w+) \{(.*?)\} \1;", text, re.S) for c in re.findall(r"(\w+) =", m[2])]
    return ("#[cfg(test)]\npub const LAYOUT: &[(&str, usize, usize)] = &[\n" + "".join(rows) + "];\n\n"
            "#[cfg(test)]\npub const CONSTANTS: &[(&str, c_int)] = &[\n" + "".join(constants) + "];\n")


def rust(header):
    text = re.sub(r"/\*.*?\*/", "", expand(header, set()), flags=re.S).replace("\\\n", " ")
    inits = {m[1].lower(): m[2] for m in re.finditer(r"^#define (LQ_\w+)_INIT\s+\{(.*)\}\s*$", text, re.M)}
    opaque = re.findall(r"typedef struct (\w+) \1;", text)
    callbacks = re.findall(r"typedef ([^;{}]+?)\(\*(\w+)\)\(([^;]*)\);", text)
    out = HEAD + "\n".join([
        "".join(numbers(text)), *enums(text),
        "".join(f"#[repr(C)]\npub struct {n} {{\n    _private: [u8; 0],\n}}\n\n" for n in opaque),
        "".join(f"pub type {n} = {pointer(r, p)};\n" for r, n, p in callbacks),
        *structs(text, inits), 'extern "C" {\n' + "".join(functions(text)) + "}\n", layout(text)])
    if inits:
        raise ValueError(f"INITs of no structure: {sorted(inits)}")
    if out.count("    pub fn ") != text.count("LQ_NOEXCEPT;"):
        raise ValueError("some functions were not understood")
    return out


def bare(code):
    """Without what rustfmt decides, which differs between its versions."""
    return re.sub(r",(?=[)\]}>])", "", re.sub(r"\s+", "", code))


def main():
    check = "--check" in sys.argv
    header, output = (pathlib.Path(a) for a in sys.argv[1:] if a != "--check")
    code = rust(header)
    if check and bare(output.read_text()) != bare(code):
        sys.exit(f"{output} is not what the headers say now: run make_ffi.py {header} {output}")
    if not check:
        output.write_text(code)
        subprocess.run(["rustfmt", "--edition", "2021", str(output)], check=True)
    print(f"{output}: {code.count('pub fn ')} functions, {code.count('pub struct ')} structures")


if __name__ == "__main__":
    main()
