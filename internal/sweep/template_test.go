//go:build linux && (amd64 || arm64)

package sweep

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"imapsync/internal/corpus"
	"imapsync/internal/phone"
	"imapsync/mail"
)

// The folders that both sides have before the run, with how many messages each.
var before = []struct {
	folder string
	count  int
}{{"INBOX", 8}, {"Work", 3}, {"Drafts", 1}, {"DroppedThere", 2}, {"DroppedHere", 1}, {"RenamedThere", 2}, {"RenamedHere", 1}}

// first makes an account with mail on the server and nothing else, not even the
// directories of the Maildir and of the state.
func (s *site) first() {
	s.t.Helper()
	s.fill(corpus.New(1))
}

// mixed makes an account whose sides agree, and then changes both.
func (s *site) mixed() {
	s.t.Helper()
	g := corpus.New(1)
	messages := s.fill(g)
	if code, output := s.sync(); code != 0 {
		s.t.Fatalf("first sync: exit %d\n%s", code, output)
	}
	s.changeThere(g)
	s.changeHere(g, messages)
}

// fill puts mail on the server.
func (s *site) fill(g *corpus.Generator) (messages []corpus.Message) {
	s.t.Helper()
	s.phone(func(c *phone.Client) error {
		for _, b := range before {
			if b.folder != "INBOX" {
				if err := c.Create(b.folder); err != nil {
					return err
				}
			}
			for range b.count {
				m := small(g, mail.NewFlags(mail.Seen))
				messages = append(messages, m)
				if _, err := c.Append(b.folder, m.Flags, m.Date, corpus.Wire(m.Body)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return messages
}

// small is a message with few bytes.
func small(g *corpus.Generator, flags mail.Flags) corpus.Message {
	m := g.Sized(400)
	m.Flags = flags
	return m
}

// changeThere is what another client does. Its UIDs are those of fill's
// APPENDs, from 1 in each folder.
func (s *site) changeThere(g *corpus.Generator) {
	s.t.Helper()
	put := func(c *phone.Client, folder string, flags mail.Flags) error {
		m := small(g, flags)
		_, err := c.Append(folder, m.Flags, m.Date, corpus.Wire(m.Body))
		return err
	}
	one := func(uid mail.UID) []mail.UID { return []mail.UID{uid} }
	s.phone(func(c *phone.Client) error {
		return errors.Join(
			put(c, "INBOX", mail.Flags{}), // for new
			put(c, "INBOX", mail.NewFlags(mail.Seen)),
			put(c, "Work", mail.NewFlags(mail.Flagged, "todo")),
			c.Store("INBOX", one(1), mail.NewFlags(mail.Flagged), mail.Flags{}),
			c.Store("INBOX", one(2), mail.NewFlags(0, "there"), mail.NewFlags(mail.Seen)),
			c.Expunge("INBOX", one(3)),
			c.Move("INBOX", one(4), "Work"),
			c.Copy("Work", one(1), "INBOX"),
			c.Create("MadeThere"),
			put(c, "MadeThere", mail.NewFlags(mail.Answered)),
			c.Delete("DroppedThere"),
			c.Rename("RenamedThere", "RenamedThere2"),
		)
	})
}

// changeHere is what a mail reader does.
func (s *site) changeHere(g *corpus.Generator, messages []corpus.Message) {
	s.t.Helper()
	inbox, work, draft := messages[:8], messages[8:11], messages[11]
	s.deliver("INBOX", "u1", small(g, mail.Flags{}))
	s.deliver("Work", "u2", small(g, mail.NewFlags(mail.Flagged|mail.Seen)))
	s.rename(s.find(inbox[4]), "INBOX", "FS")
	s.keyword("INBOX", 0, "here")
	s.rename(s.find(inbox[5]), "INBOX", "Sa")
	s.check(os.Remove(s.find(inbox[6])))
	s.rename(s.find(inbox[7]), "Work", "S")
	s.deliver("Drafts", "copy", work[1])
	edited := append(bytes.Clone(draft.Body), "and more\n"...)
	s.check(os.WriteFile(s.find(draft), edited, 0o600))
	s.deliver("MadeHere", "u3", small(g, mail.NewFlags(mail.Answered)))
	s.check(os.RemoveAll(filepath.Join(s.mail(), "DroppedHere")))
	s.check(os.Rename(filepath.Join(s.mail(), "RenamedHere"), filepath.Join(s.mail(), "RenamedHere2")))
}

// deliver puts a message in a folder, making that if need be.
func (s *site) deliver(folder, key string, m corpus.Message) {
	s.t.Helper()
	for _, sub := range []string{"tmp", "new", "cur"} {
		s.check(os.MkdirAll(filepath.Join(s.mail(), folder, sub), 0o700))
	}
	path := filepath.Join(s.mail(), folder, "new", key)
	if letters := m.Flags.System.Letters(); letters != "" {
		path = filepath.Join(s.mail(), folder, "cur", key+":2,"+letters)
	}
	s.check(os.WriteFile(path, m.Body, 0o600))
	s.check(os.Chtimes(path, m.Date, m.Date))
}

// find returns the only file with a message.
func (s *site) find(m corpus.Message) string {
	s.t.Helper()
	var found []string
	s.walk(s.mail(), func(path string, text []byte) {
		if bytes.Equal(text, corpus.Disk(m.Body)) {
			found = append(found, path)
		}
	}, nil)
	if len(found) != 1 {
		s.t.Fatalf("the message is in %q", found)
	}
	return found[0]
}

// rename gives a file its place in cur of a folder.
func (s *site) rename(path, folder, letters string) {
	s.t.Helper()
	key, _, _ := strings.Cut(filepath.Base(path), ":2,")
	s.check(os.Rename(path, filepath.Join(s.mail(), folder, "cur", key+":2,"+letters)))
}

// keyword gives a keyword its letter in a folder.
func (s *site) keyword(folder string, number int, keyword string) {
	s.t.Helper()
	path := filepath.Join(s.mail(), folder, "dovecot-keywords")
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	lines := slices.Collect(strings.Lines(string(old)))
	lines = append(lines, fmt.Sprintf("%d %s\n", number, keyword))
	s.check(os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600))
}
