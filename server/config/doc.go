// Package config reads the configuration. One table of keys defines flags,
// environment variables, file keys, help texts and the sample file. [Load] returns
// a checked [Config], or one error that lists every problem with its key and the
// origin of the value. No error or log line shows the value of a secret: the type
// [Secret] redacts itself.
//
// For each key, flags override the environment, the environment overrides the
// file, and the file overrides the default. An unknown ONAIR_ variable is an error,
// except for the prefix ONAIR_TEST_, which tests use. The key of a secret also has
// a form with the suffix _file: the path of a file that holds the value. A source
// may set one of the two forms.
//
// Missing secrets are generated for development, and [Config.GeneratedSecrets]
// lists them. With generated secrets the server accepts only a loopback address.
package config
