-- Stores an event and the index entries of its deliveries, or says what is
-- stored already.
--
-- KEYS  event, due, attempts, delayed, dead
-- ARGV  1 record  2 fence: end of the caller's lease (us)  3 now (us)
--       4 attempts of a revived delivery (JSON)  5... member of each delivery
-- Returns
--   'accepted'   stored now; the caller owns every delivery by its fence
--   'duplicate'  stored before: pending or delivered
--   'revived'    stored before; its dead deliveries are due again

local state = redis.call('GETRANGE', KEYS[1], 0, 0)

if state == '' then
  -- Redis checks its memory limit before the first write of a script only, so
  -- either both writes happen or none does.
  for i = 5, #ARGV do
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[i])
  end
  redis.call('SET', KEYS[1], ARGV[1])
  return 'accepted'
end

if state ~= 'P' then
  return 'duplicate'
end

local outcome = 'duplicate'
for i = 5, #ARGV do
  if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i])) == tonumber(ARGV[2]) then
    -- No two leases have one end, so this call has run before and its reply
    -- was lost.
    return 'accepted'
  end
  if redis.call('ZREM', KEYS[5], ARGV[i]) == 1 then
    redis.call('ZADD', KEYS[2], ARGV[3], ARGV[i])
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[4])
    outcome = 'revived'
  end
end
return outcome
