package maildir

import (
	"bytes"
	"io"
	"sync"

	"imapsync/mail"
)

// chunk is how much of a message is held at a time, in bytes: more than most have.
// Memory that nothing has used yet costs a run with few changes more than a write does.
const chunk = 64 << 10

type chunks struct {
	in  [chunk]byte
	out [2*chunk + 16]byte // enough for a chunk in either form and a few CRs held back
}

var chunkPool = sync.Pool{New: func() any { return new(chunks) }}

// copyLF copies a message from its wire form to its form on disk: one CR before
// an LF goes, everything else stays. It tells the content, and which of the two
// sides an error came from.
func copyLF(w io.Writer, body io.Reader) (c mail.Content, readErr, writeErr error) {
	buf := chunkPool.Get().(*chunks)
	defer chunkPool.Put(buf)
	hasher, cr := mail.NewHasher(), false
	for {
		n, err := fill(buf.in[:], body)
		var out []byte
		out, cr = appendLF(buf.out[:0], buf.in[:n], cr)
		if err != nil && cr {
			out = append(out, '\r')
		}
		hasher.Write(out) // the same content, and cheaper than with every CR
		if _, werr := w.Write(out); werr != nil {
			return c, nil, werr
		}
		if err == io.EOF {
			return hasher.Content(), nil, nil
		}
		if err != nil {
			return c, err, nil
		}
	}
}

// fill reads until buf is full, so that most messages are written at once
// however they arrive. The error is that of the last Read.
func fill(buf []byte, from io.Reader) (n int, err error) {
	for n < len(buf) && err == nil {
		var more int
		more, err = from.Read(buf[n:])
		n += more
	}
	return n, err
}

// appendLF appends in to out without the CR before each LF. cr says that a CR
// was held back before in, and is returned when one is again.
func appendLF(out, in []byte, cr bool) ([]byte, bool) {
	if cr && len(in) > 0 && in[0] != '\n' {
		out = append(out, '\r')
	}
	if len(in) > 0 {
		cr = false
	}
	for {
		i := bytes.IndexByte(in, '\r')
		if i < 0 {
			return append(out, in...), cr
		}
		out = append(out, in[:i]...)
		in = in[i+1:]
		if len(in) == 0 {
			return out, true
		}
		if in[0] != '\n' {
			out = append(out, '\r')
		}
	}
}

// wireReader gives a message with CR LF line ends: an LF, or a run of CRs and
// an LF, is one line end; other CRs stay. It gives as many bytes as
// mail.Content.Wire says of what it reads.
type wireReader struct {
	file io.ReadCloser
	buf  *chunks
	in   []byte // read, not yet looked at
	out  []byte // to be given first
	give int64  // CRs to be given then
	held int64  // CRs that may yet be before an LF
	err  error  // of file, after in
}

func newWireReader(file io.ReadCloser) *wireReader {
	return &wireReader{file: file, buf: chunkPool.Get().(*chunks)}
}

// Read implements io.Reader.
func (r *wireReader) Read(p []byte) (int, error) {
	if r.buf == nil {
		return 0, io.ErrClosedPipe
	}
	for len(p) > 0 {
		switch {
		case len(r.out) > 0:
			n := copy(p, r.out)
			r.out = r.out[n:]
			return n, nil
		case r.give > 0:
			n := min(int64(len(p)), r.give)
			for i := range p[:n] {
				p[i] = '\r'
			}
			r.give -= n
			return int(n), nil
		case len(r.in) > 0:
			r.convert()
		case r.err != nil && r.held > 0:
			r.give, r.held = r.held, 0
		case r.err != nil:
			return 0, r.err
		default:
			var n int
			n, r.err = r.file.Read(r.buf.in[:])
			r.in = r.buf.in[:n]
		}
	}
	return 0, nil
}

// convert turns what was read into out, up to where more CRs were held than are
// worth a place in it: those are given one by one.
func (r *wireReader) convert() {
	const few = 16 // less than the room that out has to spare
	out := r.buf.out[:0]
	for len(r.in) > 0 {
		line, rest, ended := bytes.Cut(r.in, []byte{'\n'})
		text := bytes.TrimRight(line, "\r")
		if len(text) > 0 && r.held > 0 {
			if r.held > few {
				if len(out) == 0 {
					r.give, r.held = r.held, 0
				}
				break
			}
			for ; r.held > 0; r.held-- {
				out = append(out, '\r')
			}
		}
		out = append(out, text...)
		if ended {
			out = append(out, '\r', '\n')
			r.held = 0
		} else {
			r.held += int64(len(line) - len(text))
		}
		r.in = rest
	}
	r.out = out
}

// Close gives the file back.
func (r *wireReader) Close() error {
	if r.buf == nil {
		return nil
	}
	chunkPool.Put(r.buf)
	r.buf, r.out, r.in = nil, nil, nil
	return r.file.Close()
}
