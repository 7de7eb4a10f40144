-- Counts a partition anew, if its rows of usage don't add up to what is there, and
-- makes the indexes of dead letters by endpoint anew. That is so where somebody
-- deleted events by hand, and where a version of this program has written that
-- does not count.
--
-- KEYS  due, held, dead, usage, attempts
-- ARGV  1 prefix of the partition's names  2 most deliveries to count
-- Returns { outcome, bytes of all events, { dead letter without an event, ... } }; the
-- outcome is 0: it adds up; 1: counted anew; 2: it does not add up, and is too much to be
-- counted.
--
-- Names of events and endpoints are built from the prefix; they share the hash tag of
-- KEYS.

local rows = redis.call('HGETALL', KEYS[4])
local pending, held, dead, bytes = 0, 0, 0, 0
for i = 2, #rows, 2 do
  local p, h, d, b = string.match(rows[i], '(%d+) (%d+) (%d+) (%d+)')
  pending, held, dead, bytes = pending + (p or 0), held + (h or 0), dead + (d or 0), bytes + (b or 0)
end
local inDue, inHeld, inDead = redis.call('ZCARD', KEYS[1]), redis.call('ZCARD', KEYS[2]), redis.call('ZCARD', KEYS[3])
if pending == inDue + inHeld and held == inHeld and dead == inDead then
  return { 0, bytes, {} }
end
if inDue + inHeld + inDead > tonumber(ARGV[2]) then
  return { 2, bytes, {} }
end

bytes = 0
local found, sizes, missing = {}, {}, {}

local function add(member, pending, held, dead)
  local ref = string.match(member, '^[^/]*')
  local event = ARGV[1] .. 'event:' .. ref
  local head = redis.call('GETRANGE', event, 0, headEnd)
  local endpoint = endpointOf(head)
  if not endpoint then
    return nil, head
  end
  local row = found[endpoint] or { 0, 0, 0, 0 }
  found[endpoint] = row
  row[1], row[2], row[3] = row[1] + pending, row[2] + held, row[3] + dead
  if not sizes[ref] then
    sizes[ref] = redis.call('STRLEN', event)
    row[4] = row[4] + sizes[ref]
    bytes = bytes + sizes[ref]
  end
  return endpoint, head
end

redis.call('DEL', KEYS[4]) -- first, see move.lua
for i = 1, #rows, 2 do
  redis.call('DEL', ARGV[1] .. 'dead:' .. rows[i])
end
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  add(member, 1, 0, 0)
end
for _, member in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  add(member, 1, 1, 0)
end
local entries = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')
local indexed = {}
for i = 1, #entries, 2 do
  local endpoint, head = add(entries[i], 0, 0, 1)
  if endpoint then
    local index = ARGV[1] .. 'dead:' .. endpoint
    if not indexed[index] then
      redis.call('DEL', index)
      indexed[index] = true
    end
    redis.call('ZADD', index, entries[i + 1], entries[i])
  elseif string.sub(head, 1, 1) ~= 'P' then
    -- Nothing is left to deliver: somebody deleted the event, or Redis lost it.
    table.insert(missing, entries[i])
    redis.call('ZREM', KEYS[3], entries[i])
    redis.call('HDEL', KEYS[5], entries[i])
  end
end
for endpoint, row in pairs(found) do
  redis.call('HSET', KEYS[4], endpoint, string.format('%d %d %d %d', row[1], row[2], row[3], row[4]))
end
return { 1, bytes, missing }
