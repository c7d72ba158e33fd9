"use strict";
const native = require("./native.js");
const { invalid } = require("./errors.js");
const { check, ids, text, messages } = require("./options.js");
const { Watch } = require("./cancel.js");
const { Handle } = require("./handle.js");

const SESSION = {
  ctx: "u32",
  kvType: "string",
  overflow: { error: 0, slide: 1 },
  slideKeep: "u32",
  prefillChunk: "u32",
  wipe: "flag",
  memoryCap: "u64",
};
// The stages of the sampler, in the order they are usually run in.
const STAGES = {
  repeatPenalty: "repeat_penalty",
  frequencyPenalty: "frequency_penalty",
  presencePenalty: "presence_penalty",
  topK: "top_k",
  typicalP: "typical_p",
  topP: "top_p",
  minP: "min_p",
  temperature: "temperature",
};
const GENERATE = {
  maxTokens: "u32",
  stop: "strings",
  stopTokens: "ids",
  logprobs: "u32",
  ignoreEnd: "flag",
  append: "flag",
  parseSpecial: "flag",
  noBegin: "flag",
  lookup: "i32",
  seed: "u64",
  tools: "any",
  signal: "any",
  ...Object.fromEntries(Object.keys(STAGES).map((name) => [name, "number"])),
};
// A prompt is computed in slices of this many microseconds, so that other work of Node's thread pool has its turn.
const SLICE_US = 20000;

function promptOf(prompt) {
  if (prompt === undefined || prompt === null || typeof prompt === "string") return prompt;
  if (Array.isArray(prompt) && typeof prompt[0] !== "number") return messages(prompt);
  return ids(prompt, "a prompt (a string, messages or token ids)");
}

function generateOptions(given) {
  const { signal, tools, ...checked } = check(given, GENERATE);
  checked.stages = Object.keys(STAGES)
    .filter((name) => checked[name] !== undefined)
    .map((name) => [STAGES[name], checked[name]]);
  checked.seed ??= 0n;
  if (tools !== undefined) checked.toolsJson = JSON.stringify(tools);
  return { signal, checked };
}

// What the model has seen, and what it remembers of it. Calls on one session run one after another, in the order they were
// made, on threads of Node's pool; cancel() reaches the one that is running.
class Session extends Handle {
  #model;
  #tail = Promise.resolve();
  #generation = 0; // counts start(), so that an iterator knows whether it is still its own
  #watch;

  constructor(model, handle) {
    super("session", handle);
    this.#model = model; // its bytes
  }

  static _create(model, options) {
    return new Session(model, native.session(model._get(), check(options, SESSION)));
  }

  // Runs work(handle) after what was begun before.
  #queue(work) {
    this._get();
    const result = this.#tail.then(() => work(this._get()));
    this.#tail = result.catch(() => {});
    return result;
  }

  // Begins a generation; step() or an iterator does the work. prompt: a text, messages, token ids, or nothing: go on.
  async start(prompt, options) {
    await this.#start(prompt, options);
  }

  async #start(prompt, options) {
    const { signal, checked } = generateOptions(options);
    const from = promptOf(prompt);
    const mine = ++this.#generation;
    this.#watch?.end();
    const watch = (this.#watch = signal && new Watch(signal));
    try {
      await this.#queue((handle) => native.start(handle, from, checked, watch?.handle));
    } catch (error) {
      watch?.end();
      throw error;
    }
    return mine;
  }

  // As much of the next token's work as fits in budgetUs microseconds; without it, until there is one.
  async step(budgetUs) {
    const budget = budgetUs === undefined ? -1 : budgetUs;
    if (typeof budget !== "number" || Number.isNaN(budget) || (budgetUs !== undefined && budget < 0))
      throw invalid(`a budget is a number of microseconds, not ${String(budgetUs)}`);
    const watch = this.#watch;
    try {
      const event = await this.#queue((handle) => native.step(handle, Math.min(budget, 1e15)));
      if (event.kind === "done") watch?.end();
      return event;
    } catch (error) {
      watch?.end();
      throw watch ? watch.translate(error) : error;
    }
  }

  // Every token, and at last { kind: "done" }. Leaving the loop ends the generation.
  async *events(prompt, options) {
    const mine = await this.#start(prompt, options);
    let over = false;
    try {
      while (!over) {
        if (mine !== this.#generation) throw invalid("another generation was begun on the session");
        let event;
        try {
          event = await this.step(SLICE_US);
        } catch (error) {
          over = true;
          throw error;
        }
        over = event.kind === "done";
        if (event.kind !== "working") yield event;
      }
    } finally {
      if (!over && mine === this.#generation && !this.closed) await this.stop();
    }
  }

  // The text, piece by piece: never half a character.
  async *stream(prompt, options) {
    for await (const event of this.events(prompt, options)) if (event.text !== "") yield event.text;
  }

  // The whole text with its figures.
  async generate(prompt, options) {
    for await (const event of this.events(prompt, options)) void event;
    return this.result();
  }

  async stop() {
    await this.#queue((handle) => native.stop(handle));
    this.#watch?.end();
  }

  // The call that is running, or else the next one, is rejected with the code "cancelled".
  cancel() {
    native.cancelSession(this._get());
  }

  result() {
    return this.#queue((handle) => native.result(handle));
  }

  // Appends tokens and computes them.
  feed(tokens) {
    const list = ids(tokens);
    return this.#queue((handle) => native.feed(handle, list));
  }

  // Makes the session hold exactly these tokens; resolves to how many were not computed again.
  setPrompt(tokens) {
    const list = ids(tokens);
    return this.#queue((handle) => native.setPrompt(handle, list));
  }

  // Appends tokens; resolves to { logprob, tokens }: the sum of their log probabilities, and of how many.
  score(tokens) {
    const list = ids(tokens);
    return this.#queue((handle) => native.score(handle, list));
  }

  // The scores of the next token: a Float32Array.
  logits() {
    return this.#queue((handle) => native.logits(handle));
  }

  rewind(length = 0) {
    if (!Number.isSafeInteger(length) || length < 0) throw invalid(`there is no length ${String(length)}`);
    return this.#queue((handle) => native.rewind(handle, length));
  }

  // A second session with the same tokens; what they share is stored once.
  fork() {
    return this.#queue((handle) => new Session(this.#model, native.fork(handle)));
  }

  // Computes with these adapters from now on: [[adapter, scale], ...].
  setAdapters(pairs) {
    const scales = Float32Array.from(pairs, ([, scale]) => scale ?? 1);
    return this.#queue((handle) => native.setAdapters(handle, pairs.map(([adapter]) => adapter._get()), scales));
  }

  tokens() {
    return this.#queue((handle) => native.tokens(handle));
  }

  // { length, capacity, memory }: tokens held, the most it can hold, bytes.
  size() {
    return this.#queue((handle) => native.sizes(handle));
  }

  // Its state: into a file, or without a path as a Buffer.
  save(path) {
    if (path === undefined) return this.#queue((handle) => native.save(handle));
    const name = text(path, "the path");
    return this.#queue((handle) => native.saveFile(handle, name));
  }

  // From a file (a path) or what save() gave.
  load(state) {
    if (typeof state === "string") return this.#queue((handle) => native.loadFile(handle, state));
    if (!ArrayBuffer.isView(state)) throw invalid("load takes a path or bytes");
    const bytes = new Uint8Array(state.buffer, state.byteOffset, state.byteLength).slice();
    return this.#queue((handle) => native.loadState(handle, bytes));
  }
}

module.exports = { Session };
