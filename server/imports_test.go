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
// import of this module, and why no more.
var allowed = map[string]struct {
	imports []string
	why     string
}{
	"onair/presence":                     {nil, "the list's truth must not depend on who shows it"},
	"onair/presence/node":                {[]string{"onair/presence"}, "a node runs the list; the rules of the list are not its own"},
	"onair/presence/embedded":            {[]string{"onair/presence"}, "a home of the log knows the log alone"},
	"onair/presence/redislog":            {[]string{"onair/presence"}, "a home of the log knows the log alone"},
	"onair/presence/redislog/redismodel": {nil, "a Redis knows nothing of who uses it"},
	"onair/presence/redislog/redistest":  {nil, "tests of other packages use it"},
	"onair/presence/presencetest":        {[]string{"onair/presence", "onair/presence/node"}, "the suite must fit every log"},
	"onair/signing":                      {nil, "signing is pure: key, inputs, time"},
	"onair/hub":                          {[]string{"onair/presence", "onair/hub/wire", "onair/hub/socket"}, "views know the list, not the server"},
	"onair/hub/wire":                     {nil, "clients use the codec without the server"},
	"onair/hub/socket":                   {nil, "a connection knows no messages"},
	"onair/hub/socket/sockettest":        {nil, "tests of other packages use it"},
	"onair/hub/fanbench": {
		[]string{"onair/presence", "onair/hub", "onair/hub/wire", "onair/hub/socket"},
		"it measures the hub without the server",
	},
	"onair/server/config":          {nil, "configuration is data"},
	"onair/server/hooks":           {[]string{"onair/presence"}, "an adapter reads bodies, and recordings out of them, and nothing more"},
	"onair/server/cloud":           {[]string{"onair/presence"}, "clients of providers; a recording is what the list has of one"},
	"onair/server/cloud/cloudtest": {nil, "a cloud for tests"},
	"onair/server/poll":            {[]string{"onair/presence", "onair/server/cloud"}, "it asks, and passes on what was said"},
	"onair/server/webhooks":        {[]string{"onair/presence"}, "what is told is what happened to the list"},
	"onair/server/conformance":     {[]string{"onair/hub/wire"}, "it tests clients, which know the protocol alone"},
	"onair/server/auth":            {nil, "tokens are checked without the rest"},
	"onair/server/api":             {nil, "documents are files"},
	"onair/web":                    {nil, "pages are files"},
	"onair/deploy/program":         {nil, "it starts programs, whatever they are"},
	"onair/deploy/demo":            {[]string{"onair/deploy/program", "onair/hub/wire"}, "a client, which starts the built server"},
	"onair/deploy/localstack":      {[]string{"onair/deploy/program"}, "it starts the built server among others"},
	"onair/deploy/grafana":         {nil, "dashboards are files"},
	"onair/deploy/helm":            {nil, "a chart, and its test"},
	"onair/deploy/prometheus":      {nil, "rules are files"},
	"onair/loadtest": {
		[]string{"onair/hub/wire", "onair/loadtest/platform", "onair/loadtest/profile", "onair/loadtest/report", "onair/loadtest/scrape"},
		"what shares code with the server shares its mistakes",
	},
	"onair/loadtest/platform": {nil, "sockets of the operating system"},
	"onair/loadtest/profile":  {nil, "profiles are constants"},
	"onair/loadtest/report":   {[]string{"onair/loadtest/profile"}, "a report is made of figures, whoever measured them"},
	"onair/loadtest/scrape":   {nil, "metrics are text"},
	"onair/server": {[]string{
		"onair/presence", "onair/presence/node", "onair/presence/embedded", "onair/presence/redislog", "onair/signing", "onair/hub", "onair/hub/wire", "onair/hub/socket",
		"onair/server/config", "onair/server/auth", "onair/server/api", "onair/server/conformance", "onair/server/hooks", "onair/server/webhooks", "onair/server/cloud", "onair/server/poll", "onair/web",
	}, "everything is wired here"},
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
	"cmp", "context", "crypto/rand", "crypto/sha256", "encoding/base32", "encoding/base64", "encoding/binary", "encoding/hex",
	"errors", "fmt", "iter", "maps", "math/bits", "slices", "strconv", "strings",
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
