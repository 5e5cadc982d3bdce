-- onair replace recordings
-- Replaces recordings, in the hash and in the indexes, if the stored values are the expected ones.
-- KEYS: recordings, then the index of each index change.
-- ARGV: the number of recordings; for each its id, the expected value and the new value, where empty
-- means none; then for each index change + or -, followed by the member.
-- Returns 1, or 0 where a stored value differs and nothing was changed.
for i = 2, #KEYS do -- check first: Redis does not undo the writes of a script that fails later
  local type = redis.call('TYPE', KEYS[i]).ok
  if type ~= 'none' and type ~= 'zset' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. type .. ', not a zset')
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
