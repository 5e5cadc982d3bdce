package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"
)

// placeholders are the values of the $names of a script.
type placeholders map[string]any

// matchAndAssign reports whether a message has the wanted members. If all match, placeholders
// without a value get the value at their place.
func (p placeholders) matchAndAssign(want, got map[string]any) (isMatch bool) {
	newValues := placeholders{}
	if !p.matchValue(want, got, newValues) {
		return false
	}
	maps.Copy(p, newValues)
	return true
}

// matchValue reports whether a value of a message is as wanted. It adds the values of new
// placeholders to newValues.
func (p placeholders) matchValue(want, got any, newValues placeholders) (isMatch bool) {
	switch want := want.(type) {
	case map[string]any:
		members, ok := got.(map[string]any)
		if !ok {
			return false
		}
		for name, value := range want {
			if !p.matchValue(value, members[name], newValues) {
				return false
			}
		}
		return true
	case nil:
		return isNilOrEmpty(got)
	case string:
		if want == "*" {
			return !isNilOrEmpty(got)
		}
		name, ok := strings.CutPrefix(want, "$")
		if !ok {
			return got == want
		}
		value, ok := p[name]
		if !ok {
			value, ok = newValues[name]
		}
		if ok {
			return reflect.DeepEqual(value, got)
		}
		newValues[name] = got
		return !isNilOrEmpty(got)
	default:
		return reflect.DeepEqual(want, got)
	}
}

// isNilOrEmpty reports whether the got of a member means that it is absent.
func isNilOrEmpty(got any) bool { return got == nil || got == "" }

// expandValue returns a copy of a message with the values of its placeholders.
func (p placeholders) expandValue(value any) (expanded any, err error) {
	switch m := value.(type) {
	case map[string]any:
		expanded := make(map[string]any, len(m))
		for name, value := range m {
			value, err := p.expandValue(value)
			if err != nil {
				return nil, err
			}
			expanded[name] = value
		}
		return expanded, nil
	case []any:
		expanded := make([]any, len(m))
		for i, value := range m {
			value, err := p.expandValue(value)
			if err != nil {
				return nil, err
			}
			expanded[i] = value
		}
		return expanded, nil
	case string:
		name, ok := strings.CutPrefix(m, "$")
		if !ok {
			return m, nil
		}
		if name == "now" {
			return time.Now().UnixMilli(), nil
		}
		value, ok := p[name]
		if !ok {
			return nil, fmt.Errorf("placeholder %s has no value yet", m)
		}
		return value, nil
	default:
		return m, nil
	}
}

// messageText returns a message of a script as JSON, for the report.
func messageText(message map[string]any) string {
	data, _ := json.Marshal(message) // it was decoded from JSON
	return string(data)
}
