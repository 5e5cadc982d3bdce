// Package config reads the configuration: one table of keys makes flags,
// environment, file, help and the sample file. [Load] gives a [Config] that is
// checked as a whole, or an error that names everything that is wrong with it.
package config
