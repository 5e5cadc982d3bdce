package config

import (
	"bytes"
	"fmt"
)

// Sample is a configuration file with every key, its default and what it means.
func Sample() []byte {
	var b bytes.Buffer
	b.WriteString("# Every key of onair with its default. A key a.b_c is ONAIR_A_B_C in the environment\n" +
		"# and --a.b-c as a flag; flags beat environment beats this file. Secrets may be given\n" +
		"# as …_file, a path, instead.\n")
	for _, k := range keys {
		fmt.Fprintf(&b, "\n# %s\n", k.help)
		if k.def == "" {
			fmt.Fprintf(&b, "# %s:\n", k.name)
			continue
		}
		fmt.Fprintf(&b, "%s: %q\n", k.name, k.def)
	}
	return b.Bytes()
}
