// Package discover finds the IMAP server of a mail address: in a list of big
// providers, in the autoconfig file of the address's domain, in its SRV records
// (RFC 6186).
//
// Its contract: it sends nothing but the address, and that only to the domain
// that the address names; what it tells was asked for in a way that nobody in
// between can answer, or is marked as not sure; whatever comes as an answer, it
// is bounded in size and time and cannot be more than a host, a port and a name.
package discover
