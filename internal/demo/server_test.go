package demo_test

import (
	netmail "net/mail"
	"slices"
	"strings"
	"testing"

	"imapsync/internal/demo"
	"imapsync/mail"
)

func start(t *testing.T) *demo.Server {
	t.Helper()
	s, err := demo.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Seed(); err != nil {
		t.Fatal(err)
	}
	return s
}

// subjects maps each Subject of a folder to its flags.
func subjects(t *testing.T, s *demo.Server, folder string) map[string]mail.Flags {
	t.Helper()
	messages, err := s.Messages(folder)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]mail.Flags{}
	for _, m := range messages {
		parsed, err := netmail.ReadMessage(strings.NewReader(string(m.Body)))
		if err != nil {
			t.Fatalf("%s: %v", folder, err)
		}
		found[parsed.Header.Get("Subject")] = m.Flags
	}
	return found
}

func TestSeed(t *testing.T) {
	s := start(t)
	folders, err := s.Folders()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(folders)
	if want := []string{"Archive", "Archive/2026", "Entwürfe", "INBOX", "Sent"}; !slices.Equal(folders, want) {
		t.Errorf("folders %q, want %q", folders, want)
	}
	total := 0
	for _, folder := range folders {
		messages, err := s.Messages(folder)
		if err != nil {
			t.Fatal(err)
		}
		total += len(messages)
	}
	if total != 25 {
		t.Errorf("%d messages, want 25", total)
	}
	if flags := subjects(t, s, "INBOX")["Tax papers"]; !flags.Equal(mail.NewFlags(mail.Seen, "todo")) {
		t.Errorf("Tax papers has %v", flags)
	}
}

func TestPhoneChanges(t *testing.T) {
	s := start(t)
	for _, err := range []error{
		s.Deliver("Garden neighbour <garden@example.net>", "One more thing", "Bring the umbrella."),
		s.Flag("INBOX", "Train on Friday", mail.NewFlags(mail.Flagged|mail.Seen)),
		s.Move("INBOX", "Tax papers", "Archive/2026"),
		s.Delete("INBOX", "Recipe for the soup"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	inbox, archive := subjects(t, s, "INBOX"), subjects(t, s, "Archive/2026")
	if _, there := inbox["One more thing"]; !there {
		t.Error("the new message is not in INBOX")
	}
	if flags := inbox["Train on Friday?"]; !flags.Equal(mail.NewFlags(mail.Flagged | mail.Seen)) {
		t.Errorf("Train on Friday? has %v", flags)
	}
	if _, there := inbox["Tax papers"]; there {
		t.Error("Tax papers is still in INBOX")
	}
	if flags := archive["Tax papers"]; !flags.Equal(mail.NewFlags(mail.Seen, "todo")) {
		t.Errorf("Tax papers has %v in the archive", flags)
	}
	if _, there := inbox["Recipe for the soup"]; there {
		t.Error("Recipe for the soup is still in INBOX")
	}
	if err := s.Delete("INBOX", "Recipe for the soup"); err == nil {
		t.Error("deleting what is not there succeeds")
	}
}
