package bare_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imapsync/internal/bench/bare"
	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
)

// onServer reads all messages, as "folder flags sum".
func onServer(t *testing.T, a bare.Account) map[string]int {
	t.Helper()
	c, err := bare.Dial(a.Addr, a.User, a.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	folders, err := c.Folders()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	err = c.Fetch(folders, func(m bare.Message, size int, r io.Reader) error {
		body, err := io.ReadAll(r)
		if len(body) != size {
			t.Errorf("%d bytes of %d", len(body), size)
		}
		found[fmt.Sprintf("%s %s %x", m.Folder, bare.Letters(m.Flags), corpus.Sum(body))]++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWork(t *testing.T) {
	s := dovecot.Start(t, dovecot.WithFormat("mdbox"))
	a := bare.Account{Addr: s.Addr(), User: "alice", Password: s.Password, Maildir: t.TempDir()}
	c, err := bare.Dial(a.Addr, a.User, a.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	generator := corpus.New(3)
	want := map[string]int{}
	for f := range 6 { // more than there are connections
		folder := fmt.Sprintf("Folder %d", f)
		if err := c.Do(nil, fmt.Sprintf("CREATE %q", folder)); err != nil {
			t.Fatal(err)
		}
		err := c.Append(folder, 25*f, 20, func(int) (bare.Upload, error) {
			m := generator.Sized(3000)
			letters := []string{"", "S", "FRS"}[len(want)%3]
			want[fmt.Sprintf("%s %s %x", folder, letters, corpus.Sum(m.Body))]++
			return bare.Upload{Flags: bare.Names(letters), Date: time.Unix(0, 0), Body: corpus.Wire(m.Body)}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got := onServer(t, a); !maps.Equal(got, want) {
		t.Fatalf("%d messages appended, %d as wanted", len(got), len(want))
	}

	if err := a.Download(); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	files, _ := filepath.Glob(a.Maildir + "/*/cur/*")
	for _, path := range files {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, letters, _ := strings.Cut(path, ":2,")
		got[fmt.Sprintf("%s %s %x", filepath.Base(filepath.Dir(filepath.Dir(path))), letters, corpus.Sum(body))]++
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d messages downloaded, %d as wanted", len(got), len(want))
	}
	if left, _ := filepath.Glob(a.Maildir + "/*/tmp/*"); len(left) > 0 {
		t.Errorf("left in tmp: %q", left)
	}
	if err := a.Unchanged(); err != nil {
		t.Error(err)
	}

	other := a
	other.User = "bob"
	d, err := bare.Dial(other.Addr, other.User, other.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Do(nil, `CREATE "Folder 5"`); err != nil {
		t.Fatal(err)
	}
	if err := other.Upload("Folder 5"); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(want, func(k string, _ int) bool { return !strings.HasPrefix(k, "Folder 5") })
	if got := onServer(t, other); !maps.Equal(got, want) {
		t.Errorf("%d messages uploaded, %d as wanted", len(got), len(want))
	}
}

func TestRefusals(t *testing.T) {
	s := dovecot.Start(t)
	if _, err := bare.Dial(s.Addr(), "alice", "wrong"); err == nil {
		t.Error("logged in with a wrong password")
	}
	c, err := bare.Dial(s.Addr(), "alice", s.Password)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.Append("Nowhere", 1, 1, func(int) (bare.Upload, error) { return bare.Upload{Body: []byte("x\r\n")}, nil })
	if err == nil || !strings.Contains(err.Error(), "TRYCREATE") {
		t.Errorf("appended to a mailbox that is not there: %v", err)
	}
}
