#!/usr/bin/env python3
"""Compares the layout of the C interface with what its ABI version promised.

usage: abi.py ABI_LAYOUT-PROGRAM ABI-FILE HEADER...

A line of the promise that changed or went away is an error; a structure may only have grown at its end. Fields and
constants of the headers that the program does not print are errors too. With --write as the first argument the file is made.
"""
import pathlib
import re
import subprocess
import sys


def declared(headers):
    text = re.sub(r"/\*.*?\*/", "", "".join(pathlib.Path(h).read_text() for h in headers), flags=re.S)
    for kind, name, body in re.findall(r"typedef (struct|enum) (\w+) \{(.*?)\} \2;", text, flags=re.S):
        for item in re.split(";" if kind == "struct" else ",", body):
            item = item.strip()
            if not item:
                continue
            if kind == "enum":
                yield item.split("=")[0].strip()
            else:
                yield name + "." + re.search(r"(\w+)(\[\w+\])?$", item).group(1)


def main():
    arguments = sys.argv[1:]
    write = arguments[0] == "--write"
    program, promise, *headers = arguments[write:]
    output = subprocess.run([program], check=True, capture_output=True, text=True).stdout
    if write:
        pathlib.Path(promise).write_text(output)
        return 0
    now = dict(line.split(" ", 1) for line in output.splitlines())
    failures = [f"{name} is not printed by abi_layout.c" for name in declared(headers) if name not in now]
    for line in pathlib.Path(promise).read_text().splitlines():
        name, value = line.split(" ", 1)
        grown = "." not in name and name.startswith("lq_") and name in now and int(now[name]) > int(value)
        if now.get(name) != value and not grown:
            failures.append(f"{name} was {value}, is {now.get(name, 'gone')}")
    print("\n".join(failures) or f"ok: {len(now)} lines")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
