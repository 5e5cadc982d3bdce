package wire

import "strconv"

// Message is any message of the protocol, in either direction. Its
// implementations are pointers to the structs of this package.
type Message interface {
	// Head returns the message's type, and the id of the request that it is
	// or answers.
	Head() (typ string, id ID)

	// appendBody appends all members but those two, and the closing brace.
	appendBody(dst []byte) []byte
}

// Append appends m to dst as JSON.
func Append(dst []byte, m Message) []byte {
	typ, id := m.Head()
	return m.appendBody(AppendHead(dst, typ, id))
}

// AppendHead appends what comes before a message's body: the opening brace,
// the type, the id if there is one, and the comma after it.
func AppendHead(dst []byte, typ string, id ID) []byte {
	dst = addText(append(dst, '{'), "type", typ)
	if id != "" {
		dst = addRaw(dst, "id", string(id))
	}
	return dst
}

// MaxIDBytes is the most bytes of JSON that an [ID] may have.
const MaxIDBytes = 64

// ID is the id that a client puts on a request and gets back on the answer: a
// JSON string or integer, kept as the JSON text that came so that it is echoed
// exactly. "" is no id.
type ID string

// IntID returns the id n.
func IntID(n int64) ID { return ID(strconv.FormatInt(n, 10)) }

// StringID returns the id "s".
func StringID(s string) ID { return ID(AppendJSONString(nil, s)) }

// valid tells whether id, which is a JSON value, is one that the protocol allows.
func (id ID) valid() bool {
	if len(id) > MaxIDBytes {
		return false
	}
	return id[0] == '"' || isInteger(string(id))
}

// Opt is a member that may be absent, null or a value.
type Opt[T any] struct {
	Set   bool // the member is there
	Null  bool // and it is null
	Value T    // or this
}

// Some returns a member with the value v.
func Some[T any](v T) Opt[T] { return Opt[T]{Set: true, Value: v} }

// Null returns a member that is null.
func Null[T any]() Opt[T] { return Opt[T]{Set: true, Null: true} }

// addOpt appends the member name as o has it: not at all, null, or by add.
func addOpt[T any](dst []byte, name string, o Opt[T], add func(dst []byte, name string, v T) []byte) []byte {
	switch {
	case !o.Set:
		return dst
	case o.Null:
		return addRaw(dst, name, "null")
	}
	return add(dst, name, o.Value)
}

// Unknown is a message from the server of a type that this package does not
// know: a newer server's. Clients ignore it.
type Unknown struct {
	ID   ID
	Type string
}

// Head implements [Message].
func (m *Unknown) Head() (string, ID) { return m.Type, m.ID }

func (m *Unknown) appendBody(dst []byte) []byte { return closeObject(dst) }
