// Package config reads the configuration: one table of keys makes flags,
// environment, file, help and the sample file. [Load] gives a [Config] that is
// checked as a whole, or an error that names everything that is wrong with it,
// each by the key and the source of its value. It does not name the values of
// secrets, and a [Secret] does not show itself anywhere.
//
// Flags beat environment beats file beats default, key by key. Every ONAIR_
// variable must be a key, but those that begin with ONAIR_TEST_, which are the
// tests' own. A secret may be given as the path of a file that holds it, under
// its name with _file; the two forms are one key, of which a source gives one.
//
// What nobody gave is made up where that is safe: secrets for development,
// which [Config.Development] names and which keep the server on loopback.
package config
