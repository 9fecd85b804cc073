// Package route reaches a server otherwise than by connecting to it: through
// the command of a tunnel or through a proxy. Both give what
// wire.Options.DialContext wants; their errors are of package wire, and hold
// neither the command nor the credentials of a proxy.
package route
