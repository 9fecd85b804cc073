package remote

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/mail"
)

const multiCaps = allCaps + " MULTIAPPEND"

// messagesIn tells how many messages an APPEND has.
func messagesIn(args string) int { return strings.Count(args, "+}") }

// taking answers APPENDs as a server does that gives UIDs from 4 on, unless
// refuse has a say; what it refuses it does not store.
func taking(refuse func(messages int, args string) (answer string)) map[string]answer {
	next := 4
	return map[string]answer{
		"APPEND": func(c *fakeConn, tag, args string) {
			n := messagesIn(args)
			if answer := refuse(n, args); answer != "" {
				c.send("%s %s", tag, answer)
				return
			}
			set := fmt.Sprintf("%d:%d", next, next+n-1)
			if n == 1 {
				set = fmt.Sprint(next)
			}
			next += n
			c.send("* %d EXISTS\n%s OK [APPENDUID 9 %s] done", next-1, tag, set)
		},
		"UID SEARCH": func(c *fakeConn, tag, args string) {
			c.send("* ESEARCH (TAG \"%s\") UID ALL %d:%d\n%s OK done", tag, min(4, next-1), next-1, tag)
		},
	}
}

func takesAll(int, string) string { return "" }

// sizes tells how many messages each APPEND had that the server got.
func (f *fake) sizes() (sizes []int) {
	for _, line := range f.sent("APPEND") {
		sizes = append(sizes, messagesIn(line))
	}
	return sizes
}

func unreadable(err error) mail.Outgoing {
	m := outgoing(message(0), ":")
	m.Open = func() (io.ReadCloser, error) { return nil, err }
	return m
}

func many(n int) (messages []mail.Outgoing) {
	for i := range n {
		messages = append(messages, outgoing(message(i), ":S"))
	}
	return messages
}

// TestBatch: messages go in batches, those that cannot be read are left out, and
// the UIDs find their messages.
func TestBatch(t *testing.T) {
	f := newFake(t, multiCaps, taking(takesAll))
	m := open(t, f.account(), mail.Inbox)
	messages := many(2*batchMessages + 3)
	short := outgoing("too short", ":")
	short.Size++
	messages[0], messages[7], messages[8] = unreadable(mail.ErrChanged), unreadable(errors.New("bad sector")), short
	got, err := appendAll(t, m, messages...)
	if err != nil || len(got) != len(messages) {
		t.Fatal(len(got), err)
	}
	next := mail.UID(4)
	for i, g := range got {
		if i == 0 || i == 7 || i == 8 {
			wantScope(t, g.err, mail.ScopeMessage, mail.ClassFailed)
			continue
		}
		if g.err != nil || g.uid != next {
			t.Fatalf("message %d: %+v, want UID %d", i, g, next)
		}
		next++
	}
	if got := fmt.Sprint(f.sizes()); got != "[48 50 2]" {
		t.Errorf("batches of %s", got)
	}
	if data := f.literals(); len(data) != len(messages)-3 || data[0] != message(1) || data[6] != message(9) {
		t.Errorf("%d messages arrived, %q", len(data), data[6])
	}
}

// TestNoBatch: what cannot go in a batch goes alone, in its place.
func TestNoBatch(t *testing.T) {
	large := func(n int) mail.Outgoing { return outgoing("Subject: x\r\n\r\n"+strings.Repeat("x", n), ":") }
	messages := []mail.Outgoing{outgoing(message(1), ":"), outgoing(message(2), ":"), large(5000), outgoing(message(3), ":"),
		large(wholeUpload), outgoing(message(4), ":"), outgoing(message(5), ":")}
	minus := strings.Replace(multiCaps, "LITERAL+", "LITERAL-", 1)
	for caps, want := range map[string]string{
		multiCaps: "[4 1 2]",
		minus:     "[2 0 1 0 2]", // 0: a literal that was awaited
		allCaps:   "[1 1 1 1 1 1 1]",
		strings.Replace(multiCaps, "UIDPLUS", "", 1): "[1 1 1 1 1 1 1]", // a refusal could not be told from a lie
	} {
		on := taking(takesAll)
		takes := on["APPEND"]
		on["APPEND"] = func(c *fakeConn, tag, args string) {
			if messagesIn(args) == 0 {
				args += "+}"
			}
			takes(c, tag, args)
		}
		f := newFake(t, caps, on)
		got, err := appendAll(t, open(t, f.account(), mail.Inbox), messages...)
		if err != nil || len(got) != len(messages) || got[6].uid != 0 && got[6].uid != 10 {
			t.Fatal(caps, got, err)
		}
		if got := fmt.Sprint(f.sizes()); got != want {
			t.Errorf("%s: batches of %s, want %s", caps, got, want)
		}
	}
}

// TestBatchesSentAhead has a server that answers nothing before it has all: small
// messages in batches and large ones on their own are sent ahead of its answers.
func TestBatchesSentAhead(t *testing.T) {
	messages := many(120)
	messages = append(messages, outgoing("Subject: x\r\n\r\n"+strings.Repeat("x", wholeUpload), ":"))
	messages = append(messages, many(120)...)
	var waiting []string
	next := 4
	f := newFake(t, multiCaps, map[string]answer{"APPEND": func(c *fakeConn, tag, args string) {
		n := max(1, messagesIn(args))
		waiting = append(waiting, fmt.Sprintf("%s OK [APPENDUID 9 %d:%d] done", tag, next, next+n-1))
		if next += n; next == 4+len(messages) {
			c.send("%s", strings.Join(waiting, "\n"))
		}
	}})
	got, err := appendAll(t, open(t, f.account(), mail.Inbox), messages...)
	if err != nil || len(got) != len(messages) || got[len(got)-1].uid != mail.UID(next-1) {
		t.Error(len(got), err)
	}
}

// TestAppendTakesNoMoreThanItMay: of an endless sequence no more is taken ahead of
// the answers than the window holds.
func TestAppendTakesNoMoreThanItMay(t *testing.T) {
	f := newFake(t, multiCaps, map[string]answer{"APPEND": func(c *fakeConn, tag, args string) {
		if len(c.f.sent("APPEND")) == aheadMessages/batchMessages {
			c.Close()
		}
	}})
	taken := 0
	err := open(t, f.account(), mail.Inbox).Append(t.Context(), func(yield func(mail.Outgoing) bool) {
		for taken = 1; yield(outgoing(message(taken), ":")); taken++ {
		}
	}, func(i int, uid mail.UID, err error) { t.Errorf("message %d: UID %d, %v", i, uid, err) })
	wantScope(t, err, mail.ScopeFolder, mail.ClassTemporary)
	if taken != aheadMessages+1 {
		t.Errorf("%d messages were taken", taken)
	}
}

// TestBatchRefused: the messages of a refused batch are sent again one by one,
// so that only the one at fault is, though a later batch was under way.
func TestBatchRefused(t *testing.T) {
	bad := message(3)
	for _, words := range []string{"NO no", "BAD what", "NO [TOOBIG] large", "NO [LIMIT] too large", "NO [OVERQUOTA] full"} {
		size := fmt.Sprintf("{%d+}", len(bad)+1)
		f := newFake(t, multiCaps, taking(func(_ int, args string) string {
			if strings.Contains(args, size) {
				return words
			}
			return ""
		}))
		m := open(t, f.account(), mail.Inbox)
		messages := many(batchMessages + 2)
		messages[3] = outgoing(bad+"!", ":")
		got, err := appendAll(t, m, messages...)
		if err != nil || len(got) != len(messages) {
			t.Fatal(words, len(got), err)
		}
		uids := map[mail.UID]bool{}
		for i, g := range got {
			if (g.err != nil) != (i == 3) || g.err == nil && (g.uid == 0 || uids[g.uid]) {
				t.Errorf("%s: message %d: %+v", words, i, g)
			}
			uids[g.uid] = true
		}
		if got[50].uid != 4 || got[0].uid != 6 {
			t.Errorf("%s: the second batch has %d, the first %d", words, got[50].uid, got[0].uid)
		}
	}
}

// TestBatchRefusedBeforeABrokenMessage: what a refused batch needs is asked on
// another connection where the one it went on is in the midst of a message that
// cannot be read to its end.
func TestBatchRefusedBeforeABrokenMessage(t *testing.T) {
	f := newFake(t, multiCaps, taking(func(n int, _ string) string {
		if n == 3 {
			return "NO no"
		}
		return ""
	}))
	large := strings.Repeat("x", wholeUpload+10)
	broken := outgoing(large+"!", ":")
	broken.Open = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(large), errorReader{errors.New("input/output error")})), nil
	}
	m := open(t, f.account(), mail.Inbox)
	got, err := appendAll(t, m, append(many(3), broken, outgoing("last", ":"))...)
	if err != nil || len(got) != 5 {
		t.Fatal(len(got), err)
	}
	for i, g := range got {
		if (g.err != nil) != (i == 3) {
			t.Errorf("message %d: %+v", i, g)
		}
	}
	wantScope(t, got[3].err, mail.ScopeMessage, mail.ClassFailed, "input/output error")
	if data := f.literals(); !slices.Equal(data[3:], []string{message(0), message(1), message(2), "last"}) {
		t.Errorf("%d messages arrived", len(data))
	}
}

// TestBatchRefusedForTheFolder: a throttled server is not asked again message by
// message.
func TestBatchRefusedForTheFolder(t *testing.T) {
	for words, class := range map[string]mail.Class{
		"NO [TRYCREATE] no such mailbox": mail.ClassFailed,
		"NO [UNAVAILABLE] later":         mail.ClassTemporary,
	} {
		f := newFake(t, multiCaps, taking(func(int, string) string { return words }))
		m := open(t, f.account(), mail.Inbox)
		messages := many(aheadMessages + 50)
		messages[1] = unreadable(mail.ErrChanged)
		got, err := appendAll(t, m, messages...)
		if err != nil || len(got) != len(messages) {
			t.Fatal(words, len(got), err)
		}
		for i, g := range got {
			if scope := mail.ScopeOf(g.err); i == 1 && scope != mail.ScopeMessage || i != 1 && (scope != mail.ScopeFolder || mail.ClassOf(g.err) != class) {
				t.Fatalf("%s: message %d: %v", words, i, g.err)
			}
		}
		if got := fmt.Sprint(f.sizes()); got != fmt.Sprint(append([]int{batchMessages - 1}, slices.Repeat([]int{batchMessages}, aheadMessages/batchMessages-1)...)) {
			t.Errorf("%s: batches of %s", words, got)
		}
	}
}

// TestBatchRefusedByALiar: a server that refuses a batch and keeps a part is
// not sent it again, for it would have messages twice.
func TestBatchRefusedByALiar(t *testing.T) {
	for words, keeps := range map[string]int{"NO [SERVERBUG] sorry": 2, "NO [OVERQUOTA] full": 1, "NO [UNAVAILABLE] later": 3, "BAD what": 50} {
		on := taking(takesAll)
		honest := on["APPEND"]
		batches := 0
		on["APPEND"] = func(c *fakeConn, tag, args string) {
			if batches++; batches == 2 {
				honest(c, "*", strings.Repeat("+}", keeps))
				c.send("%s %s", tag, words)
				return
			}
			honest(c, tag, args)
		}
		f := newFake(t, multiCaps, on)
		m := open(t, f.account(), mail.Inbox)
		got, err := appendAll(t, m, many(3*batchMessages)...)
		wantScope(t, err, mail.ScopeFolder, mail.ClassTemporary, "refused as a whole", words[:6])
		if len(got) != batchMessages {
			t.Errorf("%s: %d messages are known to be stored", words, len(got))
		}
		if got := fmt.Sprint(f.sizes()); got != "[50 50 50]" {
			t.Errorf("%s: batches of %s", words, got)
		}
		if _, err := appendAll(t, m, many(2)...); err != nil {
			t.Errorf("%s: afterwards: %v", words, err)
		}
		if sizes := fmt.Sprint(f.sizes()); sizes != "[50 50 50 1 1]" {
			t.Errorf("%s: afterwards %s", words, sizes)
		}
	}
}

// TestBatchAnswers: what a server may say of UIDs, and that it may be gone
// before it says anything.
func TestBatchAnswers(t *testing.T) {
	for _, test := range []struct {
		answer string
		known  bool
	}{
		{"OK [APPENDUID 9 4:5,7] done", true},
		{"OK [APPENDUID 9 4:7] done", false},
		{"OK [APPENDUID 9 4] done", false},
		{"OK [APPENDUID 8 4:6] done", false}, // another mailbox of that name
		{"OK [UIDNEXT 4] done", false},
		{"OK done", false},
	} {
		f := newFake(t, multiCaps, taking(func(int, string) string { return test.answer }))
		got, err := appendAll(t, open(t, f.account(), mail.Inbox), many(3)...)
		want := "[{0 <nil>} {0 <nil>} {0 <nil>}]"
		if test.known {
			want = "[{4 <nil>} {5 <nil>} {7 <nil>}]"
		}
		if err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v", test.answer, got, err)
		}
	}
	f := newFake(t, multiCaps, map[string]answer{"APPEND": func(c *fakeConn, tag, args string) { c.Close() }})
	got, err := appendAll(t, open(t, f.account(), mail.Inbox), many(2*batchMessages)...)
	wantScope(t, err, mail.ScopeFolder, mail.ClassTemporary)
	if len(got) != 0 {
		t.Errorf("%d messages have an answer", len(got))
	}
}

// TestDovecotBatch: the real thing takes batches and tells all UIDs; of one that
// is refused it stores nothing.
func TestDovecotBatch(t *testing.T) {
	srv := dovecot.Start(t, dovecot.WithQuota(256<<10))
	a := accountAt(t, srv.Addr(), "alice", srv.Password)
	m := open(t, a, mail.Inbox)
	before := a.Stats().Commands
	got, err := appendAll(t, m, many(3*batchMessages)...)
	if err != nil || a.Stats().Commands-before != 3 {
		t.Fatal(a.Stats().Commands-before, "commands", err)
	}
	for i, g := range got {
		if g.err != nil || g.uid != mail.UID(i+1) {
			t.Fatalf("message %d: %+v", i, g)
		}
	}
	full := outgoing("Subject: full\r\n\r\n"+strings.Repeat("x", 200<<10), ":")
	got, err = appendAll(t, m, outgoing(message(1), ":"), full, full)
	if err != nil || len(got) != 3 || got[0].err != nil || got[1].err != nil || got[1].uid != 152 {
		t.Fatal(got, err)
	}
	wantScope(t, got[2].err, mail.ScopeFolder, mail.ClassFailed, "OVERQUOTA")
	if n := len(snapshot(t, m, mail.Known{}, true).Messages); n != 152 {
		t.Errorf("%d messages in the mailbox", n)
	}
}
