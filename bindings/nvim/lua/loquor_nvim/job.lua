-- Work in a thread beside the editor's: the main loop only reads a pipe.
local uv = vim.loop

local M = {}
local running = 0

-- Frames that are complete in `buffer`, and what is left.
local function frames(buffer, each)
  while true do
    local kind, size, from = buffer:match("^(%u)(%d+)\n()")
    if not kind or #buffer < from - 1 + tonumber(size) then return buffer end
    local upto = from - 1 + tonumber(size)
    each(kind, buffer:sub(from, upto))
    buffer = buffer:sub(upto + 1)
  end
end

-- Runs `request` (thread.lua) in a thread. on.M, on.T, on.D, on.E(payload) are called on the main loop; on.done() at last,
-- when the thread has let go of what it was given.
function M.run(request, on)
  local fds = assert(uv.pipe({ nonblock = true }, {}))
  local pipe = uv.new_pipe(false)
  pipe:open(fds.read)
  local thread, buffer = nil, ""
  pipe:read_start(vim.schedule_wrap(function(err, chunk)
    if chunk then
      buffer = frames(buffer .. chunk, function(kind, payload)
        if on[kind] then on[kind](payload) end
      end)
      return
    end
    if pipe:is_closing() then return end
    pipe:close()
    thread:join()
    running = running - 1
    if err and on.E then on.E("io\n" .. err) end
    if on.done then on.done() end
  end))
  thread = assert(uv.new_thread(function(path, cpath, fd, payload)
    package.path, package.cpath = path, cpath
    require("loquor_nvim.thread").run(fd, payload)
  end, M.path(), package.cpath, fds.write, vim.mpack.encode(request)))
  running = running + 1
end

-- Stops everything and waits for it, at most `ms` milliseconds.
function M.finish(ms)
  require("loquor_nvim.complete").cancel()
  require("loquor_nvim.chat").stop()
  return vim.wait(ms, function() return running == 0 end, 2)
end

-- Where a new Lua state finds this plugin and the binding: in the editor they may come from 'runtimepath'.
local path
function M.path()
  if path then return path end
  local found = {}
  for _, file in ipairs({ "lua/loquor_nvim/thread.lua", "lua/loquor/init.lua", "lua/loquor/cdef.lua" }) do
    for _, full in ipairs(vim.api.nvim_get_runtime_file(file, false)) do
      local root = full:gsub("/loquor[^/]*/[%w_]+%.lua$", "")
      found[#found + 1] = root .. "/?.lua;" .. root .. "/?/init.lua"
    end
  end
  found[#found + 1] = package.path
  path = table.concat(found, ";")
  return path
end

return M
