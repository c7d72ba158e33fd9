-- What runs in a thread of its own: loading a model, or one generation. It tells the editor through a pipe: frames of a
-- letter, the length of what follows in decimal, a newline, and that many bytes.
local ffi = require("ffi")
ffi.cdef("long write(int, const void*, size_t); int close(int);")

local M = {}

local function sender(fd)
  return function(kind, payload)
    local frame = kind .. #payload .. "\n" .. payload
    local at = 0
    while at < #frame do
      local n = tonumber(ffi.C.write(fd, ffi.cast("const char*", frame) + at, #frame - at))
      if n <= 0 then return false end -- nobody reads any more
      at = at + n
    end
    return true
  end
end

local jobs = {}

-- "M": the number of the model's handle, which the editor adopts.
function jobs.load(loquor, request, send)
  local model = loquor.model(request.source, { threads = request.threads })
  send("M", tostring(loquor.detach(model)))
end

-- "T": a piece of text; "D": why it ended.
function jobs.generate(loquor, request, send)
  local session = loquor.lend_session(request.session)
  session:start(request.messages or request.prompt, request.options)
  for event in session:events() do
    if event.text ~= "" and not send("T", event.text) then return session:stop() end
    if event.finish then send("D", event.finish) end
  end
end

-- `payload`: a request as mpack. "E": code and message of what went wrong.
function M.run(fd, payload)
  local send = sender(fd)
  local ok, e = pcall(function()
    local loquor, request = require("loquor"), vim.mpack.decode(payload)
    jobs[request.job](loquor, request, send)
  end)
  if not ok then send("E", type(e) == "table" and (e.code .. "\n" .. e.message) or ("internal\n" .. tostring(e))) end
  ffi.C.close(fd)
end

return M
