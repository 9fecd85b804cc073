package remote

import (
	"io"
	"log"
	"net"
	"slices"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"imapsync/mail"
)

// memoryServer starts go-imap's own server with one account.
func memoryServer(t *testing.T, caps imap.CapSet) string {
	t.Helper()
	user := imapmemserver.NewUser("user", "secret")
	if err := user.Create("INBOX", nil); err != nil {
		t.Fatal(err)
	}
	store := imapmemserver.New()
	store.AddUser(user)
	srv := imapserver.New(&imapserver.Options{
		NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			return store.NewSession(), nil, nil
		},
		Caps:         caps,
		InsecureAuth: true,
		Logger:       log.New(io.Discard, "", 0),
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = srv.Serve(ln)
	}()
	t.Cleanup(func() {
		_ = srv.Close()
		<-done
	})
	return ln.Addr().String()
}

// TestMemoryServer goes through a small account's life on an IMAP4rev2 server
// and on one that has nothing.
func TestMemoryServer(t *testing.T) {
	for name, caps := range map[string]imap.CapSet{
		"rev1": {imap.CapIMAP4rev1: {}},
		"rev2": {imap.CapIMAP4rev1: {}, imap.CapIMAP4rev2: {}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			a := accountAt(t, memoryServer(t, caps), "user", "secret")
			if err := a.CreateFolder(ctx, "Entwürfe/alt"); err != nil {
				t.Fatal(err)
			}
			folders, err := a.Folders(ctx)
			if err != nil || len(folders) < 2 {
				t.Fatal(folders, err)
			}
			m := open(t, a, mail.Inbox)
			uids := mustAppend(t, m, outgoing(message(1), ":S"), outgoing(message(2), ":T todo"), outgoing(message(3), ":"))
			if err := m.Store(ctx, uids[2:], mail.ParseFlags(":F"), mail.Flags{}); err != nil {
				t.Fatal(err)
			}
			if _, err := m.Copy(ctx, uids[:1], "Entwürfe/alt", 0); err != nil {
				t.Fatal(err)
			}
			if err := m.Expunge(ctx, uids[:1]); err != nil {
				t.Fatal(err)
			}
			s := snapshot(t, m, mail.Known{}, false)
			if got := uidsOf(s); !slices.Equal(got, uids[1:]) || s.Doubt != "" {
				t.Fatalf("left are %v of %v, doubt %q", got, uids, s.Doubt)
			}
			for i, want := range []string{":T todo", ":F"} {
				if got := s.Messages[uids[i+1]].Flags; !got.Equal(mail.ParseFlags(want)) {
					t.Errorf("UID %d has %v, want %v", uids[i+1], got, want)
				}
			}
			bodies, errs, err := fetchAll(t, m, uids)
			if err != nil || bodies[uids[1]] != message(2) || bodies[uids[2]] != message(3) || errs[uids[0]] != mail.ErrChanged {
				t.Errorf("bodies %v, errors %v, %v", bodies, errs, err)
			}
			old := open(t, a, "Entwürfe/alt")
			if s := snapshot(t, old, mail.Known{}, false); len(s.Messages) != 1 {
				t.Errorf("copied: %v", s.Messages)
			}
		})
	}
}
