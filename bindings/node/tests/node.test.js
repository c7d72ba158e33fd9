"use strict";
// What is Node's own: the event loop, AbortSignal, garbage collection, worker threads, types.
const test = require("node:test");
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { monitorEventLoopDelay, performance } = require("node:perf_hooks");
const { Worker } = require("node:worker_threads");
const loquor = require("loquor");
const { cached, file, model } = require("./common.js");

const skip = cached();
const LONG = "Once upon a time there was a fox. ".repeat(60);

test("the event loop goes on while a prompt is read and text is made", { skip }, async () => {
  const s = (await model()).session({ ctx: 2048 });
  await s.generate("Hello", { maxTokens: 2 }); // code is loaded and compiled
  let ticks = 0;
  const timer = setInterval(() => ++ticks, 1);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const started = performance.now();
  const result = await s.generate(LONG, { maxTokens: 64, ignoreEnd: true });
  const spent = performance.now() - started;
  delay.disable();
  clearInterval(timer);
  assert.equal(result.generatedTokens, 64);
  // A loop that waited for the library would tick once a token; other processes may take our core for a while.
  assert.ok(ticks > spent / 20, `${ticks} ticks in ${spent.toFixed(0)} ms`);
  console.log(`main loop: p50 ${(delay.percentile(50) / 1e6 - 1).toFixed(2)} ms, p99 ${(delay.percentile(99) / 1e6 - 1).toFixed(2)} ms late in ${spent.toFixed(0)} ms of work`);
});

test("files are read while four sessions have the thread pool", { skip }, async () => {
  const m = await model();
  const all = Promise.all(Array.from({ length: 4 }, () => m.session({ ctx: 2048 }).generate(LONG, { maxTokens: 4, ignoreEnd: true })));
  let over = false;
  all.then(() => (over = true));
  let reads = 0;
  while (!over) {
    await fs.promises.readFile(__filename);
    ++reads;
  }
  for (const r of await all) assert.equal(r.generatedTokens, 4);
  assert.ok(reads > 5, `${reads} reads`);
});

test("an AbortSignal stops a generation, which rejects with an AbortError", { skip }, async () => {
  const s = (await model()).session({ ctx: 2048 });
  const reason = new Error("enough");
  const abort = new AbortController();
  let pieces = 0;
  const loop = async () => {
    for await (const piece of s.stream("Count:", { maxTokens: 500, ignoreEnd: true, signal: abort.signal })) {
      if (piece && ++pieces === 3) abort.abort(reason);
    }
  };
  await assert.rejects(loop(), (e) => e.name === "AbortError" && e.code === "cancelled" && e.cause === reason);
  assert.ok(pieces < 6);
  assert.equal((await s.result()).finishReason, "cancelled");
  // A signal stops nothing but what it was given to.
  assert.equal((await s.generate("The capital of France is", { maxTokens: 2 })).text, " Paris.");
});

test("a signal reaches a prompt that is being read", { skip }, async () => {
  const s = (await model()).session({ ctx: 4096 });
  const started = performance.now();
  await assert.rejects(s.generate(LONG.repeat(5), { maxTokens: 1, signal: AbortSignal.timeout(30) }), { name: "AbortError" });
  const spent = performance.now() - started; // to read it all takes some seconds
  assert.ok(spent < 1000, `${spent} ms`);
  assert.equal((await s.result()).finishReason, "cancelled");
});

test("leaving the loop ends the generation; a second one takes over", { skip }, async () => {
  const s = (await model()).session({ ctx: 512 });
  for await (const piece of s.stream("Count:", { maxTokens: 100 })) if (piece) break;
  assert.equal((await s.step()).kind, "done");
  const first = s.events("Count:", { maxTokens: 100 });
  await first.next();
  await s.start("The capital of France is", { maxTokens: 2 });
  await assert.rejects(first.next(), { code: "invalid_argument" });
  let text = "";
  for (let e = { kind: "" }; e.kind !== "done"; text += e.text) e = await s.step();
  assert.equal(text, " Paris.");
});

test("calls on one session wait for each other; sessions do not", { skip }, async () => {
  const m = await model();
  const one = async (s) => (await s.generate("The capital of France is", { maxTokens: 8 })).text;
  const shared = m.session({ ctx: 512 });
  const texts = await Promise.all([one(m.session()), one(m.session()), one(m.session())]);
  for (const t of texts) assert.equal(t, " Paris.\n\nThe answer is:");
  const [length, , size] = await Promise.all([shared.setPrompt([1, 2, 3]), shared.feed([4, 5]), shared.size()]);
  assert.deepEqual([length, size.length], [0, 5]);
  const left = shared.feed([1]);
  shared.close();
  await assert.rejects(left, { code: "invalid_argument" });
});

test("from bytes, in a worker, with everything collected", { skip }, async () => {
  const bytes = fs.readFileSync(file());
  const m = await loquor.load(bytes, { threads: 1 });
  bytes.fill(0); // it has a copy
  const s = m.session({ ctx: 256 });
  m.close();
  assert.equal((await s.generate("The capital of France is", { maxTokens: 2 })).text, " Paris.");
  const code = `const loquor = require("loquor"); const { parentPort } = require("node:worker_threads");
    loquor.load(${JSON.stringify(file())}, { threads: 1 }).then(async (m) => {
      try { await loquor.load("/none"); } catch (e) { if (!(e instanceof loquor.LoquorError)) throw e; }
      parentPort.postMessage((await m.session().generate("The capital of France is", { maxTokens: 2 })).text);
      m.session().generate("Count:", { maxTokens: 4000, ignoreEnd: true });
    });`;
  const worker = new Worker(code, { eval: true });
  assert.equal(await new Promise((resolve, reject) => worker.on("message", resolve).on("error", reject)), " Paris.");
  assert.equal(await worker.terminate(), 1); // in the middle of a generation
});

test("what is dropped is freed", { skip }, async () => {
  const m = await model();
  const measure = async () => {
    for (let i = 0; i < 3; ++i) {
      global.gc();
      await new Promise(setImmediate);
    }
    return process.memoryUsage().rss;
  };
  const use = async (n) => {
    for (let i = 0; i < n; ++i) await m.session({ ctx: 512 }).feed([i]);
  };
  await use(40);
  const before = await measure();
  await use(200); // 200 caches of a page are 290 MiB
  const grown = (await measure()) - before;
  assert.ok(grown < 64 << 20, `${(grown >> 20)} MiB more`);
});

test("options and arguments of the wrong kind are errors", { skip }, async () => {
  const m = await model();
  const wrong = (call, text) => assert.rejects(async () => call(), (e) => e.code === "invalid_argument" && e.message.includes(text));
  await wrong(() => m.session({ contex: 5 }), "there is no option 'contex'");
  await wrong(() => m.session({ ctx: 1.5 }), "'ctx' must be an integer");
  await wrong(() => m.session({ ctx: -1 }), "'ctx' must be an integer");
  await wrong(() => m.session({ overflow: "toString" }), "must be one of error, slide");
  await wrong(() => m.session({ memoryCap: -1n }), "natural number");
  await wrong(() => m.session().generate("x", { toString: 1 }), "there is no option 'toString'");
  await wrong(() => m.session().generate([{ content: "x" }]), "message 0 has no role");
  await wrong(() => m.session().generate([1.5]), "no token id");
  await wrong(() => m.session().generate("x", { stop: [1] }), "must be a string or strings");
  await wrong(() => m.session().step(NaN), "a budget is a number");
  await wrong(() => m.session().step(), "");
  await wrong(() => m.tokenize(5), "must be a string");
  await wrong(() => loquor.load("smollm2", { context: {} }), "expected a Context");
});

test("templates are the caller's or the model's, in a sandbox", { skip }, async () => {
  const m = await model();
  const say = [{ role: "user", content: "x", mood: "good" }];
  assert.equal(m.render(say, { template: "{{ messages[0].role }} is {{ messages[0].mood }}" }), "user is good");
  assert.throws(() => m.render(say, { template: "{{ raise_exception('no') }}" }), { code: "template_error" });
  assert.throws(() => m.render(say, { template: "{% for i in range(100000000) %}x{% endfor %}" }), { code: "limit" });
  assert.deepEqual([...m.tokenBytes(m.tokenize("\u00fc"))], [0xc3, 0xbc]);
  assert.equal(m.special("eos"), 2);
  assert.equal(m.info.architecture, "llama");
});

test("index.d.ts declares what is there", () => {
  const types = fs.readFileSync(path.join(path.dirname(require.resolve("loquor")), "index.d.ts"), "utf8");
  for (const [name, value] of Object.entries(loquor)) {
    const body = new RegExp(`export (?:class|function|const) ${name}\\b[^{;(]*`).exec(types);
    assert.ok(body, `${name} is not declared`);
    if (typeof value !== "function" || !value.prototype || name === "LoquorError") continue;
    const declared = types.slice(body.index, types.indexOf("\n}", body.index));
    for (const member of Object.getOwnPropertyNames(value.prototype)) {
      if (member === "constructor" || member.startsWith("_")) continue;
      assert.ok(new RegExp(`\\b${member}\\b`).test(declared), `${name}.${member} is not declared`);
    }
    const members = [...declared.matchAll(/^ {2}(?:static |readonly )*(\w+)[(<:]/gm)].map((m) => m[1]);
    for (const member of members) {
      if (["constructor", "dimension"].includes(member)) continue;
      assert.ok(member in value.prototype || member in value, `${name}.${member} does not exist`);
    }
  }
});
