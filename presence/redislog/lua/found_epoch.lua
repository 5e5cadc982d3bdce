-- onair found epoch
-- Founds an epoch where there is none, with a snapshot whose chunks are stored.
-- KEYS: log, head, snapshots, the snapshot's chunks, nodes. ARGV: the snapshot's description;
-- id, number, time and epoch of its entry.
-- Returns 1, or 0 where an epoch exists or chunks are missing.
for i, expected in ipairs({'stream', 'hash', 'list', 'hash', 'hash'}) do -- never delete other applications' keys
  local type = redis.call('TYPE', KEYS[i]).ok
  if type ~= 'none' and type ~= expected then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. type .. ', not a ' .. expected)
  end
end
if redis.call('EXISTS', KEYS[3]) == 1
  or redis.call('HLEN', KEYS[4]) ~= tonumber(string.match(ARGV[1], '^%S+ %S+ %d+ %d+ (%d+) ')) then
  return 0
end
redis.call('DEL', KEYS[1], KEYS[5])
if ARGV[3] ~= '0' then -- readers check that the log has the entry that they read last
  redis.call('XADD', KEYS[1], ARGV[2], 'n', ARGV[3], 't', ARGV[4], 'r', ARGV[5], 'b', '')
end
local clock = redis.call('TIME')
redis.call('HSET', KEYS[2], 'n', ARGV[3], 't', ARGV[4], 'g',
  string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000)))
redis.call('LPUSH', KEYS[3], ARGV[1])
redis.call('PERSIST', KEYS[4])
return 1
