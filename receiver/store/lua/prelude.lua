-- Comes before the text of each script.

-- counted and count read and write an endpoint's row of usage: its deliveries that
-- are pending, those of them that are held, those that are dead, and the bytes of
-- its events. An endpoint that has none has no row.
local function counted(usage, endpoint)
  local p, h, d, b = string.match(redis.call('HGET', usage, endpoint) or '', '(%d+) (%d+) (%d+) (%d+)')
  return tonumber(p) or 0, tonumber(h) or 0, tonumber(d) or 0, tonumber(b) or 0
end
local function count(usage, endpoint, p, h, d, b)
  if p > 0 or d > 0 then
    redis.call('HSET', usage, endpoint, string.format('%d %d %d %d', math.max(p, 0), math.max(h, 0), math.max(d, 0), math.max(b, 0)))
  else
    redis.call('HDEL', usage, endpoint)
  end
end

-- room is about what a row takes of the memory: Usage.Room in bound.go.
local function room(p, d, b)
  return b + 512 * (p + d)
end

-- remembered is the value of an event's mark, nil if there is none or its time is over.
-- A mark is named by 12 bytes, behind which comes the time of now (s): see marks.go.
local function remembered(marks, mark)
  local value = redis.call('HGET', marks, string.sub(mark, 1, 12))
  if value and struct.unpack('>I4', value) > struct.unpack('>I4', mark, 13) then
    return value
  end
  return nil
end

-- remember keeps a mark for so many seconds. The hash goes as a whole some time after
-- the last of its marks has ended. Until then marks that have ended are found by chance:
-- one in four that are added looks at 20, so there is about one for five that have not.
local function remember(marks, mark, value, seconds)
  redis.call('HSET', marks, string.sub(mark, 1, 12), value)
  seconds = tonumber(seconds)
  if redis.call('TTL', marks) < seconds then
    redis.call('EXPIRE', marks, math.ceil(seconds * 1.25))
  end
  if string.byte(mark, 1) % 4 > 0 then
    return
  end
  local now = struct.unpack('>I4', mark, 13)
  local some = redis.call('HRANDFIELD', marks, 20, 'WITHVALUES')
  for i = 1, #some, 2 do
    if struct.unpack('>I4', some[i + 1]) <= now then
      redis.call('HDEL', marks, some[i])
    end
  end
end

-- endpointOf is the endpoint of an event, by its record up to headEnd: the first text
-- of it (record.go), at most 317 bytes long, so that its length takes one byte or two.
-- nil: there is no record, or a newer version wrote it.
local headEnd = 51 + 400
local function endpointOf(head)
  if string.sub(head, 1, 1) ~= 'P' or string.byte(head, 2) > 2 then
    return nil
  end
  local length, from = string.byte(head, 51), 52
  if length > 127 then
    length, from = length - 128 + 128 * string.byte(head, 52), 53
  end
  return string.sub(head, from, from + length - 1)
end
