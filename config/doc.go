// Package config reads the configuration file: TOML in, checked values out.
//
// Its contract: what Load returns can be used as it stands. Every key has been
// checked by itself and against the others; an unknown key, a wrong type, a
// value out of range or a contradiction is an Error naming file, line and key,
// and all of them are reported at once. Secrets are the exception: they are
// fetched late, by Secret.Get, and no value of this package prints one.
package config
