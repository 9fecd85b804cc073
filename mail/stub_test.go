package mail

import (
	"strings"
	"testing"
)

// A stub has the header of its message, and the size it says.
func TestStubIsKnownByItsHeader(t *testing.T) {
	header := "Status: RO\r\nFrom: a\r\nTo: b\r\nSubject: c\r\nDate: d\r\n\r\n"
	whole := header + strings.Repeat("text\r\n", 1000)
	hash := func(s string, in int) Content {
		h := NewHasher()
		for len(s) > 0 { // in pieces, as they may come
			n := min(in, len(s))
			h.Write([]byte(s[:n]))
			s = s[n:]
		}
		return h.Content()
	}
	message := hash(whole, 4096)
	for _, in := range []int{1, 7, 4096} {
		stub := hash(StubField+": whole=6057; uidvalidity=3; uid=4\r\n"+header+"text\r\n", in)
		if stub.Whole != 6057 || stub.Header != message.Header || stub.Fields != message.Fields {
			t.Errorf("in pieces of %d: %+v", in, stub)
		}
		if !stub.StandsFor(message) || message.StandsFor(stub) || stub.SameMessage(message) {
			t.Error("a stub stands for the message, and is not it")
		}
		tools := message.Wire - message.Net
		if stub.Net != 6057-tools {
			t.Errorf("net %d, want %d", stub.Net, 6057-tools)
		}
	}
	for _, s := range []string{
		"From: a\r\n" + StubField + ": whole=5\r\n\r\n", // not at the top
		StubField + ": 5\r\n\r\n",
		StubField + ": whole=-5\r\n\r\n",
		"From: a\r\n\r\n" + StubField + ": whole=5\r\n",
	} {
		if c := hash(s, 100); c.Whole != 0 {
			t.Errorf("%q is taken for a stub of %d bytes", s, c.Whole)
		}
	}
}
