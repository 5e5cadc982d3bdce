-- onair join
-- Gives a boot number that is higher than ARGV[1] and all given out before. KEYS: head.
local clock = redis.call('TIME')
local boot = math.max(clock[1] * 1000000 + clock[2],
  (tonumber(redis.call('HGET', KEYS[1], 'boot')) or 0) + 1, tonumber(ARGV[1]) + 1)
local text = string.format('%.0f', boot)
redis.call('HSET', KEYS[1], 'boot', text)
return text
