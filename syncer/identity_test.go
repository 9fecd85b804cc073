package syncer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"imapsync/internal/simworld"
	"imapsync/mail"
	"imapsync/syncer"
)

// deaf is a server that cannot be reached.
type deaf struct{ syncer.Remote }

func (deaf) Folders(context.Context) ([]mail.RemoteFolder, error) {
	return nil, &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassTemporary, Doing: "connect", Err: errors.New("no such host")}
}

// TestServerIdentity: a server is its host, but on this machine its port as well; and
// what is recorded of it is given up only for one that answers.
func TestServerIdentity(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		silent   bool   // the new one does not answer, and the old one is taken again
		want     string // a message that was deleted comes back when all is matched anew
	}{
		"port":             {from: "imap.example.org:143", to: "imap.example.org:993", want: "A C"},
		"host":             {from: "imap.example.org:993", to: "imap.example.net:993", want: "A B C"},
		"port here":        {from: "127.0.0.1:1143", to: "127.0.0.1:2143", want: "A B C"},
		"port here, IPv6":  {from: "[::1]:1143", to: "[::1]:2143", want: "A B C"},
		"port here, named": {from: "localhost:1143", to: "localhost:2143", want: "A B C"},
		"tunnel":           {from: "tunnel-0123456789ab", to: "tunnel-0123456789ac", want: "A B C"},
		"silent":           {from: "imap.example.org:993", to: "imap.example.net:993", silent: true, want: "A C"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.server = c.from
			for _, m := range []string{"A", "B", "C"} {
				b.edit(simworld.Remote, simworld.Add, mail.Inbox, m)
			}
			b.settled()
			b.edit(simworld.Local, simworld.Delete, mail.Inbox, "B")
			b.server = c.to
			if c.silent {
				b.Begin(time.Hour)
				b.remote = deaf{b.Server}
				if _, err := syncer.Run(t.Context(), b.account(), syncer.Options{Lanes: 1}, nil); mail.ClassOf(err) != mail.ClassTemporary {
					t.Errorf("%v", err)
				}
				b.server, b.remote = c.from, b.Server
			}
			b.settled()
			b.want(c.want)
			marker, _, err := b.Disk.Marker(t.Context())
			if want := " me@" + b.server + " #"; err != nil || !strings.Contains(marker, want) {
				t.Errorf("the Maildir's mark is %q, %v, want …%s…", marker, err, want)
			}
		})
	}
}

// cutOff is a state that fails before it records an identity.
type cutOff struct{ syncer.State }

func (c cutOff) Commit(ctx context.Context, b mail.Batch) error {
	if b.Identity != nil {
		return &mail.Fault{Scope: mail.ScopeAccount, Doing: "write state", Err: errors.New("no space left on device")}
	}
	return c.State.Commit(ctx, b)
}

// TestMaildirFromBackup: what came since the backup is no deletion, also where the run
// that finds it out ends between the Maildir's mark and the state.
func TestMaildirFromBackup(t *testing.T) {
	for _, cut := range []bool{false, true} {
		b := newBench(t)
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "A")
		b.settled()
		old, _, err := b.Disk.Marker(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.edit(simworld.Remote, simworld.Add, mail.Inbox, "B")
		b.settled()
		b.edit(simworld.Local, simworld.Delete, mail.Inbox, "B")
		if err := b.Disk.SetMarker(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		if cut {
			b.Begin(time.Hour)
			acc := b.account()
			acc.State = cutOff{b.Record}
			if _, err := syncer.Run(t.Context(), acc, syncer.Options{Lanes: 1}, nil); err == nil {
				t.Error("no error")
			}
		}
		b.settled()
		b.want("A B")
	}
}
