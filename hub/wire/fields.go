package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// fields reads the members of one message. The first member that is not what
// it should be is kept as fault, and reading goes on with zero values.
type fields struct {
	id      ID
	prefix  string // "" or "stats.": goes before names in faults
	members []field
	fault   string
}

type field struct{ name, value []byte }

func newFields(object []byte) *fields {
	f := new(fields)
	for name, value := range members(object) {
		f.members = append(f.members, field{name, value})
	}
	return f
}

// fail keeps the fault of member name, a sentence about it without its name.
func (f *fields) fail(name, fault string) {
	if f.fault == "" {
		f.fault = f.prefix + name + " " + fault
	}
}

// lookup returns the value of a member, null included, or nil.
func (f *fields) lookup(name string) (value []byte) {
	for _, m := range f.members {
		if string(m.name) != name {
			continue
		}
		if value != nil {
			f.fail(name, "is given twice")
			break
		}
		value = m.value
	}
	return value
}

// raw returns the value of a member, or nil when it is absent or null.
func (f *fields) raw(name string) []byte {
	value := f.lookup(name)
	if value == nil || isNull(value) {
		return nil
	}
	return value
}

// require fails unless the member is there and not null.
func (f *fields) require(name string) {
	if f.raw(name) == nil {
		f.fail(name, "is required")
	}
}

func (f *fields) text(name string) string {
	raw := f.raw(name)
	if raw == nil {
		return ""
	}
	s, ok := parseText(raw)
	if !ok {
		f.fail(name, "must be a string")
	}
	return s
}

// texts returns nil when the member is absent, and an empty list when that is
// what it is.
func (f *fields) texts(name string) []string {
	raw := f.raw(name)
	if raw == nil {
		return nil
	}
	list, ok := parseTexts(raw)
	if !ok {
		f.fail(name, "must be an array of strings")
	}
	return list
}

// someTexts is texts, with nil for an empty list.
func (f *fields) someTexts(name string) []string {
	list := f.texts(name)
	if len(list) == 0 {
		return nil
	}
	return list
}

func (f *fields) integer(name string) int64 {
	raw := f.raw(name)
	if raw == nil {
		return 0
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		f.fail(name, "must be an integer")
	}
	return n
}

func (f *fields) count(name string) (v Opt[int64]) {
	if f.raw(name) == nil {
		return v
	}
	return Some(f.integer(name))
}

func (f *fields) number(name string) (v Opt[float64]) {
	raw := f.raw(name)
	if raw == nil {
		return v
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		f.fail(name, "must be a number")
		return v
	}
	return Some(n)
}

func (f *fields) flag(name string, absent bool) bool {
	switch raw := f.raw(name); string(raw) {
	case "":
		return absent
	case "true":
		return true
	case "false":
		return false
	}
	f.fail(name, "must be true or false")
	return absent
}

// object returns the member, which is any JSON object, compacted.
func (f *fields) object(name string) json.RawMessage {
	raw := f.raw(name)
	if raw == nil {
		return nil
	}
	if !isObject(raw) {
		f.fail(name, "must be an object")
		return nil
	}
	return compact(raw)
}

// inside calls read with the members of an object, and tells whether there was
// one.
func (f *fields) inside(name string, read func(*fields)) bool {
	raw := f.raw(name)
	if raw == nil {
		return false
	}
	if !isObject(raw) {
		f.fail(name, "must be an object")
		return false
	}
	inner := newFields(raw)
	inner.prefix = f.prefix + name + "."
	read(inner)
	if f.fault == "" {
		f.fault = inner.fault
	}
	return true
}

// each calls read with every element of an array.
func (f *fields) each(name string, read func(raw []byte) error) {
	raw := f.raw(name)
	if raw == nil {
		return
	}
	if raw[0] != '[' {
		f.fail(name, "must be an array")
		return
	}
	i := 0
	for value := range elements(raw) {
		if err := read(value); err != nil {
			f.fail(fmt.Sprintf("%s[%d]:", name, i), err.Error())
			return
		}
		i++
	}
}

// entry returns the stream that a member holds.
func (f *fields) entry(name string) (e Entry) {
	raw := f.raw(name)
	if raw == nil {
		f.fail(name, "is required")
		return e
	}
	e, err := parseEntry(raw)
	if err != nil {
		f.fail(name+":", err.Error())
	}
	return e
}

func (f *fields) entries(name string) (list []Entry) {
	f.each(name, func(raw []byte) error {
		e, err := parseEntry(raw)
		list = append(list, e)
		return err
	})
	return list
}

// opt reads a member of which null is not the same as nothing.
func opt[T any](f *fields, name string, read func(name string) T) Opt[T] {
	raw := f.lookup(name)
	switch {
	case raw == nil:
		return Opt[T]{}
	case isNull(raw):
		return Null[T]()
	}
	return Some(read(name))
}
