-- Reads the start of an event, or its mark, and writes the first byte or the mark again:
-- replicas confirm what a connection wrote, see accept.lua.
--
-- KEYS  event, dead, marks
-- ARGV  1 last byte to read  2 mark
-- Returns { start of the event, '' if it is not stored; value of its mark, '' if there is
-- none }.

local start = redis.call('GETRANGE', KEYS[1], 0, ARGV[1])
if start ~= '' then
  redis.call('ZREM', KEYS[2], '') -- first, see move.lua
  redis.call('SETRANGE', KEYS[1], 0, string.sub(start, 1, 1))
end
local mark = start == '' and remembered(KEYS[3], ARGV[2]) or ''
if mark ~= '' then
  redis.call('ZREM', KEYS[2], '') -- first, see move.lua
  redis.call('HSET', KEYS[3], string.sub(ARGV[2], 1, 12), mark)
end
return { start, mark }
