package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed page.html
var pageText string

// page is what a page for people shows, of HTTP or of the sockets.
type page struct {
	Sockets  bool
	Version  string
	About    []paragraph // what there is to know of all of it
	Groups   []group
	Channels []channel
	Shapes   []shape
	Count    int // of calls, or of messages
}

// paragraph is text in which some is code.
type paragraph []span

type span struct {
	Text string
	Code bool
}

// group are the calls of one tag.
type group struct {
	Name  string
	About []paragraph
	Calls []operation
}

// operation is one call.
type operation struct {
	ID, Method, Path, Summary, Who string
	About                          []paragraph
	Parameters                     []member
	Body                           []string // names of shapes
	Answers                        []answer
}

type answer struct {
	Status string
	About  []paragraph
	Shapes []string
}

// member is one of a shape, or a parameter of a call.
type member struct {
	Name, Where string
	Required    bool
	Type        string
	Shape       string // the name of what it holds, where that has members
	About       []paragraph
}

// shape is an object, by its name.
type shape struct {
	Name, Example string
	About         []paragraph
	Members       []member
}

// channel is one socket.
type channel struct {
	Name, Title, Address string
	About                []paragraph
	Messages             []message
}

// message is one that a socket carries.
type message struct {
	shape
	Type, Direction, Summary string
	Answers                  []string // names of the messages that answer it
	First                    bool     // on the page, so that its name leads here
}

// render makes a page, and the policy under which it is served.
func (p *page) render() (html []byte, policy string, err error) {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, p); err != nil {
		return nil, "", err
	}
	_, rest, _ := strings.Cut(out.String(), "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return out.Bytes(), "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nil
}

// newPage begins a page with what all documents have. Shapes that are shown
// elsewhere on the page, by their names, are not shown again.
func newPage(doc *yaml.Node, shown map[string]bool) *page {
	p := &page{Version: text(at(doc, "info", "version")), About: prose(at(doc, "info", "description"))}
	for name, s := range members(at(doc, "components", "schemas")) {
		if !shown[name] && at(s, "properties") != nil {
			p.Shapes = append(p.Shapes, shapeOf(doc, name, s))
		}
	}
	slices.SortFunc(p.Shapes, func(a, b shape) int { return strings.Compare(a.Name, b.Name) })
	return p
}

func pageOfHTTP(doc *yaml.Node) *page {
	p := newPage(doc, nil)
	for _, tag := range elements(at(doc, "tags")) {
		p.Groups = append(p.Groups, group{Name: text(at(tag, "name")), About: prose(at(tag, "description"))})
	}
	for path, item := range members(at(doc, "paths")) {
		for method, call := range members(item) {
			if method == "parameters" {
				continue
			}
			o := operationOf(doc, path, method, item, call)
			i := slices.IndexFunc(p.Groups, func(g group) bool { return g.Name == text(elements(at(call, "tags"))[0]) })
			p.Groups[i].Calls = append(p.Groups[i].Calls, o)
			p.Count++
		}
	}
	return p
}

func pageOfSockets(doc *yaml.Node) *page {
	var channels []channel
	count, shown := 0, map[string]bool{} // shapes that are messages
	for name, c := range members(at(doc, "channels")) {
		ch := channelOf(doc, name, c)
		for i := range ch.Messages {
			m := &ch.Messages[i]
			m.First = !shown[m.Name]
			shown[m.Name] = true
		}
		count += len(ch.Messages)
		channels = append(channels, ch)
	}
	p := newPage(doc, shown)
	p.Sockets, p.Channels, p.Count = true, channels, count
	return p
}

func operationOf(doc *yaml.Node, path, method string, item, call *yaml.Node) operation {
	o := operation{
		ID: text(at(call, "operationId")), Method: strings.ToUpper(method), Path: path,
		Summary: text(at(call, "summary")), About: prose(at(call, "description")), Who: whoOf(at(call, "security")),
	}
	for _, list := range []*yaml.Node{at(item, "parameters"), at(call, "parameters")} {
		for _, p := range elements(list) {
			p = follow(doc, p)
			m := memberOf(doc, text(at(p, "name")), at(p, "schema"))
			m.Where, m.Required = text(at(p, "in")), text(at(p, "required")) == "true"
			if about := prose(at(p, "description")); about != nil {
				m.About = about
			}
			o.Parameters = append(o.Parameters, m)
		}
	}
	o.Body = shapesOf(at(call, "requestBody"))
	for status, a := range members(at(call, "responses")) {
		a = follow(doc, a)
		o.Answers = append(o.Answers, answer{Status: status, About: prose(at(a, "description")), Shapes: shapesOf(a)})
	}
	return o
}

// whoOf says in words whom a call lets in.
func whoOf(security *yaml.Node) string {
	var who []string
	for _, way := range elements(security) {
		roles := at(way, "token")
		switch {
		case roles == nil:
			who = append(who, "nobody in particular")
		case len(roles.Content) == 0:
			who = append(who, "any token")
		}
		for _, role := range elements(roles) {
			who = append(who, text(role))
		}
	}
	if who == nil {
		return "the provider"
	}
	return strings.Join(who, " or ")
}

// shapesOf are the names of what a body may be, each once.
func shapesOf(body *yaml.Node) (names []string) {
	for _, kind := range members(at(body, "content")) {
		s := at(kind, "schema")
		for _, one := range append([]*yaml.Node{s}, elements(at(s, "oneOf"))...) {
			if name := nameOf(one); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func channelOf(doc *yaml.Node, name string, c *yaml.Node) channel {
	ch := channel{Name: name, Title: text(at(c, "title")), Address: text(at(c, "address")), About: prose(at(c, "description"))}
	add := func(ref *yaml.Node, direction, summary string) *message {
		key := nameOf(ref)
		m := message{
			shape: shapeOf(doc, key, at(doc, "components", "schemas", key)), Direction: direction, Summary: summary,
			Type: text(at(doc, "components", "messages", key, "name")),
		}
		ch.Messages = append(ch.Messages, m)
		return &ch.Messages[len(ch.Messages)-1]
	}
	// What is sent unasked too is shown where that is, and other answers behind the
	// request that they answer first.
	shown := map[string]bool{}
	for _, op := range members(at(doc, "operations")) {
		if nameOf(at(op, "channel")) == name && text(at(op, "action")) == "send" {
			shown[nameOf(elements(at(op, "messages"))[0])] = true
		}
	}
	for _, op := range members(at(doc, "operations")) {
		if nameOf(at(op, "channel")) != name {
			continue
		}
		what := elements(at(op, "messages"))[0]
		if text(at(op, "action")) == "send" {
			add(what, "from the server", text(at(op, "summary")))
			continue
		}
		m := add(what, "from the client", text(at(op, "summary")))
		replies := elements(at(op, "reply", "messages"))
		for _, reply := range replies {
			m.Answers = append(m.Answers, nameOf(reply))
		}
		for _, reply := range replies {
			if !shown[nameOf(reply)] {
				shown[nameOf(reply)] = true
				add(reply, "from the server", "Answers "+text(at(doc, "components", "messages", nameOf(what), "name")))
			}
		}
	}
	return ch
}

func shapeOf(doc *yaml.Node, name string, s *yaml.Node) shape {
	out := shape{Name: name, About: prose(at(s, "description"))}
	if examples := elements(at(s, "examples")); len(examples) > 0 {
		out.Example = strings.TrimSuffix(string(toJSON(examples[0])), "\n")
	}
	for _, part := range append([]*yaml.Node{s}, elements(at(s, "allOf"))...) {
		part = follow(doc, part)
		required := elements(at(part, "required"))
		for name, value := range members(at(part, "properties")) {
			m := memberOf(doc, name, value)
			m.Required = slices.ContainsFunc(required, func(n *yaml.Node) bool { return n.Value == name })
			out.Members = append(out.Members, m)
		}
	}
	// type and id first, wherever they are written.
	slices.SortStableFunc(out.Members, func(a, b member) int { return headRank(a.Name) - headRank(b.Name) })
	return out
}

func headRank(name string) int {
	switch name {
	case "type":
		return 0
	case "id":
		return 1
	}
	return 2
}

func memberOf(doc *yaml.Node, name string, s *yaml.Node) member {
	m := member{Name: name, About: prose(at(s, "description"))}
	of := follow(doc, s)
	if m.About == nil {
		m.About = prose(at(of, "description"))
	}
	m.Type, m.Shape = typeOf(doc, s)
	return m
}

// typeOf says in words what a value may be, and names the shape in it.
func typeOf(doc, s *yaml.Node) (words, shape string) {
	of := follow(doc, s)
	if at(of, "properties") != nil {
		return "", nameOf(s)
	}
	if c := at(of, "const"); c != nil {
		return string(appendJSON(nil, c)), ""
	}
	if one := elements(at(of, "oneOf")); one != nil {
		var all []string
		for _, o := range one {
			words, name := typeOf(doc, o)
			if name != "" {
				shape = name
				continue
			}
			all = append(all, words)
		}
		return strings.Join(all, " or "), shape
	}
	kind := text(at(of, "type"))
	if kind == "array" {
		words, shape = typeOf(doc, at(of, "items"))
		return strings.TrimSpace("array of " + words), shape
	}
	if values := elements(at(of, "enum")); values != nil {
		var all []string
		for _, v := range values {
			all = append(all, v.Value)
		}
		return strings.Join(all, ", "), ""
	}
	return kind, ""
}

// follow is what a reference refers to, or what was given where it is none.
func follow(doc, n *yaml.Node) *yaml.Node {
	ref := at(n, "$ref")
	if ref == nil {
		return n
	}
	return at(doc, strings.Split(strings.TrimPrefix(ref.Value, "#/"), "/")...)
}

// nameOf is the last part of a reference, or empty.
func nameOf(n *yaml.Node) string {
	ref := text(at(n, "$ref"))
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// elements are those of a sequence; of anything else there are none.
func elements(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// prose is a text in paragraphs, with what stands in backticks as code.
func prose(n *yaml.Node) (out []paragraph) {
	for part := range strings.SplitSeq(text(n), "\n\n") {
		var p paragraph
		for i, words := range strings.Split(part, "`") {
			if words != "" {
				p = append(p, span{Text: words, Code: i%2 == 1})
			}
		}
		if p != nil {
			out = append(out, p)
		}
	}
	return out
}
