package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Entry is one stream of a list, as viewers see it.
type Entry struct {
	Code      string // the live code; never empty
	Anchor    string // the user id
	Title     string
	State     string // StateStarting …
	Away      string // AwayMissedBeat …, only while State is StateAway
	StartedAt int64  // Unix milliseconds
	Viewers   int64
	Likes     int64
	Tags      []string        // nil is none
	Cover     string          // "" is none
	Extra     json.RawMessage // nil is none; valid JSON on one line
	Play      []PlayURL       // nil is none

	// PlayJSON is the member play as rendered JSON, an object. Where it is not
	// nil it is encoded in the place of Play; empty is none. Decoding never
	// sets it.
	PlayJSON []byte
}

// PlayURL is where a stream plays in one protocol.
type PlayURL struct{ Protocol, URL string }

// AppendEntry appends e as a JSON object. Empty members are left out, but for
// code, anchor, title, state and the numbers.
func AppendEntry(dst []byte, e *Entry) []byte {
	dst = append(dst, '{')
	dst = addText(dst, "code", e.Code)
	dst = addText(dst, "anchor", e.Anchor)
	dst = addText(dst, "title", e.Title)
	dst = addText(dst, "state", e.State)
	dst = addTextIf(dst, "away", e.Away)
	dst = addInt(dst, "started_at", e.StartedAt)
	dst = addInt(dst, "viewers", e.Viewers)
	dst = addInt(dst, "likes", e.Likes)
	if len(e.Tags) > 0 {
		dst = addTexts(dst, "tags", e.Tags)
	}
	dst = addTextIf(dst, "cover", e.Cover)
	if len(e.Extra) > 0 {
		dst = addRaw(dst, "extra", e.Extra)
	}
	if e.hasPlay() {
		dst = append(appendPlay(addName(dst, "play"), e), ',')
	}
	return closeObject(dst)
}

func addEntry(dst []byte, name string, e *Entry) []byte {
	return append(AppendEntry(addName(dst, name), e), ',')
}

func (e *Entry) hasPlay() bool { return len(e.PlayJSON) > 0 || e.PlayJSON == nil && len(e.Play) > 0 }

func appendPlay(dst []byte, e *Entry) []byte {
	if e.PlayJSON != nil {
		return append(dst, e.PlayJSON...)
	}
	dst = append(dst, '{')
	for i := range e.Play {
		dst = AppendJSONString(dst, e.Play[i].Protocol)
		dst = append(AppendJSONString(append(dst, ':'), e.Play[i].URL), ',')
	}
	return closeObject(dst)
}

// MarshalJSON implements [json.Marshaler] with [AppendEntry].
func (e Entry) MarshalJSON() ([]byte, error) { return AppendEntry(nil, &e), nil }

// UnmarshalJSON implements [json.Unmarshaler]. It replaces the whole entry.
func (e *Entry) UnmarshalJSON(data []byte) error {
	if !json.Valid(data) {
		return errors.New("wire: bad entry: not JSON")
	}
	entry, err := parseEntry(data[next(data, 0):])
	if err != nil {
		return fmt.Errorf("wire: bad entry: %w", err)
	}
	*e = entry
	return nil
}

func parseEntry(raw []byte) (e Entry, err error) {
	if !isObject(raw) {
		return e, errors.New("a stream must be an object")
	}
	for name, value := range members(raw) {
		if err := e.set(string(name), value); err != nil {
			return e, err
		}
	}
	if e.Code == "" {
		return e, errors.New("code is required")
	}
	return e, nil
}

// set replaces one member by a JSON value; null removes it. Names that it does
// not know are ignored.
func (e *Entry) set(name string, value []byte) (err error) {
	switch name {
	case "code":
		e.Code, err = textMember(name, value)
	case "anchor":
		e.Anchor, err = textMember(name, value)
	case "title":
		e.Title, err = textMember(name, value)
	case "state":
		e.State, err = textMember(name, value)
	case "away":
		e.Away, err = textMember(name, value)
	case "started_at":
		e.StartedAt, err = integerMember(name, value)
	case "viewers":
		e.Viewers, err = integerMember(name, value)
	case "likes":
		e.Likes, err = integerMember(name, value)
	case "tags":
		e.Tags, err = tagsMember(value)
	case "cover":
		e.Cover, err = textMember(name, value)
	case "extra":
		e.Extra = nil
		if !isNull(value) {
			e.Extra = compact(value)
		}
	case "play":
		e.PlayJSON = nil
		e.Play, err = playMember(value)
	}
	return err
}

func textMember(name string, value []byte) (string, error) {
	if isNull(value) {
		return "", nil
	}
	s, ok := parseText(value)
	if !ok {
		return "", fmt.Errorf("%s must be a string", name)
	}
	return s, nil
}

func integerMember(name string, value []byte) (int64, error) {
	if isNull(value) {
		return 0, nil
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s must be an integer", name)
	}
	return n, nil
}

func tagsMember(value []byte) ([]string, error) {
	if isNull(value) {
		return nil, nil
	}
	tags, ok := parseTexts(value)
	if !ok {
		return nil, errors.New("tags must be an array of strings")
	}
	if len(tags) == 0 {
		return nil, nil
	}
	return tags, nil
}

func playMember(value []byte) (urls []PlayURL, err error) {
	if isNull(value) {
		return nil, nil
	}
	if !isObject(value) {
		return nil, errors.New("play must be an object")
	}
	for protocol, raw := range members(value) {
		url, ok := parseText(raw)
		if !ok {
			return nil, errors.New("play must be an object of strings")
		}
		urls = append(urls, PlayURL{string(protocol), url})
	}
	return urls, nil
}
