-- Loquor for LuaJIT: language models inside your own program. A layer over the C interface (loquor.h), whose comments say
-- what each call does and may go wrong; errors are raised as tables { code = "not_found", message = "..." }.
--
--   local loquor = require("loquor")
--   local model = loquor.model("smollm2")
--   print(model:session():generate({ { role = "user", content = "What is the capital of France?" } }, { max_tokens = 20 }))
local ffi = require("ffi")
local core = require("loquor.core")
local Session = require("loquor.session")
local C, check, get = core.C, core.check, core.get

local M = { version = ffi.string(C.lq_version()), is_error = core.is_error }

-- ---- Contexts and cancel handles -------------------------------------------------------------------------------------

local Context = { _name = "context" }
Context.__index = Context

-- options: threads (0: all CPUs of this process), isa ("avx2"), spin_us.
function M.context(options)
  local keep = {}
  local o = core.options("lq_context_options", options, { threads = true, isa = true, spin_us = true }, keep)
  return setmetatable({ _handle = core.handle("lq_context", function(out) return C.lq_context_create(out, o) end) }, Context)
end

function Context:close() core.close(self, "lq_context") end

function Context:threads()
  local n = ffi.new("uint32_t[1]")
  check(C.lq_context_threads(n, get(self)))
  return n[0]
end

function Context:isa()
  local name = ffi.new("const char*[1]")
  check(C.lq_context_isa(name, get(self)))
  return ffi.string(name[0])
end

local Cancel = { _name = "cancel handle" }
Cancel.__index = Cancel

function M.cancel() return setmetatable({ _handle = core.handle("lq_cancel", C.lq_cancel_create) }, Cancel) end
function Cancel:trigger() check(C.lq_cancel_trigger(get(self))) end
function Cancel:reset() check(C.lq_cancel_reset(get(self))) end
function Cancel:close() core.close(self, "lq_cancel") end

-- ---- Handles in other threads ------------------------------------------------------------------------------------------
-- A handle is a number that is valid in the whole process, as long as some Lua state has the library loaded. detach() gives
-- it up to whoever adopts it, for instance in another Lua state. One that is only lent (address(), lend_session()) must be
-- kept alive by its owner.

local function address(object) return tonumber(ffi.cast("uintptr_t", get(object))) end
M.address = address

function M.detach(object)
  local n = address(object)
  ffi.gc(object._handle, nil)
  object._handle = nil
  return n
end

function M.lend_session(number) return Session.lend(number) end

-- ---- Models --------------------------------------------------------------------------------------------------------------

local Model = { _name = "model" }
Model.__index = Model

local COMPUTE = { quantized = 0, f32 = 1 }
local model_fields = {
  vocab_only = true,
  private_copy = true,
  memory_cap = true,
  compute = function(s, value) s.compute = COMPUTE[value] or core.invalid("compute: '" .. tostring(value) .. "'") end,
  cancel = function(s, value) s.cancel = get(value) end,
}

-- Loads a model by its short name ("smollm2"), the path of a GGUF file or of a Hugging Face folder. options: context,
-- threads (of a context of its own), compute ("quantized", "f32"), vocab_only, private_copy, memory_cap, cancel.
function M.model(source, options)
  local given, context = {}, nil
  for name, value in pairs(options or {}) do given[name] = value end
  context = given.context or M.context({ threads = given.threads })
  given.context, given.threads = nil, nil
  local o = core.options("lq_model_options", given, model_fields, {})
  local handle = core.handle("lq_model", function(out) return C.lq_model_load(out, get(context), source, o) end)
  return setmetatable({ _handle = handle, context = context }, Model)
end

-- A model from the bytes of a GGUF file, which is kept alive with it.
function M.model_from_memory(bytes, options)
  local given = {}
  for name, value in pairs(options or {}) do given[name] = value end
  local context = given.context or M.context({ threads = given.threads })
  given.context, given.threads = nil, nil
  local o = core.options("lq_model_options", given, model_fields, {})
  local handle = core.handle("lq_model", function(out) return C.lq_model_load_memory(out, get(context), bytes, #bytes, o) end)
  return setmetatable({ _handle = handle, context = context, _bytes = bytes }, Model)
end

-- The model that detach() gave up, owned by this table from now on.
function M.adopt_model(number)
  local handle = ffi.gc(ffi.cast("lq_model*", ffi.cast("uintptr_t", number)), C.lq_model_free)
  return setmetatable({ _handle = handle }, Model)
end

function Model:close() core.close(self, "lq_model") end
function Model:session(options) return Session.new(self, options) end

local INFO = {
  "n_vocab", "n_layer", "d_model", "n_head", "n_kv_head", "head_dim", "d_ff", "n_ctx_train", "n_params", "file_bytes",
  "weight_bytes", "kv_bytes", "workspace_bytes",
}
function Model:info()
  local i = core.struct("lq_model_info")
  check(C.lq_model_get_info(i, get(self), nil))
  local out = {
    architecture = ffi.string(i.architecture),
    name = ffi.string(i.name),
    has_chat_template = i.has_chat_template ~= 0,
  }
  for _, name in ipairs(INFO) do out[name] = tonumber(i[name]) end
  return out
end

-- options: add_special, parse_special.
function Model:tokenize(text, options)
  local m = get(self)
  local o = core.options("lq_tokenize_options", options, { add_special = true, parse_special = true })
  return core.ids(function(out, capacity, n) return C.lq_tokenize(out, capacity, n, m, text, #text, o) end)
end

-- options: render_special.
function Model:detokenize(ids, options)
  local m = get(self)
  local o = core.options("lq_detokenize_options", options, { render_special = true })
  local array, count = core.int_array(ids)
  return core.text(function(out, capacity, n) return C.lq_detokenize(out, capacity, n, m, array, count, o) end)
end

-- The prompt that the model's chat template makes of messages, as text.
function Model:render(messages)
  local m, keep = get(self), {}
  local t = core.handle("lq_chat_template", function(out) return C.lq_chat_template_create(out, m, nil, 0) end)
  local list, count = Session.messages(messages, keep)
  return core.text(function(out, capacity, n) return C.lq_chat_render(out, capacity, n, t, list, count, nil) end)
end

-- ---- Vectors of texts ------------------------------------------------------------------------------------------------------

local Embedder = { _name = "embedder" }
Embedder.__index = Embedder

-- options: max_tokens, batch_tokens, raw, pooling.
function Model:embedder(options)
  local keep = {}
  local o = core.options("lq_embedder_options", options,
    { max_tokens = true, batch_tokens = true, raw = true, pooling = true }, keep)
  local m = get(self)
  return setmetatable({ _handle = core.handle("lq_embedder", function(out) return C.lq_embedder_create(out, m, o) end) },
    Embedder)
end

function Embedder:close() core.close(self, "lq_embedder") end

-- A list of vectors (lists of numbers), one for each text.
function Embedder:embed(texts)
  local e, dimension = get(self), ffi.new("uint32_t[1]")
  check(C.lq_embedder_dimension(dimension, e))
  local n, d = #texts, tonumber(dimension[0])
  local list, lengths = ffi.new("const char*[?]", math.max(n, 1)), ffi.new("size_t[?]", math.max(n, 1))
  for i, text in ipairs(texts) do list[i - 1], lengths[i - 1] = text, #text end
  local out = ffi.new("float[?]", math.max(n * d, 1))
  check(C.lq_embedder_embed(out, n * d, nil, e, list, lengths, n, nil))
  local vectors = {}
  for i = 1, n do
    local v = {}
    for j = 1, d do v[j] = out[(i - 1) * d + j - 1] end
    vectors[i] = v
  end
  return vectors
end

return M
