// Package livecode makes live codes (直播码), the public names of streams, from the
// configured template, and validates them.
package livecode
