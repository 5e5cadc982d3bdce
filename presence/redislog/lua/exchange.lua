-- onair exchange
-- Puts recordings in the place of others, in the hash and in the indexes, if those others are what
-- is there. KEYS: recordings, then an index for each change to one.
-- ARGV: how many recordings; for each its id, what is there, and what is to be, empty: nothing; then
-- for each index + or - and the member.
-- Gives 1; 0: something else is there, and nothing was changed.
for i = 2, #KEYS do -- a write is whole: what may fail comes first
  local is = redis.call('TYPE', KEYS[i]).ok
  if is ~= 'none' and is ~= 'zset' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. is .. ', not a zset')
  end
end
local last = 3 * ARGV[1] + 1
for i = 2, last, 3 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then
    return 0
  end
end
for i = 2, last, 3 do
  if ARGV[i + 2] == '' then
    redis.call('HDEL', KEYS[1], ARGV[i])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2])
  end
end
for i = 2, #KEYS do
  local change = ARGV[last + i - 1]
  if string.sub(change, 1, 1) == '+' then
    redis.call('ZADD', KEYS[i], 0, string.sub(change, 2))
  else
    redis.call('ZREM', KEYS[i], string.sub(change, 2))
  end
end
return 1
