"use strict";
// Options are checked here, so that a misspelt name or a number of the wrong kind is an error and never ignored; the addon
// takes what comes from here as it is.
const { invalid } = require("./errors.js");

const LIMITS = { u32: [0, 0xffffffff], i32: [-0x80000000, 0x7fffffff] };

function integer(name, value, [low, high]) {
  if (typeof value !== "number" || !Number.isInteger(value) || value < low || value > high)
    throw invalid(`option '${name}' must be an integer from ${low} to ${high}, not ${String(value)}`);
  return value;
}

function unsigned64(name, value) {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === "bigint" && value >= 0n && value < 1n << 64n) return value;
  throw invalid(`option '${name}' must be a natural number below 2^64, not ${String(value)}`);
}

function typed(name, value, type) {
  if (typeof value !== type) throw invalid(`option '${name}' must be a ${type}, not ${String(value)}`);
  return value;
}

const CHECKS = {
  u32: (name, value) => integer(name, value, LIMITS.u32),
  i32: (name, value) => integer(name, value, LIMITS.i32),
  u64: unsigned64,
  flag: (name, value) => (typed(name, value, "boolean") ? 1 : 0),
  number: (name, value) => typed(name, value, "number"),
  string: (name, value) => typed(name, value, "string"),
  ids: (name, value) => ids(value, `option '${name}'`),
  any: (name, value) => value,
  strings(name, value) {
    const list = typeof value === "string" ? [value] : value;
    if (!Array.isArray(list) || list.some((s) => typeof s !== "string"))
      throw invalid(`option '${name}' must be a string or strings`);
    return list;
  },
};

// Options by a table of name -> kind, or an object of names -> numbers for a closed set.
function check(given, table) {
  const out = {};
  if (given === undefined || given === null) return out;
  if (typeof given !== "object") throw invalid(`options must be an object, not ${String(given)}`);
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(table, name) ? table[name] : undefined;
    if (kind === undefined) throw invalid(`there is no option '${name}'`);
    if (value === undefined) continue;
    if (typeof kind === "object") {
      if (!Object.hasOwn(kind, value)) throw invalid(`option '${name}' must be one of ${Object.keys(kind).join(", ")}, not ${String(value)}`);
      out[name] = kind[value];
    } else {
      out[name] = CHECKS[kind](name, value);
    }
  }
  return out;
}

// Token ids as an Int32Array of our own.
function ids(value, what = "tokens") {
  if (value instanceof Int32Array) return value.slice();
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw invalid(`${what} must be a list of token ids`);
  const out = Int32Array.from(value);
  for (let i = 0; i < out.length; ++i)
    if (out[i] !== value[i]) throw invalid(`${what}: number ${i} is no token id: ${String(value[i])}`);
  return out;
}

function text(value, what = "the text") {
  if (typeof value !== "string") throw invalid(`${what} must be a string, not ${typeof value}`);
  return value;
}

// Messages as the addon takes them: what is not role and content goes along as JSON ("tool_calls", "name", ...).
function messages(list) {
  if (!Array.isArray(list)) throw invalid("messages must be a list");
  return list.map((message, i) => {
    if (message === null || typeof message !== "object" || typeof message.role !== "string")
      throw invalid(`message ${i} has no role`);
    const { role, content = "", ...extra } = message;
    if (typeof content !== "string") throw invalid(`message ${i}: content must be a string`);
    return { role, content, extraJson: Object.keys(extra).length ? JSON.stringify(extra) : undefined };
  });
}

module.exports = { check, ids, text, messages };
