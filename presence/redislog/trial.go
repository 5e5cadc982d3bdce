package redislog

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// refusedCommands is returned when Redis refuses commands that the log or the archive
// needs. Its text has each command and the reply.
type refusedCommands string

// Error implements error.
func (e refusedCommands) Error() string { return "commands refused: " + string(e) }

// RedisError implements redis.Error.
func (refusedCommands) RedisError() {}

// tryCommands runs each command that the log and the archive need, in scripts and
// outside, on scratch keys. A service may allow some and forbid others. It returns
// refusedCommands, or the error of a request without a reply.
func (l *Log) tryCommands(ctx context.Context) error {
	key := func(name string) string { return l.keys.trialPrefix + name }
	refusedInScripts, err := l.scripts.trial.Run(ctx, l.redis,
		[]string{key("stream"), key("hash"), key("list"), key("zset")}).StringSlice()
	if err != nil {
		return err
	}
	var refused refusalList
	for _, text := range refusedInScripts {
		command, reply, _ := strings.Cut(text, ": ")
		refused.add(command+" in scripts", reply)
	}
	// Other nodes may run the same trial at the same time, so each key has one type.
	commands, _ := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.SetNX(ctx, key("lock"), "", lockTTL)
		p.Get(ctx, key("lock"))
		p.Del(ctx, key("lock"))
		p.HSet(ctx, key("chunks"), 0, "")
		p.Expire(ctx, key("chunks"), lockTTL)
		p.HMGet(ctx, key("chunks"), "0")
		p.Del(ctx, key("chunks"))
		p.LRange(ctx, key("snapshots"), 0, -1)
		p.Exists(ctx, key("snapshots"))
		p.XRangeN(ctx, key("log"), "-", "+", 1)
		return nil
	})
	commands = append(commands, l.redis.XRead(ctx, &redis.XReadArgs{Streams: []string{key("log"), "0-0"}, Count: 1, Block: time.Millisecond}))
	for _, command := range commands {
		switch err := command.Err(); {
		case errors.Is(err, redis.Nil):
		case isErrorReply(err):
			refused.add(strings.ToUpper(command.Name()), err.Error())
		case err != nil:
			return err
		}
	}
	return refused.err()
}

// refusalList collects refused commands, those with the same reply together.
type refusalList struct {
	commands map[string][]string // by reply
	replies  []string
}

func (l *refusalList) add(command, reply string) {
	if l.commands == nil {
		l.commands = map[string][]string{}
	}
	if l.commands[reply] == nil {
		l.replies = append(l.replies, reply)
	}
	l.commands[reply] = append(l.commands[reply], command)
}

// err returns refusedCommands, or nil when no command was refused.
func (l *refusalList) err() error {
	if len(l.replies) == 0 {
		return nil
	}
	texts := make([]string, len(l.replies))
	for i, reply := range l.replies {
		texts[i] = strings.Join(l.commands[reply], ", ") + ": " + reply
	}
	return refusedCommands(strings.Join(texts, "; "))
}
