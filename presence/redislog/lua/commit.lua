-- onair commit
-- Makes a snapshot count whose chunks are stored already, if its entry is in this log and no
-- other snapshot is as new; then trims the log behind the newest snapshot that is old enough.
-- KEYS: log, snapshots, the snapshot's chunks, nodes. ARGV: the snapshot's description; id, number,
-- time and history of its entry; the least age of a snapshot to start from, in milliseconds; the
-- age at which a node is forgotten that has said nothing.
-- Gives the descriptions of snapshots that nobody will start from any more, or false.
local e = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
local newest = redis.call('LINDEX', KEYS[2], 0)
if not e or e[2][2] ~= ARGV[3] or e[2][6] ~= ARGV[5] or not newest
  or redis.call('HLEN', KEYS[3]) ~= tonumber(string.match(ARGV[1], '^%S+ %S+ %d+ %d+ (%d+) '))
  or tonumber(string.match(newest, '^%S+ %S+ (%d+) ')) >= tonumber(ARGV[3]) then
  return false
end
redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('PERSIST', KEYS[3])
local all, dropped = redis.call('LRANGE', KEYS[2], 0, -1), {}
local last = #all
for i, s in ipairs(all) do
  local id, time = string.match(s, '^%S+ (%S+) %d+ (%d+) ')
  if i > last then
    dropped[#dropped + 1] = s
  elseif tonumber(time) <= tonumber(ARGV[4]) - tonumber(ARGV[6]) then
    last = i
    redis.call('LTRIM', KEYS[2], 0, i - 1)
    redis.call('XTRIM', KEYS[1], 'MINID', id)
  end
end
local said = redis.call('HGETALL', KEYS[4])
for i = 1, #said, 2 do
  if tonumber(string.match(said[i + 1], '(%d+)$')) < tonumber(ARGV[4]) - tonumber(ARGV[7]) then
    redis.call('HDEL', KEYS[4], said[i])
  end
end
return dropped
