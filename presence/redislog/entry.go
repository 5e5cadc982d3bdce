package redislog

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"onair/presence"
)

// parseEntry returns an error for a stream entry that this package did not write.
func parseEntry(m redis.XMessage) (e presence.Entry, err error) {
	field := func(name string) string {
		text, _ := m.Values[name].(string)
		return text
	}
	e.ID, err = parseID(m.ID)
	if err == nil {
		e.Num, err = strconv.ParseUint(field("n"), 10, 64)
	}
	if err == nil {
		e.Time, err = strconv.ParseInt(field("t"), 10, 64)
	}
	if err != nil {
		return e, fmt.Errorf("redislog: invalid entry %s: %w", m.ID, err)
	}
	e.Epoch, e.Batch = field("r"), []byte(field("b"))
	return e, nil
}

func parseID(text string) (id presence.ID, err error) {
	ms, seq, _ := strings.Cut(text, "-")
	if id.MS, err = strconv.ParseUint(ms, 10, 64); err != nil {
		return id, err
	}
	id.Seq, err = strconv.ParseUint(seq, 10, 64)
	return id, err
}

func formatID(id presence.ID) string {
	return strconv.FormatUint(id.MS, 10) + "-" + strconv.FormatUint(id.Seq, 10)
}

// isSameExceptBatch compares all but the batches. Within an epoch an id is used once.
func isSameExceptBatch(a, b presence.Entry) bool {
	return a.ID == b.ID && a.Num == b.Num && a.Time == b.Time && a.Epoch == b.Epoch
}
