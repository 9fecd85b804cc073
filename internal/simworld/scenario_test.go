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
options      full, deletion wins, accept Work/, limit 3 25%, lanes 2, attempts 3, newest 2
state        lose state, backup, restore, limit newest 2, limit headers flagged
local        A+FR+todo-S-x, delete M1..M3, new Work/F=S, new G, move A to Work/, copy A to INBOX/, edit B, show Work/C, fill INBOX/, unmount, mount, lock F/, unlock F/, lose marker
remote       create X/, remove X/, rename Y/ to Z/, renumber INBOX/, readonly INBOX/, permanent INBOX/=FS+todo, partial INBOX/, hide X/, empty X/, fewer X/, vanish X/, complete INBOX/, backup, restore X/
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
	if len(s.Rounds) != 2 || len(s.Rounds[0].Edits[Local]) != 16 || len(s.Rounds[0].Edits[Remote]) != 14 {
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

const everyAct = `# A comment.
seed         7
without      move, uidplus, modseq, marks, keywords
options      deletion wins, lanes 2, attempts 3, newest 2
local        new A=S
local        lock F/
remote       restore F/
state        restore
state        limit newest 2 size 70000 headers flagged
local        note A
during       remote call 5: local A+F
during       step 2: remote move A to F/
trouble      state call 3: lost after
trouble      step 3: crash before
run          3s
run          192h0m0s
run          1s, pull new, fetch Work/A
quiet
`

func TestStoryTextIsKept(t *testing.T) {
	s, err := ParseStory("every act", everyAct)
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != everyAct {
		t.Errorf("written as\n%s", s)
	}
	for _, text := range []string{
		"", "seed 1", "seed x\nquiet", "without legs\nquiet", "local", "local frobnicate A", "do new A", "run fast",
		"trouble step 3: rain", "trouble never: bye", "during call 3: local new A", "during step 1: local",
	} {
		if s, err := ParseStory("x", text); err == nil {
			t.Errorf("%q is taken: %+v", text, s)
		}
	}
}

func TestHistoryFilesAreTidy(t *testing.T) {
	files, err := filepath.Glob("../../testdata/histories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no histories:", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseStory(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		if s.String() != string(text) || len(s.Comment) == 0 {
			t.Errorf("%s is not written as String writes it, or says nothing of itself:\n%s", file, s)
		}
	}
}
