package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"imapsync/mail"
)

func hashOf(b []byte) mail.Content {
	h := mail.NewHasher()
	h.Write(b)
	return h.Content()
}

func TestDeliver(t *testing.T) {
	for _, fsync := range []bool{true, false} {
		m := open(t, Config{Fsync: fsync}, "A")
		date := time.Date(2019, 3, 4, 5, 6, 7, 0, time.UTC)
		d, err := m.Deliver(t.Context(), "A")
		if err != nil {
			t.Fatal(err)
		}
		type msg struct{ key, flags, file string }
		msgs := []msg{
			{"k1", ":", "new/k1"},
			{"k2", ":S", "cur/k2:2,S"},
			{"k3", ":DFPRST", "cur/k3:2,DFPRST"},
			{"k4", ": todo", "cur/k4:2,a"},
			{"k5", ":S todo Work", "cur/k5:2,Sab"},
		}
		stamps := map[mail.Key]mail.FileStamp{}
		for i := range 40 { // more than are fsynced one by one
			msgs = append(msgs, msg{fmt.Sprint("n", i), ":F", fmt.Sprintf("cur/n%d:2,F", i)})
		}
		body := "From: a\r\nSubject: b\r\n\r\nbody\r\n"
		for _, n := range msgs {
			c, stamp, err := d.Write(mail.NewFile{Key: mail.Key(n.key), Flags: flags(n.flags), Date: date}, strings.NewReader(body))
			if err != nil || c != hashOf([]byte(body)) {
				t.Fatal(err, c)
			}
			stamps[mail.Key(n.key)] = stamp
		}
		if got := scan(t, m, "A").Messages; len(got) != 0 {
			t.Errorf("before Commit %d messages can be seen", len(got))
		}
		if failed, err := d.Commit(t.Context()); err != nil || len(failed) != 0 {
			t.Fatal(err, failed)
		}
		names := []string{"dovecot-keywords"}
		for _, n := range msgs {
			names = append(names, n.file)
			if got := get(t, m, "A/"+n.file); got != strings.ReplaceAll(body, "\r\n", "\n") {
				t.Fatalf("%s holds %q", n.file, got)
			}
			c, stamp, when, err := m.Read(t.Context(), "A", mail.Key(n.key))
			if err != nil || c != hashOf([]byte(body)) || stamp != stamps[mail.Key(n.key)] || !when.Equal(date) {
				t.Fatalf("%s read: %v %v %v %v", n.key, c, stamp, when, err)
			}
			if got := flagsOf(t, again(t, m), "A", mail.Key(n.key)); got != n.flags {
				t.Errorf("%s has flags %s, want %s", n.key, got, n.flags)
			}
		}
		want(t, m, "A", names...)
		d.Discard()
		want(t, m, "A", names...)
	}
}

func TestDeliverWithoutDate(t *testing.T) {
	m := open(t, Config{}, "A")
	before := time.Now().Add(-time.Minute)
	for i, date := range []time.Time{{}, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		d, _ := m.Deliver(t.Context(), "A")
		_, stamp, err := d.Write(mail.NewFile{Key: mail.Key(fmt.Sprint(i)), Date: date}, strings.NewReader("x"))
		if err != nil || stamp.MTime < before.UnixNano() {
			t.Errorf("date %v: %v %v", date, stamp, err)
		}
		d.Discard()
	}
}

// TestBrokenBody covers a connection that breaks: that file goes, its error
// comes back as it is, and the others of the batch arrive.
func TestBrokenBody(t *testing.T) {
	m := open(t, Config{Fsync: true}, "A")
	d, err := m.Deliver(t.Context(), "A")
	if err != nil {
		t.Fatal(err)
	}
	write := func(key mail.Key, r io.Reader) error {
		_, _, err := d.Write(mail.NewFile{Key: key}, r)
		return err
	}
	if err := write("good", strings.NewReader("x\r\n")); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("Subject: x\r\n\r\nhalf"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if err := write("bad", broken); err != io.ErrUnexpectedEOF {
		t.Errorf("a broken body gives %v", err)
	}
	wantScope(t, write("good", strings.NewReader("y")), mail.ScopeMessage, "good")
	wantScope(t, write("a/b", strings.NewReader("y")), mail.ScopeMessage, "slash")
	wantScope(t, write("", strings.NewReader("y")), mail.ScopeMessage)
	want(t, m, "A/tmp", "good")
	if failed, err := d.Commit(t.Context()); err != nil || len(failed) != 0 {
		t.Fatal(err, failed)
	}
	want(t, m, "A", "new/good")
}

func TestDiscard(t *testing.T) {
	m := open(t, Config{Fsync: true}, "A")
	d, _ := m.Deliver(t.Context(), "A")
	for i := range 30 {
		if _, _, err := d.Write(mail.NewFile{Key: mail.Key(fmt.Sprint("k", i))}, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	d.Discard()
	want(t, m, "A")
}

func TestCommitTellsWhichFailed(t *testing.T) {
	m := open(t, Config{Fsync: true}, "A")
	d, _ := m.Deliver(t.Context(), "A")
	for _, k := range []mail.Key{"a", "taken", "lost"} {
		if _, _, err := d.Write(mail.NewFile{Key: k, Flags: flags(":S")}, strings.NewReader("mine")); err != nil {
			t.Fatal(err)
		}
	}
	put(t, m, "A/cur/taken:2,S", "somebody else's")
	if err := os.Remove(filepath.Join(m.root, "A/tmp/lost")); err != nil {
		t.Fatal(err)
	}
	failed, err := d.Commit(t.Context())
	if err != nil || len(failed) != 2 || failed["taken"] == nil || failed["lost"] == nil {
		t.Fatal(err, failed)
	}
	wantScope(t, failed["taken"], mail.ScopeMessage, "taken")
	want(t, m, "A", "cur/a:2,S", "cur/taken:2,S")
	if got := get(t, m, "A/cur/taken:2,S"); got != "somebody else's" {
		t.Errorf("a file was written over: %q", got)
	}
}

// TestDeliverIntoWhatIsNotThere covers folders removed or damaged meanwhile: the
// first is not brought back, the second not made to look whole.
func TestDeliverIntoWhatIsNotThere(t *testing.T) {
	m := open(t, Config{}, "A", "B")
	os.RemoveAll(filepath.Join(m.root, "A"))
	_, err := m.Deliver(t.Context(), "A")
	wantScope(t, err, mail.ScopeFolder, "A")
	os.RemoveAll(filepath.Join(m.root, "B/cur"))
	_, err = m.Deliver(t.Context(), "B")
	wantScope(t, err, mail.ScopeFolder, "damaged", "cur")
	if err := m.CreateFolder(t.Context(), "B"); err != nil {
		t.Fatal(err)
	}
	os.RemoveAll(filepath.Join(m.root, "B/tmp"))
	deliver(t, m, "B", ":", "x")
}

func TestCleanTmp(t *testing.T) {
	m := open(t, Config{}, "A")
	put(t, m, "A/tmp/crashed", "half")
	put(t, m, "A/tmp/other", "not ours")
	put(t, m, "A/tmp/linked", "made visible, and the other name not taken away yet")
	if err := os.Link(filepath.Join(m.root, "A/tmp/linked"), filepath.Join(m.root, "A/cur/linked:2,")); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[mail.Key]bool{"crashed": true, "linked": false, "none": false} {
		if got, err := m.Unfinished(t.Context(), "A", key); err != nil || got != want {
			t.Errorf("%s unfinished: %v, %v", key, got, err)
		}
	}
	if got, err := m.Unfinished(t.Context(), "gone", "k"); err != nil || got {
		t.Errorf("in no folder: %v, %v", got, err)
	}
	for range 2 {
		if err := m.CleanTmp(t.Context(), "A", "crashed"); err != nil {
			t.Error(err)
		}
	}
	if err := m.CleanTmp(t.Context(), "A", "../cur"); err == nil {
		t.Error("a key with a slash is taken")
	}
	if err := m.CleanTmp(t.Context(), "gone", "k"); err != nil {
		t.Error(err)
	}
	want(t, m, "A", "cur/linked:2,", "tmp/linked", "tmp/other")
}

var bodies = map[string]string{
	"empty":             "",
	"no header":         "\r\nbody",
	"no final newline":  "From: a\r\n\r\nbody",
	"bare LF":           "From: a\n\nbody\n",
	"bare CR":           "From: a\r\n\r\nx\ry\r\rz\r",
	"CRs before LF":     "From: a\r\r\n\r\nx\r\r\r\ny",
	"8-bit":             "Subject: \xe4\xf6\r\n\r\n\xff\xfe\x80\r\n",
	"NUL":               "From: a\r\n\r\n\x00\x00\r\n",
	"only line ends":    "\r\n\n\r\r\n\r",
	"long line":         "From: a\r\n\r\n" + strings.Repeat("x", 100_000) + "\r\n",
	"CR at chunk's end": strings.Repeat("x", chunk-1) + "\r\n" + strings.Repeat("y", chunk-3) + "\rz\r\n",
	"CRs over chunks":   "a" + strings.Repeat("\r", chunk+5) + "b" + strings.Repeat("\r", chunk) + "\n" + strings.Repeat("\r", 20),
	"LFs only":          strings.Repeat("\n", chunk+7),
}

// dumbLF is what a file on disk holds of a wire message.
func dumbLF(wire string) string { return strings.ReplaceAll(wire, "\r\n", "\n") }

func TestBytesSurvive(t *testing.T) {
	m := open(t, Config{}, "A")
	for name, body := range bodies {
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r },
			"bytes": iotest.OneByteReader, "halves": iotest.HalfReader, "data and EOF": iotest.DataErrReader,
		} {
			if how == "bytes" && len(body) > 200_000 {
				continue // FuzzLineEnds has small steps over small messages
			}
			d, _ := m.Deliver(t.Context(), "A")
			key := m.NewKey()
			c, stamp, err := d.Write(mail.NewFile{Key: key}, wrap(strings.NewReader(body)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := d.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			disk := get(t, m, "A/new/"+string(key))
			if disk != dumbLF(body) || stamp.Size != int64(len(disk)) {
				t.Errorf("%s in %s: %d bytes on disk (%d stamped), want %d", name, how, len(disk), stamp.Size, len(dumbLF(body)))
			}
			if c != hashOf([]byte(body)) {
				t.Errorf("%s in %s: content %+v", name, how, c)
			}
			checkOpen(t, m, key, disk, c)
		}
	}
}

// checkOpen asserts that the wire form of a file is what its content says, has
// CR LF at every line end, and comes back as the same file.
func checkOpen(t *testing.T, m *Maildir, key mail.Key, disk string, c mail.Content) {
	t.Helper()
	r, err := m.Open(t.Context(), "A", key)
	if err != nil {
		t.Fatal(err)
	}
	wire, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if int64(len(wire)) != c.Wire || hashOf(wire) != c {
		t.Errorf("%.60q: wire form of %d bytes, want %d", disk, len(wire), c.Wire)
	}
	if n := bytes.Count(wire, []byte("\n")); n != bytes.Count(wire, []byte("\r\n")) || bytes.Contains(wire, []byte("\r\r\n")) {
		t.Errorf("%.60q: wire form has line ends that are not CR LF", disk)
	}
}

func TestBigMessageInLittleMemory(t *testing.T) {
	const size = 50 << 20
	m := open(t, Config{Fsync: true}, "A")
	line := bigBody(1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d, _ := m.Deliver(t.Context(), "A")
	body := io.LimitReader(&endless{text: line}, size)
	c, stamp, err := d.Write(mail.NewFile{Key: "big"}, body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := m.Open(t.Context(), "A", "big")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(struct{ io.Writer }{io.Discard}, r)
	if err != nil || n != size || c.Wire != size || c.Size != stamp.Size {
		t.Errorf("%d bytes of %d, %v; content %d, on disk %d", n, size, err, c.Wire, stamp.Size)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 5<<20 {
		t.Errorf("%d bytes were allocated for a message of %d", used, size)
	}
}

// endless repeats a text.
type endless struct {
	text []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.text[e.at:])
	e.at = (e.at + n) % len(e.text)
	return n, nil
}

func TestCopyLFTellsSidesApart(t *testing.T) {
	_, readErr, writeErr := copyLF(failWriter{}, strings.NewReader("x"))
	if readErr != nil || !errors.Is(writeErr, syscall.ENOSPC) {
		t.Errorf("full disk: %v, %v", readErr, writeErr)
	}
	_, readErr, writeErr = copyLF(io.Discard, iotest.ErrReader(io.ErrUnexpectedEOF))
	if readErr != io.ErrUnexpectedEOF || writeErr != nil {
		t.Errorf("broken body: %v, %v", readErr, writeErr)
	}
}

type failWriter struct{}

func (failWriter) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestReaderAfterClose(t *testing.T) {
	r := newWireReader(io.NopCloser(strings.NewReader("x\ny")))
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("a closed message can be read")
	}
}

func FuzzLineEnds(f *testing.F) {
	for _, b := range bodies {
		if len(b) < 1000 {
			f.Add([]byte(b), uint8(1))
			f.Add([]byte(b), uint8(5))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, step uint8) {
		var disk bytes.Buffer
		size := int(step)%64 + 1
		c, readErr, writeErr := copyLF(&disk, &stepReader{body, size})
		if readErr != nil || writeErr != nil {
			t.Fatal(readErr, writeErr)
		}
		if disk.String() != dumbLF(string(body)) {
			t.Fatalf("%q on disk is %q", body, disk.String())
		}
		if c != hashOf(body) || c != hashOf(disk.Bytes()) {
			t.Fatalf("%q: the content differs between wire and disk", body)
		}
		r := newWireReader(io.NopCloser(&stepReader{disk.Bytes(), size}))
		wire, err := io.ReadAll(&stepwise{r, size})
		if err != nil || int64(len(wire)) != c.Wire || hashOf(wire) != c {
			t.Fatalf("%q: wire form %q of %d bytes, want %d, %v", body, wire, len(wire), c.Wire, err)
		}
		if bytes.Count(wire, []byte("\n")) != bytes.Count(wire, []byte("\r\n")) {
			t.Fatalf("%q: wire form %q has a bare LF", body, wire)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// stepReader gives a few bytes at a time, stepwise asks for a few.
type stepReader struct {
	rest []byte
	step int
}

func (s *stepReader) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(s.step, len(p))], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

type stepwise struct {
	r    io.Reader
	step int
}

func (s *stepwise) Read(p []byte) (int, error) { return s.r.Read(p[:min(s.step, len(p))]) }

// A batch that may stay small holds its files open; none stays so.
func TestDeliveryClosesItsFiles(t *testing.T) {
	m := open(t, Config{Fsync: true}, "A")
	opened := func() int { return openFiles(t, m) }
	for n := range fewFiles + 2 {
		for _, commit := range []bool{true, false} {
			d, err := m.Deliver(t.Context(), "A")
			if err != nil {
				t.Fatal(err)
			}
			for range n {
				if _, _, err := d.Write(mail.NewFile{Key: m.NewKey()}, strings.NewReader("Subject: a\r\n\r\nb\r\n")); err != nil {
					t.Fatal(err)
				}
			}
			if most := fewFiles + 1; opened() > most { // and the directory
				t.Errorf("%d messages: %d files are open, more than %d", n, opened(), most)
			}
			if commit {
				if failed, err := d.Commit(t.Context()); err != nil || len(failed) > 0 {
					t.Fatal(failed, err)
				}
			}
			d.Discard()
			if left := opened(); left > 0 {
				t.Errorf("%d messages, commit %v: %d files are still open", n, commit, left)
			}
		}
	}
}

// openFiles counts the files of the Maildir that this process holds open.
func openFiles(t *testing.T, m *Maildir) (files int) {
	t.Helper()
	const own = "/proc/self/fd"
	fds, err := os.ReadDir(own)
	if err != nil {
		t.Skip(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join(own, fd.Name())); err == nil && strings.HasPrefix(to, m.root) {
			files++
		}
	}
	return files
}

// A message that comes in pieces is written in one.
func TestOneWriteForASmallMessage(t *testing.T) {
	var w countWrites
	if _, readErr, err := copyLF(&w, iotest.OneByteReader(strings.NewReader(strings.Repeat("line\r\n", 2000)))); readErr != nil || err != nil {
		t.Fatal(readErr, err)
	}
	if w != 1 {
		t.Errorf("%d writes", w)
	}
}

type countWrites int

func (c *countWrites) Write(p []byte) (int, error) {
	*c++
	return len(p), nil
}

func BenchmarkDeliver(b *testing.B) {
	for _, fsync := range []bool{false, true} {
		b.Run(fmt.Sprint("fsync=", fsync), func(b *testing.B) {
			m := open(b, Config{Fsync: fsync}, "A")
			body := bigBody(340) // 26 KB, the mean of real mail
			const batch = 500
			for b.Loop() {
				d, err := m.Deliver(b.Context(), "A")
				if err != nil {
					b.Fatal(err)
				}
				for range batch {
					if _, _, err := d.Write(mail.NewFile{Key: m.NewKey()}, bytes.NewReader(body)); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := d.Commit(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
