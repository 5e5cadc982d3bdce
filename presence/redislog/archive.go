package redislog

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"onair/presence"
)

var _ presence.Archive = (*Log)(nil)

// Keep implements [presence.Archive]: one script, so that indexes never lag behind.
// A recording takes about a kilobyte of Redis's memory. What Redis loses of it the
// nodes file again, as long as the effect that it was to be is in their log.
func (l *Log) Keep(ctx context.Context, recordings []presence.Recording) error {
	if len(recordings) == 0 {
		return nil
	}
	args := make([]any, 0, 6*len(recordings))
	for i := range recordings {
		rec := &recordings[i]
		args = append(args, rec.ID, rec.Encode(), rec.StartedAt, rec.EndedAt, rec.Anchor, rec.Code)
	}
	if err := l.scripts.keep.Run(ctx, l.redis, []string{l.keys.recordings, l.keys.started, l.keys.ended}, args...).Err(); err != nil {
		return fmt.Errorf("redislog: keep: %w", err)
	}
	return nil
}

// Recording implements [presence.Archive].
func (l *Log) Recording(ctx context.Context, id string) (rec presence.Recording, ok bool, err error) {
	value, err := l.redis.HGet(ctx, l.keys.recordings, id).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return rec, false, nil
	case err == nil:
		rec, err = presence.DecodeRecording(value)
	}
	if err != nil {
		return rec, false, fmt.Errorf("redislog: recording: %w", err)
	}
	return rec, true, nil
}

// Recordings implements [presence.Archive].
func (l *Log) Recordings(ctx context.Context, q presence.RecordingQuery) (page []presence.Recording, next string, err error) {
	most, least, start, after := "+inf", "-inf", "", ""
	if q.From != 0 {
		least = strconv.FormatInt(q.From, 10)
	}
	if q.To != 0 {
		most = "(" + strconv.FormatInt(q.To, 10)
	}
	if q.After != "" {
		c, err := presence.ParseCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		if start, after = strconv.FormatInt(c.StartedAt, 10), c.ID; q.To == 0 || c.StartedAt < q.To {
			most = start
		}
	}
	index := l.keys.started
	switch {
	case q.Code != "":
		index += ":code:" + q.Code
	case q.Anchor != "":
		index += ":anchor:" + q.Anchor
	}
	found, err := l.scripts.find.Run(ctx, l.redis, []string{l.keys.recordings, index}, most, least, start, after, q.Limit, q.Anchor, q.Code).StringSlice()
	if err != nil {
		return nil, "", fmt.Errorf("redislog: recordings: %w", err)
	}
	for _, value := range found[2:] {
		rec, err := presence.DecodeRecording([]byte(value))
		if err != nil {
			return nil, "", fmt.Errorf("redislog: recordings: %w", err)
		}
		page = append(page, rec)
	}
	if found[0] != "" {
		next = found[1] + "." + found[0]
	}
	return page, next, nil
}

// Discard implements [presence.Archive].
func (l *Log) Discard(ctx context.Context, before int64, limit int) (int, error) {
	n, err := l.scripts.discard.Run(ctx, l.redis, []string{l.keys.recordings, l.keys.started, l.keys.ended}, before, limit).Int()
	if err != nil {
		return 0, fmt.Errorf("redislog: discard: %w", err)
	}
	return n, nil
}
