-- Makes the dead letters of an event pending under other names, after its routes were
-- renamed: with no attempts, and an age that begins now.
--
-- KEYS  event, due, attempts, delayed, dead, held, usage, dead of the endpoint
-- ARGV  1 the new record without its body  2 length of the old one without its body
--       3 now (us)  4 attempts (JSON)  5 endpoint  6 number of old members
--       7... old members, and behind them the new ones
-- Returns 1, or 0 when nothing of the event is dead, or something is pending: what
-- finishes that knows the old names only. New members whose attempts are what this call
-- would write were written by an earlier run whose reply was lost.

local olds = tonumber(ARGV[6])
local first = 7 + olds
if redis.call('HGET', KEYS[3], ARGV[first]) == ARGV[4] then
  return 1
end
if redis.call('GETRANGE', KEYS[1], 0, 0) ~= 'P' then
  return 0
end
local dead = {}
for i = 7, first - 1 do
  if redis.call('ZSCORE', KEYS[2], ARGV[i]) or redis.call('ZSCORE', KEYS[6], ARGV[i]) then
    return 0
  end
  if redis.call('ZSCORE', KEYS[5], ARGV[i]) then
    dead[#dead + 1] = ARGV[i]
  end
end
if #dead == 0 then
  return 0
end
for _, member in ipairs(dead) do
  redis.call('ZREM', KEYS[5], member) -- first, see move.lua
  redis.call('ZREM', KEYS[8], member)
  redis.call('HDEL', KEYS[3], member)
end
for i = first, #ARGV do
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[i])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[4])
end
redis.call('SET', KEYS[1], ARGV[1] .. redis.call('GETRANGE', KEYS[1], ARGV[2], -1))
local p, h, d, b = counted(KEYS[7], ARGV[5])
count(KEYS[7], ARGV[5], p + #ARGV - first + 1, h, d - #dead, b + #ARGV[1] - tonumber(ARGV[2]))
return 1
