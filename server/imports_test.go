package main

import (
	"go/ast"
	"go/build"
	"go/parser"
	gotoken "go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowed is the import table of docs/architecture.md: what each package may
// import of this module, and why.
var allowed = map[string]struct {
	imports []string
	why     string
}{
	"onair/presence":                     {nil, "the state of the list does not depend on its views"},
	"onair/presence/node":                {[]string{"onair/presence"}, "a node runs the registry, which has the rules"},
	"onair/presence/embedded":            {[]string{"onair/presence"}, "a log does not depend on its users"},
	"onair/presence/redislog":            {[]string{"onair/presence"}, "a log does not depend on its users"},
	"onair/presence/redislog/redismodel": {nil, "a model of Redis does not depend on its users"},
	"onair/presence/redislog/redistest":  {[]string{"onair/deploy/program"}, "tests of other packages use it"},
	"onair/presence/migration":           {[]string{"onair/presence"}, "it copies between any two stores"},
	"onair/presence/presencetest":        {[]string{"onair/presence", "onair/presence/node"}, "the suite tests every log"},
	"onair/signing":                      {nil, "signing is pure"},
	"onair/hub":                          {[]string{"onair/presence", "onair/hub/wire", "onair/hub/socket"}, "views do not depend on the server"},
	"onair/hub/wire":                     {nil, "clients use the codec without the server"},
	"onair/hub/socket":                   {nil, "a connection does not know messages"},
	"onair/hub/socket/sockettest":        {nil, "tests of other packages use it"},
	"onair/hub/fanbench": {
		[]string{"onair/presence", "onair/hub", "onair/hub/wire", "onair/hub/socket"},
		"it measures the hub without the server",
	},
	"onair/server/config":          {[]string{"onair/signing"}, "configuration is data; which providers there are, the signers know"},
	"onair/server/hooks":           {[]string{"onair/presence"}, "an adapter reads bodies, and the recordings in them"},
	"onair/server/cloud":           {[]string{"onair/presence", "onair/server/outgoing"}, "clients of providers, which list recordings"},
	"onair/server/outgoing":        {nil, "the same transport for all clients"},
	"onair/server/cloud/cloudtest": {nil, "a cloud for tests"},
	"onair/server/poll":            {[]string{"onair/presence", "onair/server/cloud", "onair/server/metric"}, "it queries providers and reports results"},
	"onair/server/webhooks":        {[]string{"onair/presence", "onair/server/metric", "onair/server/outgoing"}, "webhooks report events of the list"},
	"onair/server/conformance":     {[]string{"onair/hub/wire"}, "it tests clients of the protocol"},
	"onair/server/auth":            {[]string{"onair/server/config", "onair/server/outgoing"}, "tokens are verified without the server"},
	"onair/server/api":             {nil, "documents are files"},
	"onair/web":                    {nil, "pages are files"},
	"onair/deploy/program":         {nil, "it starts any programs"},
	"onair/deploy/demo":            {[]string{"onair/deploy/program", "onair/hub/wire"}, "a client, which starts the built server"},
	"onair/deploy/localstack":      {[]string{"onair/deploy/program"}, "it starts the built server and other programs"},
	"onair/deploy/grafana":         {nil, "dashboards are files"},
	"onair/deploy/helm":            {nil, "a chart, and its test"},
	"onair/deploy/prometheus":      {nil, "rules are files"},
	"onair/loadtest": {
		[]string{"onair/hub/wire", "onair/loadtest/platform", "onair/loadtest/profile", "onair/loadtest/report", "onair/loadtest/scrape"},
		"code shared with the server would share its faults",
	},
	"onair/loadtest/platform": {nil, "sockets of the operating system"},
	"onair/loadtest/profile":  {nil, "profiles are constants"},
	"onair/loadtest/report":   {[]string{"onair/loadtest/profile"}, "a report is made of figures"},
	"onair/loadtest/scrape":   {nil, "metrics are text"},
	"onair/server/admission":  {[]string{"onair/hub", "onair/hub/wire", "onair/server/config", "onair/server/metric"}, "admission does not depend on what is served"},
	"onair/server/runtimeconfig": {[]string{
		"onair/hub/wire", "onair/signing", "onair/server/auth", "onair/server/config", "onair/server/webhooks",
	}, "it is made of a configuration, without a node"},
	"onair/server/certificate": {[]string{"onair/server/config"}, "a certificate is loaded from files"},
	"onair/server/flight":      {[]string{"onair/hub/wire", "onair/server/config", "onair/server/response"}, "a recorder traces the whole process"},
	"onair/server/logging":     {[]string{"onair/server/config"}, "a logger is made of configuration and a writer"},
	"onair/server/buildinfo":   {nil, "the version is that of the binary"},
	"onair/server/nodetest": {[]string{
		"onair/hub/socket/sockettest", "onair/hub/wire", "onair/presence", "onair/presence/embedded", "onair/presence/presencetest",
		"onair/server/api", "onair/server/auth", "onair/server/config", "onair/server/logging", "onair/server/node", "onair/server/response",
	}, "tests of the parts of a node share it"},
	"onair/server/networktest": {nil, "a network does not depend on its users"},
	"onair/server/simulator":   {nil, "it has tests only"},
	"onair/server/metric":      {nil, "a metric is made of a name and a help"},
	"onair/server/recovery":    {[]string{"onair/server/metric"}, "it recovers panics of any handler"},
	"onair/server/response":    {[]string{"onair/hub/wire"}, "HTTP responses use messages of the protocol"},
	"onair/server/livecode":    {[]string{"onair/presence", "onair/signing", "onair/server/config"}, "a live code is a function of the configuration and the session"},
	"onair/server/urls":        {[]string{"onair/hub/wire", "onair/signing", "onair/server/runtimeconfig"}, "it signs with the current configuration"},
	"onair/server/broadcast": {[]string{
		"onair/hub/wire", "onair/presence", "onair/presence/node", "onair/server/livecode", "onair/server/metric", "onair/server/runtimeconfig", "onair/signing",
	}, "commands of anchors are the same for sockets and calls"},
	"onair/server/sockets": {[]string{
		"onair/hub", "onair/hub/socket", "onair/hub/wire", "onair/presence", "onair/presence/node", "onair/server/admission", "onair/server/auth",
		"onair/server/broadcast", "onair/server/buildinfo", "onair/server/recovery", "onair/server/response", "onair/server/runtimeconfig",
		"onair/server/urls",
	}, "sockets and calls are independent"},
	"onair/server/rest": {[]string{
		"onair/hub", "onair/hub/socket", "onair/hub/wire", "onair/presence", "onair/presence/node", "onair/server/admission", "onair/server/auth",
		"onair/server/broadcast", "onair/server/response", "onair/server/runtimeconfig",
		"onair/server/urls",
	}, "sockets and calls are independent"},
	"onair/server/callbacks": {[]string{
		"onair/hub", "onair/hub/wire", "onair/presence", "onair/presence/node", "onair/server/admission", "onair/server/broadcast",
		"onair/server/config", "onair/server/hooks", "onair/server/livecode", "onair/server/metric", "onair/server/response", "onair/server/runtimeconfig",
		"onair/signing",
	}, "callbacks are judged here, and read in hooks"},
	"onair/server/leader": {[]string{
		"onair/hub", "onair/presence", "onair/presence/node", "onair/server/broadcast", "onair/server/cloud", "onair/server/config", "onair/server/livecode",
		"onair/server/metric", "onair/server/poll", "onair/server/webhooks",
	}, "the leader's tasks need no clients"},
	"onair/server/node": {[]string{
		"onair/hub", "onair/hub/socket", "onair/hub/wire", "onair/presence", "onair/presence/embedded", "onair/presence/node", "onair/presence/redislog",
		"onair/server/admission", "onair/server/api", "onair/server/broadcast", "onair/server/buildinfo", "onair/server/callbacks", "onair/server/certificate",
		"onair/server/config", "onair/server/flight", "onair/server/leader", "onair/server/livecode", "onair/server/logging", "onair/server/recordings",
		"onair/server/metric", "onair/server/recovery", "onair/server/response", "onair/server/rest", "onair/server/runtimeconfig", "onair/server/sockets",
		"onair/server/urls", "onair/server/webhooks", "onair/web",
	}, "everything is wired here"},
	"onair/server": {[]string{
		"onair/presence/embedded", "onair/presence/migration",
		"onair/server/admission", "onair/server/auth", "onair/server/buildinfo", "onair/server/certificate", "onair/server/config", "onair/server/conformance",
		"onair/server/livecode", "onair/server/logging", "onair/server/node", "onair/server/runtimeconfig", "onair/signing",
	}, "the command starts a node, or does what needs none"},
}

func TestImports(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata") {
			return filepath.SkipDir
		}
		if !d.IsDir() {
			return nil
		}
		pkg, err := build.ImportDir(path, 0)
		if _, none := err.(*build.NoGoError); none {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name := "onair/" + filepath.ToSlash(rel)
		seen[name] = true
		rule, ok := allowed[name]
		if !ok {
			t.Errorf("package %s is not in the import table", name)
		}
		for _, imp := range pkg.Imports {
			if strings.HasPrefix(imp, "onair/") && !slices.Contains(rule.imports, imp) {
				t.Errorf("%s imports %s, but %s", name, imp, rule.why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range allowed {
		if !seen[name] {
			t.Errorf("the import table has %s, which does not exist", name)
		}
	}
}

// deterministic are the packages that package presence may import: none has a
// clock, locks, or I/O. crypto/rand makes session ids, and context is there for
// the interfaces Log and Archive.
var deterministic = []string{
	"bytes", "cmp", "context", "crypto/rand", "crypto/sha256", "encoding/base32", "encoding/base64", "encoding/binary", "encoding/hex",
	"errors", "fmt", "iter", "maps", "math", "math/bits", "slices", "strconv", "strings",
	"github.com/cespare/xxhash/v2", "github.com/tidwall/btree",
}

// TestPresenceIsDeterministic: Apply must give the same registry on every node,
// so package presence reads no clock, and has no I/O, locks, goroutines or
// channels.
func TestPresenceIsDeterministic(t *testing.T) {
	files, err := filepath.Glob("../presence/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files of package presence: %v", err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		set := gotoken.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		forbid := func(n ast.Node, what string) {
			t.Errorf("%s: package presence is deterministic: %s is not allowed", set.Position(n.Pos()), what)
		}
		for _, imp := range file.Imports {
			if !slices.Contains(deterministic, strings.Trim(imp.Path.Value, `"`)) {
				forbid(imp, "import "+imp.Path.Value)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				forbid(n, "a go statement")
			case *ast.ChanType, *ast.SelectStmt, *ast.SendStmt:
				forbid(n, "a channel")
			case *ast.UnaryExpr:
				if n.Op == gotoken.ARROW {
					forbid(n, "a channel")
				}
			}
			return true
		})
	}
}
