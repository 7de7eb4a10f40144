-- Marks signed content as belonging to one event.
--
-- KEYS  content, as an earlier version marked it; contents
-- ARGV  1 ref of the event  2 now (ms)  3 lifetime of the mark (s)
--       4 the mark that may be taken over, or ''  5 mark of the content, as of marks.go
--       6 when it ends, in front of its value
-- Returns '' when the mark is the caller's, else the mark that is in the way.

local before = redis.call('GET', KEYS[1])
local value = remembered(KEYS[2], ARGV[5])
local mark = value and string.sub(value, 5) or before
if mark and mark ~= ARGV[4] and string.match(mark, '^[^|]*') ~= ARGV[1] then
  return mark
end
remember(KEYS[2], ARGV[5], ARGV[6] .. ARGV[1] .. '|' .. ARGV[2], ARGV[3])
if before then
  redis.call('DEL', KEYS[1])
end
return ''
