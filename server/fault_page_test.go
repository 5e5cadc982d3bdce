package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFaultPageNamesTests: each test that docs/faults.md names is in the package
// named before it.
func TestFaultPageNamesTests(t *testing.T) {
	text, err := os.ReadFile("../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`([a-z]+(?:/[a-z]+)*|Test[A-Za-z]+(?:/[a-z_]+)?)`")
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !regexp.MustCompile(`^ \d+ $`).MatchString(cells[1]) {
			continue
		}
		rows++
		var source string
		for _, m := range names.FindAllStringSubmatch(cells[4], -1) {
			name, sub, _ := strings.Cut(m[1], "/")
			if !strings.HasPrefix(name, "Test") {
				source = testSource(t, m[1])
				continue
			}
			if !strings.Contains(source, "func "+name+"(t *testing.T)") {
				t.Errorf("fault%s: there is no %s", cells[1], name)
			}
			if sub != "" && !strings.Contains(source, `t.Run("`+strings.ReplaceAll(sub, "_", " ")+`"`) {
				t.Errorf("fault%s: there is no %s", cells[1], m[1])
			}
		}
		if source == "" && strings.TrimSpace(cells[4]) != "—" {
			t.Errorf("fault%s: no test is named", cells[1])
		}
	}
	if rows < 40 {
		t.Errorf("%d faults were found in the page: this test does not read it", rows)
	}
}

func testSource(t *testing.T, pkg string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", pkg, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("package %s has no tests: %v", pkg, err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
