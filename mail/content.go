package mail

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"strconv"
	"strings"
	"sync"
)

// Content is what is known of a message's bytes, however they arrived: line
// ends do not matter, CR LF, LF and any run of CRs before an LF are the same.
type Content struct {
	Digest Digest // of the whole message; zero when only the header was read
	Header Digest // of the header block without the fields that sync tools add, one space after each name
	Body   Digest // of what follows the header block; zero when only the header was read
	Size   int64  // bytes with LF line ends
	Wire   int64  // bytes with CR LF line ends, as a server would announce them
	Net    int64  // Wire as far as it went into Header, and the body
	NUL    bool   // it holds a NUL, which IMAP cannot carry
	Fields int    // header fields that went into Header; 0 means no header to speak of
	NoID   bool   // the header block has no Message-ID; not recorded
	Whole  int64  // of a stub: the announced size of the message it stands for; 0 of every message
}

// SameMessage reports whether both contents are surely the same message:
// equal bytes, or bytes that differ only in what sync tools add to a header.
func (c Content) SameMessage(d Content) bool {
	if !c.Digest.IsZero() && c.Digest == d.Digest {
		return true
	}
	return !c.Body.IsZero() && c.Body == d.Body && c.Header == d.Header
}

// StandsFor reports whether the bytes are those of a stub of the message, as far
// as a header can tell.
func (c Content) StandsFor(message Content) bool {
	return c.Whole > 0 && message.Whole == 0 && c.Header == message.Header
}

// StubField is the header field at the top of a stub: a file that stands for a
// message which was not fetched whole. Its value begins with "whole=" and the
// announced size of the message. It is in no message on any server.
const StubField = "X-Imapsync-Stub"

// toolFields are the header fields that mail tools put into a message for
// their own bookkeeping; a message is the same with and without them.
var toolFields = []string{"x-tuid", "x-offlineimap", "x-keywords", "x-uid", "status", "x-status", strings.ToLower(StubField)}

func isToolField(name string) bool {
	name = strings.ToLower(strings.TrimRight(name, " \t"))
	for _, f := range toolFields {
		if name == f {
			return true
		}
	}
	return false
}

// maxHeaderLine bounds what a Hasher holds of one header line to find out
// which field it begins.
const maxHeaderLine = 256

// Hasher takes the bytes of a message, or of its header block alone, by Write
// and tells its Content. It holds no more than one line's beginning in memory.
// Call Content or HeaderOnly once, after the last Write.
type Hasher struct {
	raw, header, body hash.Hash // of the header block as it is, of the same for identity, of the rest

	content   Content
	crs       int64 // CRs seen and not yet known to be before an LF
	inBody    bool
	line      []byte // the beginning of the header line, until its field is known
	decided   bool   // whether the line's field is known
	named     bool   // there was a Message-ID
	leaving   bool   // the current field is left out
	blanks    bool   // the blanks before the current field's value are not over
	lineBytes int64

	marker    []byte // the beginning of the field that marks a stub
	isMarker  bool   // the current field is that
	stubBytes int64  // of it, as Net leaves them out
}

// NewHasher returns a Hasher for one message.
func NewHasher() *Hasher {
	return &Hasher{raw: sha256.New(), header: sha256.New(), body: sha256.New()}
}

// Write never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if h.inBody && h.crs == 0 {
			p = h.bodyRun(p)
			continue
		}
		switch c := p[0]; c {
		case '\r':
			h.crs++
			p = p[1:]
		case '\n':
			h.crs = 0
			h.put(p[:1])
			p = p[1:]
		default:
			h.flushCRs()
			i := bytes.IndexAny(p, "\r\n")
			if i < 0 {
				i = len(p)
			}
			h.put(p[:i])
			p = p[i:]
		}
	}
	return n, nil
}

// ReadFrom writes all of r, by way of memory that Hashers share: of a thousand
// headers io.Copy would take 32 kB each.
func (h *Hasher) ReadFrom(r io.Reader) (n int64, err error) {
	buf := copyPool.Get().(*[copyAtOnce]byte)
	defer copyPool.Put(buf)
	for {
		got, err := r.Read(buf[:])
		h.Write(buf[:got])
		n += int64(got)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

const copyAtOnce = 16 << 10

var copyPool = sync.Pool{New: func() any { return new([copyAtOnce]byte) }}

// bodyRun takes p up to its first CR in one piece, or lines that end with CR LF
// gathered into one, and returns what is left. It stands on the path of every byte
// of a message that is brought over.
func (h *Hasher) bodyRun(p []byte) []byte {
	i := bytes.IndexByte(p, '\r')
	if i < 0 {
		h.put(p)
		return nil
	}
	if i >= linesAtOnce || i+1 == len(p) || p[i+1] != '\n' {
		if i > 0 {
			h.put(p[:i])
		}
		h.crs++
		return p[i+1:]
	}
	buf := linesPool.Get().(*[linesAtOnce]byte)
	defer linesPool.Put(buf)
	lines := buf[:0]
	for i >= 0 && i+1 < len(p) && p[i+1] == '\n' && len(lines)+i < linesAtOnce {
		lines = append(append(lines, p[:i]...), '\n')
		p = p[i+2:]
		i = bytes.IndexByte(p, '\r')
	}
	h.put(lines)
	return p
}

// linesAtOnce is how many bytes of lines are hashed in one piece.
const linesAtOnce = 8 << 10

var linesPool = sync.Pool{New: func() any { return new([linesAtOnce]byte) }}

var cr = []byte{'\r'}

func (h *Hasher) flushCRs() {
	for ; h.crs > 0; h.crs-- {
		h.put(cr)
	}
}

// put takes bytes that are already in LF form; in the header block no more
// than one line of them.
func (h *Hasher) put(p []byte) {
	n, lines := int64(len(p)), int64(bytes.Count(p, []byte{'\n'}))
	h.content.Size += n
	h.content.Wire += n + lines
	h.content.Net += n + lines
	h.content.NUL = h.content.NUL || bytes.IndexByte(p, 0) >= 0
	if h.inBody {
		h.body.Write(p)
		return
	}
	h.raw.Write(p)
	h.lineBytes += n
	switch {
	case h.decided:
		h.field(p)
	case h.lineBytes == 1 && lines == 1: // the empty line that ends the header block
		h.inBody = true
		return
	default:
		h.line = append(h.line, p...)
		if len(h.line) >= maxHeaderLine || bytes.ContainsAny(h.line, ":\n") {
			h.decide()
		}
	}
	if lines == 1 {
		h.endLine()
	}
}

// decide settles which field the line belongs to and passes on what was held.
func (h *Hasher) decide() {
	h.decided = true
	rest := h.line
	if continued := h.line[0] == ' ' || h.line[0] == '\t'; !continued {
		name, _, isField := bytes.Cut(h.line[:min(len(h.line), maxHeaderLine)], []byte{':'})
		h.leaving = isField && isToolField(string(name))
		h.isMarker = h.leaving && h.content.Fields == 0 && h.marker == nil && strings.EqualFold(string(name), StubField)
		if isField && !h.leaving {
			h.content.Fields++
			h.named = h.named || strings.EqualFold(strings.TrimRight(string(name), " \t"), "Message-ID")
			// Offlineimap writes one space after the name, whatever stood there.
			h.header.Write(name)
			h.header.Write(nameEnd)
			h.content.Net++
			h.blanks, rest = true, h.line[len(name)+1:]
		}
	}
	h.field(rest)
	h.line = h.line[:0]
}

var nameEnd = []byte(": ")

func (h *Hasher) field(p []byte) {
	if h.blanks {
		value := bytes.TrimLeft(p, " \t")
		h.content.Net -= int64(len(p) - len(value))
		h.blanks, p = len(value) == 0, value
	}
	if !h.leaving {
		h.header.Write(p)
	}
	if h.isMarker && len(h.marker) < maxHeaderLine {
		h.marker = append(h.marker, p...)
	}
}

func (h *Hasher) endLine() {
	if h.leaving {
		h.content.Net -= h.lineBytes + 1
		if h.isMarker {
			h.stubBytes += h.lineBytes + 1
		}
	}
	h.decided, h.blanks, h.lineBytes = false, false, 0
}

// Content tells what the bytes written so far are as a whole message.
func (h *Hasher) Content() Content {
	c := h.HeaderOnly()
	h.body.Sum(c.Body[:0])
	whole := sha256.New()
	h.raw.Sum(c.Digest[:0])
	whole.Write(c.Digest[:])
	whole.Write(c.Body[:])
	whole.Sum(c.Digest[:0])
	return c
}

// HeaderOnly tells what the bytes written so far are as a header block; the
// sizes are those of the block.
func (h *Hasher) HeaderOnly() Content {
	h.flushCRs()
	if !h.inBody && len(h.line) > 0 {
		h.decide()
	}
	if !h.inBody && h.lineBytes > 0 { // servers end the last line of a header block themselves
		h.field([]byte{'\n'})
		if h.leaving {
			h.content.Net -= h.lineBytes
		}
	}
	c := h.content
	c.NoID = !h.named
	if c.Whole = stubOf(h.marker); c.Whole > 0 {
		c.Net = c.Whole - (c.Wire - c.Net - h.stubBytes)
	}
	h.header.Sum(c.Header[:0])
	return c
}

// stubOf reads the field that marks a stub.
func stubOf(marker []byte) int64 {
	_, value, _ := strings.Cut(string(marker), ":")
	digits, marked := strings.CutPrefix(strings.TrimSpace(value), "whole=")
	if end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		digits = digits[:end]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if !marked || err != nil {
		return 0
	}
	return n
}
