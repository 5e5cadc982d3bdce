package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"
)

// placeholders are what the placeholders of a script stand for.
type placeholders map[string]any

// matches reports whether got has what want asks for. Placeholders that are met
// for the first time are given what stands in their place, once all has matched.
func (v placeholders) matches(want, got map[string]any) bool {
	seen := placeholders{}
	if !v.match(want, got, seen) {
		return false
	}
	maps.Copy(v, seen)
	return true
}

func (v placeholders) match(want, got any, seen placeholders) bool {
	switch want := want.(type) {
	case map[string]any:
		members, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for name, value := range want {
			if !v.match(value, members[name], seen) {
				return false
			}
		}
		return true
	case nil:
		return got == nil || got == "" // both mean that it is absent
	case string:
		if want == "*" {
			return got != nil && got != ""
		}
		name, ok := strings.CutPrefix(want, "$")
		if !ok {
			return got == want
		}
		known, ok := v[name]
		if !ok {
			known, ok = seen[name]
		}
		if ok {
			return reflect.DeepEqual(known, got)
		}
		seen[name] = got
		return got != nil && got != ""
	default:
		return reflect.DeepEqual(want, got)
	}
}

// fill returns a message with its placeholders replaced.
func (v placeholders) fill(m any) (any, error) {
	switch m := m.(type) {
	case map[string]any:
		filled := make(map[string]any, len(m))
		for name, value := range m {
			value, err := v.fill(value)
			if err != nil {
				return nil, err
			}
			filled[name] = value
		}
		return filled, nil
	case []any:
		filled := make([]any, len(m))
		for i, value := range m {
			value, err := v.fill(value)
			if err != nil {
				return nil, err
			}
			filled[i] = value
		}
		return filled, nil
	case string:
		name, ok := strings.CutPrefix(m, "$")
		if !ok {
			return m, nil
		}
		if name == "now" {
			return time.Now().UnixMilli(), nil
		}
		value, ok := v[name]
		if !ok {
			return nil, fmt.Errorf("the script has not seen %s yet", m)
		}
		return value, nil
	default:
		return m, nil
	}
}

// messageText is a message for people to read.
func messageText(m any) string {
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Sprint(m)
	}
	return string(data)
}
