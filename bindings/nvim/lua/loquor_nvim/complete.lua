-- Completion at the cursor: what the model would write next is shown as ghost text until it is accepted or a key is pressed.
local M = {}

local space = vim.api.nvim_create_namespace("loquor_complete")
-- session: idle or busy; generation: counts requests, so that what an older one still sends is not shown.
local state = { session = nil, busy = false, again = nil, stop = nil, number = 0, ghost = nil }

local function hide()
  if state.ghost then pcall(vim.api.nvim_buf_del_extmark, state.ghost.buffer, space, state.ghost.mark) end
  state.ghost = nil
end

-- Draws over what follows the cursor: the suggestion, then that text, where it would stand if the suggestion were taken.
local function show(buffer, row, col, text)
  hide()
  local after = (vim.api.nvim_buf_get_lines(buffer, row, row + 1, false)[1] or ""):sub(col + 1)
  local chunks = {}
  for i, line in ipairs(vim.split(text, "\n", { plain = true })) do chunks[i] = { { line, "LoquorGhost" } } end
  table.insert(chunks[#chunks], { after })
  local covered = vim.fn.strdisplaywidth(after) - vim.fn.strdisplaywidth(chunks[1][1][1])
  if #chunks > 1 and covered > 0 then table.insert(chunks[1], { (" "):rep(covered) }) end
  local mark = vim.api.nvim_buf_set_extmark(buffer, space, row, col, {
    virt_text = table.remove(chunks, 1),
    virt_text_pos = "overlay",
    virt_lines = #chunks > 0 and chunks or nil,
  })
  state.ghost = { buffer = buffer, row = row, col = col, text = text, mark = mark }
end

-- Forgets the ghost text and stops what is being computed. Any key does this.
function M.cancel()
  state.number = state.number + 1
  state.again = nil
  if state.stop then state.stop() end
  hide()
end

-- The text before the cursor, and where that is.
local function before_cursor()
  local buffer, pos = vim.api.nvim_get_current_buf(), vim.api.nvim_win_get_cursor(0)
  local row, col = pos[1] - 1, pos[2]
  local first = math.max(0, row - require("loquor_nvim").config.lines)
  local lines = vim.api.nvim_buf_get_lines(buffer, first, row + 1, false)
  lines[#lines] = lines[#lines]:sub(1, col)
  return buffer, row, col, table.concat(lines, "\n")
end

local function begin(model)
  local main = require("loquor_nvim")
  local buffer, row, col, prompt = before_cursor()
  if prompt:match("^%s*$") then return end
  state.session = state.session or model:session({ ctx = main.config.context, overflow = "slide" })
  local number, text = state.number, ""
  state.busy = true
  state.stop = main.generate(state.session, {
    prompt = prompt,
    options = { max_tokens = main.config.completion_tokens, stop = { "\n\n" } },
  }, {
    text = function(piece)
      if number ~= state.number then return end
      text = text .. piece
      show(buffer, row, col, text)
    end,
    error = main.report,
    done = function()
      state.busy, state.stop = false, nil
      if state.again then
        state.again = nil
        begin(model)
      end
    end,
  })
end

-- Suggests how the text before the cursor goes on.
function M.complete()
  M.cancel()
  local number = state.number
  require("loquor_nvim").with_model(function(model)
    if number ~= state.number then return end
    if state.busy then
      state.again = true -- as soon as the one before has let go of the session
    else
      begin(model)
    end
  end)
end

-- Inserts the ghost text; false if there is none.
function M.accept()
  local ghost = state.ghost
  if not ghost or ghost.text == "" then return false end
  M.cancel()
  vim.schedule(function()
    local lines = vim.split(ghost.text, "\n", { plain = true })
    vim.api.nvim_buf_set_text(ghost.buffer, ghost.row, ghost.col, ghost.row, ghost.col, lines)
    local last = #lines > 1 and #lines[#lines] or ghost.col + #lines[1]
    vim.api.nvim_win_set_cursor(0, { ghost.row + #lines, last })
  end)
  return true
end

function M.ghost() return state.ghost and state.ghost.text end
function M.busy() return state.busy end

function M.reset()
  M.cancel()
  if not state.busy then state.session = nil end
end

return M
