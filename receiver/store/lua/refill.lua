-- Leases the oldest deliveries of one backlog, and sends the backlog to the end
-- of the queue of those of its partition.
--
-- KEYS  backlog of the target, held, due, backlogs, attempts, delayed, usage
-- ARGV  1 name of the backlog  2 now (us)  3 fence: end of the new lease (us)
--       4 most deliveries  5 most bytes  6 prefix of the events' names
--       7 only those whose age began by then (ms), or +inf  8 endpoint
--       9 empty, or from 0 to 1: where to begin to look for one that has not failed
-- Returns { bytes, { member without an event, ... }, member, size, member, size, ... }
--
-- As in claim.lua, one delivery is leased even if it is larger than the limit.
-- If the reply is lost, what it named is due again when the lease ends.

-- unfailed looks at some deliveries from a place on, and from the first on after the last.
local function unfailed(place)
  local most = 128
  local from = math.floor(place * redis.call('ZCARD', KEYS[1]))
  local some = redis.call('ZRANGE', KEYS[1], from, from + most - 1)
  if from > 0 and #some < most then
    for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, math.min(from, most - #some) - 1)) do
      some[#some + 1] = member
    end
  end
  for _, member in ipairs(some) do
    if not redis.call('ZSCORE', KEYS[6], member) then
      return { member }
    end
  end
  return {}
end

local found
if ARGV[9] == '' then
  found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[7], 'LIMIT', 0, ARGV[4])
else
  found = unfailed(tonumber(ARGV[9]))
end
local answer = { 0, {} }

for _, member in ipairs(found) do
  local event = ARGV[6] .. string.match(member, '^[^/]*')
  local pending = redis.call('GETRANGE', event, 0, 0) == 'P'
  local size = redis.call('STRLEN', event)
  if pending and #answer > 2 and answer[1] + size > tonumber(ARGV[5]) then
    break
  end
  redis.call('ZREM', KEYS[1], member) -- first, see move.lua
  redis.call('ZREM', KEYS[2], member)
  if pending then
    redis.call('ZADD', KEYS[3], ARGV[3], member)
    answer[1] = answer[1] + size
    answer[#answer + 1] = member
    answer[#answer + 1] = size
  else
    -- Nothing is left to deliver: somebody deleted the event, or Redis lost it. How many
    -- bytes it had is not known: see recount.lua.
    table.insert(answer[2], member)
    redis.call('HDEL', KEYS[5], member)
    redis.call('ZREM', KEYS[6], member)
  end
end

if #answer > 2 then
  local p, h, d, b = counted(KEYS[7], ARGV[8])
  count(KEYS[7], ARGV[8], p, h - (#answer - 2) / 2, d, b)
end

if redis.call('ZCARD', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[4], ARGV[1])
elseif #found > 0 then
  redis.call('ZADD', KEYS[4], 'XX', ARGV[2], ARGV[1])
end
return answer
