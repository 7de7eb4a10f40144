-- Removes a mark if it is still the caller's.
--
-- KEYS  the key of the mark
-- ARGV  1 mark
-- Returns 1, or 0 when somebody else's is there. A mark that is gone was removed
-- by an earlier run whose reply was lost, or has ended.

local value = redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
if value == '' then
  return 1
end
if value ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
return 1
