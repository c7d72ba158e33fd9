//! A complete llama model of 300 KB, written as a GGUF file in memory: byte-level BPE, ChatML template, random weights (fixed by a
//! seed). Its text is nonsense, but every code path from file to text runs, in milliseconds and without any file.

#![allow(dead_code)] // no test program uses all of it

use loquor::*;
use std::sync::OnceLock;

const D: u64 = 64; // width
const FF: u64 = 96; // of the feed-forward block
const HEADS: u32 = 4;
const KV_HEADS: u32 = 2;
const LAYERS: u32 = 2;

const TEMPLATE: &str =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}\
    {% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

#[derive(Default)]
struct Gguf {
    metadata: Vec<u8>,
    tensors: Vec<u8>,
    data: Vec<u8>,
    keys: u64,
    count: u64,
}

fn put_string(out: &mut Vec<u8>, s: &str) {
    out.extend((s.len() as u64).to_le_bytes());
    out.extend(s.as_bytes());
}

fn align(out: &mut Vec<u8>) {
    out.resize(out.len().div_ceil(32) * 32, 0);
}

impl Gguf {
    fn value(&mut self, key: &str, kind: u32, bytes: &[u8]) {
        put_string(&mut self.metadata, key);
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend(bytes);
        self.keys += 1;
    }

    fn u32(&mut self, key: &str, v: u32) {
        self.value(key, 4, &v.to_le_bytes());
    }

    fn f32(&mut self, key: &str, v: f32) {
        self.value(key, 6, &v.to_le_bytes());
    }

    fn string(&mut self, key: &str, v: &str) {
        let mut bytes = Vec::new();
        put_string(&mut bytes, v);
        self.value(key, 8, &bytes);
    }

    fn array(&mut self, key: &str, kind: u32, count: usize, items: &[u8]) {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend((count as u64).to_le_bytes());
        bytes.extend(items);
        self.value(key, 9, &bytes);
    }

    fn strings(&mut self, key: &str, list: &[String]) {
        let mut items = Vec::new();
        list.iter().for_each(|s| put_string(&mut items, s));
        self.array(key, 8, list.len(), &items);
    }

    /// F32; dimensions innermost first, as in the file.
    fn tensor(&mut self, name: &str, dims: &[u64], mut value: impl FnMut() -> f32) {
        put_string(&mut self.tensors, name);
        self.tensors.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|d| self.tensors.extend(d.to_le_bytes()));
        self.tensors.extend(0u32.to_le_bytes());
        self.tensors.extend((self.data.len() as u64).to_le_bytes());
        for _ in 0..dims.iter().product() {
            self.data.extend(value().to_le_bytes());
        }
        align(&mut self.data);
        self.count += 1;
    }

    fn finish(self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3u32.to_le_bytes());
        out.extend(self.count.to_le_bytes());
        out.extend(self.keys.to_le_bytes());
        out.extend(self.metadata);
        out.extend(self.tensors);
        align(&mut out);
        out.extend(self.data);
        out
    }
}

/// The GPT-2 alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and on.
fn alphabet() -> Vec<String> {
    let itself = |b: u32| (33..=126).contains(&b) || (161..=172).contains(&b) || b >= 174;
    let mut others = 256..;
    (0..256u32)
        .map(|b| if itself(b) { b } else { others.next().unwrap() })
        .map(|c| char::from_u32(c).unwrap().into())
        .collect()
}

/// The file. Ids: 0 `<|endoftext|>`, 1 `<|im_start|>`, 2 `<|im_end|>`, 3 and on the 256 bytes, then "he".
pub fn tiny_model() -> Vec<u8> {
    let mut g = Gguf::default();
    g.string("general.architecture", "llama");
    g.string("general.name", "Tiny");
    g.u32("llama.block_count", LAYERS);
    g.u32("llama.context_length", 256);
    g.u32("llama.embedding_length", D as u32);
    g.u32("llama.feed_forward_length", FF as u32);
    g.u32("llama.attention.head_count", HEADS);
    g.u32("llama.attention.head_count_kv", KV_HEADS);
    g.f32("llama.attention.layer_norm_rms_epsilon", 1e-5);
    let mut tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(String::from).to_vec();
    tokens.extend(alphabet());
    tokens.push("he".into());
    let kinds: Vec<u8> = (0..tokens.len()).flat_map(|i| if i < 3 { 3i32 } else { 1 }.to_le_bytes()).collect();
    g.string("tokenizer.ggml.model", "gpt2");
    g.string("tokenizer.ggml.pre", "smollm");
    g.strings("tokenizer.ggml.tokens", &tokens);
    g.array("tokenizer.ggml.token_type", 5, tokens.len(), &kinds);
    g.strings("tokenizer.ggml.merges", &["h e".into()]);
    g.u32("tokenizer.ggml.bos_token_id", 1);
    g.u32("tokenizer.ggml.eos_token_id", 2);
    g.string("tokenizer.chat_template", TEMPLATE);
    weights(&mut g, tokens.len() as u64);
    g.finish()
}

fn weights(g: &mut Gguf, vocab: u64) {
    let mut state = 1u64;
    // Uniform, with a variance of gain^2 / columns.
    let mut matrix = |g: &mut Gguf, name: &str, rows: u64, columns: u64, gain: f32| {
        let scale = gain * (3.0 / columns as f32).sqrt();
        g.tensor(name, &[columns, rows], || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            scale * ((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0)
        });
    };
    let kv = D * u64::from(KV_HEADS) / u64::from(HEADS);
    matrix(g, "token_embd.weight", vocab, D, 4.0);
    matrix(g, "output.weight", vocab, D, 3.0);
    g.tensor("output_norm.weight", &[D], || 1.0);
    for layer in 0..LAYERS {
        let p = format!("blk.{layer}.");
        g.tensor(&format!("{p}attn_norm.weight"), &[D], || 1.0);
        g.tensor(&format!("{p}ffn_norm.weight"), &[D], || 1.0);
        for (name, rows, columns, gain) in [
            ("attn_q", D, D, 2.0),
            ("attn_k", kv, D, 2.0),
            ("attn_v", kv, D, 1.0),
            ("attn_output", D, D, 1.0),
            ("ffn_gate", FF, D, 1.0),
            ("ffn_up", FF, D, 1.0),
            ("ffn_down", D, FF, 1.0),
        ] {
            matrix(g, &format!("{p}{name}.weight"), rows, columns, gain);
        }
    }
}

/// One model for all tests of a program.
pub fn model() -> Model {
    static SHARED: OnceLock<Model> = OnceLock::new();
    SHARED.get_or_init(|| LoadOptions::new().threads(2).from_bytes(tiny_model()).unwrap()).clone()
}

pub fn session() -> Session {
    model().session_with(&SessionOptions { ctx: 128, ..Default::default() }).unwrap()
}

pub fn tokens(n: u32) -> GenerateOptions {
    GenerateOptions::new().max_tokens(n).ignore_end(true)
}

pub fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("should have failed").kind()
}
