package redismodel

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The timeouts of a Link's client are those of redislog.NewClient.
const (
	dialTimeout  = time.Second
	replyTimeout = time.Second
)

// Faults are the faults of one link's network.
type Faults struct {
	MaxDelay         time.Duration // of each request, and of each reply
	LostWriteReplies float64       // share of writes without a reply
	LateWrites       float64       // share of writes that arrive after the client's timeout, or twice
	LostReadReplies  float64       // share of reads without a reply
	MaxTailDelay     time.Duration // additional delay of replies to XREAD
	DropTailReplies  bool          // no XREAD gets a reply
}

// Link connects one node with the server. Its methods may be called concurrently.
type Link struct {
	// Static after Dial.
	client *redis.Client
	seed   uint64

	mu          sync.Mutex // guards all below
	server      *Redis
	rngs        map[string]*rand.Rand // by command, so that concurrent commands draw the same numbers in each run
	faults      Faults
	partitioned bool // no packet arrives
	connected   bool // the client believes in its connections
	nodeKilled  bool
	connections *connections
}

// Dial returns a new link. The seed decides which requests have faults.
func (r *Redis) Dial(seed uint64, f Faults) *Link {
	l := &Link{server: r, rngs: map[string]*rand.Rand{}, seed: seed, faults: f, connections: newConnections()}
	l.client = redis.NewClient(&redis.Options{
		MaxRetries: -1, DialTimeout: dialTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout,
		ContextTimeoutEnabled: true, DisableIdentity: true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	l.client.AddHook(hook{l})
	return l
}

// Client returns the client that redislog uses.
func (l *Link) Client() redis.UniversalClient { return l.client }

// SetFaults changes the faults of later requests.
func (l *Link) SetFaults(f Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults = f
}

// SetPartitioned makes the network drop all packets, or ends that. Requests under
// way are lost.
func (l *Link) SetPartitioned(partitioned bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partitioned = partitioned
	if partitioned {
		close(l.connections.broken)
		l.connections = newConnections()
	}
}

// MoveTo connects the node with another server. Requests under way are lost.
func (l *Link) MoveTo(server *Redis) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.server = server
	close(l.connections.broken)
	l.connections = newConnections()
}

// KillNode ends the node's process. Its requests under way may still arrive.
func (l *Link) KillNode() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.nodeKilled {
		l.nodeKilled = true
		close(l.connections.broken)
	}
}

func (l *Link) isNodeKilled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodeKilled
}

// commandRNG returns the random numbers of a command. The caller holds mu.
func (l *Link) commandRNG(command string) *rand.Rand {
	r := l.rngs[command]
	if r == nil {
		h := fnv.New64a()
		h.Write([]byte(command))
		r = rand.New(rand.NewPCG(l.seed, h.Sum64()))
		l.rngs[command] = r
	}
	return r
}

// Errors of the network.
var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errNoRoute = &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	errTimeout = &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
)

// hook passes a client's commands to a link.
type hook struct{ *Link }

// DialHook implements redis.Hook. Nothing is dialled.
func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (h hook) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		replies, err := h.roundTrip(ctx, [][]any{cmd.Args()})
		if err != nil {
			replies = []reply{{err: err}}
		}
		return setReply(cmd, replies[0])
	}
}

// ProcessPipelineHook implements redis.Hook.
func (h hook) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) (firstErr error) {
		all := make([][]any, len(cmds))
		for i, cmd := range cmds {
			all[i] = cmd.Args()
		}
		replies, err := h.roundTrip(ctx, all)
		for i, cmd := range cmds {
			result := reply{err: err}
			if err == nil {
				result = replies[i]
			}
			if err := setReply(cmd, result); firstErr == nil {
				firstErr = err
			}
		}
		return firstErr
	}
}

// setReply sets a command's value or error, and returns the error.
func setReply(cmd redis.Cmder, r reply) error {
	if r.err != nil {
		cmd.SetErr(r.err)
		return r.err
	}
	switch cmd := cmd.(type) {
	case *redis.Cmd:
		cmd.SetVal(r.value)
	case *redis.StringCmd:
		cmd.SetVal(r.value.(string))
	case *redis.IntCmd:
		cmd.SetVal(r.value.(int64))
	case *redis.BoolCmd:
		cmd.SetVal(r.value.(bool))
	case *redis.SliceCmd:
		cmd.SetVal(r.value.([]any))
	case *redis.StringSliceCmd:
		cmd.SetVal(r.value.([]string))
	case *redis.XMessageSliceCmd:
		cmd.SetVal(r.value.([]redis.XMessage))
	case *redis.XStreamSliceCmd:
		messages := r.value.([]redis.XMessage)
		if len(messages) == 0 {
			cmd.SetErr(redis.Nil)
			return redis.Nil
		}
		cmd.SetVal([]redis.XStream{{Messages: messages}})
	default:
		return errors.New("redismodel: unknown kind of command")
	}
	return nil
}
