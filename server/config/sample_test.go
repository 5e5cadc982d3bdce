package config

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/onair.yaml")

const samplePath = "../../deploy/onair.yaml"

// TestSampleFile: the file in deploy/ has every key, and gives the same configuration
// as no file.
func TestSampleFile(t *testing.T) {
	if *update {
		if err := os.WriteFile(samplePath, SampleYAML(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(samplePath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, SampleYAML()) {
		t.Errorf("%s differs from Sample(): run go test ./server/config -update", samplePath)
	}
	for _, k := range keys {
		if !bytes.Contains(got, []byte("\n"+k.name+": ")) && !bytes.Contains(got, []byte("\n# "+k.name+":")) {
			t.Errorf("%s has no %s", samplePath, k.name)
		}
	}
	withSample, err := Load([]string{"--config", samplePath, "--node", "n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	withoutFile, err := Load([]string{"--node", "n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Config{withSample, withoutFile} { // they differ at each start
		c.effective = nil
		c.Auth.Secret, c.Push.Key, c.Play.Key, c.CodeKey = "", "", "", ""
	}
	if !reflect.DeepEqual(withSample, withoutFile) {
		t.Errorf("configuration with the sample file\n%+v\nwithout a file\n%+v", withSample, withoutFile)
	}
}

// TestKeys: every key is complete, and the spellings of all keys differ.
func TestKeys(t *testing.T) {
	seen := map[string]string{}
	for _, k := range keys {
		if k.help == "" || k.parse == nil {
			t.Errorf("%s lacks its help or its parser", k.name)
		}
		for _, spelling := range []string{k.name, environmentVariable(k.name), environmentVariable(k.name + "_file"), "--" + flagName(k.name)} {
			if other, exists := seen[spelling]; exists {
				t.Errorf("%s belongs to both %s and %s", spelling, other, k.name)
			}
			seen[spelling] = k.name
		}
		if keyNameOfFlag(flagName(k.name)) != k.name {
			t.Errorf("the flag of %s belongs to another key", k.name)
		}
	}
}
