package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Patch is one element of a diff's set: members of an entry that the client
// has, each replaced as a whole; null removes it.
type Patch struct {
	Code    string
	Members map[string]json.RawMessage // by name, without "code"; never nil once decoded
}

// ApplyPatch replaces the members of e that p names and ignores those that this
// package does not know. When a value is not what its member can hold, e is
// left as it was.
func (e *Entry) ApplyPatch(p Patch) error {
	changed := *e // slices are replaced, never written to
	for name, value := range p.Members {
		if !json.Valid(value) {
			return fmt.Errorf("wire: bad patch: %s is not JSON", name)
		}
		if name == "code" {
			continue
		}
		if err := changed.set(name, value[next(value, 0):]); err != nil {
			return fmt.Errorf("wire: bad patch: %w", err)
		}
	}
	*e = changed
	return nil
}

// AppendPatch appends the patch that makes old into new, which have the same
// code: {"code":…} and the members that differ, null for those that new does
// not have. Where none differs it returns dst as it is.
func AppendPatch(dst []byte, old, new *Entry) []byte {
	start := len(dst)
	dst = addText(append(dst, '{'), "code", new.Code)
	bare := len(dst)
	dst = patchText(dst, "anchor", old.Anchor, new.Anchor)
	dst = patchText(dst, "title", old.Title, new.Title)
	dst = patchText(dst, "state", old.State, new.State)
	dst = patchTextIf(dst, "away", old.Away, new.Away)
	dst = patchInt(dst, "started_at", old.StartedAt, new.StartedAt)
	dst = patchInt(dst, "viewers", old.Viewers, new.Viewers)
	dst = patchInt(dst, "likes", old.Likes, new.Likes)
	if !slices.Equal(old.Tags, new.Tags) {
		if len(new.Tags) > 0 {
			dst = addTexts(dst, "tags", new.Tags)
		} else {
			dst = addRaw(dst, "tags", "null")
		}
	}
	dst = patchTextIf(dst, "cover", old.Cover, new.Cover)
	if !bytes.Equal(old.Extra, new.Extra) {
		if len(new.Extra) > 0 {
			dst = addRaw(dst, "extra", new.Extra)
		} else {
			dst = addRaw(dst, "extra", "null")
		}
	}
	dst = patchPlay(dst, old, new)
	if len(dst) == bare {
		return dst[:start]
	}
	return closeObject(dst)
}

func patchText(dst []byte, name, old, new string) []byte {
	if old == new {
		return dst
	}
	return addText(dst, name, new)
}

// patchTextIf is patchText for a member that is left out when it is empty.
func patchTextIf(dst []byte, name, old, new string) []byte {
	if old != new && new == "" {
		return addRaw(dst, name, "null")
	}
	return patchText(dst, name, old, new)
}

func patchInt(dst []byte, name string, old, new int64) []byte {
	if old == new {
		return dst
	}
	return addInt(dst, name, new)
}

func patchPlay(dst []byte, old, new *Entry) []byte {
	had, has := old.hasPlay(), new.hasPlay()
	switch {
	case !had && !has:
		return dst
	case !has:
		return addRaw(dst, "play", "null")
	case old.PlayJSON == nil && new.PlayJSON == nil && slices.Equal(old.Play, new.Play):
		return dst
	case old.PlayJSON != nil && bytes.Equal(old.PlayJSON, new.PlayJSON):
		return dst
	}
	// Render both behind dst, where there is room, and compare: one may come
	// from Play and the other from PlayJSON.
	end := len(dst)
	dst = append(appendPlay(addName(dst, "play"), new), ',')
	if !had {
		return dst
	}
	tail := len(dst)
	dst = append(appendPlay(addName(dst, "play"), old), ',')
	if bytes.Equal(dst[end:tail], dst[tail:]) {
		return dst[:end]
	}
	return dst[:tail]
}

func (p *Patch) append(dst []byte) []byte {
	dst = addText(append(dst, '{'), "code", p.Code)
	for _, name := range slices.Sorted(maps.Keys(p.Members)) {
		if name != "code" {
			dst = append(AppendJSONString(dst, name), ':')
			dst = append(append(dst, p.Members[name]...), ',')
		}
	}
	return closeObject(dst)
}

func parsePatch(raw []byte) (p Patch, err error) {
	if !isObject(raw) {
		return p, errors.New("a patch must be an object")
	}
	p.Members = map[string]json.RawMessage{}
	var probe Entry // takes the members, so that Apply cannot fail later
	for name, value := range members(raw) {
		if string(name) == "code" {
			p.Code, err = textMember("code", value)
		} else {
			p.Members[string(name)] = bytes.Clone(value)
			err = probe.set(string(name), value)
		}
		if err != nil {
			return p, err
		}
	}
	if p.Code == "" {
		return p, errors.New("code is required")
	}
	return p, nil
}
