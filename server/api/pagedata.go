package api

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// newPage returns a page with the parts that all documents have. Omitted
// schemas are those that the page contains already.
func newPage(doc *yaml.Node, omittedSchemas map[string]bool) *docPage {
	p := &docPage{Version: scalarText(nodeAt(doc, "info", "version")), Description: parseProse(nodeAt(doc, "info", "description"))}
	for name, s := range members(nodeAt(doc, "components", "schemas")) {
		if !omittedSchemas[name] && nodeAt(s, "properties") != nil {
			p.Schemas = append(p.Schemas, newSchemaView(doc, name, s))
		}
	}
	slices.SortFunc(p.Schemas, func(a, b schemaView) int { return strings.Compare(a.Name, b.Name) })
	return p
}

func newHTTPPage(doc *yaml.Node) *docPage {
	p := newPage(doc, nil)
	for _, tag := range elements(nodeAt(doc, "tags")) {
		p.Groups = append(p.Groups, operationGroup{Name: scalarText(nodeAt(tag, "name")), Description: parseProse(nodeAt(tag, "description"))})
	}
	for path, pathItem := range members(nodeAt(doc, "paths")) {
		for method, op := range members(pathItem) {
			if method == "parameters" {
				continue
			}
			o := newOperation(doc, path, method, pathItem, op)
			i := slices.IndexFunc(p.Groups, func(g operationGroup) bool { return g.Name == scalarText(elements(nodeAt(op, "tags"))[0]) })
			p.Groups[i].Operations = append(p.Groups[i].Operations, o)
			p.Count++
		}
	}
	return p
}

func newSocketsPage(doc *yaml.Node) *docPage {
	var channels []channel
	count, messageNames := 0, map[string]bool{}
	for name, c := range members(nodeAt(doc, "channels")) {
		ch := newChannel(doc, name, c)
		for i := range ch.Messages {
			m := &ch.Messages[i]
			m.IsFirst = !messageNames[m.Name]
			messageNames[m.Name] = true
		}
		count += len(ch.Messages)
		channels = append(channels, ch)
	}
	p := newPage(doc, messageNames)
	p.Sockets, p.Channels, p.Count = true, channels, count
	return p
}

func newOperation(doc *yaml.Node, path, method string, pathItem, op *yaml.Node) operation {
	o := operation{
		ID: scalarText(nodeAt(op, "operationId")), Method: strings.ToUpper(method), Path: path,
		Summary: scalarText(nodeAt(op, "summary")), Description: parseProse(nodeAt(op, "description")), Roles: allowedRolesText(nodeAt(op, "security")),
	}
	for _, list := range []*yaml.Node{nodeAt(pathItem, "parameters"), nodeAt(op, "parameters")} {
		for _, p := range elements(list) {
			p = resolveRef(doc, p)
			m := newMemberView(doc, scalarText(nodeAt(p, "name")), nodeAt(p, "schema"))
			m.Where, m.Required = scalarText(nodeAt(p, "in")), scalarText(nodeAt(p, "required")) == "true"
			if description := parseProse(nodeAt(p, "description")); description != nil {
				m.Description = description
			}
			o.Parameters = append(o.Parameters, m)
		}
	}
	o.Body = schemaNames(nodeAt(op, "requestBody"))
	for status, r := range members(nodeAt(op, "responses")) {
		r = resolveRef(doc, r)
		o.Responses = append(o.Responses, response{Status: status, Description: parseProse(nodeAt(r, "description")), Schemas: schemaNames(r)})
	}
	return o
}

// allowedRolesText returns the roles that may call an operation, as text.
func allowedRolesText(security *yaml.Node) string {
	var roles []string
	for _, scheme := range elements(security) {
		tokenRoles := nodeAt(scheme, "token")
		switch {
		case tokenRoles == nil:
			roles = append(roles, "no token")
		case len(tokenRoles.Content) == 0:
			roles = append(roles, "any token")
		}
		for _, role := range elements(tokenRoles) {
			roles = append(roles, scalarText(role))
		}
	}
	if roles == nil {
		return "the provider"
	}
	return strings.Join(roles, " or ")
}

// schemaNames returns the names of the schemas of a body, without duplicates.
func schemaNames(body *yaml.Node) (names []string) {
	for _, mediaType := range members(nodeAt(body, "content")) {
		schema := nodeAt(mediaType, "schema")
		for _, alternative := range append([]*yaml.Node{schema}, elements(nodeAt(schema, "oneOf"))...) {
			if name := refName(alternative); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func newChannel(doc *yaml.Node, name string, c *yaml.Node) channel {
	ch := channel{Name: name, Title: scalarText(nodeAt(c, "title")), Address: scalarText(nodeAt(c, "address")), Description: parseProse(nodeAt(c, "description"))}
	addMessage := func(ref *yaml.Node, direction, summary string) *message {
		messageName := refName(ref)
		ch.Messages = append(ch.Messages, message{
			schemaView: newSchemaView(doc, messageName, nodeAt(doc, "components", "schemas", messageName)), Direction: direction, Summary: summary,
			Type: scalarText(nodeAt(doc, "components", "messages", messageName, "name")),
		})
		return &ch.Messages[len(ch.Messages)-1]
	}
	// Replies that the server also sends on its own are listed at their own operation, other
	// replies after their first request.
	isListed := map[string]bool{}
	for _, op := range members(nodeAt(doc, "operations")) {
		if refName(nodeAt(op, "channel")) == name && scalarText(nodeAt(op, "action")) == "send" {
			isListed[refName(elements(nodeAt(op, "messages"))[0])] = true
		}
	}
	for _, op := range members(nodeAt(doc, "operations")) {
		if refName(nodeAt(op, "channel")) != name {
			continue
		}
		ref := elements(nodeAt(op, "messages"))[0]
		if scalarText(nodeAt(op, "action")) == "send" {
			addMessage(ref, "from the server", scalarText(nodeAt(op, "summary")))
			continue
		}
		m := addMessage(ref, "from the client", scalarText(nodeAt(op, "summary")))
		replies := elements(nodeAt(op, "reply", "messages"))
		for _, reply := range replies {
			m.Replies = append(m.Replies, refName(reply))
		}
		for _, reply := range replies {
			if !isListed[refName(reply)] {
				isListed[refName(reply)] = true
				addMessage(reply, "from the server", "Answers "+scalarText(nodeAt(doc, "components", "messages", refName(ref), "name")))
			}
		}
	}
	return ch
}

func newSchemaView(doc *yaml.Node, name string, schema *yaml.Node) schemaView {
	v := schemaView{Name: name, Description: parseProse(nodeAt(schema, "description"))}
	if examples := elements(nodeAt(schema, "examples")); len(examples) > 0 {
		v.Example = strings.TrimSuffix(string(indentedJSON(examples[0])), "\n")
	}
	for _, part := range append([]*yaml.Node{schema}, elements(nodeAt(schema, "allOf"))...) {
		part = resolveRef(doc, part)
		required := elements(nodeAt(part, "required"))
		for name, value := range members(nodeAt(part, "properties")) {
			m := newMemberView(doc, name, value)
			m.Required = slices.ContainsFunc(required, func(n *yaml.Node) bool { return n.Value == name })
			v.Members = append(v.Members, m)
		}
	}
	// type and id come first.
	sortRank := func(m memberView) int { return -slices.Index([]string{"id", "type"}, m.Name) }
	slices.SortStableFunc(v.Members, func(a, b memberView) int { return sortRank(a) - sortRank(b) })
	return v
}

func newMemberView(doc *yaml.Node, name string, schema *yaml.Node) memberView {
	m := memberView{Name: name, Description: parseProse(nodeAt(schema, "description"))}
	if m.Description == nil {
		m.Description = parseProse(nodeAt(resolveRef(doc, schema), "description"))
	}
	m.Type, m.Schema = typeDescription(doc, schema)
	return m
}

// typeDescription returns the type of a value as text, and the name of the object schema in
// it, if any.
func typeDescription(doc, schema *yaml.Node) (text, schemaName string) {
	resolved := resolveRef(doc, schema)
	if nodeAt(resolved, "properties") != nil {
		return "", refName(schema)
	}
	if constant := nodeAt(resolved, "const"); constant != nil {
		return string(appendJSON(nil, constant)), ""
	}
	if alternatives := elements(nodeAt(resolved, "oneOf")); alternatives != nil {
		var texts []string
		for _, alternative := range alternatives {
			text, name := typeDescription(doc, alternative)
			if name != "" {
				schemaName = name
				continue
			}
			texts = append(texts, text)
		}
		return strings.Join(texts, " or "), schemaName
	}
	typeName := scalarText(nodeAt(resolved, "type"))
	if typeName == "array" {
		text, schemaName = typeDescription(doc, nodeAt(resolved, "items"))
		return strings.TrimSpace("array of " + text), schemaName
	}
	if values := elements(nodeAt(resolved, "enum")); values != nil {
		var texts []string
		for _, v := range values {
			texts = append(texts, v.Value)
		}
		return strings.Join(texts, ", "), ""
	}
	return typeName, ""
}

// parseProse splits a text into paragraphs, with text in backticks as code.
func parseProse(n *yaml.Node) (paragraphs []paragraph) {
	for part := range strings.SplitSeq(scalarText(n), "\n\n") {
		var p paragraph
		for i, text := range strings.Split(part, "`") {
			if text != "" {
				p = append(p, span{Text: text, Code: i%2 == 1})
			}
		}
		if p != nil {
			paragraphs = append(paragraphs, p)
		}
	}
	return paragraphs
}
