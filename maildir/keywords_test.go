package maildir

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"imapsync/mail"
)

func TestParseTable(t *testing.T) {
	for text, want := range map[string]table{
		"":                      {},
		"0 todo\n1 $Label1\n":   {0: "todo", 1: "$Label1"},
		"25 last":               {25: "last"},
		"0 a\r\n2 with space\n": {0: "a", 2: "with space"},
		"26 over\n-1 under\nx y\n3\n3 \n\n 4 z\n": {},
		"0 first\n0 second\n":                     {0: "second"},
		"1 Entwürfe\n":                            {1: "Entwürfe"},
	} {
		if got := parseTable([]byte(text)); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add([]byte("0 todo\n1 $Label1\n25 x y\n"), "aSb", "todo", "$Label1")
	f.Add([]byte("3 $Forwarded\n4 \\Seen\n"), "PdSe", "x", "$forwarded")
	f.Fuzz(func(t *testing.T, text []byte, letters, add, remove string) {
		table := parseTable(text)
		if back := parseTable(table.text()); back != table {
			t.Fatalf("%q: %q comes back as %q", text, table, back)
		}
		if strings.ContainsAny(letters, ",") {
			return
		}
		a, r := flags(add), flags(remove)
		after := table.change(letters, a, r)
		if again := table.change(after, a, r); again != after {
			t.Fatalf("%q +%v -%v: %q, then %q", letters, a, r, after, again)
		}
		got := table.flags(after)
		var named []string // what of add has a letter
		for _, k := range a.Keywords() {
			if table.letter(k) != 0 {
				named = append(named, k)
			}
		}
		wanted := table.flags(letters).Minus(r).Union(mail.NewFlags(a.System, named...))
		if !got.Equal(wanted) {
			t.Fatalf("%q +%v -%v by %q: %q says %v, want %v", letters, a, r, table, after, got, wanted)
		}
		for i := 0; i < len(letters); i++ {
			if c := letters[i : i+1]; table.meaning(letters[i]).IsEmpty() && !strings.Contains(after, c) {
				t.Fatalf("%q +%v -%v: %q lost %q, which has no meaning", letters, a, r, after, c)
			}
		}
	})
}

func TestKeywordsOverflow(t *testing.T) {
	m := open(t, Config{Fsync: true}, "A")
	put(t, m, "A/dovecot-keywords", "0 kw00\n")
	put(t, m, "A/cur/stray:2,c", "x") // c must not come to mean something
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf("kw%02d", i))
	}
	key := deliver(t, m, "A", ":S "+strings.Join(all[:20], " "), "x")
	s := scan(t, m, "A")
	if !s.Space.AnyKeyword || len(s.Messages[key].Flags.Keywords()) != 20 {
		t.Fatalf("%v, %+v", s.Messages[key].Flags, s.Space)
	}
	if err := m.SetFlags(t.Context(), "A", key, flags(": "+strings.Join(all[20:], " ")), mail.Flags{}); err != nil {
		t.Fatal(err)
	}
	s = scan(t, again(t, m), "A")
	if got := s.Messages[key].Flags; !got.Equal(flags(":S " + strings.Join(all[:25], " "))) {
		t.Errorf("stored: %v", got)
	}
	if s.Space.AnyKeyword || !s.Space.Keywords.HasKeyword("KW24") || s.Space.Keywords.HasKeyword("kw25") {
		t.Errorf("space: %+v", s.Space)
	}
	if got := s.Messages["stray"].Flags; !got.IsEmpty() {
		t.Errorf("a stray letter has got the meaning %v", got)
	}
	// A message with nothing but a keyword that has no letter is still not new mail.
	over := deliver(t, m, "A", ": kw29", "x")
	if l := scan(t, m, "A").Messages[over]; l.New || !l.Flags.IsEmpty() {
		t.Errorf("%+v", l)
	}
	if text := get(t, m, "A/dovecot-keywords"); strings.Count(text, "\n") != 25 || strings.Contains(text, "2 ") && strings.HasPrefix(text, "2 ") {
		t.Errorf("table:\n%s", text)
	}
	if found := files(t, filepath.Join(m.root, "A")); len(found) != 4 {
		t.Errorf("a lock was left: %q", found)
	}
}

// TestLostTable covers a Maildir that was copied without its dovecot-keywords:
// the letters' meaning is gone, and no keyword may look removed for it.
func TestLostTable(t *testing.T) {
	m := open(t, Config{}, "A")
	key := deliver(t, m, "A", ":S todo", "x")
	base := flags(":S todo")
	os.Remove(filepath.Join(m.root, "A/dovecot-keywords"))
	s := scan(t, again(t, m), "A")
	if got := s.Space.Complete(base, s.Messages[key].Flags); !got.Equal(base) {
		t.Errorf("the message seems to have %v", got)
	}
	if err := m.SetFlags(t.Context(), "A", key, flags(":F other"), mail.Flags{}); err != nil {
		t.Fatal(err)
	}
	want(t, m, "A", "cur/"+string(key)+":2,FSab", "dovecot-keywords") // a may be something else
}

// TestStrayLetter covers a table that has lost one line: no keyword may look removed
// for it, whatever letter it gets anew.
func TestStrayLetter(t *testing.T) {
	m := open(t, Config{}, "A")
	put(t, m, "A/dovecot-keywords", "0 todo\n")
	put(t, m, "A/cur/k:2,Sac", "x")
	put(t, m, "A/cur/l:2,", "x")
	if err := m.SetFlags(t.Context(), "A", "l", flags(": lost"), mail.Flags{}); err != nil {
		t.Fatal(err)
	}
	want(t, m, "A", "dovecot-keywords", "cur/k:2,Sac", "cur/l:2,b")
	base := flags(":S todo lost")
	s := scan(t, m, "A")
	if got := s.Space.Complete(base, s.Messages["k"].Flags); !got.Equal(base) {
		t.Errorf("the message seems to have %v", got)
	}
	if s := m.Skipped(); len(s) != 1 || !strings.Contains(s[0].Error(), "does not say what c in file names stands for") {
		t.Errorf("told: %v", s)
	}
	put(t, m, "A/dovecot-keywords", "0 todo\n1 lost\n2 lost\n")
	s = scan(t, again(t, m), "A")
	if got := s.Space.Complete(base, flags(":S")); !got.Equal(flags(":S")) || !s.Messages["k"].Flags.Equal(base) {
		t.Errorf("with the line back: %v, %v", got, s.Messages)
	}
}

func TestUnreadableTableIsNoEmptyOne(t *testing.T) {
	m := open(t, Config{}, "A")
	key := deliver(t, m, "A", ":S todo", "x")
	table := filepath.Join(m.root, "A/dovecot-keywords")
	if err := errors.Join(os.Remove(table), os.Mkdir(table, 0o700)); err != nil {
		t.Fatal(err)
	}
	_, err := m.Scan(t.Context(), "A", false)
	wantScope(t, err, mail.ScopeFolder, "read keywords")
	if m.Remove(t.Context(), "A", key, flags(":S"), mail.FileStamp{}) == nil {
		t.Error("a message was removed though its keywords are not known")
	}
}

func TestKeywordsTimeGrows(t *testing.T) {
	m := open(t, Config{}, "A")
	path := filepath.Join(m.root, "A/dovecot-keywords")
	deliver(t, m, "A", ": a", "x")
	last := time.Time{}
	for i := range 3 {
		deliver(t, m, "A", fmt.Sprint(": more", i), "x")
		info, err := os.Stat(path)
		if err != nil || info.ModTime().Unix() <= last.Unix() {
			t.Fatalf("%v, then %v, %v", last, info.ModTime(), err)
		}
		last = info.ModTime()
	}
}

func TestKeywordsLock(t *testing.T) {
	m := open(t, Config{}, "A")
	lock := filepath.Join(m.root, "A", keywordsLock)
	free := func() { deliver(t, m, "A", ": kw"+string(m.NewKey()), "x") }
	free()

	// Left by a process of this host that is dead.
	dead := 1 << 30
	put(t, m, "A/"+keywordsLock, fmt.Sprintf("%d:%s", dead, m.host))
	free()

	// Old, of whatever host.
	put(t, m, "A/"+keywordsLock, "1:elsewhere")
	old := time.Now().Add(-3 * time.Minute)
	if err := os.Chtimes(lock, old, old); err != nil {
		t.Fatal(err)
	}
	free()

	// Left by a process that was killed before it could write who it is.
	put(t, m, "A/"+keywordsLock, "")
	instant := time.Now().Add(-lockOwned - time.Second)
	if err := os.Chtimes(lock, instant, instant); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	free()
	if waited := time.Since(start); waited > lockPatience/2 {
		t.Errorf("waited %v for nobody", waited)
	}

	// Held: nothing is written until it is free, and a known keyword needs no lock.
	put(t, m, "A/"+keywordsLock, "1:elsewhere")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, _ := m.folder("A")
	if _, err := f.withKeywords(ctx, []string{"blocked"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a held lock: %v", err)
	}
	known := parseTable([]byte(get(t, m, "A/dovecot-keywords")))[0]
	if table, err := f.withKeywords(ctx, []string{known}); err != nil || table.letter("blocked") != 0 {
		t.Errorf("%v, %q", err, table)
	}
	if get(t, m, "A/"+keywordsLock) != "1:elsewhere" {
		t.Error("a held lock was taken away")
	}
	if err := os.Remove(lock); err != nil {
		t.Fatal(err)
	}
	free()
}

// TestKeywordsTogether has two processes' worth of Maildirs make keywords at
// once: each keyword gets one letter, each letter one keyword.
func TestKeywordsTogether(t *testing.T) {
	a := open(t, Config{}, "A")
	b := again(t, a)
	var wg sync.WaitGroup
	var mu sync.Mutex
	keys := map[mail.Key]string{}
	for n, m := range []*Maildir{a, b} {
		wg.Go(func() {
			for i := range 12 {
				set := fmt.Sprintf(": shared%d own%d-%d", i%4, n, i%8)
				d, err := m.Deliver(t.Context(), "A")
				if err != nil {
					t.Error(err)
					return
				}
				key := m.NewKey()
				d.Write(mail.NewFile{Key: key, Flags: flags(set)}, strings.NewReader("x"))
				if failed, err := d.Commit(t.Context()); err != nil || len(failed) > 0 {
					t.Error(err, failed)
				}
				mu.Lock()
				keys[key] = set
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for key, set := range keys {
		if got := flagsOf(t, a, "A", key); got != flags(set).String() {
			t.Errorf("%s has %s, want %s", key, got, set)
		}
	}
	text := get(t, a, "A/dovecot-keywords")
	if n := bytes.Count([]byte(text), []byte("\n")); n != 4+2*8 {
		t.Errorf("%d letters are taken:\n%s", n, text)
	}
}
