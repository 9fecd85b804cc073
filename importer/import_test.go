package importer

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

// env is a machine with the directories given, one a line, absolute. A line "a =
// b" says that both are one directory.
func env(lines string) Env {
	var dirs []string
	same := map[string]string{}
	for line := range strings.Lines(lines) {
		line = strings.TrimSpace(line)
		if a, b, ok := strings.Cut(line, " = "); ok {
			same[a] = b
		} else if line != "" {
			dirs = append(dirs, line)
		}
	}
	return Env{
		File: "/home/me/.rc", Home: "/home/me",
		Getenv: func(name string) string { return map[string]string{"MAIL": "/var/mail"}[name] },
		Same:   func(a, b string) bool { return same[a] == b && b != "" || same[b] == a && a != "" },
		Dirs: func(root string) (below []string) {
			for _, dir := range dirs {
				if rel, err := filepath.Rel(root, dir); err == nil && !strings.HasPrefix(rel, "../") && rel != ".." {
					below = append(below, rel)
				}
			}
			return below
		},
	}
}

// said is all that comes of a configuration.
func said(r *Result) (config, notes string) {
	for i, a := range r.Accounts {
		if i > 0 {
			config += "\n"
		}
		config += a.TOML()
	}
	for _, n := range r.Notes {
		mark := ""
		if n.Grave {
			mark = "! "
		}
		notes += fmt.Sprintf("%s%d %s: %s\n", mark, n.Line, n.Option, n.Text)
	}
	return config, notes
}

// TestImports plays testdata: an archive has the old configuration (mbsync or
// offlineimap), the directories of its Maildirs, the configuration that comes of
// it, and the notes, "!" before those that need something to be done.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]string{}
			for _, f := range archive.Files {
				parts[f.Name] = string(f.Data)
			}
			read := Mbsync
			text, ok := parts["mbsync"]
			if !ok {
				read, text = Offlineimap, parts["offlineimap"]
			}
			config, notes := said(read(text, env(parts["dirs"])))
			if err := toml.Unmarshal([]byte(config), &map[string]any{}); err != nil {
				t.Errorf("%v in\n%s", err, config)
			}
			if *update {
				keep := archive.Files[:0]
				for _, f := range archive.Files {
					if f.Name != "config" && f.Name != "notes" {
						keep = append(keep, f)
					}
				}
				archive.Files = append(keep, txtar.File{Name: "config", Data: []byte(config)}, txtar.File{Name: "notes", Data: []byte(notes)})
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if config != parts["config"] {
				t.Errorf("the configuration is\n%s\nwant\n%s", config, parts["config"])
			}
			if notes != parts["notes"] {
				t.Errorf("the notes are\n%s\nwant\n%s", notes, parts["notes"])
			}
		})
	}
}

// TestMasked: what is shown holds no secret, and what is written is known to hold one.
func TestMasked(t *testing.T) {
	for file, accounts := range map[string]int{"testdata/mb-secrets.txtar": 3, "testdata/ol-secrets.txtar": 5} {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		read := Mbsync
		if archive.Files[0].Name == "offlineimap" {
			read = Offlineimap
		}
		r := read(string(archive.Files[0].Data), env(""))
		if len(r.Accounts) != accounts {
			t.Errorf("%s: %d accounts, want %d", file, len(r.Accounts), accounts)
		}
		for _, a := range r.Accounts {
			written := a.TOML()
			if shown := a.Masked().TOML(); strings.Contains(shown, "er2") {
				t.Errorf("%s shows\n%s", file, shown)
			}
			if strings.Contains(written, "er2") && !HoldsSecret(written) {
				t.Errorf("%s: nobody finds the secret in\n%s", file, written)
			}
		}
		if _, notes := said(r); strings.Contains(notes, "er2") {
			t.Errorf("%s: a note shows it\n%s", file, notes)
		}
	}
}

// fuzzImport insists that any text makes valid TOML, or nothing.
func fuzzImport(f *testing.F, name string, read func(string, Env) *Result) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range archive.Files {
			if part.Name == name {
				f.Add(string(part.Data))
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := read(text, env("/home/me/Mail/A/.B\n/home/me/Mail/G&AOQ-ste"))
		config, _ := said(r)
		var back struct{ Accounts map[string]any }
		if err := toml.Unmarshal([]byte(config), &back); err != nil {
			t.Fatalf("%v in\n%s", err, config)
		}
		if len(back.Accounts) != len(r.Accounts) {
			t.Errorf("%d accounts, of %d", len(back.Accounts), len(r.Accounts))
		}
		for _, a := range r.Accounts {
			if !filepath.IsAbs(a.Maildir) {
				t.Errorf("account %s has the Maildir %q", a.Name, a.Maildir)
			}
		}
	})
}

func FuzzMbsync(f *testing.F)      { fuzzImport(f, "mbsync", Mbsync) }
func FuzzOfflineimap(f *testing.F) { fuzzImport(f, "offlineimap", Offlineimap) }

// TestDocumented keeps docs/mbsync.md and docs/offlineimap.md complete: they name
// every option that the importer knows.
func TestDocumented(t *testing.T) {
	for _, c := range []struct {
		doc, archive string
		options      func(r *Result, text string) []string
	}{
		{"../docs/mbsync.md", "testdata/mb-every.txtar", func(r *Result, text string) (names []string) {
			for _, b := range r.readMbsync(text) {
				for _, o := range b.options {
					names = append(names, o.said)
				}
			}
			return names
		}},
		{"../docs/offlineimap.md", "testdata/ol-every.txtar", func(r *Result, text string) (names []string) {
			for _, s := range r.readINI(text).sections {
				for _, o := range s.options {
					names = append(names, o.name)
				}
			}
			return names
		}},
	} {
		doc, err := os.ReadFile(c.doc)
		if err != nil {
			t.Fatal(err)
		}
		archive, err := txtar.ParseFile(c.archive)
		if err != nil {
			t.Fatal(err)
		}
		names := c.options(&Result{}, string(archive.Files[0].Data))
		if len(names) < 40 {
			t.Errorf("%s has only %d options", c.archive, len(names))
		}
		for _, name := range names {
			if known := name != "Bogus" && name != "Nonsense" && name != "bogus" && name != "enabled"; known && !strings.Contains(string(doc), "`"+name) {
				t.Errorf("%s does not name %s", c.doc, name)
			}
		}
	}
}

// TestSecretsOfProxies: a proxy's password is a secret as any: it is not shown, and not
// added to what others can read.
func TestSecretsOfProxies(t *testing.T) {
	const text = "[accounts.a]\nproxy = \"http://me:hunter2@proxy:8080\"\n"
	if !HoldsSecret(text) || HoldsSecret("proxy = \"http://proxy:8080\"\npassword_command = \"p\"\n") || !HoldsSecret("password = \"x\"\n") {
		t.Error("secrets are not told from the rest")
	}
	a := &Account{settings: settings{{key: "proxy", value: "http://me:hunter2@proxy:8080"}}}
	for _, s := range a.Masked().settings {
		if strings.Contains(fmt.Sprint(s.value), "hunter2") {
			t.Errorf("shown: %v", s.value)
		}
	}
}
