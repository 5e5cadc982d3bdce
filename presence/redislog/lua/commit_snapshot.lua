-- onair commit snapshot
-- Commits a snapshot whose chunks are stored, if the log has its entry and all snapshots are
-- older. Then trims the log up to the newest snapshot that is old enough to start from.
-- KEYS: log, snapshots, the snapshot's chunks, nodes. ARGV: the snapshot's description; id, number,
-- time and epoch of its entry; the least age of a snapshot to start from, in milliseconds; the time
-- since its last batch after which a node's last seq is deleted, in milliseconds.
-- Returns the descriptions of the dropped snapshots, or false where nothing was committed.
local entry = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
local newest = redis.call('LINDEX', KEYS[2], 0)
if not entry or entry[2][2] ~= ARGV[3] or entry[2][6] ~= ARGV[5] or not newest
  or redis.call('HLEN', KEYS[3]) ~= tonumber(string.match(ARGV[1], '^%S+ %S+ %d+ %d+ (%d+) '))
  or tonumber(string.match(newest, '^%S+ %S+ (%d+) ')) >= tonumber(ARGV[3]) then
  return false
end
redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('PERSIST', KEYS[3])
local all, dropped = redis.call('LRANGE', KEYS[2], 0, -1), {}
local last = #all
for i, description in ipairs(all) do
  local id, time = string.match(description, '^%S+ (%S+) %d+ (%d+) ')
  if i > last then
    dropped[#dropped + 1] = description
  elseif tonumber(time) <= tonumber(ARGV[4]) - tonumber(ARGV[6]) then
    last = i
    redis.call('LTRIM', KEYS[2], 0, i - 1)
    redis.call('XTRIM', KEYS[1], 'MINID', id)
  end
end
local nodes = redis.call('HGETALL', KEYS[4])
for i = 1, #nodes, 2 do
  if tonumber(string.match(nodes[i + 1], '(%d+)$')) < tonumber(ARGV[4]) - tonumber(ARGV[7]) then
    redis.call('HDEL', KEYS[4], nodes[i])
  end
end
return dropped
