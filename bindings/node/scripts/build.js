"use strict";
// npm's install step. Does nothing if the package holds an addon for this machine; otherwise compiles one against the
// installed library (pkg-config loquor) and the headers that came with Node.
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const root = path.join(__dirname, "..");
const prebuilt = path.join(root, "prebuilds", `${process.platform}-${process.arch}`, "loquor.node");

function main() {
  if (fs.existsSync(prebuilt)) return;
  const headers = process.env.NODE_HEADERS || path.join(path.dirname(process.execPath), "..", "include", "node");
  if (!fs.existsSync(path.join(headers, "node_api.h")))
    throw new Error(`no node_api.h in ${headers}: set NODE_HEADERS to where Node's headers are`);
  const flags = execFileSync("pkg-config", ["--cflags", "--libs", "loquor"], { encoding: "utf8" }).trim().split(/\s+/);
  const libdir = execFileSync("pkg-config", ["--variable=libdir", "loquor"], { encoding: "utf8" }).trim();
  const sources = fs.readdirSync(path.join(root, "src")).filter((f) => f.endsWith(".c"));
  fs.mkdirSync(path.join(root, "build"), { recursive: true });
  execFileSync(process.env.CC || "cc", [
    "-std=c99", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", `-I${headers}`,
    ...sources.map((f) => path.join(root, "src", f)), "-o", path.join(root, "build", "loquor.node"),
    ...flags, `-Wl,-rpath,${libdir}`, `-Wl,--version-script=${path.join(root, "module.map")}`,
  ], { stdio: "inherit" });
}

main();
