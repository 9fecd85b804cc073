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
// response nobody has thought of is dropped rather than let through.
//
// Memory is bounded whatever the server sends, by default: a line at 1 MiB
// (Options.MaxLine), one of SEARCH or ESEARCH at 16 MiB; the numbers one search
// found at 2 Mi ranges of 8 bytes; the values of a line at 65536; the literals
// inside a response at 64 KiB, but for message bodies, which stream; the
// notices kept at 2 MiB; the handshake at 256 KiB; the flags of a message at
// 256, of a mailbox at 4096. What imapclient gathers, the answer to LIST, ends
// at 262144 mailboxes or 32 MiB of text, which take about 200 MiB there. So one
// connection stays below 512 MiB, and below 32 MiB outside of LIST and SEARCH.
// An answer of more than Options.MaxAnswer without bodies, a literal of more than
// Options.MaxLiteral, and each of the limits on lines and lists end the
// connection with KindLimit; the others drop what is beyond them and say so in
// a Notice. Of a compressed connection they hold for what was inflated.
//
// A login is tried by one mechanism, the strongest that is offered and fits
// Options, and a refusal is the end: of a login that is bound to its TLS
// connection (-PLUS) because somebody in between brings such refusals about, of
// any other because the password may be wrong, and servers lock accounts. One
// case is excepted: SCRAM without binding, chosen by us, over a connection that
// cannot be overheard, and refused before the server took part in it. Such a
// server offers SCRAM but has it not, or not for this user; it has learned
// nothing of the password, and the next mechanism of another kind is tried. That
// it may be PLAIN gives nothing away that was not given already: who is in
// between with a certificate that is believed need only offer nothing else. Who
// wants to be safe from that names a SCRAM in Options.Auth, which never becomes
// another mechanism, and is told to the server in a way (RFC 5802 section 6) that
// it refuses when the offer of binding was taken away. Options.Disable with the
// names of the -PLUS mechanisms does without binding.
//
// From the login on nothing is asked for at the cost of a round trip: where the
// answer to the login lists the capabilities, they are asked for again, with ID,
// in the flight of imapclient's first command. Compress compresses a connection
// (RFC 4978), at once, or when Link has found it slow enough to win by it.
//
// In the other direction it turns synchronising literals into LITERAL+ where
// the server has it (RFC 7888), and lets an APPEND be refused before its
// continuation without losing the connection.
//
// A Conn keeps deadlines of its own and ignores imapclient's: while an answer
// is due, no byte for Options.Timeout ends the connection, and neither do less
// than 64 KiB in sixty times as long keep it; an idle connection waits for
// ever. Err tells the first real cause of a failure, which imapclient reduces
// to text.
//
// What it leaves to its caller: to drain imapclient's channels; to count a
// body's octets against the announced size; to ask again for a message whose
// FETCH was dropped; to look at the Notices; to call Abort, best through
// AbortOn, when a context ends.
package wire
