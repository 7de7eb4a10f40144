-- Reads the start of an event and, if there is one, writes its first byte again:
-- replicas confirm what a connection wrote, see accept.lua.
--
-- KEYS  event, dead
-- ARGV  1 last byte to read
-- Returns the start of the event, '' if it is not stored.

local start = redis.call('GETRANGE', KEYS[1], 0, ARGV[1])
if start ~= '' then
  redis.call('ZREM', KEYS[2], '') -- first, see move.lua
  redis.call('SETRANGE', KEYS[1], 0, string.sub(start, 1, 1))
end
return start
