// Compiled, not run: tsc --strict --noEmit with index.d.ts, where TypeScript is installed.
import { load, LoquorError, Session, Context } from "loquor";
async function main() {
  const model = await load("smollm2", { threads: 2, signal: AbortSignal.timeout(5) });
  const s: Session = model.session({ ctx: 5, kvType: "q8_0", memoryCap: 5n });
  for await (const p of s.stream([{ role: "user", content: "x", name: "y" }], { maxTokens: 5, stop: "x" })) p.toUpperCase();
  for await (const e of s.events([1, 2, 3])) if (e.kind === "done") e.finishReason?.length;
  const r = await s.generate(undefined, { seed: 5n });
  r.tokens.length; const b: Buffer = await s.save(); await s.load(b); await s.save("x");
  const v: Float32Array[] = await model.embedder({ pooling: "cls" }).embed(["x"]);
  new Context({ isa: "avx2" }).threads;
  try {} catch (e) { if (e instanceof LoquorError && e.code === "bad_file") return v; }
  // @ts-expect-error
  s.generate(5);
  // @ts-expect-error
  s.generate("x", { maxToken: 5 });
  // @ts-expect-error
  new Session();
}
main();
