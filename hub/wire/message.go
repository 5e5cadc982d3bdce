package wire

import "strconv"

// Message is any message of the protocol, in either direction. Its
// implementations are pointers to the structs of this package.
type Message interface {
	// header returns the message's type, and where it has the id of the request that it
	// is or answers: nil if such messages have none.
	header() (typ string, idOrNil *ID)

	// visitMembers passes all other members to c, in the order in which they are written.
	visitMembers(c *codec)
}

// Head returns a message's type, and the id of the request that it is or answers.
func Head(m Message) (typ string, id ID) {
	typ, p := m.header()
	if p == nil {
		return typ, ""
	}
	return typ, *p
}

// Append appends m to dst as JSON.
func Append(dst []byte, m Message) []byte {
	typ, id := Head(m)
	c := codec{isWriting: true, out: AppendHead(dst, typ, id)}
	m.visitMembers(&c)
	return closeObject(c.out)
}

// AppendHead appends the beginning of a message: the opening brace, the type,
// the id if there is one, and the comma after it.
func AppendHead(dst []byte, typ string, id ID) []byte {
	dst = appendText(append(dst, '{'), "type", typ)
	if id == "" {
		return dst
	}
	return appendRaw(dst, "id", id)
}

// MaxIDBytes is the maximum length of an [ID] as JSON.
const MaxIDBytes = 64

// ID is the id that a client puts on a request and that the answer repeats: a
// JSON string or integer. It is the JSON text as received, so that the answer
// repeats it exactly. "" means no id.
type ID string

// IntID returns the id n.
func IntID(n int64) ID { return ID(strconv.FormatInt(n, 10)) }

// StringID returns the id "s".
func StringID(s string) ID { return ID(AppendJSONString(nil, s)) }

// isValid reports whether id, which is a JSON value, follows the protocol.
func (id ID) isValid() bool {
	return len(id) <= MaxIDBytes && (id[0] == '"' || isInteger(string(id)))
}

// Opt is a member that may be absent, null or a value.
type Opt[T any] struct {
	Set   bool // the member is present
	Null  bool // the member is null
	Value T    // the value, if the member is present and not null
}

// Some returns a member with the value v.
func Some[T any](v T) Opt[T] { return Opt[T]{Set: true, Value: v} }

// Null returns a member that is null.
func Null[T any]() Opt[T] { return Opt[T]{Set: true, Null: true} }

// Unknown is a message of a type that this package does not know, from a newer
// server. Clients ignore it.
type Unknown struct {
	ID   ID
	Type string
}

func (m *Unknown) header() (typ string, idOrNil *ID) { return m.Type, &m.ID }

func (m *Unknown) visitMembers(*codec) {}
