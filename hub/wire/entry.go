package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Entry is one stream as viewers see it.
type Entry struct {
	Code      string // the live code; never empty
	Anchor    string // the user id
	Title     string
	State     string // StateStarting, StateLive or StateAway
	Away      string // AwayMissedBeat or AwayMedia, only if State is StateAway
	StartedAt int64  // Unix milliseconds
	Viewers   int64
	Likes     int64
	Tags      []string        // nil means none
	Cover     string          // "" means none
	Extra     json.RawMessage // nil means none; valid JSON on one line
	Play      []PlayURL       // nil means none

	// PlayJSON is the member play as a JSON object. If it is not nil it is
	// encoded instead of Play; empty means none. Decoding never sets it.
	PlayJSON []byte
}

// PlayURL is the address of a stream in one protocol.
type PlayURL struct{ Protocol, URL string }

// AppendEntry appends e as a JSON object. Empty members are left out, except
// code, anchor, title, state and the numbers.
func AppendEntry(dst []byte, e *Entry) []byte {
	dst = append(dst, '{')
	dst = appendText(dst, "code", e.Code)
	dst = appendText(dst, "anchor", e.Anchor)
	dst = appendText(dst, "title", e.Title)
	dst = appendText(dst, "state", e.State)
	dst = appendOptionalText(dst, "away", e.Away)
	dst = appendInt(dst, "started_at", e.StartedAt)
	dst = appendInt(dst, "viewers", e.Viewers)
	dst = appendInt(dst, "likes", e.Likes)
	if len(e.Tags) > 0 {
		dst = appendTexts(dst, "tags", e.Tags)
	}
	dst = appendOptionalText(dst, "cover", e.Cover)
	if len(e.Extra) > 0 {
		dst = appendRaw(dst, "extra", e.Extra)
	}
	if e.hasPlay() {
		dst = append(appendPlayValue(appendName(dst, "play"), e), ',')
	}
	return closeObject(dst)
}

func (e *Entry) hasPlay() bool { return len(e.PlayJSON) > 0 || e.PlayJSON == nil && len(e.Play) > 0 }

func appendPlayValue(dst []byte, e *Entry) []byte {
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
	entry, err := parseEntry(data[skipSpace(data, 0):])
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
	for name, value := range objectMembers(raw) {
		if err := e.setMember(string(name), value); err != nil {
			return e, err
		}
	}
	if e.Code == "" {
		return e, errors.New("code is required")
	}
	return e, nil
}

// setMember replaces one member by a JSON value; null removes it. Unknown names
// are ignored.
func (e *Entry) setMember(name string, valueJSON []byte) (err error) {
	switch name {
	case "code":
		e.Code, err = parseTextOrNull(name, valueJSON)
	case "anchor":
		e.Anchor, err = parseTextOrNull(name, valueJSON)
	case "title":
		e.Title, err = parseTextOrNull(name, valueJSON)
	case "state":
		e.State, err = parseTextOrNull(name, valueJSON)
	case "away":
		e.Away, err = parseTextOrNull(name, valueJSON)
	case "started_at":
		e.StartedAt, err = parseIntegerOrNull(name, valueJSON)
	case "viewers":
		e.Viewers, err = parseIntegerOrNull(name, valueJSON)
	case "likes":
		e.Likes, err = parseIntegerOrNull(name, valueJSON)
	case "tags":
		e.Tags, err = parseTags(valueJSON)
	case "cover":
		e.Cover, err = parseTextOrNull(name, valueJSON)
	case "extra":
		e.Extra = nil
		if !isNull(valueJSON) {
			e.Extra = compact(valueJSON)
		}
	case "play":
		e.PlayJSON = nil
		e.Play, err = parsePlay(valueJSON)
	}
	return err
}

func parseTextOrNull(name string, valueJSON []byte) (string, error) {
	if isNull(valueJSON) {
		return "", nil
	}
	s, ok := parseText(valueJSON)
	if !ok {
		return "", fmt.Errorf("%s must be a string", name)
	}
	return s, nil
}

func parseIntegerOrNull(name string, valueJSON []byte) (int64, error) {
	if isNull(valueJSON) {
		return 0, nil
	}
	n, ok := parseInteger(valueJSON)
	if !ok {
		return 0, fmt.Errorf("%s must be an integer", name)
	}
	return n, nil
}

func parseTags(valueJSON []byte) ([]string, error) {
	if isNull(valueJSON) {
		return nil, nil
	}
	tags, ok := parseTexts(valueJSON)
	if !ok {
		return nil, errors.New("tags must be an array of strings")
	}
	if len(tags) == 0 {
		return nil, nil
	}
	return tags, nil
}

func parsePlay(valueJSON []byte) (urls []PlayURL, err error) {
	if isNull(valueJSON) {
		return nil, nil
	}
	if !isObject(valueJSON) {
		return nil, errors.New("play must be an object")
	}
	for protocol, raw := range objectMembers(valueJSON) {
		url, ok := parseText(raw)
		if !ok {
			return nil, errors.New("play must be an object of strings")
		}
		urls = append(urls, PlayURL{string(protocol), url})
	}
	return urls, nil
}
