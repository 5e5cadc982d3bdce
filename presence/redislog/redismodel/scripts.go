package redismodel

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
)

// evalScript runs EVAL with a script's text, or EVALSHA with its SHA-1.
func (r *Redis) evalScript(hasText bool, args []any) (any, error) {
	sum := argText(args[0])
	if hasText {
		digest := sha1.Sum([]byte(sum))
		firstLine, _, _ := strings.Cut(sum, "\n")
		sum = hex.EncodeToString(digest[:])
		r.scriptNames[sum] = strings.TrimSpace(firstLine)
	}
	name, cached := r.scriptNames[sum]
	if !cached {
		return nil, replyError("NOSCRIPT No matching script. Please use EVAL.")
	}
	n := int(parseInt(argText(args[1])))
	keys, argv := argTexts(args[2:2+n]), argTexts(args[2+n:])
	switch name {
	case "-- onair append batch":
		return r.appendBatch(keys, argv), nil
	case "-- onair next incarnation":
		return r.nextIncarnation(keys[0], argv[0]), nil
	case "-- onair found epoch":
		return r.foundEpoch(keys, argv), nil
	case "-- onair commit snapshot":
		return r.commitSnapshot(keys, argv)
	case "-- onair replace recordings":
		return r.replaceRecordings(keys, argv), nil
	case "-- onair trial": // it refuses nothing
		return []any{}, nil
	case "-- onair scan recordings":
		return r.scanRecordings(keys, argv), nil
	}
	panic("redismodel: unknown script " + name)
}
