//! The C interface as it is (loquor.h, whose comments are its documentation). Made by make_ffi.py; do not edit.
#![allow(dead_code, non_camel_case_types, clippy::upper_case_acronyms)]

use std::os::raw::{c_char, c_int, c_void};
use std::ptr::{null, null_mut};

pub const LQ_ABI_VERSION: u32 = 1;
pub const LQ_NTS: usize = usize::MAX;
pub const LQ_MAX_TEXT: usize = 1 << 30;
pub const LQ_MAX_TOKENS: usize = 1 << 28;
pub const LQ_BUDGET_NONE: u64 = u64::MAX;

pub type lq_status = c_int;
pub const LQ_OK: lq_status = 0;
pub const LQ_ERR_INVALID_ARGUMENT: lq_status = -1;
pub const LQ_ERR_NOT_FOUND: lq_status = -2;
pub const LQ_ERR_IO: lq_status = -3;
pub const LQ_ERR_BAD_FILE: lq_status = -4;
pub const LQ_ERR_UNSUPPORTED: lq_status = -5;
pub const LQ_ERR_OUT_OF_MEMORY: lq_status = -6;
pub const LQ_ERR_CONTEXT_FULL: lq_status = -7;
pub const LQ_ERR_CANCELLED: lq_status = -8;
pub const LQ_ERR_LIMIT: lq_status = -9;
pub const LQ_ERR_MISMATCH: lq_status = -10;
pub const LQ_ERR_TEMPLATE: lq_status = -11;
pub const LQ_ERR_FORKED: lq_status = -12;
pub const LQ_ERR_INTERNAL: lq_status = -13;
pub const LQ_ERR_BUFFER_TOO_SMALL: lq_status = -14;

pub type lq_log_level = c_int;
pub const LQ_LOG_DEBUG: lq_log_level = 0;
pub const LQ_LOG_INFO: lq_log_level = 1;
pub const LQ_LOG_WARNING: lq_log_level = 2;
pub const LQ_LOG_ERROR: lq_log_level = 3;

pub type lq_compute = c_int;
pub const LQ_COMPUTE_QUANTIZED: lq_compute = 0;
pub const LQ_COMPUTE_F32: lq_compute = 1;

pub type lq_token_kind = c_int;
pub const LQ_TOKEN_NORMAL: lq_token_kind = 1;
pub const LQ_TOKEN_UNKNOWN: lq_token_kind = 2;
pub const LQ_TOKEN_CONTROL: lq_token_kind = 3;
pub const LQ_TOKEN_USER_DEFINED: lq_token_kind = 4;
pub const LQ_TOKEN_UNUSED: lq_token_kind = 5;
pub const LQ_TOKEN_BYTE: lq_token_kind = 6;

pub type lq_overflow = c_int;
pub const LQ_OVERFLOW_ERROR: lq_overflow = 0;
pub const LQ_OVERFLOW_SLIDE: lq_overflow = 1;

pub type lq_finish = c_int;
pub const LQ_FINISH_NONE: lq_finish = 0;
pub const LQ_FINISH_END: lq_finish = 1;
pub const LQ_FINISH_STOP: lq_finish = 2;
pub const LQ_FINISH_LENGTH: lq_finish = 3;
pub const LQ_FINISH_CONTEXT_FULL: lq_finish = 4;
pub const LQ_FINISH_CANCELLED: lq_finish = 5;
pub const LQ_FINISH_CALLBACK: lq_finish = 6;

pub type lq_event_kind = c_int;
pub const LQ_EVENT_WORKING: lq_event_kind = 0;
pub const LQ_EVENT_TOKEN: lq_event_kind = 1;
pub const LQ_EVENT_DONE: lq_event_kind = 2;

pub type lq_text_kind = c_int;
pub const LQ_TEXT_PLAIN: lq_text_kind = 0;
pub const LQ_TEXT_MARKDOWN: lq_text_kind = 1;
pub const LQ_TEXT_CODE: lq_text_kind = 2;
pub const LQ_TEXT_HTML: lq_text_kind = 3;

pub type lq_search_mode = c_int;
pub const LQ_SEARCH_HYBRID: lq_search_mode = 0;
pub const LQ_SEARCH_DENSE: lq_search_mode = 1;
pub const LQ_SEARCH_WORDS: lq_search_mode = 2;

pub type lq_loss = c_int;
pub const LQ_LOSS_CROSS_ENTROPY: lq_loss = 0;
pub const LQ_LOSS_MEAN_SQUARED_ERROR: lq_loss = 1;

#[repr(C)]
pub struct lq_cancel {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_context {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_grammar {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_sampler {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_model {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_stream {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_chat_template {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_session {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_batch {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_adapter {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_embedder {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_report {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_prefix_cache {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_prompt {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_store {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_network {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_dataset {
    _private: [u8; 0],
}

#[repr(C)]
pub struct lq_trainer {
    _private: [u8; 0],
}

pub type lq_log_fn = Option<unsafe extern "C" fn(level: lq_log_level, message: *const c_char, user: *mut c_void)>;
pub type lq_allocate_fn =
    Option<unsafe extern "C" fn(bytes: usize, alignment: usize, user: *mut c_void) -> *mut c_void>;
pub type lq_release_fn =
    Option<unsafe extern "C" fn(ptr: *mut c_void, bytes: usize, alignment: usize, user: *mut c_void)>;
pub type lq_parallel_for_fn = Option<
    unsafe extern "C" fn(
        n: usize,
        run: unsafe extern "C" fn(task: *mut c_void, i: usize),
        task: *mut c_void,
        user: *mut c_void,
    ),
>;
pub type lq_sampler_fn = Option<
    unsafe extern "C" fn(
        candidates: *mut lq_candidate,
        count: *mut usize,
        history: *const i32,
        history_count: usize,
        user: *mut c_void,
    ) -> c_int,
>;
pub type lq_progress_fn = Option<unsafe extern "C" fn(fraction: f32, user: *mut c_void) -> c_int>;
pub type lq_logits_fn =
    Option<unsafe extern "C" fn(position: usize, logits: *const f32, n_vocab: usize, user: *mut c_void) -> c_int>;
pub type lq_token_fn = Option<unsafe extern "C" fn(event: *const lq_event, user: *mut c_void) -> c_int>;
pub type lq_batch_fn = Option<unsafe extern "C" fn(index: usize, event: *const lq_event, user: *mut c_void) -> c_int>;
pub type lq_count_fn = Option<unsafe extern "C" fn(done: u32, all: u32, user: *mut c_void) -> c_int>;
pub type lq_text_fn = Option<unsafe extern "C" fn(text: *const c_char, length: usize, user: *mut c_void) -> c_int>;
pub type lq_train_fn = Option<unsafe extern "C" fn(progress: *const lq_train_progress, user: *mut c_void) -> c_int>;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_context_options {
    pub struct_size: u32,
    pub threads: u32,
    pub affinity: *const i32,
    pub affinity_count: usize,
    pub spin_us: u32,
    pub reserved: u32,
    pub parallel_for: lq_parallel_for_fn,
    pub parallel_for_user: *mut c_void,
    pub allocate: lq_allocate_fn,
    pub release: lq_release_fn,
    pub allocator_user: *mut c_void,
    pub log: lq_log_fn,
    pub log_user: *mut c_void,
    pub isa: *const c_char,
}

pub const LQ_CONTEXT_OPTIONS_INIT: lq_context_options = lq_context_options {
    struct_size: std::mem::size_of::<lq_context_options>() as u32,
    threads: 0,
    affinity: null(),
    affinity_count: 0,
    spin_us: 0,
    reserved: 0,
    parallel_for: None,
    parallel_for_user: null_mut(),
    allocate: None,
    release: None,
    allocator_user: null_mut(),
    log: None,
    log_user: null_mut(),
    isa: null(),
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_schema_options {
    pub struct_size: u32,
    pub compact: i32,
    pub closed: i32,
    pub reserved: u32,
}

pub const LQ_SCHEMA_OPTIONS_INIT: lq_schema_options = lq_schema_options {
    struct_size: std::mem::size_of::<lq_schema_options>() as u32,
    compact: 0,
    closed: 0,
    reserved: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_candidate {
    pub token: i32,
    pub logit: f32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_model_options {
    pub struct_size: u32,
    pub compute: i32,
    pub vocab_only: i32,
    pub private_copy: i32,
    pub memory_cap: u64,
    pub progress: lq_progress_fn,
    pub progress_user: *mut c_void,
    pub cancel: *mut lq_cancel,
}

pub const LQ_MODEL_OPTIONS_INIT: lq_model_options = lq_model_options {
    struct_size: std::mem::size_of::<lq_model_options>() as u32,
    compute: LQ_COMPUTE_QUANTIZED,
    vocab_only: 0,
    private_copy: 0,
    memory_cap: 0,
    progress: None,
    progress_user: null_mut(),
    cancel: null_mut(),
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_model_info {
    pub struct_size: u32,
    pub vocab_only: u32,
    pub architecture: [c_char; 64],
    pub name: [c_char; 128],
    pub n_vocab: u32,
    pub n_layer: u32,
    pub d_model: u32,
    pub n_head: u32,
    pub n_kv_head: u32,
    pub head_dim: u32,
    pub d_ff: u32,
    pub n_ctx_train: u32,
    pub n_ctx: u32,
    pub has_chat_template: u32,
    pub n_params: u64,
    pub file_bytes: u64,
    pub weight_bytes: u64,
    pub kv_bytes: u64,
    pub workspace_bytes: u64,
}

pub const LQ_MODEL_INFO_INIT: lq_model_info = lq_model_info {
    struct_size: std::mem::size_of::<lq_model_info>() as u32,
    vocab_only: 0,
    architecture: [0; 64],
    name: [0; 128],
    n_vocab: 0,
    n_layer: 0,
    d_model: 0,
    n_head: 0,
    n_kv_head: 0,
    head_dim: 0,
    d_ff: 0,
    n_ctx_train: 0,
    n_ctx: 0,
    has_chat_template: 0,
    n_params: 0,
    file_bytes: 0,
    weight_bytes: 0,
    kv_bytes: 0,
    workspace_bytes: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_inspect_options {
    pub struct_size: u32,
    pub n_ctx: u32,
    pub kv_type: *const c_char,
}

pub const LQ_INSPECT_OPTIONS_INIT: lq_inspect_options =
    lq_inspect_options { struct_size: std::mem::size_of::<lq_inspect_options>() as u32, n_ctx: 0, kv_type: null() };

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_quantize_options {
    pub struct_size: u32,
    pub reserved: u32,
    pub head: *const c_char,
    pub progress: lq_progress_fn,
    pub progress_user: *mut c_void,
    pub cancel: *mut lq_cancel,
}

pub const LQ_QUANTIZE_OPTIONS_INIT: lq_quantize_options = lq_quantize_options {
    struct_size: std::mem::size_of::<lq_quantize_options>() as u32,
    reserved: 0,
    head: null(),
    progress: None,
    progress_user: null_mut(),
    cancel: null_mut(),
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_quantize_result {
    pub struct_size: u32,
    pub tensors: u32,
    pub converted: u32,
    pub requantized: u32,
    pub odd: u32,
    pub reserved: u32,
    pub head: *const c_char,
    pub source_bytes: u64,
    pub target_bytes: u64,
    pub merged: u32,
    pub reserved2: u32,
}

pub const LQ_QUANTIZE_RESULT_INIT: lq_quantize_result = lq_quantize_result {
    struct_size: std::mem::size_of::<lq_quantize_result>() as u32,
    tensors: 0,
    converted: 0,
    requantized: 0,
    odd: 0,
    reserved: 0,
    head: null(),
    source_bytes: 0,
    target_bytes: 0,
    merged: 0,
    reserved2: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_catalogue_entry {
    pub struct_size: u32,
    pub cached: u32,
    pub name: *const c_char,
    pub title: *const c_char,
    pub file: *const c_char,
    pub source: *const c_char,
    pub licence: *const c_char,
    pub sha256: *const c_char,
    pub bytes: u64,
}

pub const LQ_CATALOGUE_ENTRY_INIT: lq_catalogue_entry = lq_catalogue_entry {
    struct_size: std::mem::size_of::<lq_catalogue_entry>() as u32,
    cached: 0,
    name: null(),
    title: null(),
    file: null(),
    source: null(),
    licence: null(),
    sha256: null(),
    bytes: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_tokenize_options {
    pub struct_size: u32,
    pub add_special: i32,
    pub parse_special: i32,
}

pub const LQ_TOKENIZE_OPTIONS_INIT: lq_tokenize_options = lq_tokenize_options {
    struct_size: std::mem::size_of::<lq_tokenize_options>() as u32,
    add_special: 0,
    parse_special: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_detokenize_options {
    pub struct_size: u32,
    pub render_special: i32,
}

pub const LQ_DETOKENIZE_OPTIONS_INIT: lq_detokenize_options =
    lq_detokenize_options { struct_size: std::mem::size_of::<lq_detokenize_options>() as u32, render_special: 0 };

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_stream_options {
    pub struct_size: u32,
    pub render_special: i32,
    pub raw_bytes: i32,
    pub reserved: i32,
}

pub const LQ_STREAM_OPTIONS_INIT: lq_stream_options = lq_stream_options {
    struct_size: std::mem::size_of::<lq_stream_options>() as u32,
    render_special: 0,
    raw_bytes: 0,
    reserved: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_message {
    pub struct_size: u32,
    pub reserved: u32,
    pub role: *const c_char,
    pub content: *const c_char,
    pub content_length: usize,
    pub extra_json: *const c_char,
    pub extra_json_length: usize,
}

pub const LQ_MESSAGE_INIT: lq_message = lq_message {
    struct_size: std::mem::size_of::<lq_message>() as u32,
    reserved: 0,
    role: null(),
    content: null(),
    content_length: LQ_NTS,
    extra_json: null(),
    extra_json_length: LQ_NTS,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_chat_options {
    pub struct_size: u32,
    pub no_generation_prompt: i32,
    pub tools_json: *const c_char,
    pub tools_json_length: usize,
    pub extra_json: *const c_char,
    pub extra_json_length: usize,
    pub max_steps: u64,
    pub max_memory: u64,
    pub max_output: u64,
}

pub const LQ_CHAT_OPTIONS_INIT: lq_chat_options = lq_chat_options {
    struct_size: std::mem::size_of::<lq_chat_options>() as u32,
    no_generation_prompt: 0,
    tools_json: null(),
    tools_json_length: 0,
    extra_json: null(),
    extra_json_length: 0,
    max_steps: 0,
    max_memory: 0,
    max_output: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_session_options {
    pub struct_size: u32,
    pub n_ctx: u32,
    pub kv_type: *const c_char,
    pub overflow: i32,
    pub slide_keep: u32,
    pub prefill_chunk: u32,
    pub wipe: i32,
    pub memory_cap: u64,
}

pub const LQ_SESSION_OPTIONS_INIT: lq_session_options = lq_session_options {
    struct_size: std::mem::size_of::<lq_session_options>() as u32,
    n_ctx: 0,
    kv_type: null(),
    overflow: LQ_OVERFLOW_ERROR,
    slide_keep: 0,
    prefill_chunk: 0,
    wipe: 0,
    memory_cap: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_logprob {
    pub token: i32,
    pub logprob: f32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_event {
    pub struct_size: u32,
    pub kind: i32,
    pub token: i32,
    pub index: u32,
    pub text: *const c_char,
    pub text_length: usize,
    pub logprob: f32,
    pub finish: i32,
    pub top: *const lq_logprob,
    pub top_count: usize,
    pub prompt_done: u32,
    pub prompt_total: u32,
}

pub const LQ_EVENT_INIT: lq_event = lq_event {
    struct_size: std::mem::size_of::<lq_event>() as u32,
    kind: 0,
    token: -1,
    index: 0,
    text: null(),
    text_length: 0,
    logprob: 0.0,
    finish: 0,
    top: null(),
    top_count: 0,
    prompt_done: 0,
    prompt_total: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_generate_options {
    pub struct_size: u32,
    pub max_tokens: u32,
    pub sampler: *const lq_sampler,
    pub stop: *const *const c_char,
    pub stop_count: usize,
    pub stop_tokens: *const i32,
    pub stop_token_count: usize,
    pub logprobs: u32,
    pub ignore_end: i32,
    pub append: i32,
    pub parse_special: i32,
    pub no_begin: i32,
    pub reserved: i32,
    pub cancel: *mut lq_cancel,
    pub lookup: i32,
    pub reserved2: i32,
    pub grammar: *const lq_grammar,
}

pub const LQ_GENERATE_OPTIONS_INIT: lq_generate_options = lq_generate_options {
    struct_size: std::mem::size_of::<lq_generate_options>() as u32,
    max_tokens: 0,
    sampler: null(),
    stop: null(),
    stop_count: 0,
    stop_tokens: null(),
    stop_token_count: 0,
    logprobs: 0,
    ignore_end: 0,
    append: 0,
    parse_special: 0,
    no_begin: 0,
    reserved: 0,
    cancel: null_mut(),
    lookup: 0,
    reserved2: 0,
    grammar: null(),
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_result {
    pub struct_size: u32,
    pub finish: i32,
    pub prompt_tokens: u32,
    pub reused_tokens: u32,
    pub generated_tokens: u32,
    pub reserved: u32,
    pub load_ms: f64,
    pub prefill_ms: f64,
    pub decode_ms: f64,
    pub first_token_ms: f64,
    pub prefill_tps: f64,
    pub decode_tps: f64,
    pub drafted_tokens: u32,
    pub accepted_tokens: u32,
}

pub const LQ_RESULT_INIT: lq_result = lq_result {
    struct_size: std::mem::size_of::<lq_result>() as u32,
    finish: 0,
    prompt_tokens: 0,
    reused_tokens: 0,
    generated_tokens: 0,
    reserved: 0,
    load_ms: 0.0,
    prefill_ms: 0.0,
    decode_ms: 0.0,
    first_token_ms: 0.0,
    prefill_tps: 0.0,
    decode_tps: 0.0,
    drafted_tokens: 0,
    accepted_tokens: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_batch_options {
    pub struct_size: u32,
    pub max_sessions: u32,
}

pub const LQ_BATCH_OPTIONS_INIT: lq_batch_options =
    lq_batch_options { struct_size: std::mem::size_of::<lq_batch_options>() as u32, max_sessions: 0 };

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_perplexity_options {
    pub struct_size: u32,
    pub n_ctx: u32,
    pub max_windows: u32,
    pub reserved: u32,
    pub kv_type: *const c_char,
    pub progress: lq_progress_fn,
    pub progress_user: *mut c_void,
    pub cancel: *mut lq_cancel,
    pub stride: u32,
    pub reserved2: u32,
}

pub const LQ_PERPLEXITY_OPTIONS_INIT: lq_perplexity_options = lq_perplexity_options {
    struct_size: std::mem::size_of::<lq_perplexity_options>() as u32,
    n_ctx: 0,
    max_windows: 0,
    reserved: 0,
    kv_type: null(),
    progress: None,
    progress_user: null_mut(),
    cancel: null_mut(),
    stride: 0,
    reserved2: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_perplexity_result {
    pub struct_size: u32,
    pub windows: u32,
    pub scored: u64,
    pub perplexity: f64,
    pub std_error: f64,
    pub mean_logprob: f64,
}

pub const LQ_PERPLEXITY_RESULT_INIT: lq_perplexity_result = lq_perplexity_result {
    struct_size: std::mem::size_of::<lq_perplexity_result>() as u32,
    windows: 0,
    scored: 0,
    perplexity: 0.0,
    std_error: 0.0,
    mean_logprob: 0.0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_embedder_options {
    pub struct_size: u32,
    pub max_tokens: u32,
    pub batch_tokens: u32,
    pub raw: i32,
    pub pooling: *const c_char,
}

pub const LQ_EMBEDDER_OPTIONS_INIT: lq_embedder_options = lq_embedder_options {
    struct_size: std::mem::size_of::<lq_embedder_options>() as u32,
    max_tokens: 0,
    batch_tokens: 0,
    raw: 0,
    pooling: null(),
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_mmlu_options {
    pub struct_size: u32,
    pub shots: u32,
    pub data: *const c_char,
    pub subjects: *const *const c_char,
    pub subject_count: usize,
    pub format: *const c_char,
    pub results: *const c_char,
    pub limit: u32,
    pub n_ctx: u32,
    pub progress: lq_count_fn,
    pub progress_user: *mut c_void,
    pub cancel: *mut lq_cancel,
    pub answers: i32,
    pub reserved: i32,
}

pub const LQ_MMLU_OPTIONS_INIT: lq_mmlu_options = lq_mmlu_options {
    struct_size: std::mem::size_of::<lq_mmlu_options>() as u32,
    shots: 5,
    data: null(),
    subjects: null(),
    subject_count: 0,
    format: null(),
    results: null(),
    limit: 0,
    n_ctx: 0,
    progress: None,
    progress_user: null_mut(),
    cancel: null_mut(),
    answers: 0,
    reserved: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_prefix_cache_options {
    pub struct_size: u32,
    pub reserved: u32,
    pub max_bytes: u64,
}

pub const LQ_PREFIX_CACHE_OPTIONS_INIT: lq_prefix_cache_options = lq_prefix_cache_options {
    struct_size: std::mem::size_of::<lq_prefix_cache_options>() as u32,
    reserved: 0,
    max_bytes: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_prefix_cache_stats {
    pub struct_size: u32,
    pub reserved: u32,
    pub lookups: u64,
    pub hits: u64,
    pub reused_tokens: u64,
    pub entries: u64,
    pub bytes: u64,
    pub max_bytes: u64,
    pub evicted: u64,
}

pub const LQ_PREFIX_CACHE_STATS_INIT: lq_prefix_cache_stats = lq_prefix_cache_stats {
    struct_size: std::mem::size_of::<lq_prefix_cache_stats>() as u32,
    reserved: 0,
    lookups: 0,
    hits: 0,
    reused_tokens: 0,
    entries: 0,
    bytes: 0,
    max_bytes: 0,
    evicted: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_profile_part {
    pub struct_size: u32,
    pub reserved: u32,
    pub name: *const c_char,
    pub calls: u64,
    pub seconds: f64,
    pub bytes: f64,
}

pub const LQ_PROFILE_PART_INIT: lq_profile_part = lq_profile_part {
    struct_size: std::mem::size_of::<lq_profile_part>() as u32,
    reserved: 0,
    name: null(),
    calls: 0,
    seconds: 0.0,
    bytes: 0.0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_store_options {
    pub struct_size: u32,
    pub read_only: i32,
    pub chunk_tokens: u32,
    pub overlap: u32,
    pub whole_documents: i32,
    pub reserved: i32,
}

pub const LQ_STORE_OPTIONS_INIT: lq_store_options = lq_store_options {
    struct_size: std::mem::size_of::<lq_store_options>() as u32,
    read_only: 0,
    chunk_tokens: 0,
    overlap: 32,
    whole_documents: 0,
    reserved: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_document {
    pub struct_size: u32,
    pub kind: i32,
    pub key: *const c_char,
    pub text: *const c_char,
    pub length: usize,
    pub title: *const c_char,
    pub source: *const c_char,
    pub metadata: *const c_char,
    pub trust: f64,
}

pub const LQ_DOCUMENT_INIT: lq_document = lq_document {
    struct_size: std::mem::size_of::<lq_document>() as u32,
    kind: LQ_TEXT_PLAIN,
    key: null(),
    text: null(),
    length: LQ_NTS,
    title: null(),
    source: null(),
    metadata: null(),
    trust: 1.0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_search_options {
    pub struct_size: u32,
    pub mode: i32,
    pub k: u32,
    pub per_document: u32,
    pub filter: *const c_char,
    pub min_trust: f64,
    pub mmr: f64,
    pub exact: i32,
}

pub const LQ_SEARCH_OPTIONS_INIT: lq_search_options = lq_search_options {
    struct_size: std::mem::size_of::<lq_search_options>() as u32,
    mode: LQ_SEARCH_HYBRID,
    k: 0,
    per_document: 0,
    filter: null(),
    min_trust: 0.0,
    mmr: 1.0,
    exact: 0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_ask_options {
    pub struct_size: u32,
    pub max_tokens: u32,
    pub budget: u32,
    pub no_guards: i32,
    pub threshold: f64,
    pub instructions: *const c_char,
    pub search: *const lq_search_options,
    pub stream: lq_text_fn,
    pub stream_user: *mut c_void,
    pub cancel: *mut lq_cancel,
}

pub const LQ_ASK_OPTIONS_INIT: lq_ask_options = lq_ask_options {
    struct_size: std::mem::size_of::<lq_ask_options>() as u32,
    max_tokens: 0,
    budget: 0,
    no_guards: 0,
    threshold: 0.35,
    instructions: null(),
    search: null(),
    stream: None,
    stream_user: null_mut(),
    cancel: null_mut(),
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_array {
    pub struct_size: u32,
    pub rank: u32,
    pub shape: [u64; 4],
    pub data: *const c_void,
}

pub const LQ_ARRAY_INIT: lq_array =
    lq_array { struct_size: std::mem::size_of::<lq_array>() as u32, rank: 0, shape: [0; 4], data: null() };

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_parameter {
    pub struct_size: u32,
    pub rank: u32,
    pub shape: [u64; 4],
    pub count: u64,
    pub name: *const c_char,
    pub data: *mut f32,
}

pub const LQ_PARAMETER_INIT: lq_parameter = lq_parameter {
    struct_size: std::mem::size_of::<lq_parameter>() as u32,
    rank: 0,
    shape: [0; 4],
    count: 0,
    name: null(),
    data: null_mut(),
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_train_options {
    pub struct_size: u32,
    pub loss: i32,
    pub optimizer: *const c_char,
    pub schedule: *const c_char,
    pub learning_rate: f64,
    pub min_rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    pub clip: f64,
    pub nesterov: i32,
    pub in_order: i32,
    pub carry: i32,
    pub reserved: i32,
    pub seed: u64,
    pub batch: u64,
    pub accumulate: u64,
    pub steps: u64,
    pub epochs: u64,
    pub warmup: u64,
    pub eval_every: u64,
    pub patience: u64,
    pub checkpoint_every: u64,
    pub checkpoint: *const c_char,
}

pub const LQ_TRAIN_OPTIONS_INIT: lq_train_options = lq_train_options {
    struct_size: std::mem::size_of::<lq_train_options>() as u32,
    loss: LQ_LOSS_CROSS_ENTROPY,
    optimizer: null(),
    schedule: null(),
    learning_rate: 0.0,
    min_rate: 0.0,
    beta1: 0.0,
    beta2: 0.0,
    eps: 0.0,
    momentum: 0.0,
    weight_decay: 0.0,
    clip: 0.0,
    nesterov: 0,
    in_order: 0,
    carry: 0,
    reserved: 0,
    seed: 0,
    batch: 0,
    accumulate: 0,
    steps: 0,
    epochs: 0,
    warmup: 0,
    eval_every: 0,
    patience: 0,
    checkpoint_every: 0,
    checkpoint: null(),
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_train_progress {
    pub struct_size: u32,
    pub reserved: u32,
    pub step: u64,
    pub steps: u64,
    pub epoch: u64,
    pub skipped: u64,
    pub loss: f64,
    pub rate: f64,
    pub gradient_norm: f64,
    pub eval_loss: f64,
    pub examples_per_s: f64,
}

pub const LQ_TRAIN_PROGRESS_INIT: lq_train_progress = lq_train_progress {
    struct_size: std::mem::size_of::<lq_train_progress>() as u32,
    reserved: 0,
    step: 0,
    steps: 0,
    epoch: 0,
    skipped: 0,
    loss: 0.0,
    rate: 0.0,
    gradient_norm: 0.0,
    eval_loss: 0.0,
    examples_per_s: 0.0,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct lq_finetune_options {
    pub struct_size: u32,
    pub rank: u32,
    pub alpha: f32,
    pub dropout: f32,
    pub targets: *const *const c_char,
    pub target_count: usize,
    pub data: *const c_char,
    pub eval_data: *const c_char,
    pub eval_fraction: f64,
    pub out: *const c_char,
    pub base: *const c_char,
    pub max_tokens: u32,
    pub all_tokens: i32,
    pub no_packing: i32,
    pub reserved: i32,
    pub train: *const lq_train_options,
    pub progress: lq_train_fn,
    pub progress_user: *mut c_void,
    pub cancel: *mut lq_cancel,
}

pub const LQ_FINETUNE_OPTIONS_INIT: lq_finetune_options = lq_finetune_options {
    struct_size: std::mem::size_of::<lq_finetune_options>() as u32,
    rank: 0,
    alpha: 0.0,
    dropout: 0.0,
    targets: null(),
    target_count: 0,
    data: null(),
    eval_data: null(),
    eval_fraction: 0.0,
    out: null(),
    base: null(),
    max_tokens: 0,
    all_tokens: 0,
    no_packing: 0,
    reserved: 0,
    train: null(),
    progress: None,
    progress_user: null_mut(),
    cancel: null_mut(),
};

extern "C" {
    pub fn lq_status_name(status: lq_status) -> *const c_char;
    pub fn lq_last_error() -> *const c_char;
    pub fn lq_version() -> *const c_char;
    pub fn lq_abi_version() -> u32;
    pub fn lq_isa_list(out: *mut c_char, capacity: usize, length: *mut usize) -> lq_status;
    pub fn lq_cancel_create(out: *mut *mut lq_cancel) -> lq_status;
    pub fn lq_cancel_trigger(cancel: *mut lq_cancel) -> lq_status;
    pub fn lq_cancel_reset(cancel: *mut lq_cancel) -> lq_status;
    pub fn lq_cancel_is_set(out: *mut i32, cancel: *const lq_cancel) -> lq_status;
    pub fn lq_cancel_free(cancel: *mut lq_cancel);
    pub fn lq_context_create(out: *mut *mut lq_context, options: *const lq_context_options) -> lq_status;
    pub fn lq_context_free(context: *mut lq_context);
    pub fn lq_context_isa(out: *mut *const c_char, context: *const lq_context) -> lq_status;
    pub fn lq_context_threads(out: *mut u32, context: *const lq_context) -> lq_status;
    pub fn lq_context_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        context: *const lq_context,
    ) -> lq_status;
    pub fn lq_grammar_from_gbnf(
        out: *mut *mut lq_grammar,
        text: *const c_char,
        length: usize,
        root: *const c_char,
    ) -> lq_status;
    pub fn lq_grammar_from_json_schema(
        out: *mut *mut lq_grammar,
        schema: *const c_char,
        length: usize,
        options: *const lq_schema_options,
    ) -> lq_status;
    pub fn lq_grammar_from_regex(out: *mut *mut lq_grammar, pattern: *const c_char, length: usize) -> lq_status;
    pub fn lq_grammar_from_choices(out: *mut *mut lq_grammar, choices: *const *const c_char, count: usize)
        -> lq_status;
    pub fn lq_grammar_from_tools(
        out: *mut *mut lq_grammar,
        tools_json: *const c_char,
        length: usize,
        choice: *const c_char,
        parallel: i32,
    ) -> lq_status;
    pub fn lq_tool_calls_json(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        text: *const c_char,
        text_length: usize,
    ) -> lq_status;
    pub fn lq_grammar_free(grammar: *mut lq_grammar);
    pub fn lq_grammar_accepts(
        out: *mut i32,
        grammar: *const lq_grammar,
        text: *const c_char,
        length: usize,
    ) -> lq_status;
    pub fn lq_grammar_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        grammar: *const lq_grammar,
    ) -> lq_status;
    pub fn lq_sampler_create(out: *mut *mut lq_sampler) -> lq_status;
    pub fn lq_sampler_free(sampler: *mut lq_sampler);
    pub fn lq_sampler_clone(out: *mut *mut lq_sampler, sampler: *const lq_sampler) -> lq_status;
    pub fn lq_sampler_add(sampler: *mut lq_sampler, name: *const c_char, value: f64) -> lq_status;
    pub fn lq_sampler_add_values(
        sampler: *mut lq_sampler,
        name: *const c_char,
        values: *const f64,
        count: usize,
    ) -> lq_status;
    pub fn lq_sampler_names(out: *mut c_char, capacity: usize, length: *mut usize) -> lq_status;
    pub fn lq_sampler_add_callback(sampler: *mut lq_sampler, callback: lq_sampler_fn, user: *mut c_void) -> lq_status;
    pub fn lq_sampler_bias(sampler: *mut lq_sampler, tokens: *const i32, bias: *const f32, count: usize) -> lq_status;
    pub fn lq_sampler_seed(sampler: *mut lq_sampler, seed: u64) -> lq_status;
    pub fn lq_sampler_sample(
        out: *mut i32,
        sampler: *mut lq_sampler,
        logits: *const f32,
        n_vocab: usize,
        history: *const i32,
        history_count: usize,
        position: u64,
    ) -> lq_status;
    pub fn lq_sampler_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        sampler: *const lq_sampler,
    ) -> lq_status;
    pub fn lq_model_load(
        out: *mut *mut lq_model,
        context: *mut lq_context,
        source: *const c_char,
        options: *const lq_model_options,
    ) -> lq_status;
    pub fn lq_model_load_memory(
        out: *mut *mut lq_model,
        context: *mut lq_context,
        data: *const c_void,
        size: usize,
        options: *const lq_model_options,
    ) -> lq_status;
    pub fn lq_model_free(model: *mut lq_model);
    pub fn lq_model_error(out: *mut c_char, capacity: usize, length: *mut usize, model: *const lq_model) -> lq_status;
    pub fn lq_model_inspect(
        out: *mut lq_model_info,
        context: *mut lq_context,
        source: *const c_char,
        options: *const lq_inspect_options,
    ) -> lq_status;
    pub fn lq_model_inspect_json(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        context: *mut lq_context,
        source: *const c_char,
        options: *const lq_inspect_options,
    ) -> lq_status;
    pub fn lq_model_get_info(
        out: *mut lq_model_info,
        model: *const lq_model,
        options: *const lq_inspect_options,
    ) -> lq_status;
    pub fn lq_model_load_ms(out: *mut f64, model: *const lq_model) -> lq_status;
    pub fn lq_model_metadata_count(out: *mut usize, model: *const lq_model) -> lq_status;
    pub fn lq_model_metadata_key(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        model: *const lq_model,
        index: usize,
    ) -> lq_status;
    pub fn lq_model_metadata_value(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        model: *const lq_model,
        key: *const c_char,
    ) -> lq_status;
    pub fn lq_quantize(
        out: *mut lq_quantize_result,
        context: *mut lq_context,
        source: *const c_char,
        target: *const c_char,
        type_: *const c_char,
        options: *const lq_quantize_options,
    ) -> lq_status;
    pub fn lq_catalogue_count(out: *mut usize) -> lq_status;
    pub fn lq_catalogue_get(out: *mut lq_catalogue_entry, index: usize) -> lq_status;
    pub fn lq_model_path(out: *mut c_char, capacity: usize, length: *mut usize, source: *const c_char) -> lq_status;
    pub fn lq_tokenize(
        out: *mut i32,
        capacity: usize,
        count: *mut usize,
        model: *const lq_model,
        text: *const c_char,
        length: usize,
        options: *const lq_tokenize_options,
    ) -> lq_status;
    pub fn lq_detokenize(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        model: *const lq_model,
        tokens: *const i32,
        count: usize,
        options: *const lq_detokenize_options,
    ) -> lq_status;
    pub fn lq_vocab_size(out: *mut u32, model: *const lq_model) -> lq_status;
    pub fn lq_token_text(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        model: *const lq_model,
        token: i32,
    ) -> lq_status;
    pub fn lq_token_kind_of(out: *mut lq_token_kind, model: *const lq_model, token: i32) -> lq_status;
    pub fn lq_token_find(out: *mut i32, model: *const lq_model, text: *const c_char, length: usize) -> lq_status;
    pub fn lq_token_special(out: *mut i32, model: *const lq_model, role: *const c_char) -> lq_status;
    pub fn lq_token_is_end(out: *mut i32, model: *const lq_model, token: i32) -> lq_status;
    pub fn lq_stream_create(
        out: *mut *mut lq_stream,
        model: *const lq_model,
        options: *const lq_stream_options,
    ) -> lq_status;
    pub fn lq_stream_push(
        text: *mut *const c_char,
        length: *mut usize,
        stream: *mut lq_stream,
        token: i32,
    ) -> lq_status;
    pub fn lq_stream_flush(text: *mut *const c_char, length: *mut usize, stream: *mut lq_stream) -> lq_status;
    pub fn lq_stream_free(stream: *mut lq_stream);
    pub fn lq_chat_template_create(
        out: *mut *mut lq_chat_template,
        model: *const lq_model,
        source: *const c_char,
        length: usize,
    ) -> lq_status;
    pub fn lq_chat_template_free(chat_template: *mut lq_chat_template);
    pub fn lq_chat_render(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        chat_template: *const lq_chat_template,
        messages: *const lq_message,
        count: usize,
        options: *const lq_chat_options,
    ) -> lq_status;
    pub fn lq_chat_tokenize(
        out: *mut i32,
        capacity: usize,
        count: *mut usize,
        model: *const lq_model,
        chat_template: *const lq_chat_template,
        messages: *const lq_message,
        n_messages: usize,
        options: *const lq_chat_options,
    ) -> lq_status;
    pub fn lq_session_create(
        out: *mut *mut lq_session,
        model: *mut lq_model,
        options: *const lq_session_options,
    ) -> lq_status;
    pub fn lq_session_free(session: *mut lq_session);
    pub fn lq_session_fork(out: *mut *mut lq_session, session: *mut lq_session) -> lq_status;
    pub fn lq_session_set_prompt(
        reused: *mut usize,
        session: *mut lq_session,
        tokens: *const i32,
        count: usize,
    ) -> lq_status;
    pub fn lq_session_feed(session: *mut lq_session, tokens: *const i32, count: usize) -> lq_status;
    pub fn lq_session_logits(logits: *mut *const f32, n_vocab: *mut usize, session: *mut lq_session) -> lq_status;
    pub fn lq_session_logits_of(
        out: *mut f32,
        reused: *mut usize,
        session: *mut lq_session,
        prompt: *const i32,
        prompt_count: usize,
        ids: *const i32,
        id_count: usize,
    ) -> lq_status;
    pub fn lq_session_eval(
        session: *mut lq_session,
        tokens: *const i32,
        count: usize,
        callback: lq_logits_fn,
        user: *mut c_void,
    ) -> lq_status;
    pub fn lq_session_score(
        logprob_sum: *mut f64,
        scored: *mut usize,
        session: *mut lq_session,
        tokens: *const i32,
        count: usize,
    ) -> lq_status;
    pub fn lq_session_rewind(session: *mut lq_session, n_tokens: usize) -> lq_status;
    pub fn lq_session_length(out: *mut usize, session: *const lq_session) -> lq_status;
    pub fn lq_session_capacity(out: *mut usize, session: *const lq_session) -> lq_status;
    pub fn lq_session_memory(out: *mut u64, session: *const lq_session) -> lq_status;
    pub fn lq_session_tokens(
        out: *mut i32,
        capacity: usize,
        count: *mut usize,
        session: *const lq_session,
    ) -> lq_status;
    pub fn lq_session_save_file(session: *const lq_session, path: *const c_char) -> lq_status;
    pub fn lq_session_load_file(session: *mut lq_session, path: *const c_char) -> lq_status;
    pub fn lq_session_save(
        out: *mut c_void,
        capacity: usize,
        length: *mut usize,
        session: *const lq_session,
    ) -> lq_status;
    pub fn lq_session_load(session: *mut lq_session, data: *const c_void, length: usize) -> lq_status;
    pub fn lq_session_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        session: *const lq_session,
    ) -> lq_status;
    pub fn lq_finish_name(finish: lq_finish) -> *const c_char;
    pub fn lq_session_generate(
        result: *mut lq_result,
        session: *mut lq_session,
        prompt: *const c_char,
        length: usize,
        options: *const lq_generate_options,
        callback: lq_token_fn,
        user: *mut c_void,
    ) -> lq_status;
    pub fn lq_session_chat(
        result: *mut lq_result,
        session: *mut lq_session,
        messages: *const lq_message,
        count: usize,
        chat: *const lq_chat_options,
        options: *const lq_generate_options,
        callback: lq_token_fn,
        user: *mut c_void,
    ) -> lq_status;
    pub fn lq_session_start(
        session: *mut lq_session,
        prompt: *const c_char,
        length: usize,
        options: *const lq_generate_options,
    ) -> lq_status;
    pub fn lq_session_start_tokens(
        session: *mut lq_session,
        tokens: *const i32,
        count: usize,
        options: *const lq_generate_options,
    ) -> lq_status;
    pub fn lq_session_start_chat(
        session: *mut lq_session,
        messages: *const lq_message,
        count: usize,
        chat: *const lq_chat_options,
        options: *const lq_generate_options,
    ) -> lq_status;
    pub fn lq_session_step(event: *mut lq_event, session: *mut lq_session, budget_us: u64) -> lq_status;
    pub fn lq_session_stop(session: *mut lq_session) -> lq_status;
    pub fn lq_session_cancel(session: *mut lq_session) -> lq_status;
    pub fn lq_session_result(out: *mut lq_result, session: *const lq_session) -> lq_status;
    pub fn lq_session_output(text: *mut *const c_char, length: *mut usize, session: *const lq_session) -> lq_status;
    pub fn lq_session_output_tokens(
        tokens: *mut *const i32,
        count: *mut usize,
        session: *const lq_session,
    ) -> lq_status;
    pub fn lq_batch_create(
        out: *mut *mut lq_batch,
        model: *mut lq_model,
        options: *const lq_batch_options,
    ) -> lq_status;
    pub fn lq_batch_free(batch: *mut lq_batch);
    pub fn lq_batch_step(
        events: *mut lq_event,
        batch: *mut lq_batch,
        sessions: *const *mut lq_session,
        count: usize,
    ) -> lq_status;
    pub fn lq_batch_run(
        batch: *mut lq_batch,
        sessions: *const *mut lq_session,
        count: usize,
        callback: lq_batch_fn,
        user: *mut c_void,
    ) -> lq_status;
    pub fn lq_perplexity(
        out: *mut lq_perplexity_result,
        model: *mut lq_model,
        tokens: *const i32,
        count: usize,
        options: *const lq_perplexity_options,
    ) -> lq_status;
    pub fn lq_adapter_load(out: *mut *mut lq_adapter, model: *mut lq_model, path: *const c_char) -> lq_status;
    pub fn lq_adapter_free(adapter: *mut lq_adapter);
    pub fn lq_adapter_targets(out: *mut usize, adapter: *const lq_adapter) -> lq_status;
    pub fn lq_session_set_adapters(
        session: *mut lq_session,
        adapters: *const *mut lq_adapter,
        scales: *const f32,
        count: usize,
    ) -> lq_status;
    pub fn lq_merge_adapters(
        out: *mut lq_quantize_result,
        context: *mut lq_context,
        source: *const c_char,
        target: *const c_char,
        type_: *const c_char,
        paths: *const *const c_char,
        scales: *const f32,
        count: usize,
        options: *const lq_quantize_options,
    ) -> lq_status;
    pub fn lq_adapter_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        adapter: *const lq_adapter,
    ) -> lq_status;
    pub fn lq_attention_scores(
        out: *mut f32,
        capacity: usize,
        count: *mut usize,
        model: *const lq_model,
        tokens: *const i32,
        n_tokens: usize,
        first_layer: u32,
        n_layers: u32,
    ) -> lq_status;
    pub fn lq_attention_shape(n_layer: *mut u32, n_head: *mut u32, model: *const lq_model) -> lq_status;
    pub fn lq_embedder_create(
        out: *mut *mut lq_embedder,
        model: *mut lq_model,
        options: *const lq_embedder_options,
    ) -> lq_status;
    pub fn lq_embedder_free(embedder: *mut lq_embedder);
    pub fn lq_embedder_dimension(out: *mut u32, embedder: *const lq_embedder) -> lq_status;
    pub fn lq_embedder_max_tokens(out: *mut u32, embedder: *const lq_embedder) -> lq_status;
    pub fn lq_embedder_embed(
        out: *mut f32,
        capacity: usize,
        count: *mut usize,
        embedder: *mut lq_embedder,
        texts: *const *const c_char,
        lengths: *const usize,
        n: usize,
        cancel: *const lq_cancel,
    ) -> lq_status;
    pub fn lq_embedder_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        embedder: *const lq_embedder,
    ) -> lq_status;
    pub fn lq_mmlu_run(out: *mut *mut lq_report, model: *mut lq_model, options: *const lq_mmlu_options) -> lq_status;
    pub fn lq_report_json(text: *mut *const c_char, length: *mut usize, report: *const lq_report) -> lq_status;
    pub fn lq_report_free(report: *mut lq_report);
    pub fn lq_mmlu_subjects(out: *mut c_char, capacity: usize, length: *mut usize) -> lq_status;
    pub fn lq_report_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        report: *const lq_report,
    ) -> lq_status;
    pub fn lq_prefix_cache_create(
        out: *mut *mut lq_prefix_cache,
        model: *mut lq_model,
        options: *const lq_prefix_cache_options,
    ) -> lq_status;
    pub fn lq_prefix_cache_free(cache: *mut lq_prefix_cache);
    pub fn lq_session_use_prefix_cache(session: *mut lq_session, cache: *mut lq_prefix_cache) -> lq_status;
    pub fn lq_prefix_cache_resize(cache: *mut lq_prefix_cache, max_bytes: u64) -> lq_status;
    pub fn lq_prefix_cache_clear(cache: *mut lq_prefix_cache) -> lq_status;
    pub fn lq_prefix_cache_get_stats(out: *mut lq_prefix_cache_stats, cache: *const lq_prefix_cache) -> lq_status;
    pub fn lq_prefix_cache_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        cache: *const lq_prefix_cache,
    ) -> lq_status;
    pub fn lq_session_profile(session: *mut lq_session, on: c_int) -> lq_status;
    pub fn lq_session_profile_parts(count: *mut usize, session: *const lq_session) -> lq_status;
    pub fn lq_session_profile_part(out: *mut lq_profile_part, session: *const lq_session, i: usize) -> lq_status;
    pub fn lq_prompt_create(
        out: *mut *mut lq_prompt,
        options: *const c_char,
        length: usize,
        encoder: *mut lq_model,
    ) -> lq_status;
    pub fn lq_prompt_free(prompt: *mut lq_prompt);
    pub fn lq_prompt_ask(
        out: *mut *mut lq_report,
        prompt: *mut lq_prompt,
        session: *mut lq_session,
        question: *const c_char,
        length: usize,
        cancel: *const lq_cancel,
    ) -> lq_status;
    pub fn lq_prompt_build(
        out: *mut *mut lq_report,
        prompt: *mut lq_prompt,
        model: *mut lq_model,
        question: *const c_char,
        length: usize,
        budget: u32,
    ) -> lq_status;
    pub fn lq_prompt_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        prompt: *const lq_prompt,
    ) -> lq_status;
    pub fn lq_store_open(
        out: *mut *mut lq_store,
        path: *const c_char,
        encoder: *mut lq_model,
        options: *const lq_store_options,
    ) -> lq_status;
    pub fn lq_store_free(store: *mut lq_store);
    pub fn lq_store_add(
        out: *mut *mut lq_report,
        store: *mut lq_store,
        documents: *const lq_document,
        count: usize,
        progress: lq_count_fn,
        user: *mut c_void,
        cancel: *const lq_cancel,
    ) -> lq_status;
    pub fn lq_store_remove(found: *mut i32, store: *mut lq_store, key: *const c_char) -> lq_status;
    pub fn lq_store_text(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        store: *mut lq_store,
        key: *const c_char,
    ) -> lq_status;
    pub fn lq_store_index(
        store: *mut lq_store,
        progress: lq_count_fn,
        user: *mut c_void,
        cancel: *const lq_cancel,
    ) -> lq_status;
    pub fn lq_store_info(out: *mut *mut lq_report, store: *mut lq_store, keys: i32) -> lq_status;
    pub fn lq_store_search(
        out: *mut *mut lq_report,
        store: *mut lq_store,
        query: *const c_char,
        length: usize,
        options: *const lq_search_options,
    ) -> lq_status;
    pub fn lq_store_ask(
        out: *mut *mut lq_report,
        store: *mut lq_store,
        session: *mut lq_session,
        question: *const c_char,
        length: usize,
        options: *const lq_ask_options,
    ) -> lq_status;
    pub fn lq_store_error(out: *mut c_char, capacity: usize, length: *mut usize, store: *const lq_store) -> lq_status;
    pub fn lq_network_create(
        out: *mut *mut lq_network,
        context: *mut lq_context,
        description: *const c_char,
        seed: u64,
    ) -> lq_status;
    pub fn lq_network_load(out: *mut *mut lq_network, context: *mut lq_context, path: *const c_char) -> lq_status;
    pub fn lq_network_free(network: *mut lq_network);
    pub fn lq_network_save(network: *const lq_network, path: *const c_char) -> lq_status;
    pub fn lq_network_load_parameters(network: *mut lq_network, path: *const c_char) -> lq_status;
    pub fn lq_network_description(out: *mut *const c_char, network: *const lq_network) -> lq_status;
    pub fn lq_network_parameter_count(out: *mut usize, network: *const lq_network) -> lq_status;
    pub fn lq_network_parameter(out: *mut lq_parameter, network: *const lq_network, index: usize) -> lq_status;
    pub fn lq_network_run(out: *mut lq_array, network: *mut lq_network, x: *const lq_array, carry: i32) -> lq_status;
    pub fn lq_network_reset(network: *mut lq_network) -> lq_status;
    pub fn lq_network_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        network: *const lq_network,
    ) -> lq_status;
    pub fn lq_dataset_create(out: *mut *mut lq_dataset, x: *const lq_array, y: *const lq_array) -> lq_status;
    pub fn lq_dataset_create_text(
        out: *mut *mut lq_dataset,
        ids: *const i32,
        count: usize,
        window: usize,
        stride: usize,
    ) -> lq_status;
    pub fn lq_dataset_free(dataset: *mut lq_dataset);
    pub fn lq_dataset_size(out: *mut u64, dataset: *const lq_dataset) -> lq_status;
    pub fn lq_dataset_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        dataset: *const lq_dataset,
    ) -> lq_status;
    pub fn lq_trainer_create(
        out: *mut *mut lq_trainer,
        network: *mut lq_network,
        options: *const lq_train_options,
    ) -> lq_status;
    pub fn lq_trainer_free(trainer: *mut lq_trainer);
    pub fn lq_trainer_fit(
        out: *mut lq_train_progress,
        trainer: *mut lq_trainer,
        train: *mut lq_dataset,
        eval: *mut lq_dataset,
        progress: lq_train_fn,
        user: *mut c_void,
        cancel: *const lq_cancel,
    ) -> lq_status;
    pub fn lq_trainer_step(
        loss: *mut f64,
        trainer: *mut lq_trainer,
        x: *const lq_array,
        y: *const lq_array,
    ) -> lq_status;
    pub fn lq_trainer_evaluate(
        out: *mut f64,
        trainer: *mut lq_trainer,
        data: *mut lq_dataset,
        cancel: *const lq_cancel,
    ) -> lq_status;
    pub fn lq_trainer_save(trainer: *const lq_trainer, path: *const c_char) -> lq_status;
    pub fn lq_trainer_load(trainer: *mut lq_trainer, path: *const c_char) -> lq_status;
    pub fn lq_trainer_error(
        out: *mut c_char,
        capacity: usize,
        length: *mut usize,
        trainer: *const lq_trainer,
    ) -> lq_status;
    pub fn lq_finetune(
        out: *mut *mut lq_report,
        model: *mut lq_model,
        options: *const lq_finetune_options,
    ) -> lq_status;
}

#[cfg(test)]
pub const LAYOUT: &[(&str, usize, usize)] = &[
    (
        "lq_context_options.struct_size",
        std::mem::offset_of!(lq_context_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    ("lq_context_options.threads", std::mem::offset_of!(lq_context_options, threads), std::mem::size_of::<u32>()),
    (
        "lq_context_options.affinity",
        std::mem::offset_of!(lq_context_options, affinity),
        std::mem::size_of::<*const i32>(),
    ),
    (
        "lq_context_options.affinity_count",
        std::mem::offset_of!(lq_context_options, affinity_count),
        std::mem::size_of::<usize>(),
    ),
    ("lq_context_options.spin_us", std::mem::offset_of!(lq_context_options, spin_us), std::mem::size_of::<u32>()),
    ("lq_context_options.reserved", std::mem::offset_of!(lq_context_options, reserved), std::mem::size_of::<u32>()),
    (
        "lq_context_options.parallel_for",
        std::mem::offset_of!(lq_context_options, parallel_for),
        std::mem::size_of::<lq_parallel_for_fn>(),
    ),
    (
        "lq_context_options.parallel_for_user",
        std::mem::offset_of!(lq_context_options, parallel_for_user),
        std::mem::size_of::<*mut c_void>(),
    ),
    (
        "lq_context_options.allocate",
        std::mem::offset_of!(lq_context_options, allocate),
        std::mem::size_of::<lq_allocate_fn>(),
    ),
    (
        "lq_context_options.release",
        std::mem::offset_of!(lq_context_options, release),
        std::mem::size_of::<lq_release_fn>(),
    ),
    (
        "lq_context_options.allocator_user",
        std::mem::offset_of!(lq_context_options, allocator_user),
        std::mem::size_of::<*mut c_void>(),
    ),
    ("lq_context_options.log", std::mem::offset_of!(lq_context_options, log), std::mem::size_of::<lq_log_fn>()),
    (
        "lq_context_options.log_user",
        std::mem::offset_of!(lq_context_options, log_user),
        std::mem::size_of::<*mut c_void>(),
    ),
    ("lq_context_options.isa", std::mem::offset_of!(lq_context_options, isa), std::mem::size_of::<*const c_char>()),
    ("lq_context_options", std::mem::size_of::<lq_context_options>(), 0),
    ("lq_schema_options.struct_size", std::mem::offset_of!(lq_schema_options, struct_size), std::mem::size_of::<u32>()),
    ("lq_schema_options.compact", std::mem::offset_of!(lq_schema_options, compact), std::mem::size_of::<i32>()),
    ("lq_schema_options.closed", std::mem::offset_of!(lq_schema_options, closed), std::mem::size_of::<i32>()),
    ("lq_schema_options.reserved", std::mem::offset_of!(lq_schema_options, reserved), std::mem::size_of::<u32>()),
    ("lq_schema_options", std::mem::size_of::<lq_schema_options>(), 0),
    ("lq_candidate.token", std::mem::offset_of!(lq_candidate, token), std::mem::size_of::<i32>()),
    ("lq_candidate.logit", std::mem::offset_of!(lq_candidate, logit), std::mem::size_of::<f32>()),
    ("lq_candidate", std::mem::size_of::<lq_candidate>(), 0),
    ("lq_model_options.struct_size", std::mem::offset_of!(lq_model_options, struct_size), std::mem::size_of::<u32>()),
    ("lq_model_options.compute", std::mem::offset_of!(lq_model_options, compute), std::mem::size_of::<i32>()),
    ("lq_model_options.vocab_only", std::mem::offset_of!(lq_model_options, vocab_only), std::mem::size_of::<i32>()),
    ("lq_model_options.private_copy", std::mem::offset_of!(lq_model_options, private_copy), std::mem::size_of::<i32>()),
    ("lq_model_options.memory_cap", std::mem::offset_of!(lq_model_options, memory_cap), std::mem::size_of::<u64>()),
    (
        "lq_model_options.progress",
        std::mem::offset_of!(lq_model_options, progress),
        std::mem::size_of::<lq_progress_fn>(),
    ),
    (
        "lq_model_options.progress_user",
        std::mem::offset_of!(lq_model_options, progress_user),
        std::mem::size_of::<*mut c_void>(),
    ),
    ("lq_model_options.cancel", std::mem::offset_of!(lq_model_options, cancel), std::mem::size_of::<*mut lq_cancel>()),
    ("lq_model_options", std::mem::size_of::<lq_model_options>(), 0),
    ("lq_model_info.struct_size", std::mem::offset_of!(lq_model_info, struct_size), std::mem::size_of::<u32>()),
    ("lq_model_info.vocab_only", std::mem::offset_of!(lq_model_info, vocab_only), std::mem::size_of::<u32>()),
    (
        "lq_model_info.architecture",
        std::mem::offset_of!(lq_model_info, architecture),
        std::mem::size_of::<[c_char; 64]>(),
    ),
    ("lq_model_info.name", std::mem::offset_of!(lq_model_info, name), std::mem::size_of::<[c_char; 128]>()),
    ("lq_model_info.n_vocab", std::mem::offset_of!(lq_model_info, n_vocab), std::mem::size_of::<u32>()),
    ("lq_model_info.n_layer", std::mem::offset_of!(lq_model_info, n_layer), std::mem::size_of::<u32>()),
    ("lq_model_info.d_model", std::mem::offset_of!(lq_model_info, d_model), std::mem::size_of::<u32>()),
    ("lq_model_info.n_head", std::mem::offset_of!(lq_model_info, n_head), std::mem::size_of::<u32>()),
    ("lq_model_info.n_kv_head", std::mem::offset_of!(lq_model_info, n_kv_head), std::mem::size_of::<u32>()),
    ("lq_model_info.head_dim", std::mem::offset_of!(lq_model_info, head_dim), std::mem::size_of::<u32>()),
    ("lq_model_info.d_ff", std::mem::offset_of!(lq_model_info, d_ff), std::mem::size_of::<u32>()),
    ("lq_model_info.n_ctx_train", std::mem::offset_of!(lq_model_info, n_ctx_train), std::mem::size_of::<u32>()),
    ("lq_model_info.n_ctx", std::mem::offset_of!(lq_model_info, n_ctx), std::mem::size_of::<u32>()),
    (
        "lq_model_info.has_chat_template",
        std::mem::offset_of!(lq_model_info, has_chat_template),
        std::mem::size_of::<u32>(),
    ),
    ("lq_model_info.n_params", std::mem::offset_of!(lq_model_info, n_params), std::mem::size_of::<u64>()),
    ("lq_model_info.file_bytes", std::mem::offset_of!(lq_model_info, file_bytes), std::mem::size_of::<u64>()),
    ("lq_model_info.weight_bytes", std::mem::offset_of!(lq_model_info, weight_bytes), std::mem::size_of::<u64>()),
    ("lq_model_info.kv_bytes", std::mem::offset_of!(lq_model_info, kv_bytes), std::mem::size_of::<u64>()),
    ("lq_model_info.workspace_bytes", std::mem::offset_of!(lq_model_info, workspace_bytes), std::mem::size_of::<u64>()),
    ("lq_model_info", std::mem::size_of::<lq_model_info>(), 0),
    (
        "lq_inspect_options.struct_size",
        std::mem::offset_of!(lq_inspect_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    ("lq_inspect_options.n_ctx", std::mem::offset_of!(lq_inspect_options, n_ctx), std::mem::size_of::<u32>()),
    (
        "lq_inspect_options.kv_type",
        std::mem::offset_of!(lq_inspect_options, kv_type),
        std::mem::size_of::<*const c_char>(),
    ),
    ("lq_inspect_options", std::mem::size_of::<lq_inspect_options>(), 0),
    (
        "lq_quantize_options.struct_size",
        std::mem::offset_of!(lq_quantize_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    ("lq_quantize_options.reserved", std::mem::offset_of!(lq_quantize_options, reserved), std::mem::size_of::<u32>()),
    ("lq_quantize_options.head", std::mem::offset_of!(lq_quantize_options, head), std::mem::size_of::<*const c_char>()),
    (
        "lq_quantize_options.progress",
        std::mem::offset_of!(lq_quantize_options, progress),
        std::mem::size_of::<lq_progress_fn>(),
    ),
    (
        "lq_quantize_options.progress_user",
        std::mem::offset_of!(lq_quantize_options, progress_user),
        std::mem::size_of::<*mut c_void>(),
    ),
    (
        "lq_quantize_options.cancel",
        std::mem::offset_of!(lq_quantize_options, cancel),
        std::mem::size_of::<*mut lq_cancel>(),
    ),
    ("lq_quantize_options", std::mem::size_of::<lq_quantize_options>(), 0),
    (
        "lq_quantize_result.struct_size",
        std::mem::offset_of!(lq_quantize_result, struct_size),
        std::mem::size_of::<u32>(),
    ),
    ("lq_quantize_result.tensors", std::mem::offset_of!(lq_quantize_result, tensors), std::mem::size_of::<u32>()),
    ("lq_quantize_result.converted", std::mem::offset_of!(lq_quantize_result, converted), std::mem::size_of::<u32>()),
    (
        "lq_quantize_result.requantized",
        std::mem::offset_of!(lq_quantize_result, requantized),
        std::mem::size_of::<u32>(),
    ),
    ("lq_quantize_result.odd", std::mem::offset_of!(lq_quantize_result, odd), std::mem::size_of::<u32>()),
    ("lq_quantize_result.reserved", std::mem::offset_of!(lq_quantize_result, reserved), std::mem::size_of::<u32>()),
    ("lq_quantize_result.head", std::mem::offset_of!(lq_quantize_result, head), std::mem::size_of::<*const c_char>()),
    (
        "lq_quantize_result.source_bytes",
        std::mem::offset_of!(lq_quantize_result, source_bytes),
        std::mem::size_of::<u64>(),
    ),
    (
        "lq_quantize_result.target_bytes",
        std::mem::offset_of!(lq_quantize_result, target_bytes),
        std::mem::size_of::<u64>(),
    ),
    ("lq_quantize_result.merged", std::mem::offset_of!(lq_quantize_result, merged), std::mem::size_of::<u32>()),
    ("lq_quantize_result.reserved2", std::mem::offset_of!(lq_quantize_result, reserved2), std::mem::size_of::<u32>()),
    ("lq_quantize_result", std::mem::size_of::<lq_quantize_result>(), 0),
    (
        "lq_catalogue_entry.struct_size",
        std::mem::offset_of!(lq_catalogue_entry, struct_size),
        std::mem::size_of::<u32>(),
    ),
    ("lq_catalogue_entry.cached", std::mem::offset_of!(lq_catalogue_entry, cached), std::mem::size_of::<u32>()),
    ("lq_catalogue_entry.name", std::mem::offset_of!(lq_catalogue_entry, name), std::mem::size_of::<*const c_char>()),
    ("lq_catalogue_entry.title", std::mem::offset_of!(lq_catalogue_entry, title), std::mem::size_of::<*const c_char>()),
    ("lq_catalogue_entry.file", std::mem::offset_of!(lq_catalogue_entry, file), std::mem::size_of::<*const c_char>()),
    (
        "lq_catalogue_entry.source",
        std::mem::offset_of!(lq_catalogue_entry, source),
        std::mem::size_of::<*const c_char>(),
    ),
    (
        "lq_catalogue_entry.licence",
        std::mem::offset_of!(lq_catalogue_entry, licence),
        std::mem::size_of::<*const c_char>(),
    ),
    (
        "lq_catalogue_entry.sha256",
        std::mem::offset_of!(lq_catalogue_entry, sha256),
        std::mem::size_of::<*const c_char>(),
    ),
    ("lq_catalogue_entry.bytes", std::mem::offset_of!(lq_catalogue_entry, bytes), std::mem::size_of::<u64>()),
    ("lq_catalogue_entry", std::mem::size_of::<lq_catalogue_entry>(), 0),
    (
        "lq_tokenize_options.struct_size",
        std::mem::offset_of!(lq_tokenize_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_tokenize_options.add_special",
        std::mem::offset_of!(lq_tokenize_options, add_special),
        std::mem::size_of::<i32>(),
    ),
    (
        "lq_tokenize_options.parse_special",
        std::mem::offset_of!(lq_tokenize_options, parse_special),
        std::mem::size_of::<i32>(),
    ),
    ("lq_tokenize_options", std::mem::size_of::<lq_tokenize_options>(), 0),
    (
        "lq_detokenize_options.struct_size",
        std::mem::offset_of!(lq_detokenize_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_detokenize_options.render_special",
        std::mem::offset_of!(lq_detokenize_options, render_special),
        std::mem::size_of::<i32>(),
    ),
    ("lq_detokenize_options", std::mem::size_of::<lq_detokenize_options>(), 0),
    ("lq_stream_options.struct_size", std::mem::offset_of!(lq_stream_options, struct_size), std::mem::size_of::<u32>()),
    (
        "lq_stream_options.render_special",
        std::mem::offset_of!(lq_stream_options, render_special),
        std::mem::size_of::<i32>(),
    ),
    ("lq_stream_options.raw_bytes", std::mem::offset_of!(lq_stream_options, raw_bytes), std::mem::size_of::<i32>()),
    ("lq_stream_options.reserved", std::mem::offset_of!(lq_stream_options, reserved), std::mem::size_of::<i32>()),
    ("lq_stream_options", std::mem::size_of::<lq_stream_options>(), 0),
    ("lq_message.struct_size", std::mem::offset_of!(lq_message, struct_size), std::mem::size_of::<u32>()),
    ("lq_message.reserved", std::mem::offset_of!(lq_message, reserved), std::mem::size_of::<u32>()),
    ("lq_message.role", std::mem::offset_of!(lq_message, role), std::mem::size_of::<*const c_char>()),
    ("lq_message.content", std::mem::offset_of!(lq_message, content), std::mem::size_of::<*const c_char>()),
    ("lq_message.content_length", std::mem::offset_of!(lq_message, content_length), std::mem::size_of::<usize>()),
    ("lq_message.extra_json", std::mem::offset_of!(lq_message, extra_json), std::mem::size_of::<*const c_char>()),
    ("lq_message.extra_json_length", std::mem::offset_of!(lq_message, extra_json_length), std::mem::size_of::<usize>()),
    ("lq_message", std::mem::size_of::<lq_message>(), 0),
    ("lq_chat_options.struct_size", std::mem::offset_of!(lq_chat_options, struct_size), std::mem::size_of::<u32>()),
    (
        "lq_chat_options.no_generation_prompt",
        std::mem::offset_of!(lq_chat_options, no_generation_prompt),
        std::mem::size_of::<i32>(),
    ),
    (
        "lq_chat_options.tools_json",
        std::mem::offset_of!(lq_chat_options, tools_json),
        std::mem::size_of::<*const c_char>(),
    ),
    (
        "lq_chat_options.tools_json_length",
        std::mem::offset_of!(lq_chat_options, tools_json_length),
        std::mem::size_of::<usize>(),
    ),
    (
        "lq_chat_options.extra_json",
        std::mem::offset_of!(lq_chat_options, extra_json),
        std::mem::size_of::<*const c_char>(),
    ),
    (
        "lq_chat_options.extra_json_length",
        std::mem::offset_of!(lq_chat_options, extra_json_length),
        std::mem::size_of::<usize>(),
    ),
    ("lq_chat_options.max_steps", std::mem::offset_of!(lq_chat_options, max_steps), std::mem::size_of::<u64>()),
    ("lq_chat_options.max_memory", std::mem::offset_of!(lq_chat_options, max_memory), std::mem::size_of::<u64>()),
    ("lq_chat_options.max_output", std::mem::offset_of!(lq_chat_options, max_output), std::mem::size_of::<u64>()),
    ("lq_chat_options", std::mem::size_of::<lq_chat_options>(), 0),
    (
        "lq_session_options.struct_size",
        std::mem::offset_of!(lq_session_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    ("lq_session_options.n_ctx", std::mem::offset_of!(lq_session_options, n_ctx), std::mem::size_of::<u32>()),
    (
        "lq_session_options.kv_type",
        std::mem::offset_of!(lq_session_options, kv_type),
        std::mem::size_of::<*const c_char>(),
    ),
    ("lq_session_options.overflow", std::mem::offset_of!(lq_session_options, overflow), std::mem::size_of::<i32>()),
    ("lq_session_options.slide_keep", std::mem::offset_of!(lq_session_options, slide_keep), std::mem::size_of::<u32>()),
    (
        "lq_session_options.prefill_chunk",
        std::mem::offset_of!(lq_session_options, prefill_chunk),
        std::mem::size_of::<u32>(),
    ),
    ("lq_session_options.wipe", std::mem::offset_of!(lq_session_options, wipe), std::mem::size_of::<i32>()),
    ("lq_session_options.memory_cap", std::mem::offset_of!(lq_session_options, memory_cap), std::mem::size_of::<u64>()),
    ("lq_session_options", std::mem::size_of::<lq_session_options>(), 0),
    ("lq_logprob.token", std::mem::offset_of!(lq_logprob, token), std::mem::size_of::<i32>()),
    ("lq_logprob.logprob", std::mem::offset_of!(lq_logprob, logprob), std::mem::size_of::<f32>()),
    ("lq_logprob", std::mem::size_of::<lq_logprob>(), 0),
    ("lq_event.struct_size", std::mem::offset_of!(lq_event, struct_size), std::mem::size_of::<u32>()),
    ("lq_event.kind", std::mem::offset_of!(lq_event, kind), std::mem::size_of::<i32>()),
    ("lq_event.token", std::mem::offset_of!(lq_event, token), std::mem::size_of::<i32>()),
    ("lq_event.index", std::mem::offset_of!(lq_event, index), std::mem::size_of::<u32>()),
    ("lq_event.text", std::mem::offset_of!(lq_event, text), std::mem::size_of::<*const c_char>()),
    ("lq_event.text_length", std::mem::offset_of!(lq_event, text_length), std::mem::size_of::<usize>()),
    ("lq_event.logprob", std::mem::offset_of!(lq_event, logprob), std::mem::size_of::<f32>()),
    ("lq_event.finish", std::mem::offset_of!(lq_event, finish), std::mem::size_of::<i32>()),
    ("lq_event.top", std::mem::offset_of!(lq_event, top), std::mem::size_of::<*const lq_logprob>()),
    ("lq_event.top_count", std::mem::offset_of!(lq_event, top_count), std::mem::size_of::<usize>()),
    ("lq_event.prompt_done", std::mem::offset_of!(lq_event, prompt_done), std::mem::size_of::<u32>()),
    ("lq_event.prompt_total", std::mem::offset_of!(lq_event, prompt_total), std::mem::size_of::<u32>()),
    ("lq_event", std::mem::size_of::<lq_event>(), 0),
    (
        "lq_generate_options.struct_size",
        std::mem::offset_of!(lq_generate_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_generate_options.max_tokens",
        std::mem::offset_of!(lq_generate_options, max_tokens),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_generate_options.sampler",
        std::mem::offset_of!(lq_generate_options, sampler),
        std::mem::size_of::<*const lq_sampler>(),
    ),
    (
        "lq_generate_options.stop",
        std::mem::offset_of!(lq_generate_options, stop),
        std::mem::size_of::<*const *const c_char>(),
    ),
    (
        "lq_generate_options.stop_count",
        std::mem::offset_of!(lq_generate_options, stop_count),
        std::mem::size_of::<usize>(),
    ),
    (
        "lq_generate_options.stop_tokens",
        std::mem::offset_of!(lq_generate_options, stop_tokens),
        std::mem::size_of::<*const i32>(),
    ),
    (
        "lq_generate_options.stop_token_count",
        std::mem::offset_of!(lq_generate_options, stop_token_count),
        std::mem::size_of::<usize>(),
    ),
    ("lq_generate_options.logprobs", std::mem::offset_of!(lq_generate_options, logprobs), std::mem::size_of::<u32>()),
    (
        "lq_generate_options.ignore_end",
        std::mem::offset_of!(lq_generate_options, ignore_end),
        std::mem::size_of::<i32>(),
    ),
    ("lq_generate_options.append", std::mem::offset_of!(lq_generate_options, append), std::mem::size_of::<i32>()),
    (
        "lq_generate_options.parse_special",
        std::mem::offset_of!(lq_generate_options, parse_special),
        std::mem::size_of::<i32>(),
    ),
    ("lq_generate_options.no_begin", std::mem::offset_of!(lq_generate_options, no_begin), std::mem::size_of::<i32>()),
    ("lq_generate_options.reserved", std::mem::offset_of!(lq_generate_options, reserved), std::mem::size_of::<i32>()),
    (
        "lq_generate_options.cancel",
        std::mem::offset_of!(lq_generate_options, cancel),
        std::mem::size_of::<*mut lq_cancel>(),
    ),
    ("lq_generate_options.lookup", std::mem::offset_of!(lq_generate_options, lookup), std::mem::size_of::<i32>()),
    ("lq_generate_options.reserved2", std::mem::offset_of!(lq_generate_options, reserved2), std::mem::size_of::<i32>()),
    (
        "lq_generate_options.grammar",
        std::mem::offset_of!(lq_generate_options, grammar),
        std::mem::size_of::<*const lq_grammar>(),
    ),
    ("lq_generate_options", std::mem::size_of::<lq_generate_options>(), 0),
    ("lq_result.struct_size", std::mem::offset_of!(lq_result, struct_size), std::mem::size_of::<u32>()),
    ("lq_result.finish", std::mem::offset_of!(lq_result, finish), std::mem::size_of::<i32>()),
    ("lq_result.prompt_tokens", std::mem::offset_of!(lq_result, prompt_tokens), std::mem::size_of::<u32>()),
    ("lq_result.reused_tokens", std::mem::offset_of!(lq_result, reused_tokens), std::mem::size_of::<u32>()),
    ("lq_result.generated_tokens", std::mem::offset_of!(lq_result, generated_tokens), std::mem::size_of::<u32>()),
    ("lq_result.reserved", std::mem::offset_of!(lq_result, reserved), std::mem::size_of::<u32>()),
    ("lq_result.load_ms", std::mem::offset_of!(lq_result, load_ms), std::mem::size_of::<f64>()),
    ("lq_result.prefill_ms", std::mem::offset_of!(lq_result, prefill_ms), std::mem::size_of::<f64>()),
    ("lq_result.decode_ms", std::mem::offset_of!(lq_result, decode_ms), std::mem::size_of::<f64>()),
    ("lq_result.first_token_ms", std::mem::offset_of!(lq_result, first_token_ms), std::mem::size_of::<f64>()),
    ("lq_result.prefill_tps", std::mem::offset_of!(lq_result, prefill_tps), std::mem::size_of::<f64>()),
    ("lq_result.decode_tps", std::mem::offset_of!(lq_result, decode_tps), std::mem::size_of::<f64>()),
    ("lq_result.drafted_tokens", std::mem::offset_of!(lq_result, drafted_tokens), std::mem::size_of::<u32>()),
    ("lq_result.accepted_tokens", std::mem::offset_of!(lq_result, accepted_tokens), std::mem::size_of::<u32>()),
    ("lq_result", std::mem::size_of::<lq_result>(), 0),
    ("lq_batch_options.struct_size", std::mem::offset_of!(lq_batch_options, struct_size), std::mem::size_of::<u32>()),
    ("lq_batch_options.max_sessions", std::mem::offset_of!(lq_batch_options, max_sessions), std::mem::size_of::<u32>()),
    ("lq_batch_options", std::mem::size_of::<lq_batch_options>(), 0),
    (
        "lq_perplexity_options.struct_size",
        std::mem::offset_of!(lq_perplexity_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    ("lq_perplexity_options.n_ctx", std::mem::offset_of!(lq_perplexity_options, n_ctx), std::mem::size_of::<u32>()),
    (
        "lq_perplexity_options.max_windows",
        std::mem::offset_of!(lq_perplexity_options, max_windows),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_perplexity_options.reserved",
        std::mem::offset_of!(lq_perplexity_options, reserved),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_perplexity_options.kv_type",
        std::mem::offset_of!(lq_perplexity_options, kv_type),
        std::mem::size_of::<*const c_char>(),
    ),
    (
        "lq_perplexity_options.progress",
        std::mem::offset_of!(lq_perplexity_options, progress),
        std::mem::size_of::<lq_progress_fn>(),
    ),
    (
        "lq_perplexity_options.progress_user",
        std::mem::offset_of!(lq_perplexity_options, progress_user),
        std::mem::size_of::<*mut c_void>(),
    ),
    (
        "lq_perplexity_options.cancel",
        std::mem::offset_of!(lq_perplexity_options, cancel),
        std::mem::size_of::<*mut lq_cancel>(),
    ),
    ("lq_perplexity_options.stride", std::mem::offset_of!(lq_perplexity_options, stride), std::mem::size_of::<u32>()),
    (
        "lq_perplexity_options.reserved2",
        std::mem::offset_of!(lq_perplexity_options, reserved2),
        std::mem::size_of::<u32>(),
    ),
    ("lq_perplexity_options", std::mem::size_of::<lq_perplexity_options>(), 0),
    (
        "lq_perplexity_result.struct_size",
        std::mem::offset_of!(lq_perplexity_result, struct_size),
        std::mem::size_of::<u32>(),
    ),
    ("lq_perplexity_result.windows", std::mem::offset_of!(lq_perplexity_result, windows), std::mem::size_of::<u32>()),
    ("lq_perplexity_result.scored", std::mem::offset_of!(lq_perplexity_result, scored), std::mem::size_of::<u64>()),
    (
        "lq_perplexity_result.perplexity",
        std::mem::offset_of!(lq_perplexity_result, perplexity),
        std::mem::size_of::<f64>(),
    ),
    (
        "lq_perplexity_result.std_error",
        std::mem::offset_of!(lq_perplexity_result, std_error),
        std::mem::size_of::<f64>(),
    ),
    (
        "lq_perplexity_result.mean_logprob",
        std::mem::offset_of!(lq_perplexity_result, mean_logprob),
        std::mem::size_of::<f64>(),
    ),
    ("lq_perplexity_result", std::mem::size_of::<lq_perplexity_result>(), 0),
    (
        "lq_embedder_options.struct_size",
        std::mem::offset_of!(lq_embedder_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_embedder_options.max_tokens",
        std::mem::offset_of!(lq_embedder_options, max_tokens),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_embedder_options.batch_tokens",
        std::mem::offset_of!(lq_embedder_options, batch_tokens),
        std::mem::size_of::<u32>(),
    ),
    ("lq_embedder_options.raw", std::mem::offset_of!(lq_embedder_options, raw), std::mem::size_of::<i32>()),
    (
        "lq_embedder_options.pooling",
        std::mem::offset_of!(lq_embedder_options, pooling),
        std::mem::size_of::<*const c_char>(),
    ),
    ("lq_embedder_options", std::mem::size_of::<lq_embedder_options>(), 0),
    ("lq_mmlu_options.struct_size", std::mem::offset_of!(lq_mmlu_options, struct_size), std::mem::size_of::<u32>()),
    ("lq_mmlu_options.shots", std::mem::offset_of!(lq_mmlu_options, shots), std::mem::size_of::<u32>()),
    ("lq_mmlu_options.data", std::mem::offset_of!(lq_mmlu_options, data), std::mem::size_of::<*const c_char>()),
    (
        "lq_mmlu_options.subjects",
        std::mem::offset_of!(lq_mmlu_options, subjects),
        std::mem::size_of::<*const *const c_char>(),
    ),
    (
        "lq_mmlu_options.subject_count",
        std::mem::offset_of!(lq_mmlu_options, subject_count),
        std::mem::size_of::<usize>(),
    ),
    ("lq_mmlu_options.format", std::mem::offset_of!(lq_mmlu_options, format), std::mem::size_of::<*const c_char>()),
    ("lq_mmlu_options.results", std::mem::offset_of!(lq_mmlu_options, results), std::mem::size_of::<*const c_char>()),
    ("lq_mmlu_options.limit", std::mem::offset_of!(lq_mmlu_options, limit), std::mem::size_of::<u32>()),
    ("lq_mmlu_options.n_ctx", std::mem::offset_of!(lq_mmlu_options, n_ctx), std::mem::size_of::<u32>()),
    ("lq_mmlu_options.progress", std::mem::offset_of!(lq_mmlu_options, progress), std::mem::size_of::<lq_count_fn>()),
    (
        "lq_mmlu_options.progress_user",
        std::mem::offset_of!(lq_mmlu_options, progress_user),
        std::mem::size_of::<*mut c_void>(),
    ),
    ("lq_mmlu_options.cancel", std::mem::offset_of!(lq_mmlu_options, cancel), std::mem::size_of::<*mut lq_cancel>()),
    ("lq_mmlu_options.answers", std::mem::offset_of!(lq_mmlu_options, answers), std::mem::size_of::<i32>()),
    ("lq_mmlu_options.reserved", std::mem::offset_of!(lq_mmlu_options, reserved), std::mem::size_of::<i32>()),
    ("lq_mmlu_options", std::mem::size_of::<lq_mmlu_options>(), 0),
    (
        "lq_prefix_cache_options.struct_size",
        std::mem::offset_of!(lq_prefix_cache_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_prefix_cache_options.reserved",
        std::mem::offset_of!(lq_prefix_cache_options, reserved),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_prefix_cache_options.max_bytes",
        std::mem::offset_of!(lq_prefix_cache_options, max_bytes),
        std::mem::size_of::<u64>(),
    ),
    ("lq_prefix_cache_options", std::mem::size_of::<lq_prefix_cache_options>(), 0),
    (
        "lq_prefix_cache_stats.struct_size",
        std::mem::offset_of!(lq_prefix_cache_stats, struct_size),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_prefix_cache_stats.reserved",
        std::mem::offset_of!(lq_prefix_cache_stats, reserved),
        std::mem::size_of::<u32>(),
    ),
    ("lq_prefix_cache_stats.lookups", std::mem::offset_of!(lq_prefix_cache_stats, lookups), std::mem::size_of::<u64>()),
    ("lq_prefix_cache_stats.hits", std::mem::offset_of!(lq_prefix_cache_stats, hits), std::mem::size_of::<u64>()),
    (
        "lq_prefix_cache_stats.reused_tokens",
        std::mem::offset_of!(lq_prefix_cache_stats, reused_tokens),
        std::mem::size_of::<u64>(),
    ),
    ("lq_prefix_cache_stats.entries", std::mem::offset_of!(lq_prefix_cache_stats, entries), std::mem::size_of::<u64>()),
    ("lq_prefix_cache_stats.bytes", std::mem::offset_of!(lq_prefix_cache_stats, bytes), std::mem::size_of::<u64>()),
    (
        "lq_prefix_cache_stats.max_bytes",
        std::mem::offset_of!(lq_prefix_cache_stats, max_bytes),
        std::mem::size_of::<u64>(),
    ),
    ("lq_prefix_cache_stats.evicted", std::mem::offset_of!(lq_prefix_cache_stats, evicted), std::mem::size_of::<u64>()),
    ("lq_prefix_cache_stats", std::mem::size_of::<lq_prefix_cache_stats>(), 0),
    ("lq_profile_part.struct_size", std::mem::offset_of!(lq_profile_part, struct_size), std::mem::size_of::<u32>()),
    ("lq_profile_part.reserved", std::mem::offset_of!(lq_profile_part, reserved), std::mem::size_of::<u32>()),
    ("lq_profile_part.name", std::mem::offset_of!(lq_profile_part, name), std::mem::size_of::<*const c_char>()),
    ("lq_profile_part.calls", std::mem::offset_of!(lq_profile_part, calls), std::mem::size_of::<u64>()),
    ("lq_profile_part.seconds", std::mem::offset_of!(lq_profile_part, seconds), std::mem::size_of::<f64>()),
    ("lq_profile_part.bytes", std::mem::offset_of!(lq_profile_part, bytes), std::mem::size_of::<f64>()),
    ("lq_profile_part", std::mem::size_of::<lq_profile_part>(), 0),
    ("lq_store_options.struct_size", std::mem::offset_of!(lq_store_options, struct_size), std::mem::size_of::<u32>()),
    ("lq_store_options.read_only", std::mem::offset_of!(lq_store_options, read_only), std::mem::size_of::<i32>()),
    ("lq_store_options.chunk_tokens", std::mem::offset_of!(lq_store_options, chunk_tokens), std::mem::size_of::<u32>()),
    ("lq_store_options.overlap", std::mem::offset_of!(lq_store_options, overlap), std::mem::size_of::<u32>()),
    (
        "lq_store_options.whole_documents",
        std::mem::offset_of!(lq_store_options, whole_documents),
        std::mem::size_of::<i32>(),
    ),
    ("lq_store_options.reserved", std::mem::offset_of!(lq_store_options, reserved), std::mem::size_of::<i32>()),
    ("lq_store_options", std::mem::size_of::<lq_store_options>(), 0),
    ("lq_document.struct_size", std::mem::offset_of!(lq_document, struct_size), std::mem::size_of::<u32>()),
    ("lq_document.kind", std::mem::offset_of!(lq_document, kind), std::mem::size_of::<i32>()),
    ("lq_document.key", std::mem::offset_of!(lq_document, key), std::mem::size_of::<*const c_char>()),
    ("lq_document.text", std::mem::offset_of!(lq_document, text), std::mem::size_of::<*const c_char>()),
    ("lq_document.length", std::mem::offset_of!(lq_document, length), std::mem::size_of::<usize>()),
    ("lq_document.title", std::mem::offset_of!(lq_document, title), std::mem::size_of::<*const c_char>()),
    ("lq_document.source", std::mem::offset_of!(lq_document, source), std::mem::size_of::<*const c_char>()),
    ("lq_document.metadata", std::mem::offset_of!(lq_document, metadata), std::mem::size_of::<*const c_char>()),
    ("lq_document.trust", std::mem::offset_of!(lq_document, trust), std::mem::size_of::<f64>()),
    ("lq_document", std::mem::size_of::<lq_document>(), 0),
    ("lq_search_options.struct_size", std::mem::offset_of!(lq_search_options, struct_size), std::mem::size_of::<u32>()),
    ("lq_search_options.mode", std::mem::offset_of!(lq_search_options, mode), std::mem::size_of::<i32>()),
    ("lq_search_options.k", std::mem::offset_of!(lq_search_options, k), std::mem::size_of::<u32>()),
    (
        "lq_search_options.per_document",
        std::mem::offset_of!(lq_search_options, per_document),
        std::mem::size_of::<u32>(),
    ),
    ("lq_search_options.filter", std::mem::offset_of!(lq_search_options, filter), std::mem::size_of::<*const c_char>()),
    ("lq_search_options.min_trust", std::mem::offset_of!(lq_search_options, min_trust), std::mem::size_of::<f64>()),
    ("lq_search_options.mmr", std::mem::offset_of!(lq_search_options, mmr), std::mem::size_of::<f64>()),
    ("lq_search_options.exact", std::mem::offset_of!(lq_search_options, exact), std::mem::size_of::<i32>()),
    ("lq_search_options", std::mem::size_of::<lq_search_options>(), 0),
    ("lq_ask_options.struct_size", std::mem::offset_of!(lq_ask_options, struct_size), std::mem::size_of::<u32>()),
    ("lq_ask_options.max_tokens", std::mem::offset_of!(lq_ask_options, max_tokens), std::mem::size_of::<u32>()),
    ("lq_ask_options.budget", std::mem::offset_of!(lq_ask_options, budget), std::mem::size_of::<u32>()),
    ("lq_ask_options.no_guards", std::mem::offset_of!(lq_ask_options, no_guards), std::mem::size_of::<i32>()),
    ("lq_ask_options.threshold", std::mem::offset_of!(lq_ask_options, threshold), std::mem::size_of::<f64>()),
    (
        "lq_ask_options.instructions",
        std::mem::offset_of!(lq_ask_options, instructions),
        std::mem::size_of::<*const c_char>(),
    ),
    (
        "lq_ask_options.search",
        std::mem::offset_of!(lq_ask_options, search),
        std::mem::size_of::<*const lq_search_options>(),
    ),
    ("lq_ask_options.stream", std::mem::offset_of!(lq_ask_options, stream), std::mem::size_of::<lq_text_fn>()),
    (
        "lq_ask_options.stream_user",
        std::mem::offset_of!(lq_ask_options, stream_user),
        std::mem::size_of::<*mut c_void>(),
    ),
    ("lq_ask_options.cancel", std::mem::offset_of!(lq_ask_options, cancel), std::mem::size_of::<*mut lq_cancel>()),
    ("lq_ask_options", std::mem::size_of::<lq_ask_options>(), 0),
    ("lq_array.struct_size", std::mem::offset_of!(lq_array, struct_size), std::mem::size_of::<u32>()),
    ("lq_array.rank", std::mem::offset_of!(lq_array, rank), std::mem::size_of::<u32>()),
    ("lq_array.shape", std::mem::offset_of!(lq_array, shape), std::mem::size_of::<[u64; 4]>()),
    ("lq_array.data", std::mem::offset_of!(lq_array, data), std::mem::size_of::<*const c_void>()),
    ("lq_array", std::mem::size_of::<lq_array>(), 0),
    ("lq_parameter.struct_size", std::mem::offset_of!(lq_parameter, struct_size), std::mem::size_of::<u32>()),
    ("lq_parameter.rank", std::mem::offset_of!(lq_parameter, rank), std::mem::size_of::<u32>()),
    ("lq_parameter.shape", std::mem::offset_of!(lq_parameter, shape), std::mem::size_of::<[u64; 4]>()),
    ("lq_parameter.count", std::mem::offset_of!(lq_parameter, count), std::mem::size_of::<u64>()),
    ("lq_parameter.name", std::mem::offset_of!(lq_parameter, name), std::mem::size_of::<*const c_char>()),
    ("lq_parameter.data", std::mem::offset_of!(lq_parameter, data), std::mem::size_of::<*mut f32>()),
    ("lq_parameter", std::mem::size_of::<lq_parameter>(), 0),
    ("lq_train_options.struct_size", std::mem::offset_of!(lq_train_options, struct_size), std::mem::size_of::<u32>()),
    ("lq_train_options.loss", std::mem::offset_of!(lq_train_options, loss), std::mem::size_of::<i32>()),
    (
        "lq_train_options.optimizer",
        std::mem::offset_of!(lq_train_options, optimizer),
        std::mem::size_of::<*const c_char>(),
    ),
    (
        "lq_train_options.schedule",
        std::mem::offset_of!(lq_train_options, schedule),
        std::mem::size_of::<*const c_char>(),
    ),
    (
        "lq_train_options.learning_rate",
        std::mem::offset_of!(lq_train_options, learning_rate),
        std::mem::size_of::<f64>(),
    ),
    ("lq_train_options.min_rate", std::mem::offset_of!(lq_train_options, min_rate), std::mem::size_of::<f64>()),
    ("lq_train_options.beta1", std::mem::offset_of!(lq_train_options, beta1), std::mem::size_of::<f64>()),
    ("lq_train_options.beta2", std::mem::offset_of!(lq_train_options, beta2), std::mem::size_of::<f64>()),
    ("lq_train_options.eps", std::mem::offset_of!(lq_train_options, eps), std::mem::size_of::<f64>()),
    ("lq_train_options.momentum", std::mem::offset_of!(lq_train_options, momentum), std::mem::size_of::<f64>()),
    ("lq_train_options.weight_decay", std::mem::offset_of!(lq_train_options, weight_decay), std::mem::size_of::<f64>()),
    ("lq_train_options.clip", std::mem::offset_of!(lq_train_options, clip), std::mem::size_of::<f64>()),
    ("lq_train_options.nesterov", std::mem::offset_of!(lq_train_options, nesterov), std::mem::size_of::<i32>()),
    ("lq_train_options.in_order", std::mem::offset_of!(lq_train_options, in_order), std::mem::size_of::<i32>()),
    ("lq_train_options.carry", std::mem::offset_of!(lq_train_options, carry), std::mem::size_of::<i32>()),
    ("lq_train_options.reserved", std::mem::offset_of!(lq_train_options, reserved), std::mem::size_of::<i32>()),
    ("lq_train_options.seed", std::mem::offset_of!(lq_train_options, seed), std::mem::size_of::<u64>()),
    ("lq_train_options.batch", std::mem::offset_of!(lq_train_options, batch), std::mem::size_of::<u64>()),
    ("lq_train_options.accumulate", std::mem::offset_of!(lq_train_options, accumulate), std::mem::size_of::<u64>()),
    ("lq_train_options.steps", std::mem::offset_of!(lq_train_options, steps), std::mem::size_of::<u64>()),
    ("lq_train_options.epochs", std::mem::offset_of!(lq_train_options, epochs), std::mem::size_of::<u64>()),
    ("lq_train_options.warmup", std::mem::offset_of!(lq_train_options, warmup), std::mem::size_of::<u64>()),
    ("lq_train_options.eval_every", std::mem::offset_of!(lq_train_options, eval_every), std::mem::size_of::<u64>()),
    ("lq_train_options.patience", std::mem::offset_of!(lq_train_options, patience), std::mem::size_of::<u64>()),
    (
        "lq_train_options.checkpoint_every",
        std::mem::offset_of!(lq_train_options, checkpoint_every),
        std::mem::size_of::<u64>(),
    ),
    (
        "lq_train_options.checkpoint",
        std::mem::offset_of!(lq_train_options, checkpoint),
        std::mem::size_of::<*const c_char>(),
    ),
    ("lq_train_options", std::mem::size_of::<lq_train_options>(), 0),
    ("lq_train_progress.struct_size", std::mem::offset_of!(lq_train_progress, struct_size), std::mem::size_of::<u32>()),
    ("lq_train_progress.reserved", std::mem::offset_of!(lq_train_progress, reserved), std::mem::size_of::<u32>()),
    ("lq_train_progress.step", std::mem::offset_of!(lq_train_progress, step), std::mem::size_of::<u64>()),
    ("lq_train_progress.steps", std::mem::offset_of!(lq_train_progress, steps), std::mem::size_of::<u64>()),
    ("lq_train_progress.epoch", std::mem::offset_of!(lq_train_progress, epoch), std::mem::size_of::<u64>()),
    ("lq_train_progress.skipped", std::mem::offset_of!(lq_train_progress, skipped), std::mem::size_of::<u64>()),
    ("lq_train_progress.loss", std::mem::offset_of!(lq_train_progress, loss), std::mem::size_of::<f64>()),
    ("lq_train_progress.rate", std::mem::offset_of!(lq_train_progress, rate), std::mem::size_of::<f64>()),
    (
        "lq_train_progress.gradient_norm",
        std::mem::offset_of!(lq_train_progress, gradient_norm),
        std::mem::size_of::<f64>(),
    ),
    ("lq_train_progress.eval_loss", std::mem::offset_of!(lq_train_progress, eval_loss), std::mem::size_of::<f64>()),
    (
        "lq_train_progress.examples_per_s",
        std::mem::offset_of!(lq_train_progress, examples_per_s),
        std::mem::size_of::<f64>(),
    ),
    ("lq_train_progress", std::mem::size_of::<lq_train_progress>(), 0),
    (
        "lq_finetune_options.struct_size",
        std::mem::offset_of!(lq_finetune_options, struct_size),
        std::mem::size_of::<u32>(),
    ),
    ("lq_finetune_options.rank", std::mem::offset_of!(lq_finetune_options, rank), std::mem::size_of::<u32>()),
    ("lq_finetune_options.alpha", std::mem::offset_of!(lq_finetune_options, alpha), std::mem::size_of::<f32>()),
    ("lq_finetune_options.dropout", std::mem::offset_of!(lq_finetune_options, dropout), std::mem::size_of::<f32>()),
    (
        "lq_finetune_options.targets",
        std::mem::offset_of!(lq_finetune_options, targets),
        std::mem::size_of::<*const *const c_char>(),
    ),
    (
        "lq_finetune_options.target_count",
        std::mem::offset_of!(lq_finetune_options, target_count),
        std::mem::size_of::<usize>(),
    ),
    ("lq_finetune_options.data", std::mem::offset_of!(lq_finetune_options, data), std::mem::size_of::<*const c_char>()),
    (
        "lq_finetune_options.eval_data",
        std::mem::offset_of!(lq_finetune_options, eval_data),
        std::mem::size_of::<*const c_char>(),
    ),
    (
        "lq_finetune_options.eval_fraction",
        std::mem::offset_of!(lq_finetune_options, eval_fraction),
        std::mem::size_of::<f64>(),
    ),
    ("lq_finetune_options.out", std::mem::offset_of!(lq_finetune_options, out), std::mem::size_of::<*const c_char>()),
    ("lq_finetune_options.base", std::mem::offset_of!(lq_finetune_options, base), std::mem::size_of::<*const c_char>()),
    (
        "lq_finetune_options.max_tokens",
        std::mem::offset_of!(lq_finetune_options, max_tokens),
        std::mem::size_of::<u32>(),
    ),
    (
        "lq_finetune_options.all_tokens",
        std::mem::offset_of!(lq_finetune_options, all_tokens),
        std::mem::size_of::<i32>(),
    ),
    (
        "lq_finetune_options.no_packing",
        std::mem::offset_of!(lq_finetune_options, no_packing),
        std::mem::size_of::<i32>(),
    ),
    ("lq_finetune_options.reserved", std::mem::offset_of!(lq_finetune_options, reserved), std::mem::size_of::<i32>()),
    (
        "lq_finetune_options.train",
        std::mem::offset_of!(lq_finetune_options, train),
        std::mem::size_of::<*const lq_train_options>(),
    ),
    (
        "lq_finetune_options.progress",
        std::mem::offset_of!(lq_finetune_options, progress),
        std::mem::size_of::<lq_train_fn>(),
    ),
    (
        "lq_finetune_options.progress_user",
        std::mem::offset_of!(lq_finetune_options, progress_user),
        std::mem::size_of::<*mut c_void>(),
    ),
    (
        "lq_finetune_options.cancel",
        std::mem::offset_of!(lq_finetune_options, cancel),
        std::mem::size_of::<*mut lq_cancel>(),
    ),
    ("lq_finetune_options", std::mem::size_of::<lq_finetune_options>(), 0),
];

#[cfg(test)]
pub const CONSTANTS: &[(&str, c_int)] = &[
    ("LQ_OK", LQ_OK),
    ("LQ_ERR_INVALID_ARGUMENT", LQ_ERR_INVALID_ARGUMENT),
    ("LQ_ERR_NOT_FOUND", LQ_ERR_NOT_FOUND),
    ("LQ_ERR_IO", LQ_ERR_IO),
    ("LQ_ERR_BAD_FILE", LQ_ERR_BAD_FILE),
    ("LQ_ERR_UNSUPPORTED", LQ_ERR_UNSUPPORTED),
    ("LQ_ERR_OUT_OF_MEMORY", LQ_ERR_OUT_OF_MEMORY),
    ("LQ_ERR_CONTEXT_FULL", LQ_ERR_CONTEXT_FULL),
    ("LQ_ERR_CANCELLED", LQ_ERR_CANCELLED),
    ("LQ_ERR_LIMIT", LQ_ERR_LIMIT),
    ("LQ_ERR_MISMATCH", LQ_ERR_MISMATCH),
    ("LQ_ERR_TEMPLATE", LQ_ERR_TEMPLATE),
    ("LQ_ERR_FORKED", LQ_ERR_FORKED),
    ("LQ_ERR_INTERNAL", LQ_ERR_INTERNAL),
    ("LQ_ERR_BUFFER_TOO_SMALL", LQ_ERR_BUFFER_TOO_SMALL),
    ("LQ_LOG_DEBUG", LQ_LOG_DEBUG),
    ("LQ_LOG_INFO", LQ_LOG_INFO),
    ("LQ_LOG_WARNING", LQ_LOG_WARNING),
    ("LQ_LOG_ERROR", LQ_LOG_ERROR),
    ("LQ_COMPUTE_QUANTIZED", LQ_COMPUTE_QUANTIZED),
    ("LQ_COMPUTE_F32", LQ_COMPUTE_F32),
    ("LQ_TOKEN_NORMAL", LQ_TOKEN_NORMAL),
    ("LQ_TOKEN_UNKNOWN", LQ_TOKEN_UNKNOWN),
    ("LQ_TOKEN_CONTROL", LQ_TOKEN_CONTROL),
    ("LQ_TOKEN_USER_DEFINED", LQ_TOKEN_USER_DEFINED),
    ("LQ_TOKEN_UNUSED", LQ_TOKEN_UNUSED),
    ("LQ_TOKEN_BYTE", LQ_TOKEN_BYTE),
    ("LQ_OVERFLOW_ERROR", LQ_OVERFLOW_ERROR),
    ("LQ_OVERFLOW_SLIDE", LQ_OVERFLOW_SLIDE),
    ("LQ_FINISH_NONE", LQ_FINISH_NONE),
    ("LQ_FINISH_END", LQ_FINISH_END),
    ("LQ_FINISH_STOP", LQ_FINISH_STOP),
    ("LQ_FINISH_LENGTH", LQ_FINISH_LENGTH),
    ("LQ_FINISH_CONTEXT_FULL", LQ_FINISH_CONTEXT_FULL),
    ("LQ_FINISH_CANCELLED", LQ_FINISH_CANCELLED),
    ("LQ_FINISH_CALLBACK", LQ_FINISH_CALLBACK),
    ("LQ_EVENT_WORKING", LQ_EVENT_WORKING),
    ("LQ_EVENT_TOKEN", LQ_EVENT_TOKEN),
    ("LQ_EVENT_DONE", LQ_EVENT_DONE),
    ("LQ_TEXT_PLAIN", LQ_TEXT_PLAIN),
    ("LQ_TEXT_MARKDOWN", LQ_TEXT_MARKDOWN),
    ("LQ_TEXT_CODE", LQ_TEXT_CODE),
    ("LQ_TEXT_HTML", LQ_TEXT_HTML),
    ("LQ_SEARCH_HYBRID", LQ_SEARCH_HYBRID),
    ("LQ_SEARCH_DENSE", LQ_SEARCH_DENSE),
    ("LQ_SEARCH_WORDS", LQ_SEARCH_WORDS),
    ("LQ_LOSS_CROSS_ENTROPY", LQ_LOSS_CROSS_ENTROPY),
    ("LQ_LOSS_MEAN_SQUARED_ERROR", LQ_LOSS_MEAN_SQUARED_ERROR),
];
