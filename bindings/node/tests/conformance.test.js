"use strict";
// The cases that every language binding must do alike (tests/conformance/cases.json).
const test = require("node:test");
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const loquor = require(process.env.LOQUOR_PACKAGE || "loquor");
const { options, sessionOptions, model, cached } = require("./common.js");

const cases = JSON.parse(fs.readFileSync(process.env.LQ_CASES, "utf8"));

const session = async (given) => (await model()).session(sessionOptions(given || { ctx: 512 }));
const whole = async (s, prompt, c) => (await s.generate(prompt, options(c))).text;

const run = {
  async tokenize(c) {
    const m = await model();
    const ids = m.tokenize(c.text, { parseSpecial: c.parse_special || false });
    assert.deepEqual([...ids], c.ids);
    assert.equal(m.detokenize(ids, { renderSpecial: true }), c.text);
  },
  async generate(c) {
    const s = await session();
    const pieces = [];
    for await (const piece of s.stream(c.messages || c.prompt, options(c))) pieces.push(piece);
    const result = await s.result();
    assert.equal(pieces.join(""), c.text);
    assert.equal(result.text, c.text);
    assert.equal(result.finishReason, c.finish);
    assert.equal(result.generatedTokens, c.generated_tokens);
  },
  async cancel(c) {
    const s = await session();
    await s.start(c.prompt);
    for (let i = 0; i < c.after_tokens; ++i) await s.step();
    s.cancel();
    await assert.rejects(s.step(), { code: "cancelled" });
    assert.equal((await s.step()).kind, "done");
    assert.equal((await s.result()).finishReason, "cancelled");
    assert.equal(await whole(s, c.then, c), c.text);
  },
  async state(c) {
    const first = await session();
    const file = path.join(process.env.LQ_SCRATCH, `state-${process.pid}`);
    await first.setPrompt((await model()).tokenize(c.prompt));
    await first.save(file);
    for (const state of [file, await first.save()]) {
      const s = await session();
      await s.load(state);
      assert.deepEqual(await s.tokens(), await first.tokens());
      assert.equal(await whole(s, undefined, c), c.text);
    }
    fs.unlinkSync(file);
  },
  async fork(c) {
    const first = await session();
    await first.setPrompt((await model()).tokenize(c.prompt));
    const second = await first.fork();
    assert.equal(await whole(second, undefined, c), c.text);
    assert.equal(await whole(first, undefined, c), c.text);
  },
  async logprobs(c) {
    const s = await session();
    let n = 0;
    for await (const e of s.events(c.prompt, options(c))) {
      if (e.kind !== "token") continue;
      ++n;
      assert.equal(e.top.length, c.options.logprobs);
      assert.equal(e.top[0].token, e.token);
      assert.equal(e.top[0].logprob, e.logprob);
      assert.ok(e.top[1].logprob <= e.logprob && e.logprob <= 0);
    }
    assert.equal(n, c.options.max_tokens);
  },
  async budget(c) {
    const s = await session();
    await s.start(c.prompt, options(c));
    let text = "";
    for (let e = { kind: "" }; e.kind !== "done"; text += e.text) e = await s.step(c.budget_us);
    assert.equal(text, c.text);
  },
  async embed(c) {
    const vectors = await (await loquor.load(process.env.LQ_ENCODER)).embedder().embed(c.texts);
    assert.equal(vectors.length, c.texts.length);
    vectors.forEach((vector, i) => {
      assert.equal(vector.length, c.dimension);
      c.begin[i].forEach((x, j) => assert.ok(Math.abs(vector[j] - x) < c.tolerance, `text ${i}, number ${j}`));
    });
  },
  async render(c) {
    assert.equal((await model()).render(c.messages), c.text);
  },
  async error(c) {
    await assert.rejects(async () => calls[c.call](c), (e) => {
      assert.ok(e instanceof loquor.LoquorError, String(e.stack));
      assert.equal(e.code, c.code);
      assert.notEqual(e.message, "");
      return true;
    });
  },
};

const calls = {
  load: (c) => loquor.load(c.source, options(c)),
  load_bytes: (c) => loquor.load(Buffer.from(c.bytes)),
  load_cancelled: (c) => loquor.load(c.source, { signal: AbortSignal.abort() }),
  context: (c) => new loquor.Context({ isa: c.isa }),
  session: async (c) => (await model()).session(sessionOptions(c.options)),
  generate: async (c) => whole(await session(c.session), c.prompt, c),
  detokenize: async (c) => (await model()).detokenize(c.ids),
  embedder: async () => (await model()).embedder(),
  save: async (c) => (await session()).save(c.path),
  async closed() {
    const s = await session();
    s.close();
    s.close();
    await s.feed([1]);
  },
  load_state: async (c) => (await session()).load(Buffer.from(c.bytes)),
  async mismatch() {
    const s = await session({ ctx: 64, kv_type: "q8_0" });
    await s.feed([1, 2, 3]);
    await (await session({ ctx: 64 })).load(await s.save());
  },
};

for (const c of cases) test(c.name, { skip: cached() }, () => run[c.do](c));
