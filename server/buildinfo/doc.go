// Package buildinfo has the version of the binary.
package buildinfo
