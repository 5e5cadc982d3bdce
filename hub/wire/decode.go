package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"unicode/utf8"
)

// messageTypes are the messages that one side may send, by type.
type messageTypes map[string]reflect.Type

// The messages of the protocol. Each must be in at least one of these lists.
var (
	anchorRequests = newMessageTypes(
		&Auth{}, &Start{}, &Resume{}, &Beat{}, &Update{}, &PushRequest{}, &Stop{},
	)
	viewerRequests = newMessageTypes(
		&Auth{}, &Subscribe{}, &Unsubscribe{}, &Watch{}, &Unwatch{}, &Like{},
	)
	serverMessages = newMessageTypes(
		&Welcome{}, &Authenticated{}, &TokenExpiring{}, &Drain{}, &Error{},
		&Started{}, &Ack{}, &Probe{}, &Updated{}, &Pushed{}, &Stopped{}, &Ended{}, &Settings{}, &Notice{},
		&Snapshot{}, &Diff{}, &Unsubscribed{}, &Watching{}, &Unwatched{}, &Liked{}, &Ping{},
	)
)

func newMessageTypes(messages ...Message) messageTypes {
	types := messageTypes{}
	for _, m := range messages {
		typ, _ := m.Head()
		types[typ] = reflect.TypeOf(m).Elem()
	}
	return types
}

// newMessage returns an empty message, or nil if the type is unknown.
func (types messageTypes) newMessage(typ string) Message {
	if t, ok := types[typ]; ok {
		return reflect.New(t).Interface().(Message)
	}
	return nil
}

// EmptyMessages returns an empty message of each type except [Unknown], in no order.
func EmptyMessages() []Message {
	messages := map[reflect.Type]Message{}
	for _, types := range []messageTypes{anchorRequests, viewerRequests, serverMessages} {
		for typ, t := range types {
			messages[t] = types.newMessage(typ)
		}
	}
	return slices.Collect(maps.Values(messages))
}

// DecodeAnchorRequest decodes a valid request of an anchor: *Auth, *Start,
// *Resume, *Beat, *Update, *PushRequest or *Stop. Every error is an [*Error]
// with CodeBadRequest, and with the message's id if it has one.
func DecodeAnchorRequest(data []byte) (Message, error) { return decodeRequest(data, anchorRequests) }

// DecodeViewerRequest decodes a valid request of a viewer: *Auth, *Subscribe,
// *Unsubscribe, *Watch, *Unwatch or *Like. Its errors are those of
// [DecodeAnchorRequest].
func DecodeViewerRequest(data []byte) (Message, error) { return decodeRequest(data, viewerRequests) }

// DecodeRequestBody decodes the body of an HTTP call as a request of the given
// type, of either socket. Its errors are those of [DecodeAnchorRequest].
func DecodeRequestBody(typ string, body []byte) (Message, error) {
	c, fault := newMessageReader(body)
	if fault != "" {
		return nil, badRequestIfFault("", fault)
	}
	m := anchorRequests.newMessage(typ)
	if m == nil {
		m = viewerRequests.newMessage(typ)
	}
	return readRequest(c, typ, m)
}

// DecodeServerMessage decodes a message of the server, on either socket. A type
// that this package does not know gives [*Unknown] and no error. The message
// "error" is returned as a message ([*Error]). The error is about a message
// that no server of this version sends.
func DecodeServerMessage(data []byte) (Message, error) {
	c, fault := newMessageReader(data)
	if fault != "" {
		return nil, badFrame("", fault)
	}
	typ := c.readType()
	m := serverMessages.newMessage(typ)
	if m == nil {
		m = &Unknown{Type: typ}
	}
	m.visitMembers(c)
	if c.fault != "" {
		return nil, badFrame(typ, c.fault)
	}
	return m, nil
}

// newMessageReader checks that data is one JSON object and reads its id. It
// records a fault of the id in c.
func newMessageReader(data []byte) (c *codec, fault string) {
	switch {
	case !utf8.Valid(data):
		return nil, "the message is not valid UTF-8"
	case !json.Valid(data):
		return nil, "the message is not one JSON value and nothing else"
	}
	data = bytes.TrimLeft(data, " \t\r\n")
	if !isObject(data) {
		return nil, "the message is not a JSON object"
	}
	c = newObjectReader(data)
	id := ID(c.lookupNonNullMember("id"))
	if c.fault == "" && id != "" && !id.isValid() {
		c.setFault("id", "must be a string or an integer, of at most 64 bytes of JSON")
	}
	if c.fault == "" {
		c.requestID = id
	}
	return c, ""
}

func (c *codec) readType() (typ string) {
	if c.visitText("type", &typ); typ == "" {
		c.setFault("type", "is required")
	}
	return typ
}

func decodeRequest(data []byte, types messageTypes) (Message, error) {
	c, fault := newMessageReader(data)
	if fault != "" {
		return nil, badRequestIfFault("", fault)
	}
	typ := c.readType()
	return readRequest(c, typ, types.newMessage(typ))
}

// readRequest reads the members of m and validates them. A nil m means that the
// type is unknown.
func readRequest(c *codec, typ string, m Message) (Message, error) {
	if m != nil {
		m.visitMembers(c)
	}
	if c.fault != "" {
		return nil, badRequestIfFault(c.requestID, c.fault)
	}
	if m == nil {
		return nil, badRequestIfFault(c.requestID, fmt.Sprintf("type %.64q is not a request of this socket", typ))
	}
	if v, ok := m.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// PeekHeader reads the type, the view and the position of a server's message,
// each "" if absent. It stops at the first other member, so it reads only the
// beginning of the message, which must be valid.
func PeekHeader(message []byte) (typ, view, pos string) {
	for name, value := range objectMembers(message) {
		var v *string
		switch string(name) {
		case "type":
			v = &typ
		case "view":
			v = &view
		case "pos":
			v = &pos
		case "id", "prev", "code":
			continue
		default:
			return typ, view, pos
		}
		if *v, _ = parseText(value); v == &pos {
			break
		}
	}
	return typ, view, pos
}
