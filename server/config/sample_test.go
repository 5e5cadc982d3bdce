package config

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write deploy/onair.yaml anew")

const samplePath = "../../deploy/onair.yaml"

// TestSampleIsTrue: the file in deploy/ has every key, and means what no file
// means.
func TestSampleIsTrue(t *testing.T) {
	if *update {
		if err := os.WriteFile(samplePath, Sample(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(samplePath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, Sample()) {
		t.Errorf("%s is not what Sample gives: go test ./server/config -update", samplePath)
	}
	for _, k := range keys {
		if !bytes.Contains(have, []byte("\n"+k.name+": ")) && !bytes.Contains(have, []byte("\n# "+k.name+":")) {
			t.Errorf("%s has no %s", samplePath, k.name)
		}
	}
	with, err := Load([]string{"--config", samplePath, "--node", "n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	without, err := Load([]string{"--node", "n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*Config{with, without} { // made up anew each time, and from elsewhere
		c.read = nil
		c.Auth.Secret, c.Push.Key, c.Play.Key, c.CodeKey = "", "", "", ""
	}
	if !reflect.DeepEqual(with, without) {
		t.Errorf("the sample means\n%+v\nno file means\n%+v", with, without)
	}
}

// TestKeys: the table is whole, and each key can be told from every other in
// each of its spellings.
func TestKeys(t *testing.T) {
	seen := map[string]string{}
	for _, k := range keys {
		if k.help == "" || k.set == nil {
			t.Errorf("%s lacks its meaning or its setter", k.name)
		}
		for _, spelling := range []string{k.name, envName(k.name), envName(k.name + "_file"), "--" + flagName(k.name)} {
			if other, twice := seen[spelling]; twice {
				t.Errorf("%s is both %s and %s", spelling, other, k.name)
			}
			seen[spelling] = k.name
		}
		if keyName(flagName(k.name)) != k.name {
			t.Errorf("%s is another key as a flag", k.name)
		}
	}
}
