"use strict";
const native = require("./native.js");
const { invalid } = require("./errors.js");
const { check, ids, text, messages } = require("./options.js");
const { abortable } = require("./cancel.js");
const { Handle } = require("./handle.js");
const { Session } = require("./session.js");

const CONTEXT = { threads: "u32", isa: "string", spinUs: "u32" };
const LOAD = {
  compute: { quantized: 0, f32: 1 },
  vocabOnly: "flag",
  privateCopy: "flag",
  memoryCap: "u64",
  context: "any",
  threads: "u32",
  signal: "any",
};
const TOKENIZE = { addSpecial: "flag", parseSpecial: "flag" };
const DETOKENIZE = { renderSpecial: "flag" };
const RENDER = { tools: "any", template: "string" };
const EMBEDDER = { maxTokens: "u32", batchTokens: "u32", raw: "flag", pooling: "string" };

// Threads, memory and instruction set: what models are loaded into.
class Context extends Handle {
  constructor(options) {
    super("context", native.context(check(options, CONTEXT)));
  }

  get threads() {
    return native.contextInfo(this._get()).threads;
  }

  get isa() {
    return native.contextInfo(this._get()).isa;
  }
}

// Loads a model: a short name, the path of a GGUF file or of a Hugging Face folder, or the bytes of a GGUF file.
async function load(source, options) {
  const { context, threads, signal, ...rest } = check(options, LOAD);
  if (context !== undefined && threads !== undefined) throw invalid("give a context or threads, not both");
  const home = context ?? new Context({ threads });
  // The bytes must stay as they are as long as the model lives: a copy that nobody else can reach.
  const bytes = ArrayBuffer.isView(source) ? copy(source) : undefined;
  const from = bytes ?? text(source, "the source");
  const handle = await abortable(signal, (cancel) => native.load(Handle.of(home, Context), from, rest, cancel));
  return new Model(handle, bytes);
}

function copy(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

class Model extends Handle {
  #bytes;

  constructor(handle, bytes) {
    super("model", handle);
    this.#bytes = bytes;
  }

  static load(source, options) {
    return load(source, options);
  }

  get info() {
    return native.info(this._get());
  }

  session(options) {
    return Session._create(this, options);
  }

  embedder(options) {
    return new Embedder(this, options);
  }

  adapter(path) {
    return new Adapter(this, path);
  }

  tokenize(string, options) {
    return native.tokenize(this._get(), text(string), check(options, TOKENIZE));
  }

  // The bytes of the tokens, which may end within a character.
  tokenBytes(tokens, options) {
    return native.detokenize(this._get(), ids(tokens), check(options, DETOKENIZE));
  }

  detokenize(tokens, options) {
    return this.tokenBytes(tokens, options).toString("utf8");
  }

  // The token of a role ("bos", "eos", "eot", "unk", "pad"), or undefined.
  special(role) {
    const id = native.special(this._get(), text(role, "the role"));
    return id < 0 ? undefined : id;
  }

  // The prompt that the chat template (the model's own, or `template`) makes of messages.
  render(list, options) {
    const { tools, template } = check(options, RENDER);
    return native.render(this._get(), messages(list), tools && JSON.stringify(tools), template);
  }
}

class Embedder extends Handle {
  #model;

  constructor(model, options) {
    super("embedder", native.embedder(Handle.of(model, Model), check(options, EMBEDDER)));
    this.#model = model; // its bytes
    this.dimension = native.dimension(this._get());
  }

  // A Float32Array for each text.
  async embed(texts, options) {
    const { signal } = check(options, { signal: "any" });
    if (!Array.isArray(texts)) throw invalid("embed takes a list of texts");
    const list = texts.map((t, i) => text(t, `text ${i}`));
    const all = await abortable(signal, (cancel) => native.embed(this._get(), list, cancel));
    return list.map((_, i) => all.subarray(i * this.dimension, (i + 1) * this.dimension));
  }
}

// A LoRA adapter: a GGUF file or a folder as PEFT saves it; for session.setAdapters().
class Adapter extends Handle {
  constructor(model, path) {
    super("adapter", native.adapter(Handle.of(model, Model), text(path, "the path")));
  }
}

module.exports = { Context, Model, Embedder, Adapter, load };
