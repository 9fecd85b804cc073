// Package wire stands between the socket and go-imap's imapclient.
//
// Dial connects, protects and authenticates a connection by itself and hands
// back a Conn, a net.Conn for imapclient.New. imapclient is greeted with a
// synthetic PREAUTH and a cleaned capability list; it never sees a password, a
// STARTTLS, or a capability that would change the syntax.
//
// The contract: whatever bytes the server sends, what the Conn passes on is
// something imapclient parses; what it cannot pass on it records as a Notice.
// Responses are not forwarded but read, understood and written anew, so a
// response nobody has thought of is dropped rather than let through. Memory is
// bounded by Options.MaxLine and a few constants; message bodies stream.
//
// In the other direction it turns synchronising literals into LITERAL+ where
// the server has it (RFC 7888), and lets an APPEND be refused before its
// continuation without losing the connection.
//
// A Conn keeps deadlines of its own and ignores imapclient's: while an answer
// is due, no byte for Options.Timeout ends the connection; an idle connection
// waits for ever. Err tells the first real cause of a failure, which imapclient
// reduces to text.
//
// What it leaves to its caller: to drain imapclient's channels; to count a
// body's octets against the announced size; to ask again for a message whose
// FETCH was dropped; to look at the Notices; to call Abort, best through
// AbortOn, when a context ends.
package wire
