-- A chat in a split: what is typed at the prompt is answered above it. Each chat buffer has a conversation of its own.
local M = {}

local chats = {} -- by buffer

-- Appends text at the end of what stands above the prompt.
local function append(buffer, text)
  if not vim.api.nvim_buf_is_valid(buffer) then return end
  local count = vim.api.nvim_buf_line_count(buffer) - 1 -- the prompt is the last line
  local last = vim.api.nvim_buf_get_lines(buffer, count - 1, count, false)[1] or ""
  local lines = vim.split(last .. text, "\n", { plain = true })
  vim.api.nvim_buf_set_lines(buffer, count - 1, count, false, lines)
  vim.bo[buffer].modified = false
end

local function answer(chat, question)
  local main = require("loquor_nvim")
  table.insert(chat.messages, { role = "user", content = question })
  append(chat.buffer, "\n")
  main.with_model(function(model)
    chat.session = chat.session or model:session({ ctx = main.config.context })
    local parts = {}
    chat.stop = main.generate(chat.session, {
      messages = chat.messages,
      options = { max_tokens = main.config.chat_tokens, temperature = main.config.temperature, top_p = 0.9, seed = os.time() },
    }, {
      text = function(piece)
        parts[#parts + 1] = piece
        append(chat.buffer, piece)
      end,
      error = function(message, code)
        append(chat.buffer, "[" .. (code == "context_full" and "the conversation is too long" or message) .. "]")
      end,
      done = function()
        chat.stop = nil
        table.insert(chat.messages, { role = "assistant", content = table.concat(parts) })
        append(chat.buffer, "\n\n")
      end,
    })
  end, function(message)
    table.remove(chat.messages)
    append(chat.buffer, "[" .. message .. "]\n\n")
  end)
end

-- Opens a chat in a split; returns its buffer.
function M.open()
  vim.cmd("botright vnew")
  local buffer = vim.api.nvim_get_current_buf()
  vim.bo[buffer].buftype, vim.bo[buffer].bufhidden, vim.bo[buffer].swapfile = "prompt", "wipe", false
  vim.wo.wrap, vim.wo.linebreak = true, true
  local system = require("loquor_nvim").config.system
  local chat = { buffer = buffer, messages = system and { { role = "system", content = system } } or {} }
  chats[buffer] = chat
  vim.fn.prompt_setprompt(buffer, "> ")
  vim.fn.prompt_setcallback(buffer, function(text)
    if text:match("^%s*$") then return end
    if chat.stop then return append(chat.buffer, "[still answering; :LoquorStop stops it]\n") end
    answer(chat, text)
  end)
  vim.api.nvim_create_autocmd("BufWipeout", {
    buffer = buffer,
    callback = function()
      if chat.stop then chat.stop() end
      chats[buffer] = nil
    end,
  })
  return buffer
end

function M.stop()
  for _, chat in pairs(chats) do
    if chat.stop then chat.stop() end
  end
end

-- The conversation of a chat buffer: { { role =, content = }, ... }, and whether an answer is being written.
function M.messages(buffer) return chats[buffer].messages end
function M.busy(buffer) return chats[buffer] ~= nil and chats[buffer].stop ~= nil end

return M
