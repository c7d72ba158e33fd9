-- The cases that every language binding must do alike: nvim --headless -u NONE -i NONE -c "luafile conformance.lua".
-- The environment says where: LQ_CASES (cases.json), LQ_SCRATCH (a folder), LQ_ENCODER (a model). Exits with 0, 1, or 77: no model, skipped.
local loquor = require("loquor")

local function fail(message) error(message, 2) end
local function same(a, b, what)
  if a ~= b then fail((what or "") .. ": expected " .. vim.inspect(b) .. ", got " .. vim.inspect(a)) end
end
local function read(path)
  local f = assert(io.open(path, "rb"))
  local text = f:read("*a")
  f:close()
  return text
end

local cases = vim.json.decode(read(os.getenv("LQ_CASES")))
local scratch = os.getenv("LQ_SCRATCH")
local loaded, model = pcall(loquor.model, "smollm2", { threads = 2 })
if not loaded then
  io.stdout:write("SKIPPED: needs the default model: " .. tostring(model) .. "\n")
  os.exit(77)
end

local function options(case)
  local o = {}
  for k, v in pairs(case.options or {}) do o[k] = v end
  return o
end
local function session(case) return model:session(case and case.session or { ctx = 512 }) end
local function whole(s, prompt, case) return (s:generate(prompt, options(case))) end

local run = {}

function run.tokenize(case)
  local ids = model:tokenize(case.text, { parse_special = case.parse_special or false })
  same(vim.inspect(ids), vim.inspect(case.ids), "ids")
  same(model:detokenize(ids, { render_special = true }), case.text, "text")
end

function run.generate(case)
  local s, pieces = session(), {}
  local text, result = s:generate(case.messages or case.prompt, options(case), function(piece) pieces[#pieces + 1] = piece end)
  same(text, case.text, "text")
  same(table.concat(pieces), case.text, "streamed")
  same(result.finish, case.finish, "finish")
  same(result.generated_tokens, case.generated_tokens, "tokens")
end

function run.cancel(case)
  local s = session()
  s:start(case.prompt)
  for _ = 1, case.after_tokens do s:step() end
  s:cancel()
  local ok, e = pcall(s.step, s)
  same(ok, false, "step after cancel")
  same(e.code, "cancelled", "code")
  same(s:step().kind, "done", "afterwards")
  same(s:result().finish, "cancelled", "finish")
  same(whole(s, case["then"], case), case.text, "the session again")
end

function run.state(case)
  local first, path = session(), scratch .. "/state"
  first:set_prompt(model:tokenize(case.prompt))
  first:save(path)
  for _, load in ipairs({ function(s) s:load_file(path) end, function(s) s:load(first:save()) end }) do
    local s = session()
    load(s)
    same(vim.inspect(s:tokens()), vim.inspect(first:tokens()), "tokens")
    same(whole(s, nil, case), case.text, "text")
  end
end

function run.fork(case)
  local first = session()
  first:set_prompt(model:tokenize(case.prompt))
  local second = first:fork()
  same(whole(second, nil, case), case.text, "fork")
  same(whole(first, nil, case), case.text, "original")
end

function run.logprobs(case)
  local s, n = session(), 0
  s:start(case.prompt, options(case))
  for e in s:events() do
    if e.kind == "token" then
      n = n + 1
      same(#e.top, case.options.logprobs, "how many")
      same(e.top[1].token, e.token, "the best")
      same(e.top[1].logprob, e.logprob, "log probability")
      same(e.top[2].logprob <= e.logprob and e.logprob <= 0, true, "order")
    end
  end
  same(n, case.options.max_tokens, "tokens")
end

function run.budget(case)
  local s, text, e = session(), "", nil
  s:start(case.prompt, options(case))
  repeat
    e = s:step(case.budget_us)
    text = text .. e.text
  until e.kind == "done"
  same(text, case.text, "text")
end

function run.embed(case)
  local vectors = loquor.model(os.getenv("LQ_ENCODER")):embedder():embed(case.texts)
  same(#vectors, #case.texts, "vectors")
  for i, vector in ipairs(vectors) do
    same(#vector, case.dimension, "dimension")
    for j, x in ipairs(case.begin[i]) do same(math.abs(vector[j] - x) < case.tolerance, true, "text " .. i .. ", number " .. j) end
  end
end

function run.render(case) same(model:render(case.messages), case.text, "text") end

local calls = {
  load = function(case) loquor.model(case.source, options(case)) end,
  load_bytes = function(case) loquor.model_from_memory(case.bytes) end,
  load_cancelled = function(case)
    local cancel = loquor.cancel()
    cancel:trigger()
    loquor.model(case.source, { cancel = cancel })
  end,
  context = function(case) loquor.context({ isa = case.isa }) end,
  session = function(case) model:session(case.options) end,
  generate = function(case) whole(session(case), case.prompt, case) end,
  detokenize = function(case) model:detokenize(case.ids) end,
  embedder = function() model:embedder() end,
  save = function(case) model:session():save(case.path) end,
  closed = function()
    local s = model:session()
    s:close()
    s:close()
    s:feed({ 1 })
  end,
  load_state = function(case) model:session():load(case.bytes) end,
  mismatch = function()
    local s = model:session({ ctx = 64, kv_type = "q8_0" })
    s:feed({ 1, 2, 3 })
    model:session({ ctx = 64 }):load(s:save())
  end,
}

function run.error(case)
  local ok, e = pcall(calls[case.call], case)
  same(ok, false, "the call")
  same(loquor.is_error(e) and e.code or tostring(e), case.code, "code")
  same(e.message ~= "", true, "message")
end

local failed = 0
for _, case in ipairs(cases) do
  local ok, why = xpcall(run[case["do"]], function(e) return type(e) == "string" and debug.traceback(e) or tostring(e) end, case)
  if not ok then
    failed = failed + 1
    io.stdout:write("FAILED ", case.name, ": ", tostring(why), "\n")
  end
end
io.stdout:write(#cases - failed, " of ", #cases, " cases passed\n")
os.exit(failed == 0 and 0 or 1)
