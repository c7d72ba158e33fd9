"use strict";
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const loquor = require(process.env.LOQUOR_PACKAGE || "loquor");

const camel = (object) =>
  Object.fromEntries(Object.entries(object || {}).map(([k, v]) => [k.replace(/_(.)/g, (_, c) => c.toUpperCase()), v]));

function file() {
  const cache = process.env.LOQUOR_CACHE || path.join(process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "loquor");
  return process.env.LQ_TEST_MODEL || path.join(cache, "models", "SmolLM2-135M-Instruct.Q4_1.gguf");
}

let loading;
module.exports = {
  options: (c) => camel(c.options),
  sessionOptions: camel,
  file,
  // For `skip`: false, or why the test cannot run.
  cached: () => (fs.existsSync(file()) ? false : "needs the default model, which is not cached"),
  model: () => (loading ??= loquor.load(file(), { threads: 2 })),
};
