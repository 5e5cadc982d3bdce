package config

import (
	"bytes"
	"fmt"
)

// SampleYAML returns a configuration file with every key, its default and its help.
func SampleYAML() []byte {
	var b bytes.Buffer
	b.WriteString("# Every key of onair with its default. The key a.b_c is ONAIR_A_B_C in the environment and\n" +
		"# --a.b-c as a flag. Flags override the environment, and the environment overrides this file.\n" +
		"# A secret may be set by its key with the suffix _file instead: the path of a file that holds it.\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "\n# %s\n", k.help)
		if k.defaultText == "" {
			fmt.Fprintf(&b, "# %s:\n", k.name)
			continue
		}
		fmt.Fprintf(&b, "%s: %q\n", k.name, k.defaultText)
	}
	return b.Bytes()
}
