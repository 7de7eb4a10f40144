-- Removes the mark of a content if it is still the caller's.
--
-- KEYS  contents
-- ARGV  1 value of the mark, behind when it ends  2 mark of the content
-- Returns 1, or 0 when somebody else's is there. A mark that is gone was removed
-- by an earlier run whose reply was lost, or has ended.

local value = remembered(KEYS[1], ARGV[2])
if not value then
  return 1
end
if string.sub(value, 5) ~= ARGV[1] then
  return 0
end
redis.call('HDEL', KEYS[1], string.sub(ARGV[2], 1, 12))
return 1
