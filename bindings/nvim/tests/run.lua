-- The plugin in a headless editor: nvim --headless -u NONE -i NONE -c "luafile run.lua". Exits with 0, 1, or 77: no model.
-- LQ_MEASURE=1 also measures the main loop's delay and the time that a key takes to stop a completion; ./check does not.
local uv = vim.loop
local here = debug.getinfo(1, "S").source:match("@(.*)/[^/]*$")
vim.opt.runtimepath:prepend(here .. "/..")
vim.cmd("runtime plugin/loquor.lua")

local function say(...) io.stdout:write(table.concat({ ... }), "\n") end
local function expect(condition, message) if not condition then error(message, 2) end end
local function wait(ms, condition, what)
  if not vim.wait(ms, condition, 1) then error("nothing came in " .. ms .. " ms: " .. what, 2) end
end

local main, complete, chat = require("loquor_nvim"), require("loquor_nvim.complete"), require("loquor_nvim.chat")
main.setup({ threads = tonumber(os.getenv("LQ_THREADS") or "0") })

local tests = {}

function tests.a_missing_model_is_reported()
  local message
  main.config.model = "/does/not/exist.gguf"
  main.with_model(function() end, function(m) message = m end)
  wait(2000, function() return message end, "an error")
  expect(message:match("neither a file nor a known name"), message)
  main.config.model = "smollm2"
end

function tests.completion_shows_and_inserts_ghost_text()
  vim.cmd("enew!")
  vim.api.nvim_buf_set_lines(0, 0, -1, false, { "The capital of France is" })
  vim.api.nvim_win_set_cursor(0, { 1, 24 })
  vim.cmd("startinsert!")
  complete.complete()
  wait(5000, function() return (complete.ghost() or ""):match("^ Paris") end, "' Paris'")
  wait(5000, function() return not complete.busy() end, "the end of the completion")
  local ghost = complete.ghost()
  local marks = vim.api.nvim_buf_get_extmarks(0, vim.api.nvim_get_namespaces().loquor_complete, 0, -1, { details = true })
  expect(#marks == 1 and vim.startswith(ghost, marks[1][4].virt_text[1][1]), "one mark with the ghost text")
  expect(vim.api.nvim_buf_get_lines(0, 0, -1, false)[1] == "The capital of France is", "the text is as it was")
  expect(complete.accept(), "there is something to accept")
  vim.wait(20)
  local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), "\n")
  expect(text == "The capital of France is" .. ghost, text)
  expect(complete.ghost() == nil and not complete.accept(), "nothing is left to accept")
end

-- Begins a long completion and returns when its first text is there.
local function begin_long(tokens)
  main.config.completion_tokens = tokens
  vim.cmd("enew!")
  vim.api.nvim_buf_set_lines(0, 0, -1, false, { "Once upon a time, there was a" })
  vim.api.nvim_win_set_cursor(0, { 1, 29 })
  complete.complete()
  wait(5000, function() return complete.ghost() end, "a first word")
end

function tests.a_key_stops_a_completion()
  begin_long(500)
  vim.api.nvim_exec_autocmds("TextChangedI", {})
  expect(complete.ghost() == nil, "the ghost text is gone at once")
  wait(1000, function() return not complete.busy() end, "the end of the thread")
  vim.wait(20)
  expect(complete.ghost() == nil, "and does not come back")
  begin_long(8) -- the session works again
  complete.complete() -- while it is busy: begins anew
  wait(5000, function() return complete.ghost() end, "another completion")
  complete.cancel()
  wait(1000, function() return not complete.busy() end, "the end")
end

function tests.a_chat_remembers_and_stops()
  main.config.temperature = 0
  local buffer = chat.open()
  local function ask(question)
    -- what pressing Enter at the prompt does
    vim.api.nvim_buf_set_lines(buffer, -2, -1, false, { "> " .. question })
    vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(buffer), 2 + #question })
    vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes("A<CR><Esc>", true, false, true), "xt", false)
  end
  ask("What is the capital of France?")
  wait(1000, function() return chat.busy(buffer) or #chat.messages(buffer) >= 2 end, "the begin of an answer")
  wait(10000, function() return not chat.busy(buffer) end, "an answer")
  local messages = chat.messages(buffer)
  expect(#messages == 2 and messages[2].content:match("Paris"), vim.inspect(messages))
  local text = table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), "\n")
  expect(text:find(messages[2].content, 1, true), "the answer stands in the buffer: " .. text)
  ask("Tell me a very long story about it.")
  wait(5000, function() return chat.busy(buffer) end, "the begin of a story")
  vim.wait(50)
  vim.cmd("LoquorStop")
  wait(1000, function() return not chat.busy(buffer) end, "the end of the story")
  expect(#chat.messages(buffer) == 4, "the story so far is kept")
  vim.cmd("bwipeout!")
end

local function percentile(values, p)
  table.sort(values)
  return values[math.max(1, math.ceil(#values * p))]
end

local function measure()
  -- The delay of a timer that should fire every 2 ms, while a completion generates and is drawn.
  local delays, last = {}, nil
  begin_long(600)
  local timer = uv.new_timer()
  timer:start(2, 2, function()
    local now = uv.hrtime()
    if last then delays[#delays + 1] = math.max(0, (now - last) / 1e6 - 2) end
    last = now
  end)
  vim.wait(30000, function() return not complete.busy() end, 1000)
  timer:stop()
  timer:close()
  say(("main loop while generating: %d ticks, delay p50 %.2f, p99 %.2f, p99.9 %.2f, most %.2f ms"):format(
    #delays, percentile(delays, 0.5), percentile(delays, 0.99), percentile(delays, 0.999), delays[#delays]))
  local stops = {}
  for i = 1, 50 do
    begin_long(500)
    vim.wait(i % 10)
    local t0 = uv.hrtime()
    complete.cancel()
    vim.wait(1000, function() return not complete.busy() end, 1)
    stops[i] = (uv.hrtime() - t0) / 1e6
  end
  say(("from a key to the end of the thread, 50 times: p50 %.1f, most %.1f ms"):format(percentile(stops, 0.5), percentile(stops, 1)))
end

local there
main.with_model(function() there = true end, function(message) there = message end)
wait(20000, function() return there ~= nil end, "a model")
if there ~= true then
  say("SKIPPED: needs the default model: ", there)
  os.exit(77)
end
if os.getenv("LQ_MEASURE") then
  measure()
  os.exit(0)
end
local failed = 0
main.unload()
for _, name in ipairs({ "a_missing_model_is_reported", "completion_shows_and_inserts_ghost_text", "a_key_stops_a_completion",
  "a_chat_remembers_and_stops" }) do
  local ok, why = xpcall(tests[name], debug.traceback)
  say(ok and "passed " or "FAILED ", name, ok and "" or (": " .. tostring(why)))
  failed = failed + (ok and 0 or 1)
end
vim.cmd(failed == 0 and "qall!" or "cquit 1") -- through VimLeavePre
