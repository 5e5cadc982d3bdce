-- onair found
-- Begins a history where there is none, with a snapshot whose chunks are stored already.
-- KEYS: log, head, snapshots, the snapshot's chunks, nodes. ARGV: the snapshot's description;
-- id, number, time and history of its entry.
for i, kind in ipairs({'stream', 'hash', 'list', 'hash', 'hash'}) do -- what is somebody else's stays
  local is = redis.call('TYPE', KEYS[i]).ok
  if is ~= 'none' and is ~= kind then
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is a ' .. is .. ', not a ' .. kind)
  end
end
if redis.call('EXISTS', KEYS[3]) == 1
  or redis.call('HLEN', KEYS[4]) ~= tonumber(string.match(ARGV[1], '^%S+ %S+ %d+ %d+ (%d+) ')) then
  return 0
end
redis.call('DEL', KEYS[1], KEYS[5])
if ARGV[3] ~= '0' then -- readers look for the entry that they go on from
  redis.call('XADD', KEYS[1], ARGV[2], 'n', ARGV[3], 't', ARGV[4], 'r', ARGV[5], 'b', '')
end
local clock = redis.call('TIME')
redis.call('HSET', KEYS[2], 'n', ARGV[3], 't', ARGV[4], 'g',
  string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000)))
redis.call('LPUSH', KEYS[3], ARGV[1])
redis.call('PERSIST', KEYS[4])
return 1
