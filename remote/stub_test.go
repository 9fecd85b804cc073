package remote

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"strings"
	"testing"

	"imapsync/mail"
)

func hashOf(b []byte) mail.Content {
	h := mail.NewHasher()
	h.Write(b)
	return h.Content()
}

// Whatever the header says, a stub is known as one, and by it.
func TestStubKeepsTheHeader(t *testing.T) {
	for _, header := range []string{
		"Subject: a\r\nFrom: b\r\n\r\n",
		"Subject: a\r\nFrom: b\r\n",
		"Subject: a",
		"\r\n",
		"",
		"no field\r\nContent-Type: multipart/mixed\r\n\r\n",
		"Content-Type: multipart/mixed; boundary=\"a\r\n b\"\r\n\r\n",
		"Content-Type: ; ;\r\nSubject: =?x\r\n\r\n",
	} {
		b := newStub(7, 5000, []byte(header)).bytes("INBOX", 3)
		stub, message := hashOf(b), hashOf([]byte(header))
		if stub.Whole != 5000 || stub.Header != message.Header {
			t.Errorf("%q: %+v\n%s", header, stub, b)
		}
	}
}

// A mail reader shows the text parts and what was left out.
func TestStubIsAMessage(t *testing.T) {
	s := newStub(7, 5000, []byte("From: a@example.org\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"))
	text := newPart([]int{1}, []byte("Content-Type: text/plain\r\n\r\n"))
	text.body, text.fetched = []byte("Hello."), true
	s.parts = append(s.parts, text, newPart([]int{2}, []byte("Content-Type: application/pdf; name=a.pdf\r\n\r\n")))
	m, err := netmail.ReadMessage(bytes.NewReader(s.bytes("INBOX", 3)))
	if err != nil {
		t.Fatal(err)
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	var texts []string
	for p, err := r.NextPart(); err == nil; p, err = r.NextPart() {
		b, _ := io.ReadAll(p)
		texts = append(texts, string(b))
	}
	if len(texts) != 2 || texts[0] != "Hello." || !strings.Contains(texts[1], `application/pdf "a.pdf"`) || !strings.Contains(texts[1], "imapsync fetch INBOX:7") {
		t.Errorf("parts %q", texts)
	}
}
