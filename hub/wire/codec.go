package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// codec writes or reads the members of one message, which passes each of them to
// the codec in visitMembers.
//
// The methods and functions with a name and a pointer visit one member. They write
// the value, or read the member of that name into it. An absent member leaves the
// value unchanged. Reading continues after a fault.
type codec struct {
	isWriting bool
	out       []byte

	// For reading.
	object    []member
	requestID ID
	path      string // "" or "stats.": precedes names in fault
	fault     string // the first fault, a sentence
}

type member struct{ name, value []byte }

func newObjectReader(object []byte) *codec {
	c := &codec{object: make([]member, 0, 8)}
	for name, value := range objectMembers(object) {
		c.object = append(c.object, member{name, value})
	}
	return c
}

// setFault records the fault of a member. The sentence follows the member's name.
func (c *codec) setFault(name, sentence string) {
	if c.fault == "" {
		c.fault = c.path + name + " " + sentence
	}
}

// lookupMember returns the value of a member, which may be null, or nil if it is
// absent.
func (c *codec) lookupMember(name string) (value []byte) {
	for _, m := range c.object {
		if string(m.name) != name {
			continue
		}
		if value != nil {
			c.setFault(name, "is given twice")
			break
		}
		value = m.value
	}
	return value
}

// lookupNonNullMember returns the value of a member, or nil if it is absent or null.
func (c *codec) lookupNonNullMember(name string) []byte {
	value := c.lookupMember(name)
	if value == nil || isNull(value) {
		return nil
	}
	return value
}

// requireMember fails if a member that is read is absent or null.
func (c *codec) requireMember(name string) {
	if !c.isWriting && c.lookupNonNullMember(name) == nil {
		c.setFault(name, "is required")
	}
}

// readMember parses the value of a member, unless it is absent or null.
func readMember[T any](c *codec, name string, v *T, parse func(value []byte) (T, bool), fault string) {
	if value := c.lookupNonNullMember(name); value != nil {
		var ok bool
		if *v, ok = parse(value); !ok {
			c.setFault(name, fault)
		}
	}
}

func (c *codec) visitText(name string, v *string) {
	if c.isWriting {
		c.out = appendText(c.out, name, *v)
		return
	}
	readMember(c, name, v, parseText, "must be a string")
}

// visitTextOmitEmpty is text for a member that is left out if it is empty.
func (c *codec) visitTextOmitEmpty(name string, v *string) {
	if !c.isWriting || *v != "" {
		c.visitText(name, v)
	}
}

// visitTexts reads nil for an empty array.
func (c *codec) visitTexts(name string, v *[]string) {
	if c.isWriting {
		c.out = appendTexts(c.out, name, *v)
		return
	}
	if c.visitTextsOrNil(name, v); len(*v) == 0 {
		*v = nil
	}
}

// visitTextsOmitEmpty is texts for a member that is left out if it is empty.
func (c *codec) visitTextsOmitEmpty(name string, v *[]string) {
	if !c.isWriting || len(*v) > 0 {
		c.visitTexts(name, v)
	}
}

// visitTextsOrNil visits an array of strings that may be absent, which is nil, or
// empty.
func (c *codec) visitTextsOrNil(name string, v *[]string) {
	if c.isWriting {
		if *v != nil {
			c.out = appendTexts(c.out, name, *v)
		}
		return
	}
	readMember(c, name, v, parseTexts, "must be an array of strings")
}

func (c *codec) visitInt64(name string, v *int64) {
	if c.isWriting {
		c.out = appendInt(c.out, name, *v)
		return
	}
	readMember(c, name, v, parseInteger, "must be an integer")
}

// visitInt64OmitZero is int64 for a member that is left out if it is 0.
func (c *codec) visitInt64OmitZero(name string, v *int64) {
	if !c.isWriting || *v != 0 {
		c.visitInt64(name, v)
	}
}

func (c *codec) visitInt(name string, v *int) {
	n := int64(*v)
	c.visitInt64(name, &n)
	*v = int(n)
}

// visitIntOmitZero is int for a member that is left out if it is 0.
func (c *codec) visitIntOmitZero(name string, v *int) {
	if !c.isWriting || *v != 0 {
		c.visitInt(name, v)
	}
}

func (c *codec) visitFloat64(name string, v *float64) {
	if c.isWriting {
		c.out = appendFloat(c.out, name, *v)
		return
	}
	readMember(c, name, v, parseNumber, "must be a number")
}

// visitFlag visits a boolean that is left out if it has the default value.
func (c *codec) visitFlag(name string, v *bool, defaultValue bool) {
	if c.isWriting {
		if *v != defaultValue {
			c.out = appendRaw(c.out, name, strconv.FormatBool(*v))
		}
		return
	}
	*v = defaultValue
	readMember(c, name, v, parseBool, "must be true or false")
}

// visitOptionalRawObject visits any JSON object, or none. Reading compacts it.
func (c *codec) visitOptionalRawObject(name string, v *json.RawMessage) {
	if c.isWriting {
		if len(*v) > 0 {
			c.out = appendRaw(c.out, name, *v)
		}
		return
	}
	if value := c.objectValue(name); value != nil {
		*v = compact(value)
	}
}

// objectValue returns the value of a member that must be an object, or nil.
func (c *codec) objectValue(name string) []byte {
	value := c.lookupNonNullMember(name)
	if value != nil && !isObject(value) {
		c.setFault(name, "must be an object")
		return nil
	}
	return value
}

// visitObject visits an object by its own members. isPresent is for reading.
func (c *codec) visitObject(name string, visitMembers func(*codec)) (isPresent bool) {
	if c.isWriting {
		c.out = append(appendName(c.out, name), '{')
		visitMembers(c)
		c.out = append(closeObject(c.out), ',')
		return true
	}
	value := c.objectValue(name)
	if value == nil {
		return false
	}
	inner := newObjectReader(value)
	inner.path = c.path + name + "."
	visitMembers(inner)
	if c.fault == "" {
		c.fault = inner.fault
	}
	return true
}

func (c *codec) visitRequiredEntry(name string, v *Entry) {
	if c.isWriting {
		c.out = append(AppendEntry(appendName(c.out, name), v), ',')
		return
	}
	value := c.lookupNonNullMember(name)
	if value == nil {
		c.setFault(name, "is required")
		return
	}
	var err error
	if *v, err = parseEntry(value); err != nil {
		c.setFault(name+":", err.Error())
	}
}

// visitArray visits an array by its elements.
func visitArray[T any](c *codec, name string, v *[]T, appendElement func([]byte, *T) []byte, parse func([]byte) (T, error)) {
	if c.isWriting {
		c.out = append(appendName(c.out, name), '[')
		for i := range *v {
			c.out = append(appendElement(c.out, &(*v)[i]), ',')
		}
		c.out = append(closeArray(c.out), ',')
		return
	}
	value := c.lookupNonNullMember(name)
	if value == nil {
		return
	}
	if value[0] != '[' {
		c.setFault(name, "must be an array")
		return
	}
	for element := range arrayElements(value) {
		parsed, err := parse(element)
		if err != nil {
			c.setFault(fmt.Sprintf("%s[%d]:", name, len(*v)), err.Error())
			return
		}
		*v = append(*v, parsed)
	}
}

// visitOptional visits a member that may be absent. Null means absent.
func visitOptional[T any](c *codec, name string, v *Opt[T], visit func(name string, v *T)) {
	switch {
	case c.isWriting && v.Set, !c.isWriting && c.lookupNonNullMember(name) != nil:
		v.Set = true
		visit(name, &v.Value)
	}
}

// visitNullable visits a member that may be absent or null.
func visitNullable[T any](c *codec, name string, v *Opt[T], visit func(name string, v *T)) {
	if c.isWriting && v.Null {
		c.out = appendRaw(c.out, name, "null")
		return
	}
	if value := c.lookupMember(name); value != nil && isNull(value) {
		*v = Null[T]()
		return
	}
	visitOptional(c, name, v, visit)
}
