/// <reference types="node" />
/** Loquor: language models inside your own program. The comments of loquor.h say more about each call. */

export type Code =
  | "invalid_argument" | "not_found" | "io" | "bad_file" | "unsupported" | "out_of_memory" | "context_full" | "cancelled"
  | "limit" | "mismatch" | "template_error" | "forked" | "internal" | "buffer_too_small";

/** What goes wrong in the library. What an AbortSignal stopped has the name "AbortError" and the signal's reason as cause. */
export class LoquorError extends Error {
  constructor(code: Code, message: string, options?: ErrorOptions);
  readonly code: Code;
}

export interface ContextOptions {
  /** Computing threads; 0: the CPUs this process may use. */
  threads?: number;
  /** "avx512vnni", "avx2", "scalar", ...; the best of this CPU if not given. */
  isa?: string;
  /** How long an idle thread spins before it sleeps, in microseconds. */
  spinUs?: number;
}

interface Closable {
  /** Frees it at once; otherwise the garbage collector does. A second call does nothing. */
  close(): void;
  readonly closed: boolean;
}

/** Threads, memory and instruction set: what models are loaded into. */
export class Context implements Closable {
  constructor(options?: ContextOptions);
  readonly threads: number;
  readonly isa: string;
  close(): void;
  readonly closed: boolean;
}

export interface LoadOptions {
  /** Where to; a context of its own if not given. */
  context?: Context;
  /** Threads of a context of its own. */
  threads?: number;
  compute?: "quantized" | "f32";
  vocabOnly?: boolean;
  /** Read the file into memory instead of mapping it. */
  privateCopy?: boolean;
  /** Bytes that weights and tables may take. */
  memoryCap?: number | bigint;
  signal?: AbortSignal;
}

/** Loads a model: a short name ("smollm2"), a GGUF file, a Hugging Face folder, or the bytes of a GGUF file. */
export function load(source: string | NodeJS.ArrayBufferView, options?: LoadOptions): Promise<Model>;

export interface ModelInfo {
  architecture: string;
  name: string;
  hasChatTemplate: boolean;
  vocabSize: number;
  layers: number;
  width: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  ffWidth: number;
  trainedContext: number;
  parameters: number;
  fileBytes: number;
  weightBytes: number;
  kvBytes: number;
  workspaceBytes: number;
}

export interface Message {
  role: string;
  content?: string;
  /** What the chat template sees besides: tool_calls, name, ... */
  [extra: string]: unknown;
}

export type TokenList = Int32Array | readonly number[];

/** Weights and vocabulary. Made by load(). */
export class Model implements Closable {
  private constructor();
  static load(source: string | NodeJS.ArrayBufferView, options?: LoadOptions): Promise<Model>;
  readonly info: ModelInfo;
  session(options?: SessionOptions): Session;
  embedder(options?: EmbedderOptions): Embedder;
  adapter(path: string): Adapter;
  tokenize(text: string, options?: { addSpecial?: boolean; parseSpecial?: boolean }): Int32Array;
  detokenize(tokens: TokenList, options?: { renderSpecial?: boolean }): string;
  /** The bytes of tokens, which may end within a character. */
  tokenBytes(tokens: TokenList, options?: { renderSpecial?: boolean }): Buffer;
  special(role: "bos" | "eos" | "eot" | "unk" | "pad"): number | undefined;
  /** The prompt that the chat template (the model's own, or `template`, in Jinja) makes of messages. */
  render(messages: readonly Message[], options?: { tools?: readonly object[]; template?: string }): string;
  close(): void;
  readonly closed: boolean;
}

export interface SessionOptions {
  /** The most tokens it holds; as many as the model was trained with if not given. */
  ctx?: number;
  kvType?: "f16" | "q8_0" | "f32" | (string & {});
  overflow?: "error" | "slide";
  slideKeep?: number;
  prefillChunk?: number;
  wipe?: boolean;
  memoryCap?: number | bigint;
}

/** A text, a conversation, token ids, or nothing: go on from what the session holds. */
export type Prompt = string | readonly Message[] | TokenList | null | undefined;

export interface GenerateOptions {
  /** 0: until the model ends or the context is full. */
  maxTokens?: number;
  stop?: string | readonly string[];
  stopTokens?: TokenList;
  /** How many most probable tokens to report for each. */
  logprobs?: number;
  ignoreEnd?: boolean;
  /** The prompt is appended to what the session holds. */
  append?: boolean;
  /** A text prompt may hold control tokens. */
  parseSpecial?: boolean;
  noBegin?: boolean;
  /** Prompt lookup: 0 chosen by the library, -1 none. */
  lookup?: number;
  seed?: number | bigint;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  typicalP?: number;
  repeatPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  /** Tools for the chat template. */
  tools?: readonly object[];
  signal?: AbortSignal;
}

export type FinishReason = "stop" | "length" | "context_full" | "cancelled" | "callback" | "none";

export interface Event {
  kind: "working" | "token" | "done";
  /** Text that is now complete, maybe empty. */
  text: string;
  promptDone: number;
  promptTotal: number;
  /** With "token". */
  token?: number;
  index?: number;
  /** With "token", if logprobs were asked for. */
  logprob?: number;
  top?: { token: number; logprob: number }[];
  /** With "done". */
  finishReason?: FinishReason;
}

export interface Result {
  text: string;
  tokens: Int32Array;
  finishReason: FinishReason;
  promptTokens: number;
  reusedTokens: number;
  generatedTokens: number;
  loadMs: number;
  prefillMs: number;
  decodeMs: number;
  firstTokenMs: number;
  prefillTps: number;
  decodeTps: number;
  draftedTokens: number;
  acceptedTokens: number;
}

/** One conversation or document. Its calls run one after another, beside the event loop. Made by model.session(). */
export class Session implements Closable {
  private constructor();
  /** The whole text, with its figures. */
  generate(prompt?: Prompt, options?: GenerateOptions): Promise<Result>;
  /** The text, piece by piece. Leaving the loop ends the generation. */
  stream(prompt?: Prompt, options?: GenerateOptions): AsyncGenerator<string, void, void>;
  /** Every token, and at last "done". */
  events(prompt?: Prompt, options?: GenerateOptions): AsyncGenerator<Event, void, void>;
  start(prompt?: Prompt, options?: GenerateOptions): Promise<void>;
  step(budgetUs?: number): Promise<Event>;
  stop(): Promise<void>;
  /** The call that is running, or else the next one, is rejected with the code "cancelled". */
  cancel(): void;
  result(): Promise<Result>;
  feed(tokens: TokenList): Promise<void>;
  /** Resolves to how many tokens were not computed again. */
  setPrompt(tokens: TokenList): Promise<number>;
  score(tokens: TokenList): Promise<{ logprob: number; tokens: number }>;
  logits(): Promise<Float32Array>;
  rewind(length?: number): Promise<void>;
  fork(): Promise<Session>;
  setAdapters(adapters: readonly [Adapter, number?][]): Promise<void>;
  tokens(): Promise<Int32Array>;
  size(): Promise<{ length: number; capacity: number; memory: number }>;
  save(): Promise<Buffer>;
  save(path: string): Promise<void>;
  load(state: string | NodeJS.ArrayBufferView): Promise<void>;
  close(): void;
  readonly closed: boolean;
}

export interface EmbedderOptions {
  maxTokens?: number;
  batchTokens?: number;
  /** Vectors as they come, not of length 1. */
  raw?: boolean;
  pooling?: "mean" | "cls" | "last" | (string & {});
}

/** Makes vectors of texts with a text encoder. */
export class Embedder implements Closable {
  constructor(model: Model, options?: EmbedderOptions);
  readonly dimension: number;
  embed(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
  close(): void;
  readonly closed: boolean;
}

/** A LoRA adapter: a GGUF file, or a folder as PEFT saves it. */
export class Adapter implements Closable {
  constructor(model: Model, path: string);
  close(): void;
  readonly closed: boolean;
}

export const version: string;
