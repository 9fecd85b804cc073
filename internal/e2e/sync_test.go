package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/internal/proxy"
	"imapsync/mail"
)

func TestFirstSyncBothWaysThenNothing(t *testing.T) {
	t.Parallel()
	firstSyncBothWays(t, single(t))
}

// firstSyncBothWays copies a small account in both directions and finds
// nothing to do afterwards.
func firstSyncBothWays(t *testing.T, a *account) {
	t.Helper()
	a.phone.Create("Work", "Work/Entwürfe")
	a.seedRemote(1, "INBOX", 12)
	a.seedRemote(2, "Work", 5)
	a.seedRemote(3, "Work/Entwürfe", 2)
	a.seedLocal(4, "INBOX", 6)
	a.seedLocal(5, "From here/Übung", 4)
	a.create("Empty")
	want := a.remote()
	for i, n := range a.local() {
		want[i] += n
	}

	a.sync(0)
	mustEqual(t, "after the first run", a.local(), want)
	a.converged()
	a.datesAgree()
	a.syncQuiet()
	a.syncQuiet("--full")
}

// datesAgree insists that each file's mtime is its message's INTERNALDATE and
// that only its owner can read it.
func (a *account) datesAgree() {
	a.t.Helper()
	for _, folder := range a.folders() {
		dates := map[[32]byte]time.Time{}
		for _, m := range a.phone.Messages(a.theirs(folder)) {
			dates[corpus.Sum(m.Body)] = m.Date
		}
		for _, f := range a.files(folder) {
			info, err := os.Stat(f.path)
			if err != nil {
				a.t.Fatal(err)
			}
			if date := dates[corpus.Sum(f.body())]; !info.ModTime().Truncate(time.Second).Equal(date) {
				a.t.Errorf("%s: mtime %v, INTERNALDATE %v", f.path, info.ModTime(), date)
			}
			if info.Mode().Perm() != 0o600 {
				a.t.Errorf("%s: mode %v", f.path, info.Mode())
			}
		}
	}
}

// However many folders there are: a LIST with every STATUS in it, no SELECT.
func TestUnchangedAccountCostsOneList(t *testing.T) {
	t.Parallel()
	a := single(t)
	for i := range 12 {
		folder := fmt.Sprintf("Folder %d", i)
		a.phone.Create(folder)
		a.seedRemote(uint64(i), folder, 3)
	}
	a.sync(0)
	// A directory changed less than two seconds ago proves nothing yet.
	<-time.After(2500 * time.Millisecond)
	a.sync(0)
	a.proxy.Reset()
	a.sync(0)
	verbs := map[string]int{}
	for _, c := range a.proxy.Commands() {
		verbs[proxy.Verb(c)]++
	}
	if verbs["LIST"] != 1 || verbs["AUTHENTICATE"]+verbs["LOGIN"] != 1 || verbs["SELECT"]+verbs["EXAMINE"]+verbs["STATUS"] != 0 {
		t.Errorf("sent %q", a.proxy.Commands())
	}
}

func TestUnseenMailLandsInNew(t *testing.T) {
	t.Parallel()
	a := single(t)
	messages := small(1, 2)
	messages[0].Flags, messages[1].Flags = noFlags, mail.NewFlags(mail.Seen)
	for _, m := range messages {
		a.phone.Append("INBOX", m.Flags, m.Date, corpus.Wire(m.Body))
	}
	a.sync(0)
	for sub, want := range map[string]corpus.Message{"new": messages[0], "cur": messages[1]} {
		entries, err := os.ReadDir(a.path("INBOX") + "/" + sub)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) != 1 {
			t.Fatalf("%d files in %s/", len(entries), sub)
		}
		body, err := os.ReadFile(a.path("INBOX") + "/" + sub + "/" + entries[0].Name())
		if err != nil {
			t.Fatal(err)
		}
		if corpus.Sum(body) != corpus.Sum(want.Body) {
			t.Errorf("the wrong message is in %s/", sub)
		}
	}
	// A reader that shows the message moves it; that alone is no change.
	files := a.files("INBOX")
	files[len(files)-1].setFlags(noFlags)
	a.syncQuiet()
}

// expected is both sides as they must be in the end, kept beside the changes.
type expected struct {
	a     *account
	items items
}

// message is one message that both sides have.
type message struct {
	item
	local  file
	remote mail.UID
}

// pairs finds each message of a folder on both sides; contents must be unique.
func (a *account) pairs(folder string) []message {
	a.t.Helper()
	files := map[[32]byte]file{}
	for _, f := range a.files(folder) {
		files[corpus.Sum(f.body())] = f
	}
	var found []message
	for _, m := range a.phone.Messages(a.theirs(folder)) {
		sum := corpus.Sum(m.Body)
		f, there := files[sum]
		if !there {
			a.t.Fatalf("%q: no file for UID %d", folder, m.UID)
		}
		found = append(found, message{item{folder, sum, m.Flags.String()}, f, m.UID})
	}
	return found
}

// become notes that a message ends in this folder with these flags; "" for
// deleted.
func (e *expected) become(m message, folder string, flags mail.Flags) {
	e.a.t.Helper()
	if e.items[m.item]--; e.items[m.item] < 0 {
		e.a.t.Fatalf("%v changed twice", m.item)
	}
	if folder != "" {
		e.items[item{folder, m.sum, flags.String()}]++
	}
}

func TestTwoThousandMessagesAndHundredChanges(t *testing.T) {
	t.Parallel()
	a := single(t)
	var folders []string
	generator := corpus.New(2000)
	want := items{}
	for i := range 20 {
		folder := fmt.Sprintf("Box %02d/Fächer", i)
		folders = append(folders, folder)
		a.phone.Create(folder)
		for j, m := range generator.Messages(100) {
			want.put(folder, m)
			if i%5 == 4 && j%2 == 0 { // a part comes from here
				a.deliver(folder, m)
			} else {
				a.phone.Append(folder, m.Flags, m.Date, corpus.Wire(m.Body))
			}
		}
	}
	a.phone.Create("Small there", "Small here")
	for _, folder := range []string{"Small there", "Small here"} {
		for _, m := range a.seedRemote(uint64(len(folder)), folder, 5) {
			want.put(folder, m)
		}
	}
	a.sync(0)
	mustEqual(t, "local after the first run", a.local(), want)
	mustEqual(t, "remote after the first run", a.remote(), want)
	a.syncQuiet()

	changeBothSides(a, folders, &expected{a, want})
	a.sync(0)
	mustEqual(t, "local after the changes", a.local(), want)
	mustEqual(t, "remote after the changes", a.remote(), want)
	for _, folder := range a.folders() {
		if folder == "Small there" || folder == "Small here" {
			t.Errorf("folder %q is still there", folder)
		}
	}
	a.syncQuiet()
	a.syncQuiet("--full")
}

// changeBothSides makes a hundred mixed changes, each to a message of its own
// or to different flags of the same one, and notes where they must lead.
func changeBothSides(a *account, folders []string, e *expected) {
	a.t.Helper()
	random := rand.New(rand.NewPCG(4, 2))
	left := map[string][]message{}
	for _, folder := range folders {
		left[folder] = a.pairs(folder)
	}
	take := func() message {
		for {
			folder := folders[random.IntN(len(folders))]
			if n := len(left[folder]); n > 0 {
				i := random.IntN(n)
				m := left[folder][i]
				left[folder] = append(left[folder][:i], left[folder][i+1:]...)
				return m
			}
		}
	}
	other := func(folder string) string {
		for {
			if f := folders[random.IntN(len(folders))]; f != folder {
				return f
			}
		}
	}
	flagged, todo, seen := mail.NewFlags(mail.Flagged|mail.Answered), mail.NewFlags(0, "urgent"), mail.NewFlags(mail.Seen)
	news := small(99, 16)
	for i := range 8 {
		// New on both sides.
		folder := folders[random.IntN(len(folders))]
		a.phone.Append(folder, news[i].Flags, news[i].Date, corpus.Wire(news[i].Body))
		e.items.put(folder, news[i])
		a.deliver(folder, news[8+i])
		e.items.put(folder, news[8+i])

		// Flags set and taken away, keywords.
		m := take()
		a.phone.Store(m.folder, flagged, seen, m.remote)
		e.become(m, m.folder, mail.ParseFlags(m.flags).Union(flagged).Minus(seen))
		m = take()
		flags := mail.ParseFlags(m.flags).Union(flagged).Minus(seen)
		m.local.setFlags(flags)
		e.become(m, m.folder, flags)
		m = take()
		a.phone.Store(m.folder, todo, noFlags, m.remote)
		e.become(m, m.folder, mail.ParseFlags(m.flags).Union(todo))
		m = take()
		m.local.setFlags(mail.ParseFlags(m.flags).Union(todo))
		e.become(m, m.folder, mail.ParseFlags(m.flags).Union(todo))

		// Different flags of the same message, on both sides at once.
		m = take()
		m.local.setFlags(mail.ParseFlags(m.flags).Union(todo))
		a.phone.Store(m.folder, flagged, noFlags, m.remote)
		e.become(m, m.folder, mail.ParseFlags(m.flags).Union(todo).Union(flagged))

		// Moves.
		m = take()
		to := other(m.folder)
		a.phone.Move(m.folder, to, m.remote)
		e.become(m, to, mail.ParseFlags(m.flags))
		m = take()
		to = other(m.folder)
		m.local.move(to)
		e.become(m, to, mail.ParseFlags(m.flags))

		// Deletions, here, there and on both sides.
		m = take()
		a.phone.Expunge(m.folder, m.remote)
		e.become(m, "", noFlags)
		m = take()
		m.local.remove()
		e.become(m, "", noFlags)
		if i%2 == 0 {
			m = take()
			m.local.remove()
			a.phone.Expunge(m.folder, m.remote)
			e.become(m, "", noFlags)
		}
	}
	changeFolders(a, e)
}

// changeFolders makes and deletes a folder on each side.
func changeFolders(a *account, e *expected) {
	a.t.Helper()
	a.phone.Create("New there")
	for _, m := range a.seedRemote(101, "New there", 2) {
		e.items.put("New there", m)
	}
	for _, m := range a.seedLocal(102, "New here/Tief", 2) {
		e.items.put("New here/Tief", m)
	}
	for _, folder := range []string{"Small there", "Small here"} {
		for _, m := range a.pairs(folder) {
			e.become(m, "", noFlags)
		}
	}
	a.phone.Delete("Small there")
	a.removeFolder("Small here")
}

func TestWithoutExtensions(t *testing.T) {
	t.Parallel()
	s := dovecot.Start(t)
	all := []string{"CONDSTORE", "ESEARCH", "UIDPLUS", "MOVE", "LIST-STATUS", "LITERAL+"}
	for i, without := range append([][]string{all}, singly(all)...) {
		name := without[0]
		if len(without) > 1 {
			name = "all"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, s, fmt.Sprintf("user%d", i), fmt.Sprintf("disable_extensions = %s", tomlList(without)))
			firstSyncBothWays(t, a)
			for _, folder := range []string{"Small there", "Small here"} {
				a.phone.Create(folder)
				a.seedRemote(uint64(len(folder)), folder, 3)
			}
			folders := []string{"Box 1", "Box 2", "Box 3"}
			for i, folder := range folders {
				a.phone.Create(folder)
				a.seedRemote(uint64(20+i), folder, 40)
			}
			a.sync(0)
			e := &expected{a, a.remote()}
			mustEqual(t, "local before the changes", a.local(), e.items)
			changeBothSides(a, folders, e)
			a.proxy.Reset()
			a.sync(0)
			mustEqual(t, "local after the changes", a.local(), e.items)
			mustEqual(t, "remote after the changes", a.remote(), e.items)
			a.notUsed(without)
			a.syncQuiet()
		})
	}
}

func singly(words []string) [][]string {
	var lists [][]string
	for _, w := range words {
		lists = append(lists, []string{w})
	}
	return lists
}

func tomlList(words []string) string { return `["` + strings.Join(words, `", "`) + `"]` }

// notUsed insists that the program sent nothing that needs these extensions.
func (a *account) notUsed(extensions []string) {
	a.t.Helper()
	needs := map[string]func(command string) bool{
		"CONDSTORE":   func(c string) bool { return contains(c, "CONDSTORE", "CHANGEDSINCE", "MODSEQ") },
		"ESEARCH":     func(c string) bool { return contains(c, "SEARCH RETURN") },
		"UIDPLUS":     func(c string) bool { return proxy.Verb(c) == "UID EXPUNGE" },
		"MOVE":        func(c string) bool { return proxy.Verb(c) == "UID MOVE" || proxy.Verb(c) == "MOVE" },
		"LIST-STATUS": func(c string) bool { return contains(c, "RETURN (STATUS") },
	}
	for _, extension := range extensions {
		for _, command := range a.proxy.Commands() {
			if uses := needs[extension]; uses != nil && uses(command) {
				a.t.Errorf("without %s: sent %q", extension, command)
			}
		}
	}
}
