package e2e

import (
	"os"
	"slices"
	"testing"

	"imapsync/internal/corpus"
	"imapsync/internal/proxy"
	"imapsync/mail"
)

// names are the file names of a folder, flags and all.
func (a *account) names(folder string) []string {
	a.t.Helper()
	var names []string
	for _, f := range a.files(folder) {
		names = append(names, f.path)
	}
	slices.Sort(names)
	return names
}

// nothingTransferred insists that no message went either way since the last
// Reset of the proxy.
func (a *account) nothingTransferred() {
	a.t.Helper()
	for _, c := range proxy.Changing(a.proxy.Commands()) {
		if proxy.Verb(c) == "APPEND" || proxy.Verb(c) == "UID COPY" {
			a.t.Errorf("sent %q", c)
		}
	}
	if fetched := a.bodiesFetched(); len(fetched) > 0 {
		a.t.Errorf("fetched %q", fetched)
	}
}

func TestFirstRunAdoptsWhatBothSidesHave(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work")
	want := items{}
	for i, m := range small(1, 60) {
		folder := []string{"INBOX", "Work"}[i%2]
		mine := m
		mine.Flags = mail.NewFlags(mail.Seen)
		a.phone.Append(folder, m.Flags, m.Date, corpus.Wire(m.Body))
		a.deliver(folder, mine)
		both := m
		both.Flags = m.Flags.Union(mine.Flags) // flags are united
		want.put(folder, both)
	}
	keys := map[string]bool{}
	for _, folder := range a.folders() {
		for _, f := range a.files(folder) {
			keys[f.key()] = true
		}
	}
	a.sync(0)
	mustEqual(t, "local", a.local(), want)
	mustEqual(t, "remote", a.remote(), want)
	a.nothingTransferred()
	for _, folder := range a.folders() {
		for _, f := range a.files(folder) {
			if !keys[f.key()] {
				t.Errorf("%s has another key than before", f.path)
			}
		}
	}
	a.syncQuiet("--full")
}

func TestFirstRunCopiesOnlyWhatOneSideLacks(t *testing.T) {
	t.Parallel()
	a := single(t)
	for _, m := range small(1, 30) {
		a.phone.Append("INBOX", m.Flags, m.Date, corpus.Wire(m.Body))
		a.deliver("INBOX", m)
	}
	a.seedRemote(2, "INBOX", 4)
	a.seedLocal(3, "INBOX", 5)
	a.sync(0)
	if n := a.local().total(); n != 39 {
		t.Errorf("%d messages, want 39", n)
	}
	a.converged()
	a.syncQuiet()
}

// Equal content twice on one side and once on the other is one missing copy;
// equal Message-IDs are not equal messages.
func TestFirstRunCountsEqualMessages(t *testing.T) {
	t.Parallel()
	a := single(t)
	twin := small(1, 1)[0]
	a.phone.Append("INBOX", twin.Flags, twin.Date, corpus.Wire(twin.Body))
	a.phone.Append("INBOX", twin.Flags, twin.Date, corpus.Wire(twin.Body))
	a.deliver("INBOX", twin)
	for i, s := range corpus.Specials() {
		if contains(s.Name, "same Message-ID") {
			m := corpus.Message{Flags: mail.NewFlags(mail.Seen), Date: someDate, Body: s.Body}
			if i%2 == 0 {
				a.deliver("INBOX", m)
			} else {
				a.phone.Append("INBOX", m.Flags, m.Date, corpus.Wire(m.Body))
			}
		}
	}
	a.sync(0)
	if n := a.local().total(); n != 4 {
		t.Errorf("%d messages, want 4", n)
	}
	a.converged()
	a.syncQuiet("--full")
}

func TestLostStateDoublesNothing(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work")
	a.seedRemote(1, "INBOX", 30)
	a.seedLocal(2, "Work", 20)
	for _, body := range accepted() {
		a.phone.Append("Work", mail.NewFlags(mail.Seen), someDate, corpus.Wire(body))
	}
	a.sync(0)
	want := a.remote()
	files := append(a.names("INBOX"), a.names("Work")...)

	if err := os.RemoveAll(a.state); err != nil {
		t.Fatal(err)
	}
	a.proxy.Reset()
	a.sync(0)
	mustEqual(t, "local", a.local(), want)
	mustEqual(t, "remote", a.remote(), want)
	for _, c := range proxy.Changing(a.proxy.Commands()) {
		t.Errorf("sent %q", c)
	}
	if got := append(a.names("INBOX"), a.names("Work")...); !slices.Equal(got, files) {
		t.Errorf("the files are others: %q, were %q", got, files)
	}
	a.syncQuiet()
}

// Deletions made while the state was lost cannot be told from messages that
// are new on the other side: they come back, nothing is deleted.
func TestLostStateDeletesNothing(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.seedRemote(1, "INBOX", 10)
	a.sync(0)
	want := a.remote()
	if err := os.RemoveAll(a.state); err != nil {
		t.Fatal(err)
	}
	a.files("INBOX")[0].remove()
	a.phone.Expunge("INBOX", a.phone.UIDs("INBOX")[9])
	a.sync(0)
	mustEqual(t, "local", a.local(), want)
	mustEqual(t, "remote", a.remote(), want)
	a.syncQuiet()
}

func TestUIDValidityChanged(t *testing.T) {
	t.Parallel()
	a := single(t)
	a.phone.Create("Work")
	a.seedRemote(1, "Work", 30)
	a.seedRemote(2, "INBOX", 5)
	a.sync(0)
	want := a.remote()
	files := a.names("Work")

	a.phone.ResetUIDValidity("Work")
	a.proxy.Reset()
	a.sync(0)
	a.nothingTransferred()
	mustEqual(t, "local", a.local(), want)
	mustEqual(t, "remote", a.remote(), want)
	if got := a.names("Work"); !slices.Equal(got, files) {
		t.Errorf("the files are others: %q, were %q", got, files)
	}
	a.syncQuiet()

	// With changes on both sides meanwhile, nothing is lost either.
	a.phone.ResetUIDValidity("Work")
	kept := a.seedRemote(3, "Work", 2)
	a.files("Work")[3].remove()
	a.deliver("Work", small(4, 1)[0])
	a.sync(0)
	a.converged()
	if n := a.local().total(); n < 30-1+5+len(kept)+1 {
		t.Errorf("%d messages are left", n)
	}
	a.syncQuiet()
}
