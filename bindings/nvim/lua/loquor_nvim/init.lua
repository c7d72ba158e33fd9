-- Language models inside the editor: completion at the cursor as ghost text, and a chat in a split. :help loquor
local M = {}

M.config = {
  model = "smollm2", -- a short name, the path of a GGUF file, or of a Hugging Face folder
  threads = 0, -- computing threads; 0: one less than the CPUs there are, so that the editor keeps one
  context = 2048, -- tokens a session holds
  lines = 40, -- lines above the cursor that a completion sees
  completion_tokens = 24,
  chat_tokens = 400,
  temperature = 0.7, -- of chats; completions take the most probable tokens
  system = nil, -- what a chat's model is told first
  accept = "<Tab>", -- key that inserts the ghost text; "" maps none
}

local state = { model = nil, waiting = nil }

function M.setup(options)
  for name, value in pairs(options or {}) do
    if M.config[name] == nil and name ~= "system" then error("loquor: there is no option '" .. name .. "'") end
    M.config[name] = value
  end
  if M.config.accept ~= "" then
    vim.keymap.set("i", M.config.accept, function()
      if require("loquor_nvim.complete").accept() then return "" end
      return M.config.accept
    end, { expr = true, desc = "loquor: insert the suggestion" })
  end
end

function M.report(message) vim.notify("loquor: " .. message, vim.log.levels.ERROR) end

local function threads()
  if M.config.threads > 0 then return M.config.threads end
  return math.max(1, #(vim.loop.cpu_info() or {}) - 1)
end

-- Calls use(model) as soon as there is one: at once, or when a thread has loaded it. on_error(message) if it cannot be.
function M.with_model(use, on_error)
  if state.model then return use(state.model) end
  local first = state.waiting == nil
  state.waiting = state.waiting or {}
  table.insert(state.waiting, { use = use, on_error = on_error or M.report })
  if not first then return end
  local ok, loquor = pcall(require, "loquor") -- keeps the library loaded when the thread is gone
  local failed = not ok and tostring(loquor) or nil
  local function finish()
    local waiting = state.waiting
    state.waiting = nil
    for _, w in ipairs(waiting) do
      if state.model then w.use(state.model) else w.on_error(failed or "the model was not loaded") end
    end
  end
  if failed then return finish() end
  require("loquor_nvim.job").run({ job = "load", source = M.config.model, threads = threads() }, {
    M = function(number) state.model = loquor.adopt_model(tonumber(number)) end,
    E = function(payload) failed = payload:match("\n(.*)") end,
    done = finish,
  })
end

-- Generates in a thread. `session` (loquor.Session) belongs to the thread until on.done(); on.text(piece), on.error(message,
-- code). Returns a function that stops it.
function M.generate(session, request, on)
  local over = false
  request.job, request.session = "generate", require("loquor").address(session)
  require("loquor_nvim.job").run(request, {
    T = on.text,
    E = function(payload)
      local code, message = payload:match("^(.-)\n(.*)")
      if code ~= "cancelled" and on.error then on.error(message, code) end
    end,
    done = function()
      over = true
      if on.done then on.done() end
    end,
  })
  return function()
    if not over then session:cancel() end
  end
end

-- Lets go of the model; sessions that are still in use keep it alive.
function M.unload()
  require("loquor_nvim.complete").reset()
  state.model = nil
  collectgarbage()
end

return M
