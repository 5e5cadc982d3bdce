-- onair append
-- Appends one batch, once. KEYS: log, head, nodes, snapshots.
-- ARGV: node, boot, number of the batch, batch.
-- Gives the number of the entry; 0: the batch is there; -1: there is no history to append to.
if redis.call('EXISTS', KEYS[4]) == 0 then
  return -1
end
local boot, no = string.match(redis.call('HGET', KEYS[3], ARGV[1]) or '', '^(%d+) (%d+) ')
if boot == ARGV[2] and tonumber(no) >= tonumber(ARGV[3]) then
  return 0
end
local repl = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
local clock = redis.call('TIME')
local time = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
local head = redis.call('HMGET', KEYS[2], 'n', 'g')
local number = string.format('%.0f', head[1] + 1)
redis.call('XADD', KEYS[1], '*', 'n', number, 't', time, 'r', string.sub(repl, 1, 16) .. '.' .. head[2], 'b', ARGV[4])
redis.call('HSET', KEYS[2], 'n', number, 't', time)
if not boot or tonumber(boot) <= tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. time)
end
return tonumber(number)
