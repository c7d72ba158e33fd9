-- The library and what all of the binding shares: statuses, handles, buffers, option structures.
local ffi = require("ffi")
ffi.cdef(require("loquor.cdef"))

local M = {}

-- Where the shared library is: LOQUOR_LIBRARY, in the build tree or the prefix that holds our files, or where the system looks.
local function load_library()
  local named = os.getenv("LOQUOR_LIBRARY")
  if named and named ~= "" then return ffi.load(named) end
  local here = package.searchpath and package.searchpath("loquor.cdef", package.path) or ""
  local root = here:match("^(.*/)lua/loquor/cdef%.lua$") or here:match("^(.*/)share/lua/5%.1/loquor/cdef%.lua$")
  for _, folder in ipairs(root and { "lib/", "lib/x86_64-linux-gnu/" } or {}) do
    local file = io.open(root .. folder .. "libloquor.so", "rb")
    if file then
      file:close()
      return ffi.load(root .. folder .. "libloquor.so")
    end
  end
  return ffi.load("loquor")
end

local C = load_library()
M.C = C
local NTS = ffi.cast("size_t", -1)
M.NTS = NTS

-- An error of this library: { code = "not_found", message = "..." }. tostring() gives both.
local Error = {}
Error.__index = Error
function Error:__tostring() return self.code .. ": " .. self.message end

function M.is_error(value) return getmetatable(value) == Error end

-- Raises what went wrong, if anything did.
function M.check(status)
  if status == C.LQ_OK then return end
  local code = ffi.string(C.lq_status_name(status))
  error(setmetatable({ code = code, message = ffi.string(C.lq_last_error()) }, Error), 0)
end
local check = M.check

function M.invalid(message) error(setmetatable({ code = "invalid_argument", message = message }, Error), 0) end

-- A handle of `kind` ("lq_model") made by `make(out)`; freed with its table, or by close().
function M.handle(kind, make)
  local out = ffi.new(kind .. "*[1]")
  check(make(out))
  return ffi.gc(out[0], C[kind .. "_free"])
end

-- The handle of an object, which must not have been closed.
function M.get(object)
  return object._handle or M.invalid("the " .. object._name .. " was closed")
end

function M.close(object, kind)
  local handle = object._handle
  if handle == nil then return end
  object._handle = nil
  if object._lent then return end
  C[kind .. "_free"](ffi.gc(handle, nil))
end

-- The results of `fill(out, capacity, count)`: bytes as a string, ids as a table.
function M.text(fill)
  local n = ffi.new("size_t[1]")
  check(fill(nil, 0, n))
  local size = tonumber(n[0]) + 1
  local out = ffi.new("char[?]", size)
  check(fill(out, size, n))
  return ffi.string(out, n[0])
end

function M.ids(fill)
  local n = ffi.new("size_t[1]")
  check(fill(nil, 0, n))
  local size = tonumber(n[0])
  local out, ids = ffi.new("int32_t[?]", size > 0 and size or 1), {}
  check(fill(out, size, n))
  for i = 1, tonumber(n[0]) do ids[i] = out[i - 1] end
  return ids
end

function M.int_array(ids)
  local out = ffi.new("int32_t[?]", #ids > 0 and #ids or 1)
  for i, id in ipairs(ids) do
    if type(id) ~= "number" or id % 1 ~= 0 or math.abs(id) > 2147483647 then M.invalid("token " .. i .. " is no integer") end
    out[i - 1] = id
  end
  return out, #ids
end

-- A zeroed structure with its size set.
function M.struct(kind)
  local s = ffi.new(kind)
  s.struct_size = ffi.sizeof(kind)
  return s
end

-- Copies the options that `fields` names (option -> member, or true for the same name) into a structure. Unknown ones are
-- errors: a misspelt option must not be ignored. Strings are kept alive in `keep`.
function M.options(kind, given, fields, keep)
  local s = M.struct(kind)
  for name, value in pairs(given or {}) do
    local field = fields[name]
    if field == nil then M.invalid("there is no option '" .. tostring(name) .. "'") end
    if field == true then field = name end
    if type(field) == "function" then
      field(s, value, keep)
    elseif type(value) == "boolean" then
      s[field] = value and 1 or 0
    else
      if type(value) == "string" and keep then keep[#keep + 1] = value end
      local ok, why = pcall(function() s[field] = value end)
      if not ok then M.invalid("option '" .. name .. "': " .. tostring(why)) end
    end
  end
  return s
end

return M
