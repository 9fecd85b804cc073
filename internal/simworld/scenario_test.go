package simworld

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

const everything = `# A comment.
# Another line.
oneway
start        A=S B= M1..M5=FS+todo Work/C D Häuser/ Häuser/E=T
options      full, deletion wins, accept Work/, limit 3 25%
state        lose state
local        A+FR+todo-S-x, delete M1..M3, new Work/F=S, new G, move A to Work/, copy A to INBOX/, edit B, show Work/C, fill INBOX/, unmount, mount, lose marker
remote       create X/, remove X/, rename Y/ to Z/, renumber INBOX/, readonly INBOX/, permanent INBOX/=FS+todo, partial INBOX/, complete INBOX/
fails        some words: with a colon
plan state   pair A
plan local   A+F (conflict), delete B (held)
after local  A=S
after remote Work/

# The second round.
plan         nothing
after        A=S
`

func TestScenarioTextIsKept(t *testing.T) {
	s, err := Parse("everything", everything)
	if err != nil {
		t.Fatal(err)
	}
	text := s.String()
	again, err := Parse("again", text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if !reflect.DeepEqual(s, again) {
		t.Errorf("read again it is another:\n%s", text)
	}
	if len(s.Rounds) != 2 || len(s.Rounds[0].Edits[Local]) != 14 || len(s.Rounds[0].Edits[Remote]) != 8 {
		t.Errorf("rounds %d, local %d, remote %d edits", len(s.Rounds), len(s.Rounds[0].Edits[Local]), len(s.Rounds[0].Edits[Remote]))
	}
	if text != everything {
		t.Errorf("written as\n%s", text)
	}
}

func TestScenarioFilesAreTidy(t *testing.T) {
	files, err := filepath.Glob("../../testdata/scenarios/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios:", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != string(text) {
			t.Errorf("%s is not written as String writes it:\n%s", file, s)
		}
	}
}

func TestScenarioErrors(t *testing.T) {
	for _, text := range []string{
		"", "# only a comment", "nonsense A", "start A=X\nafter", "local frobnicate A\nafter", "local frobnicate\nafter",
		"plan A+F\nafter", "options fast\nafter", "options limit x\nafter", "local new M5..M2\nafter", "start /A=\nafter",
	} {
		if s, err := Parse("x", text); err == nil {
			t.Errorf("%q is taken: %+v", text, s)
		}
	}
}

func TestContentNames(t *testing.T) {
	for _, name := range []string{"A", "M12", "A~", "A~~", "Empty", "Bare1"} {
		if got := NameOf(Content(name)); got != name {
			t.Errorf("%s is called %s", name, got)
		}
		if got := NameOf(wire(Content(name))); got != name {
			t.Errorf("%s on the wire is called %s", name, got)
		}
	}
}
