package buildinfo

import "runtime/debug"

// Version returns the version of the module: its tag, or one that has the source revision.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
