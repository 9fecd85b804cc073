package remote

import (
	"bufio"
	"bytes"
	"fmt"
	"mime"
	"net/textproto"
	"strings"

	"imapsync/mail"
)

// stub is what was fetched of a message that is not fetched whole.
type stub struct {
	uid    mail.UID
	size   int64
	header []byte  // the whole block with its empty line
	parts  []*part // the message itself first
}

// part is a part of a message by its MIME header (RFC 2045).
type part struct {
	path     []int // its number; none is the message itself
	header   []byte
	kind     string // media type in lower case
	boundary string
	name     string
	attached bool
	opaque   bool // its header goes on where it was cut
	opened   bool // its own parts were asked for
	body     []byte
	fetched  bool
	cut      bool  // there is more of the body
	size     int64 // of the body; 0: not known
}

func newStub(uid mail.UID, size int64, header []byte) *stub {
	return &stub{uid: uid, size: size, header: header, parts: []*part{newPart(nil, header)}}
}

func newPart(path []int, header []byte) *part {
	p := &part{path: path, header: header, kind: "text/plain"}
	fields, _ := textproto.NewReader(bufio.NewReader(bytes.NewReader(header))).ReadMIMEHeader() // what is malformed is left out
	if kind, params, err := mime.ParseMediaType(fields.Get("Content-Type")); err == nil || kind != "" {
		p.kind, p.boundary, p.name = kind, params["boundary"], params["name"]
	}
	if how, params, err := mime.ParseMediaType(fields.Get("Content-Disposition")); err == nil {
		p.attached = how == "attachment"
		if params["filename"] != "" {
			p.name = params["filename"]
		}
	}
	return p
}

func (p *part) multipart() bool { return strings.HasPrefix(p.kind, "multipart/") }
func (p *part) text() bool      { return strings.HasPrefix(p.kind, "text/") && !p.attached && !p.opaque }

// bytes are those of the stub. The header block is the message's own, so that it is
// known by it; where that says multipart, what follows are parts of it.
func (s *stub) bytes(folder mail.FolderName, validity uint32) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: whole=%d; uidvalidity=%d; uid=%d\r\n", mail.StubField, s.size, validity, s.uid)
	b.Write(s.header)
	if !bytes.HasSuffix(s.header, []byte("\n")) {
		b.WriteString("\r\n")
	}
	if !bytes.HasSuffix(s.header, []byte("\n\r\n")) && !bytes.HasSuffix(s.header, []byte("\n\n")) && len(bytes.TrimSpace(s.header)) > 0 {
		b.WriteString("\r\n")
	}
	note := s.note(folder)
	top := s.parts[0]
	if !top.multipart() || top.boundary == "" {
		b.Write(top.body)
		if top.fetched && !bytes.HasSuffix(top.body, []byte("\n")) {
			b.WriteString("\r\n")
		}
		if !top.fetched || top.cut {
			b.WriteString("\r\n" + note)
		}
		return b.Bytes()
	}
	for _, p := range s.parts[1:] {
		if p.fetched {
			fmt.Fprintf(&b, "--%s\r\n%s", top.boundary, bytes.TrimRight(p.header, "\r\n"))
			fmt.Fprintf(&b, "\r\n\r\n%s\r\n", p.body)
		}
	}
	fmt.Fprintf(&b, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Disposition: inline\r\n\r\n%s--%s--\r\n", top.boundary, note, top.boundary)
	return b.Bytes()
}

// note is the list of what was left out, with sizes as it is transferred.
func (s *stub) note(folder mail.FolderName) string {
	var b strings.Builder
	left := s.size - int64(len(s.header))
	var names []string
	for _, p := range s.parts {
		left -= int64(len(p.body))
		if p.multipart() || p.fetched && !p.cut {
			continue
		}
		name := p.kind
		if p.name != "" {
			name += fmt.Sprintf(" %q", p.name)
		}
		if p.cut {
			name = "the rest of " + name
		}
		if left := p.size - int64(len(p.body)); left > 0 {
			name += fmt.Sprintf(", %d bytes", left)
		}
		names = append(names, name)
	}
	fmt.Fprintf(&b, "[imapsync has left %d of this message's %d bytes on the server.", max(left, 0), s.size)
	for _, name := range names {
		fmt.Fprintf(&b, "\r\n  %s", name)
	}
	fmt.Fprintf(&b, "\r\nTo have all of it: imapsync fetch %s:%d]\r\n", folder, s.uid)
	return b.String()
}
