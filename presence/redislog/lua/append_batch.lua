-- onair append batch
-- Appends one batch, unless the log has it already.
-- KEYS: log, head, nodes, snapshots. ARGV: node, incarnation, seq of the batch, batch.
-- Returns the number of the entry; 0 for a duplicate; -1 where no epoch has been founded.
if redis.call('EXISTS', KEYS[4]) == 0 then
  return -1
end
local incarnation, seq = string.match(redis.call('HGET', KEYS[3], ARGV[1]) or '', '^(%d+) (%d+) ')
if incarnation == ARGV[2] and tonumber(seq) >= tonumber(ARGV[3]) then
  return 0
end
local replid = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local clock = redis.call('TIME')
local time = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
local head = redis.call('HMGET', KEYS[2], 'n', 'g')
local entry = string.format('%.0f', head[1] + 1)
redis.call('XADD', KEYS[1], '*', 'n', entry, 't', time, 'r', string.sub(replid, 1, 16) .. '.' .. head[2], 'b', ARGV[4])
redis.call('HSET', KEYS[2], 'n', entry, 't', time)
if not incarnation or tonumber(incarnation) <= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. time)
end
return tonumber(entry)
