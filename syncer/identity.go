package syncer

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"imapsync/mail"
	"imapsync/plan"
)

// CheckIdentity reports what would keep a run from beginning: a Maildir that is
// missing or not the one known. It changes nothing.
func CheckIdentity(ctx context.Context, acc Account) error {
	r := &run{Account: acc, events: func(Event) {}}
	if r.Now == nil {
		r.Now = time.Now
	}
	return r.checkIdentity(ctx)
}

// checkIdentity makes sure that state, Maildir and server belong together
// before anything is believed of any of them. A Maildir that is not there
// looks exactly like one whose mail was all deleted.
func (r *run) checkIdentity(ctx context.Context) error {
	id, err := r.State.Account(ctx)
	if err != nil {
		return err
	}
	marker, exists, err := r.Local.Marker(ctx)
	if err != nil {
		return err
	}
	records, err := r.folderRecords(ctx)
	if err != nil {
		return err
	}
	rows := 0
	for _, rec := range records {
		rows += rec.Rows - rec.RemoteOnly
	}
	if fault := r.checkMarker(id, marker, exists, rows); fault != nil {
		return fault
	}
	other := id.Server != "" && !sameAccount(accountOf(id), r.owner())
	r.foreign = other && r.isForeign(id, marker)
	r.behind = !r.foreign && rows > 0 && markerTurn(marker) < markerTurn(id.Marker)
	r.moved = other && !r.foreign || r.behind
	if r.foreign {
		r.note("", fmt.Sprintf("the state is that of %s on %s, not of this Maildir: both sides are matched again by their content, nothing is deleted",
			id.User, id.Server))
	}
	if r.moved && other {
		r.note("", fmt.Sprintf("the account is now %s on %s, it was %s on %s: messages are matched again by their content, nothing is deleted",
			r.Identity.User, r.Identity.Server, id.User, id.Server))
	}
	if r.behind {
		r.note("", fmt.Sprintf("%s is older than what is known of it, as after a restore from a backup: messages are matched again by their content, nothing is deleted", r.Maildir))
	}
	r.identity = mail.Identity{Marker: r.newMarker(id.Marker, marker), Server: r.Identity.Server, User: r.Identity.User, Layout: r.Identity.Layout}
	r.recorded, r.marker = id, marker
	r.hadMarker = markerID(marker) == markerID(r.identity.Marker) && markerOwner(marker) == r.owner()
	return nil
}

// sameIdentity reports whether nothing is to be recorded of the account and the
// Maildir but which turn it is.
func (r *run) sameIdentity() bool {
	was, now := r.recorded, r.identity
	return markerID(was.Marker) == markerID(now.Marker) && markerOwner(was.Marker) == markerOwner(now.Marker) &&
		was.Server == now.Server && was.User == now.User && was.Layout == now.Layout
}

// setMarker marks the Maildir as this account's, before anything is recorded of it.
// That only the turn cannot be written down is no reason to stop.
func (r *run) setMarker() error {
	if r.hadMarker && r.sameTurn {
		r.identity.Marker = r.marker
		return nil
	}
	err := r.Local.SetMarker(context.Background(), r.identity.Marker)
	r.turned = true
	if err != nil && r.hadMarker {
		r.identity.Marker, err = r.marker, nil
	}
	return err
}

// placesFile reports whether after an operation the base may have a file that a backup
// made before lacks.
func placesFile(o *plan.Op) bool {
	switch o.Kind {
	case plan.Leave, plan.Drop, plan.Tidy, plan.Forget, plan.ForgetFolder, plan.DeleteLocal, plan.DeleteRemote, plan.RemoveLocal, plan.RemoveRemote, plan.SetFlags:
		return false
	}
	return !o.Held
}

// newMarker is what .imapsync-id is to say: an identifier of this Maildir for
// ever, the account it is synchronised with, and the turn, one more with each run
// that gives the base files. The state says the same, so that a Maildir from a backup is
// told by its turn from one in which messages were deleted.
func (r *run) newMarker(recorded, found string) string {
	id := markerID(found)
	if id == "" {
		id = markerID(recorded)
	}
	if id == "" {
		id = string(r.Local.NewKey())
	}
	return fmt.Sprintf("%s %s #%d", id, r.owner(), max(markerTurn(recorded), markerTurn(found))+1)
}

// owner is the account as a marker names it.
func (r *run) owner() string { return accountOf(r.Identity) }

func accountOf(id mail.Identity) string { return id.User + "@" + id.Server }

// sameAccount reports whether two accounts, each user@host:port, are one: a host has
// one IMAP server, whatever ports it is reached by. On this machine each port may
// lead to another one, by a tunnel or a bridge.
func sameAccount(a, b string) bool {
	if a == b {
		return true
	}
	hostA, portA := cutPort(a)
	hostB, portB := cutPort(b)
	host := hostA[strings.LastIndex(hostA, "@")+1:]
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return hostA == hostB && portA != "" && portB != "" && host != "localhost" && (ip == nil || !ip.IsLoopback())
}

func cutPort(account string) (host, port string) {
	i := strings.LastIndex(account, ":")
	if i < 0 || strings.Trim(account[i+1:], "0123456789") != "" {
		return account, ""
	}
	return account[:i], account[i+1:]
}

func (r *run) checkMarker(id mail.Identity, marker string, exists bool, rows int) error {
	held := func(err error, hint string) error {
		return &mail.Fault{Scope: mail.ScopeAccount, Class: mail.ClassHeld, Doing: "check the Maildir", Err: err, Hint: hint}
	}
	const mount = "mount it, or set `maildir` right; nothing was deleted. To start afresh from what is there, remove the state file; nothing is deleted then either"
	switch {
	case rows > 0 && !exists:
		return held(fmt.Errorf("%s is missing or empty, but %d messages of it are known", r.Maildir, rows), mount)
	case rows > 0 && marker == "":
		return held(fmt.Errorf("%s has no .imapsync-id, but %d messages of it are known", r.Maildir, rows),
			fmt.Sprintf("if it is the right Maildir, restore .imapsync-id from a backup or write the line %q into it; else %s", id.Marker, mount))
	case r.isForeign(id, marker):
		return nil
	case id.Marker != "" && marker != "" && markerID(id.Marker) != markerID(marker):
		return held(fmt.Errorf("%s is another Maildir than the one known: its .imapsync-id says %q", r.Maildir, marker), mount)
	case id.Marker == "" && marker != "" && !sameAccount(markerOwner(marker), r.owner()):
		return held(fmt.Errorf("%s belongs to %q, not to %s@%s", r.Maildir, markerOwner(marker), r.Identity.User, r.Identity.Server),
			"if it is to be this account's from now on, remove its .imapsync-id")
	case rows > 0 && id.Layout != "" && id.Layout != r.Identity.Layout:
		return held(fmt.Errorf("%s was laid out as %s and is to be %s now, so its directories would be other folders", r.Maildir, id.Layout, r.Identity.Layout),
			"set layout, separator, inbox and folder_names as they were; or, once its directories are renamed accordingly, remove the state file: both sides are matched by content then, and nothing is deleted")
	}
	return nil
}

// isForeign reports whether it is the state that does not belong here: it was
// made for another account with another Maildir, while the Maildir is marked as
// this account's.
func (r *run) isForeign(id mail.Identity, marker string) bool {
	return id.Marker != "" && marker != "" && markerID(id.Marker) != markerID(marker) &&
		!sameAccount(accountOf(id), r.owner()) && sameAccount(markerOwner(marker), r.owner())
}

func markerID(marker string) string {
	id, _, _ := strings.Cut(marker, " ")
	return id
}

func markerOwner(marker string) string {
	_, owner, _ := strings.Cut(strings.TrimSpace(marker), " ")
	owner, _, _ = strings.Cut(owner, " #")
	return owner
}

// markerTurn is 0 where the marker does not tell.
func markerTurn(marker string) int64 {
	_, turn, _ := strings.Cut(marker, " #")
	n, _ := strconv.ParseInt(turn, 10, 64)
	return n
}
