package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Patch is one element of a diff's set: members of one of the client's entries.
// Each is replaced as a whole; null removes it.
type Patch struct {
	Code    string
	Members map[string]json.RawMessage // by name, without "code"; decoding never sets nil
}

// ApplyPatch replaces the members of e that p names and ignores unknown ones. It
// returns an error, and leaves e unchanged, if a value has the wrong type.
func (e *Entry) ApplyPatch(p Patch) error {
	changed := *e // shares the slices, which setMember replaces and does not modify
	for name, value := range p.Members {
		if !json.Valid(value) {
			return fmt.Errorf("wire: bad patch: %s is not JSON", name)
		}
		if name == "code" {
			continue
		}
		if err := changed.setMember(name, value[skipSpace(value, 0):]); err != nil {
			return fmt.Errorf("wire: bad patch: %w", err)
		}
	}
	*e = changed
	return nil
}

// AppendPatch appends the patch that turns old into new, which have the same
// code: {"code":…} and the members that differ, null for those that new lacks.
// If none differs it returns dst unchanged.
func AppendPatch(dst []byte, old, new *Entry) []byte {
	start := len(dst)
	dst = appendText(append(dst, '{'), "code", new.Code)
	membersStart := len(dst)
	dst = appendTextChange(dst, "anchor", old.Anchor, new.Anchor)
	dst = appendTextChange(dst, "title", old.Title, new.Title)
	dst = appendTextChange(dst, "state", old.State, new.State)
	dst = appendOptionalTextChange(dst, "away", old.Away, new.Away)
	dst = appendIntChange(dst, "started_at", old.StartedAt, new.StartedAt)
	dst = appendIntChange(dst, "viewers", old.Viewers, new.Viewers)
	dst = appendIntChange(dst, "likes", old.Likes, new.Likes)
	if !slices.Equal(old.Tags, new.Tags) {
		if len(new.Tags) > 0 {
			dst = appendTexts(dst, "tags", new.Tags)
		} else {
			dst = appendRaw(dst, "tags", "null")
		}
	}
	dst = appendOptionalTextChange(dst, "cover", old.Cover, new.Cover)
	if !bytes.Equal(old.Extra, new.Extra) {
		if len(new.Extra) > 0 {
			dst = appendRaw(dst, "extra", new.Extra)
		} else {
			dst = appendRaw(dst, "extra", "null")
		}
	}
	dst = appendPlayChange(dst, old, new)
	if len(dst) == membersStart {
		return dst[:start]
	}
	return closeObject(dst)
}

func appendTextChange(dst []byte, name, old, new string) []byte {
	if old == new {
		return dst
	}
	return appendText(dst, name, new)
}

// appendOptionalTextChange is appendTextChange for a member that is left out if
// it is empty.
func appendOptionalTextChange(dst []byte, name, old, new string) []byte {
	if old != new && new == "" {
		return appendRaw(dst, name, "null")
	}
	return appendTextChange(dst, name, old, new)
}

func appendIntChange(dst []byte, name string, old, new int64) []byte {
	if old == new {
		return dst
	}
	return appendInt(dst, name, new)
}

func appendPlayChange(dst []byte, old, new *Entry) []byte {
	had, has := old.hasPlay(), new.hasPlay()
	switch {
	case !had && !has:
		return dst
	case !has:
		return appendRaw(dst, "play", "null")
	case old.PlayJSON == nil && new.PlayJSON == nil && slices.Equal(old.Play, new.Play):
		return dst
	case old.PlayJSON != nil && bytes.Equal(old.PlayJSON, new.PlayJSON):
		return dst
	}
	// One may be in Play and the other in PlayJSON, so both are appended as JSON
	// and compared.
	newStart := len(dst)
	dst = append(appendPlayValue(appendName(dst, "play"), new), ',')
	if !had {
		return dst
	}
	oldStart := len(dst)
	dst = append(appendPlayValue(appendName(dst, "play"), old), ',')
	if bytes.Equal(dst[newStart:oldStart], dst[oldStart:]) {
		return dst[:newStart]
	}
	return dst[:oldStart]
}

func appendPatch(dst []byte, p *Patch) []byte {
	dst = appendText(append(dst, '{'), "code", p.Code)
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
	var probe Entry // checks the members, so that ApplyPatch cannot fail later
	for name, value := range objectMembers(raw) {
		if string(name) == "code" {
			p.Code, err = parseTextOrNull("code", value)
		} else {
			p.Members[string(name)] = bytes.Clone(value)
			err = probe.setMember(string(name), value)
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
