-- ---- places ----

-- Eight bytes that compare as the number does; -0 is 0.
local function ordered(x)
  local a, b, c, d, e, f, g, h = byte(dpack('>d', x + 0), 1, 8)
  if a < 128 then return char(a + 128, b, c, d, e, f, g, h) end
  return char(255 - a, 255 - b, 255 - c, 255 - d, 255 - e, 255 - f, 255 - g, 255 - h)
end

local function newest_first(e)
  local as_of = e[AS_OF]
  return ordered(as_of == as_of and -as_of or 0)
end

-- Place, score down, freshness, deadline, arrival; then newest snapshot and arrival between those that share a place.
local function key_of(e)
  local arrival, age = ordered(e[SEQ]), newest_first(e)
  if e[SUPER] then
    local place = e[LEVEL] == LOW and BEHIND or e[PLACE]
    return char(place + 1) .. ordered(-e[SCORE]) .. char(OUTDATED) .. age .. arrival .. age .. arrival
  end
  return char(e[PLACE] + 1) .. ordered(-e[SCORE]) .. char(e[FRESH]) .. ordered(e[DEADLINE] or huge) .. arrival .. age .. arrival
end

local function beside(anchor, e)
  return sub(anchor, 1, SHARED_BYTES) .. newest_first(e) .. ordered(e[SEQ])
end

local function bytes_before(a, b)
  if a == b then return false end
  for at = 1, #a do
    local x, y = byte(a, at), byte(b, at)
    if x ~= y then return y ~= nil and x < y end
  end
  return true
end

local function goes_before(a, b)
  if a[LEVEL] ~= b[LEVEL] then return a[LEVEL] < b[LEVEL] end
  return bytes_before(a[KEY], b[KEY])
end

local function older(a, b)
  if a[AS_OF] ~= b[AS_OF] then return a[AS_OF] < b[AS_OF] end
  return a[SEQ] < b[SEQ]
end
