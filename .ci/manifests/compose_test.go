package manifests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Compose knows each member of the file, and each file and stage that it names
// exists.
func TestComposeFileIsValid(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../../deploy/compose.yaml"}, cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, service := range project.Services {
		for _, v := range service.Volumes {
			if v.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(v.Source); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, p := range service.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is not limited to 127.0.0.1", name, p.Published)
			}
		}
		if b := service.Build; b != nil {
			stages := stageNames(t, filepath.Join(b.Context, b.Dockerfile))
			if b.Target != "" && !slices.Contains(stages, b.Target) {
				t.Errorf("%s: the stage %s does not exist", name, b.Target)
			}
		} else if _, tag, _ := strings.Cut(service.Image, ":"); tag == "" || tag == "latest" {
			t.Errorf("%s: the image %s has no fixed version", name, service.Image)
		}
	}
	if len(project.Services) != 9 {
		t.Errorf("services: %v", project.ServiceNames())
	}
}

// stageNames returns the names of a Dockerfile's stages, and checks that BuildKit
// accepts the file.
func stageNames(t *testing.T, file string) (names []string) {
	t.Helper()
	text, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	parsed, err := parser.Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("%s: %s", file, w.Short)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, s := range stages {
		names = append(names, s.Name)
	}
	return names
}

// The Dockerfile uses existing targets of the Makefile, and the image does not run
// as root.
func TestDockerfileUsesMakefile(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, stage := range stages {
		for _, c := range stage.Commands {
			if run, ok := c.(*instructions.RunCommand); ok {
				if words := strings.Fields(strings.Join(run.CmdLine, " ")); words[0] == "make" {
					made = append(made, words[1])
				}
			}
		}
	}
	for _, target := range made {
		if !strings.Contains(string(makefile), "\n"+target+":") {
			t.Errorf("the Makefile has no %s", target)
		}
	}
	if !slices.Equal(made, []string{"pages", "onair", "loadtest"}) {
		t.Errorf("the image is made with make %v", made)
	}
	var user, health string
	for _, c := range stages[len(stages)-1].Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.HealthCheckCommand:
			health = strings.Join(c.Health.Test, " ")
		}
	}
	if user != "65532:65532" || health != "CMD /onair health" {
		t.Errorf("the image has the user %q and the health check %q", user, health)
	}
}
