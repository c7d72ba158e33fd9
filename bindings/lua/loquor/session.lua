-- Sessions: a token list and its KV cache; generation step by step, as an iterator, or whole.
local ffi = require("ffi")
local core = require("loquor.core")
local C, check, get = core.C, core.check, core.get

local Session = { _name = "session" }
Session.__index = Session

local KINDS = { [0] = "working", "token", "done" }
local OVERFLOW = { error = 0, slide = 1 }

local session_fields = {
  ctx = "n_ctx",
  kv_type = true,
  slide_keep = true,
  prefill_chunk = true,
  wipe = true,
  memory_cap = true,
  overflow = function(s, value) s.overflow = OVERFLOW[value] or core.invalid("overflow: '" .. tostring(value) .. "'") end,
}

-- options: ctx, kv_type ("f16", "q8_0", "f32"), overflow ("error", "slide"), slide_keep, prefill_chunk, wipe, memory_cap.
function Session.new(model, options)
  local keep = {}
  local o = core.options("lq_session_options", options, session_fields, keep)
  local handle = core.handle("lq_session", function(out) return C.lq_session_create(out, get(model), o) end)
  return setmetatable({ _handle = handle, model = model }, Session)
end

-- A session that another Lua state owns.
function Session.lend(number)
  return setmetatable({ _handle = ffi.cast("lq_session*", ffi.cast("uintptr_t", number)), _lent = true }, Session)
end

function Session:close() core.close(self, "lq_session") end

-- A sampler for { "top_k" = 40, ... } in the order that sampling is usually done in.
local STAGES = { "repeat_penalty", "frequency_penalty", "presence_penalty", "top_k", "typical_p", "top_p", "min_p", "temperature" }

local function sampler(given)
  local handle
  for _, name in ipairs(STAGES) do
    if given[name] ~= nil then
      handle = handle or core.handle("lq_sampler", C.lq_sampler_create)
      check(C.lq_sampler_add(handle, name, given[name]))
    end
  end
  if handle and given.seed then check(C.lq_sampler_seed(handle, given.seed)) end
  return handle
end

local function strings(values)
  local out = ffi.new("const char*[?]", math.max(#values, 1))
  for i, value in ipairs(values) do out[i - 1] = value end
  return out, #values
end

local generate_fields = {
  max_tokens = true,
  logprobs = true,
  ignore_end = true,
  append = true,
  parse_special = true,
  no_begin = true,
  lookup = true,
  seed = function() end,
  cancel = function(s, value) s.cancel = get(value) end,
  stop = function(s, value, keep)
    value = type(value) == "table" and value or { value }
    local array, n = strings(value)
    keep[#keep + 1] = { array, value }
    s.stop, s.stop_count = array, n
  end,
  stop_tokens = function(s, value, keep)
    local array, n = core.int_array(value)
    keep[#keep + 1] = array
    s.stop_tokens, s.stop_token_count = array, n
  end,
}
for _, name in ipairs(STAGES) do generate_fields[name] = function() end end

-- The messages of a conversation, { role = "user", content = "...", extra_json = "{...}" }.
function Session.messages(list, keep)
  local out = ffi.new("lq_message[?]", math.max(#list, 1))
  for i, m in ipairs(list) do
    if type(m) ~= "table" or type(m.role) ~= "string" then core.invalid("message " .. i .. " has no role") end
    local e, content, extra = out[i - 1], m.content or "", m.extra_json
    e.struct_size = ffi.sizeof("lq_message")
    e.role, e.content, e.content_length = m.role, content, #content
    e.extra_json, e.extra_json_length = extra, extra and #extra or 0
    keep[#keep + 1] = { m.role, content, extra }
  end
  return out, #list
end

-- Begins a generation; step() or events() do the work. `prompt`: a text, a conversation ({{role=, content=}, ...}), a
-- list of token ids, or nil to go on from what the session holds. options: max_tokens, stop, stop_tokens, logprobs,
-- ignore_end, append, parse_special, no_begin, lookup, cancel, seed, tools_json, and the stages of the sampler: temperature,
-- top_k, top_p, min_p, typical_p, repeat_penalty, frequency_penalty, presence_penalty (none: greedy).
function Session:start(prompt, options)
  local keep, given = {}, {}
  for name, value in pairs(options or {}) do given[name] = value end
  local tools = given.tools_json
  given.tools_json = nil
  local o = core.options("lq_generate_options", given, generate_fields, keep)
  local chosen = sampler(given)
  if chosen then o.sampler = chosen end
  local s = get(self)
  if type(prompt) ~= "table" then
    if prompt ~= nil and type(prompt) ~= "string" then core.invalid("a prompt is a text, messages or tokens") end
    return check(C.lq_session_start(s, prompt, prompt and #prompt or 0, o))
  end
  if type(prompt[1]) == "number" then
    local ids, n = core.int_array(prompt)
    return check(C.lq_session_start_tokens(s, ids, n, o))
  end
  local list, n = Session.messages(prompt, keep)
  local chat = core.struct("lq_chat_options")
  if tools then chat.tools_json, chat.tools_json_length = tools, #tools end
  check(C.lq_session_start_chat(s, list, n, chat, o))
end

-- As much of the next token's work as fits in budget_us microseconds (nil: until there is one). Returns a table: kind
-- ("working", "token", "done"), text, token, index, logprob, top, finish, prompt_done, prompt_total.
function Session:step(budget_us)
  local e = core.struct("lq_event")
  check(C.lq_session_step(e, get(self), budget_us or ffi.cast("uint64_t", -1)))
  local event = {
    kind = KINDS[e.kind],
    text = ffi.string(e.text, e.text_length),
    prompt_done = e.prompt_done,
    prompt_total = e.prompt_total,
  }
  if e.kind == C.LQ_EVENT_TOKEN then
    event.token, event.index = e.token, e.index
    if e.logprob == e.logprob then event.logprob = e.logprob end
    if e.top_count > 0 then
      event.top = {}
      for i = 0, tonumber(e.top_count) - 1 do event.top[i + 1] = { token = e.top[i].token, logprob = e.top[i].logprob } end
    end
  elseif e.kind == C.LQ_EVENT_DONE then
    event.finish = ffi.string(C.lq_finish_name(e.finish))
  end
  return event
end

-- for event in session:events() do ... end: each token, and at last "done".
function Session:events()
  local over = false
  return function()
    if over then return nil end
    local event
    repeat event = self:step() until event.kind ~= "working"
    over = event.kind == "done"
    return event
  end
end

-- The whole text, and its figures. `on_text(piece)`, if given, is called with each piece; returning false ends it.
function Session:generate(prompt, options, on_text)
  self:start(prompt, options)
  local parts = {}
  for event in self:events() do
    parts[#parts + 1] = event.text
    if on_text and event.text ~= "" and on_text(event.text) == false then self:stop() end
  end
  return table.concat(parts), self:result()
end

function Session:stop() check(C.lq_session_stop(get(self))) end
-- From any thread: the running call returns an error "cancelled".
function Session:cancel() check(C.lq_session_cancel(get(self))) end

local RESULT = {
  "prompt_tokens", "reused_tokens", "generated_tokens", "load_ms", "prefill_ms", "decode_ms", "first_token_ms",
  "prefill_tps", "decode_tps", "drafted_tokens", "accepted_tokens",
}
function Session:result()
  local r = core.struct("lq_result")
  check(C.lq_session_result(r, get(self)))
  local out = { finish = ffi.string(C.lq_finish_name(r.finish)) }
  for _, name in ipairs(RESULT) do out[name] = tonumber(r[name]) end
  return out
end

-- Makes the session hold these tokens; returns how many were not computed again.
function Session:set_prompt(ids)
  local array, n = core.int_array(ids)
  local reused = ffi.new("size_t[1]")
  check(C.lq_session_set_prompt(reused, get(self), array, n))
  return tonumber(reused[0])
end

function Session:feed(ids)
  local array, n = core.int_array(ids)
  check(C.lq_session_feed(get(self), array, n))
end

-- The sum of the log probabilities of tokens that are appended, and how many were scored.
function Session:score(ids)
  local array, n = core.int_array(ids)
  local sum, scored = ffi.new("double[1]"), ffi.new("size_t[1]")
  check(C.lq_session_score(sum, scored, get(self), array, n))
  return sum[0], tonumber(scored[0])
end

-- The scores of the next token: const float*, count. Borrowed until the next call on the session.
function Session:logits()
  local logits, n = ffi.new("const float*[1]"), ffi.new("size_t[1]")
  check(C.lq_session_logits(logits, n, get(self)))
  return logits[0], tonumber(n[0])
end

function Session:rewind(n) check(C.lq_session_rewind(get(self), n or 0)) end

function Session:fork()
  local s = get(self)
  local handle = core.handle("lq_session", function(out) return C.lq_session_fork(out, s) end)
  return setmetatable({ _handle = handle, model = self.model }, Session)
end

function Session:tokens()
  local s = get(self)
  return core.ids(function(out, capacity, n) return C.lq_session_tokens(out, capacity, n, s) end)
end

-- Its state: to a file, or without a path as a string.
function Session:save(path)
  local s = get(self)
  if path then return check(C.lq_session_save_file(s, path)) end
  local n = ffi.new("size_t[1]")
  check(C.lq_session_save(nil, 0, n, s))
  local out = ffi.new("char[?]", n[0])
  check(C.lq_session_save(out, n[0], n, s))
  return ffi.string(out, n[0])
end

function Session:load_file(path) check(C.lq_session_load_file(get(self), path)) end
function Session:load(state) check(C.lq_session_load(get(self), state, #state)) end

return Session
