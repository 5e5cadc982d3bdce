package redislog

import (
	"context"
	"encoding/binary"
	"slices"

	"onair/presence"
)

// member is what an index has of a recording: a time, such that members are in its
// order as bytes, and the id from the ninth byte on. Scores could not tell times
// far off apart, nor lead to a place among many of one time.
func member(at int64, id string) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(at)^1<<63)) + id
}

// place is one of a recording in an index.
type place struct{ key, member string }

// places are all of a recording. That by its end is such that those that ended
// first come last: indexes are read from their end.
func (k *keys) places(rec *presence.Recording) []place {
	at := member(rec.StartedAt, rec.ID)
	all := []place{{k.byStart, at}, {k.byEnd, member(^rec.EndedAt, rec.ID)}}
	if rec.Anchor != "" {
		all = append(all, place{k.byAnchor + rec.Anchor, at})
	}
	if rec.Code != "" {
		all = append(all, place{k.byCode + rec.Code, at})
	}
	return all
}

// exchange is what recordings are to be, if they are what they were when they were
// read: so no write is lost to another one, and none that comes late undoes a newer.
type exchange struct {
	log     *Log
	values  []any    // by recording its id, what it was, and what it is to be
	indexes []string // that change
	changes []any    // to each
}

func (l *Log) newExchange() *exchange { return &exchange{log: l} }

// put has a recording be another one, nil: none. was is what is stored, empty:
// nothing. It returns ErrRules for what a newer version wrote.
func (x *exchange) put(was string, is *presence.Recording) error {
	var id string
	var gone, come []place
	var value []byte
	if was != "" {
		old, err := presence.DecodeRecording([]byte(was))
		if err != nil {
			return err
		}
		id, gone = old.ID, x.log.keys.places(&old)
	}
	if is != nil {
		id, come = is.ID, x.log.keys.places(is)
		if value = is.Encode(); string(value) == was {
			return nil
		}
	}
	x.values = append(x.values, id, was, value)
	x.change("-", gone, come)
	x.change("+", come, gone)
	return nil
}

// change takes out, or puts in, those places that are not among others.
func (x *exchange) change(sign string, places, others []place) {
	for _, p := range places {
		if !slices.Contains(others, p) {
			x.indexes, x.changes = append(x.indexes, p.key), append(x.changes, sign+p.member)
		}
	}
}

// do writes it, and reports whether the recordings were what they should be.
func (x *exchange) do(ctx context.Context) (done bool, err error) {
	if len(x.values) == 0 {
		return true, nil
	}
	keys := append([]string{x.log.keys.recordings}, x.indexes...)
	args := slices.Concat([]any{len(x.values) / 3}, x.values, x.changes)
	return x.log.scripts.exchange.Run(ctx, x.log.redis, keys, args...).Bool()
}
