package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
)

const good = `
state_dir = "~/state"

[accounts.work]
host = "imap.example.org"
user = "me@example.org"
password_command = "pass mail/work"
maildir = "~/Mail/work"
`

func TestDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	c, err := Parse("/etc/c.toml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Account("work")
	if a == nil || len(c.Accounts) != 1 || c.Account("other") != nil {
		t.Fatalf("accounts %v", c.Accounts)
	}
	if c.StateDir != "/home/me/state" || a.Maildir != "/home/me/Mail/work" {
		t.Errorf("paths %q %q", c.StateDir, a.Maildir)
	}
	if a.Port != 993 || a.TLS != TLSImplicit || a.Auth != "auto" || a.Layout != LayoutVerbatim || a.Separator != "" ||
		a.Connections != 4 || a.Compress != CompressAuto || a.Timeout != time.Minute || !a.Fsync || a.KeepDeleted != 720*time.Hour ||
		a.FullCheck != 168*time.Hour || a.MaxDeletions != (Limits{100, 25}) || a.Conflicts.Deletion != conflict.Yields {
		t.Errorf("defaults %+v", a)
	}
	if !a.Folders.Match("Any/Thing") || a.Secret.Source() != "password_command" || a.Secret.Bearer {
		t.Errorf("defaults %+v", a)
	}
}

// TestRoutes: what may be left out in a tunnel, or with a certificate, and what
// may not.
func TestRoutes(t *testing.T) {
	for _, c := range []struct{ section, wrong string }{
		{"tunnel = 'x'", ""},
		{"tunnel = 'x'\nhost = 'h'", ""},
		{"tunnel = 'x'\nhost = 'h'\ntls = 'starttls'\nuser = 'u'\npassword = 'p'", ""},
		{"tunnel = 'x'\nproxy = 'none'", "contradicts tunnel"},
		{"tunnel = 'x'\ntls = 'implicit'", "needs host"},
		{"tunnel = 'x'\nca_file = 'f'", `contradicts tls = "none"`},
		{"tunnel = 'x'\npassword = 'p'", "user is missing"},
		{"tunnel = 'x'\nauth = 'plain'\nuser = 'u'", "no secret"},
		{"tunnel = ''", "must not be empty"},
		{"host = 'h'\nclient_cert = 'c.pem'", ""},
		{"host = 'h'\nclient_cert = 'c.pem'\nclient_key = 'k.pem'\nauth = 'external'", ""},
		{"host = 'h'\nclient_cert = 'c.pem'\nuser = 'u'\npassword = 'p'", ""},
		{"host = 'h'\nclient_cert = 'c.pem'\npassword = 'p'", "user is missing"},
		{"host = 'h'\nclient_cert = 'c.pem'\ntls = 'none'\ninsecure = true", "without TLS"},
		{"host = 'h'\nuser_command = 'x'\npassword = 'p'", ""},
	} {
		conf, err := Parse("/c.toml", []byte("[accounts.w]\nmaildir = '/m'\n"+c.section))
		switch {
		case c.wrong == "" && err != nil, c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
			t.Errorf("%q: %v, want %q", c.section, err, c.wrong)
		case c.wrong == "" && strings.HasPrefix(c.section, "tunnel") && (conf.Accounts[0].TLS == TLSNone) == strings.Contains(c.section, "tls"):
			t.Errorf("%q: tls is %q", c.section, conf.Accounts[0].TLS)
		}
	}
	names := map[string]string{}
	for _, section := range []string{"host = 'h'\nuser = 'u'\npassword = 'p'", "host = 'h'\ntunnel = 'x'", "tunnel = 'x'", "tunnel = 'y z'"} {
		conf, err := Parse("/c.toml", []byte("[accounts.w]\nmaildir = '/m'\n"+section))
		if err != nil {
			t.Fatal(err)
		}
		names[section] = conf.Accounts[0].Server()
	}
	a, b := names["tunnel = 'x'"], names["tunnel = 'y z'"]
	if names["host = 'h'\nuser = 'u'\npassword = 'p'"] != "h:993" || names["host = 'h'\ntunnel = 'x'"] != "h:993" ||
		a == b || len(a) != len("tunnel-123456789abc") || strings.Contains(b, "y z") {
		t.Errorf("servers %q", names)
	}
}

func TestEveryKey(t *testing.T) {
	c, err := Parse("/etc/c.toml", []byte(`
state_dir = "/s"
[accounts.z]
host = "127.0.0.1"
tls = "none"
user = "u"
token_command = "echo t"
auth = "xoauth2"
maildir = "mail"
layout = "flat"
separator = ":"
inbox = "."
folder_names = "utf-7"
folders = ["!Spam"]
connections = 1
timeout = "1m30s"
fsync = false
keep_deleted = "1y2w3d"
full_check = "12h"
max_deletions = { percent = 5 }
conflicts = { deletion = "wins" }
expunge = "both"
trash = "Trash"
disable_extensions = ["condstore"]
compress = true
[accounts.z.folder."Archive/*"]
conflicts.deletion = "yields"
expunge = "none"
[accounts.z.folder."Archive/New"]
conflicts = { deletion = "wins" }

[accounts.a]
host = "imap.example.org"
port = 1143
tls = "starttls"
user = "u"
password = "p"
trash = "auto"
fingerprint = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff"
maildir = "/m"
`))
	if err != nil {
		t.Fatal(err)
	}
	z, a := c.Accounts[0], c.Accounts[1]
	if z.Name != "z" || a.Name != "a" {
		t.Errorf("accounts not in the order of the file: %s, %s", z.Name, a.Name)
	}
	if z.Port != 143 || z.Separator != ":" || z.Inbox != "." || !z.UTF7 || z.Connections != 1 || z.Compress != CompressAlways || z.Timeout != 90*time.Second || z.Fsync ||
		z.KeepDeleted != (365+14+3)*24*time.Hour || z.FullCheck != 12*time.Hour || z.MaxDeletions != (Limits{100, 5}) ||
		z.DisableExtensions[0] != "CONDSTORE" || !z.Secret.Bearer || z.Maildir != "/etc/mail" {
		t.Errorf("values %+v", z)
	}
	for folder, want := range map[mail.FolderName]conflict.Deletion{
		"INBOX": conflict.Wins, "Archive/Old": conflict.Yields, "Archive/New": conflict.Wins,
	} {
		if got := z.Policy(folder).Deletion; got != want {
			t.Errorf("conflicts.deletion of %s is %q, want %q", folder, got, want)
		}
	}
	if in, archive := z.Policy("INBOX").Expunge, z.Policy("Archive/Old").Expunge; in != conflict.ExpungeBoth || archive != conflict.ExpungeNone {
		t.Errorf("expunge of INBOX is %q, of Archive/Old %q", in, archive)
	}
	if z.Trash != "Trash" || z.TrashByUse || a.Trash != "" || !a.TrashByUse {
		t.Errorf("trash %q %v and %q %v", z.Trash, z.TrashByUse, a.Trash, a.TrashByUse)
	}
	if a.Port != 1143 || len(a.Fingerprints) != 1 || a.Fingerprints[0][31] != 0xff {
		t.Errorf("values %+v", a)
	}
}

// TestErrors: each wrong line gives exactly one error, at its line and key,
// with words that help.
func TestErrors(t *testing.T) {
	base := map[string]string{"host": `"h.example"`, "user": `"u"`, "password": `"hunter2"`, "maildir": `"/m"`}
	for _, c := range []struct{ line, key, text string }{
		{`hots = "x"`, "hots", `no such key; did you mean "host"?`},
		{`port = "993"`, "port", "must be an integer, not a string"},
		{`port = 70000`, "port", "between 1 and 65535"},
		{`host = ["a"]`, "host", "must be a string, not a list"},
		{`host = ""`, "host", "must not be empty"},
		{`host = "imaps://h"`, "host", "without scheme"},
		{`host = "h:993"`, "host", "without scheme, user or port"},
		{`tls = "ssl"`, "tls", "must be one of implicit, starttls, none"},
		{`tls = "none"`, "tls", "in clear to h.example"},
		{`insecure = true`, "insecure", `contradicts tls = "implicit"`},
		{`insecure = "yes"`, "insecure", "must be true or false, not a string"},
		{`fingerprint = "AB"`, "fingerprint", "64 hex digits"},
		{`fingerprint = []`, "fingerprint", "empty list"},
		{`fingerprint = [1]`, "fingerprint", "item 1 must be a string"},
		{`proxy = "socks4://p:1"`, "proxy", `"socks4" is not known`},
		{`proxy = "p:1080"`, "proxy", "must be"},
		{`proxy = "http://me:hunter2@"`, "proxy", "must be"},
		{`proxy = "http://me:hunter2@p:port"`, "proxy", "must be"},
		{`proxy = "http://p/path"`, "proxy", "must be"},
		{`client_key = "k.pem"`, "client_key", "give client_cert too"},
		{`user_command = "x"`, "user_command", "contradicts user: give one"},
		{`auth = "gssapi"`, "auth", "must be one of auto"},
		{`auth = "external"`, "password", "no secret is sent"},
		{`password_command = "x"`, "password", "contradicts password_command: give one source"},
		{`layout = "maildir"`, "layout", `did you mean "maildir++"?`},
		{`separator = "."`, "separator", `contradicts layout = "verbatim"`},
		{`separator = "/"`, "separator", "must be one of"},
		{`inbox = "a/b"`, "inbox", "the name of a directory in maildir"},
		{`inbox = ".in"`, "inbox", "the name of a directory in maildir"},
		{"inbox = \"In\"\nlayout = \"maildir++\"", "inbox", `contradicts layout = "maildir++"`},
		{`folder_names = "utf7"`, "folder_names", "must be one of utf-8, utf-7"},
		{`separator = ".."`, "separator", "must be one of"},
		{`folders = []`, "folders", "chooses no folder"},
		{`folders = ["*", "!"]`, "folders", `item 2, "!", is no pattern`},
		{`folders = [["*"]]`, "folders", "item 1 must be a string"},
		{`connections = 0`, "connections", "between 1 and 32"},
		{`timeout = 60`, "timeout", "must be a string, not an integer"},
		{`timeout = "60"`, "timeout", "no duration such as"},
		{`timeout = "0s"`, "timeout", "at least 1s"},
		{`keep_deleted = "-1d"`, "keep_deleted", "no duration"},
		{`keep_deleted = "999999999y"`, "keep_deleted", "too long"},
		{`max_deletions = 5`, "max_deletions", "must be a table, not an integer"},
		{`max_deletions = { cuont = 5 }`, "max_deletions.cuont", `did you mean "count"?`},
		{`max_deletions = { percent = 101 }`, "max_deletions.percent", "between 1 and 100"},
		{`conflicts = { deletion = "loses" }`, "conflicts.deletion", "must be one of yields, wins"},
		{`disable_extensions = ["A B"]`, "disable_extensions", "no capability"},
		{`disable_extensions = ["imap4rev1"]`, "disable_extensions", "what the server speaks"},
		{`compress = "true"`, "compress", `must be "auto", true or false`},
		{`compress = [true]`, "compress", `must be "auto", true or false`},
		{`keyring = 1`, "keyring", "must be true or false"},
		{`gmail = true`, "gmail", "not supported by this version"},
		{`hooks = { after_snyc = "x" }`, "hooks.after_snyc", `did you mean "after_sync"?`},
		{`hooks = { after_sync = true }`, "hooks.after_sync", "must be a string, not a boolean"},
		{`hooks = { after_sync = "a\u0000b" }`, "hooks.after_sync", "NUL"},
		{`hooks = { always = "yes" }`, "hooks.always", "must be true or false"},
		{`hooks = { timeout = "10ms" }`, "hooks.timeout", "at least 1s"},
		{`hooks = "notmuch new"`, "hooks", "must be a table"},
		{`folder = 1`, "folder", "must be a table"},
		{`folder."A/*".gmail = true`, `folder."A/*".gmail`, "not supported by this version"},
		{`folder."A/*".trash = "x"`, `folder."A/*".trash`, "is set for the whole account"},
		{`expunge = "all"`, "expunge", "must be one of none, local, remote, both"},
		{`trash = ""`, "trash", "must"},
		{`trash = "a//b"`, "trash", "must be the name of a folder"},
		{`trash = "inbox"`, "trash", "must not be INBOX"},
		{`folder."A/*".host = "x"`, `folder."A/*".host`, "for the whole account"},
		{`folder."A/*".max_deletions = {}`, `folder."A/*".max_deletions`, "for the whole account"},
		{`folder."!A".conflicts = {}`, `folder."!A"`, "without \"!\""},
		{`maildir = "$HOME/Mail"`, "maildir", "environment variables are not expanded"},
		{`maildir = "~bob/Mail"`, "maildir", "not ~user"},
		{`credential = "../x"`, "credential", "not a path"},
		{`maildir = 1979-05-27`, "maildir", "not a date"},
		{`port = 1.5`, "port", "with a fraction"},
	} {
		lines := []string{"[accounts.w]", c.line}
		for _, k := range []string{"host", "user", "password", "maildir"} {
			if !strings.HasPrefix(c.line, k+" ") {
				lines = append(lines, k+" = "+base[k])
			}
		}
		line := 2
		if c.key == "password" {
			line = 5
		}
		_, err := Parse("/c.toml", []byte(strings.Join(lines, "\n")))
		if err == nil {
			t.Errorf("%s: accepted", c.line)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password", c.line)
		}
		want := fmt.Sprintf("/c.toml:%d: accounts.w.%s: ", line, c.key)
		if got := err.Error(); !strings.HasPrefix(got, want) || !strings.Contains(got, c.text) || strings.Contains(got, "\n") {
			t.Errorf("%s:\n got %s\nwant %s…%s", c.line, got, want, c.text)
		}
	}
}

func TestErrorsOfTheFile(t *testing.T) {
	account := func(name, maildir string) string {
		return "[accounts." + name + "]\nhost='h'\nuser='u'\npassword='p'\nmaildir='" + maildir + "'\n"
	}
	for _, c := range []struct{ text, want string }{
		{"", "/c.toml: there is no account"},
		{"state_dirs = 'x'", `/c.toml:1: state_dirs: there is no such key; did you mean "state_dir"?`},
		{"accounts = 3", "/c.toml:1: accounts: must be a table, not an integer"},
		{"[[accounts]]\nhost='x'", "/c.toml:1: accounts: must be a table, not a list"},
		{"[accounts]\nwork = 1", "/c.toml:2: accounts.work: must be a table"},
		{"\n\n[accounts.w\n", "/c.toml:3: "},
		{"[accounts.w]\nhost='a'\nhost='b'\n", "/c.toml:3: "},
		{"[accounts.w]\n", "/c.toml:1: accounts.w: host is missing\n/c.toml:1: accounts.w: maildir is missing\n/c.toml:1: accounts.w: user is missing\n/c.toml:1: accounts.w: there is no secret"},
		{account(`"a/b"`, "/m"), `/c.toml:1: accounts."a/b": an account's name is made of`},
		{account("a", "/m") + account("b", "/m/x"), `/c.toml:10: accounts.b.maildir: lies inside the Maildir of account "a"`},
		{account("a", "/m/x") + account("b", "/m/"), `/c.toml:10: accounts.b.maildir: holds the Maildir of account "a"`},
		{account("a", "/m") + account("b", "/m/x/.."), `/c.toml:10: accounts.b.maildir: is also the Maildir of account "a"`},
		{"state_dir='/m/state'\n" + account("a", "/m"), "/c.toml:6: accounts.a.maildir: the state directory /m/state lies inside"},
	} {
		_, err := Parse("/c.toml", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
	if _, err := Parse("/c.toml", []byte(account("a", "/m")+account("b", "/mm"))); err != nil {
		t.Errorf("neighbouring Maildirs refused: %v", err)
	}
}

func TestMaildirsThroughSymlinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	text := "state_dir='/s'\n[accounts.a]\nhost='h'\nuser='u'\npassword='p'\nmaildir='real'\n" +
		"[accounts.b]\nhost='h'\nuser='u'\npassword='p'\nmaildir='link/not/yet'\n"
	_, err := Parse(filepath.Join(dir, "c.toml"), []byte(text))
	if err == nil || !strings.Contains(err.Error(), "lies inside the Maildir of account") {
		t.Errorf("got %v", err)
	}
}

func TestReadableFileWithPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.toml")
	text := "[accounts.a]\nhost='h'\nuser='u'\npassword='hunter2'\nmaildir='/m'\n"
	for mode, refused := range map[os.FileMode]bool{0o600: false, 0o640: true, 0o604: true, 0o620: false} {
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file)
		if (err != nil) != refused {
			t.Errorf("mode %o: %v", mode, err)
		}
		if refused && (!strings.Contains(err.Error(), ":4: accounts.a.password: ") || !strings.Contains(err.Error(), "chmod 600")) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.WriteFile(file, []byte(strings.Replace(text, "password=", "password_command=", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file); err != nil {
		t.Errorf("a readable file without a password: %v", err)
	}
}

func TestNothingPrintsTheSecret(t *testing.T) {
	c, err := Parse("/c.toml", []byte("[accounts.a]\nhost='h'\nuser='u'\npassword='hunter2'\nmaildir='/m'\n"))
	if err != nil {
		t.Fatal(err)
	}
	a := c.Accounts[0]
	hidden := struct{ s Secret }{a.Secret}
	asJSON, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	out := string(asJSON) + a.Secret.String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out += fmt.Sprintf(verb, *a) + fmt.Sprintf(verb, a.Secret) + fmt.Sprintf(verb, &a.Secret) + fmt.Sprintf(verb, hidden)
	}
	for _, secret := range []string{"hunter2", fmt.Sprintf("%x", "hunter2")} {
		if strings.Contains(out, secret) {
			t.Errorf("the secret is printed: %s", out)
		}
	}
	if got, err := a.Secret.Get(t.Context()); got != "hunter2" || err != nil {
		t.Errorf("Get: %q, %v", got, err)
	}
}

func TestDefaultFile(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("IMAPSYNC_CONFIG", "")
	for _, c := range []struct{ env, xdg, want string }{
		{"", "", "/home/me/.config/imapsync/config.toml"},
		{"", "relative", "/home/me/.config/imapsync/config.toml"},
		{"", "/x", "/x/imapsync/config.toml"},
		{"f.toml", "/x", "f.toml"},
	} {
		t.Setenv("IMAPSYNC_CONFIG", c.env)
		t.Setenv("XDG_CONFIG_HOME", c.xdg)
		if got, err := DefaultFile(); got != c.want || err != nil {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}

// TestKeysAreDocumented keeps the manual complete.
func TestKeysAreDocumented(t *testing.T) {
	for _, k := range Keys() {
		if k.Form == "" || !strings.HasSuffix(k.Text, ".") || k.set == nil {
			t.Errorf("key %s lacks a form, a text that ends in a full stop, or a setter", k.Name)
		}
	}
}

// placed is an error that tells its line, where there is one.
var placed = regexp.MustCompile(`^/c\.toml:\d+: |^/c\.toml: .*no account`)

// FuzzParse: no bytes make Parse panic, what it accepts is usable, and what it
// does not accept it says by file and line.
func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("[accounts.a]\nfolder.\"*\".conflicts={deletion=\"wins\"}\nmax_deletions={count=1}\n"))
	f.Add([]byte("[[accounts]]\n[accounts.\"\"]\n\"\" = 1\n"))
	f.Add([]byte("a.b.c = { d.e = [ { f = 1 } ] }\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("/c.toml", data)
		if err != nil {
			if !placed.MatchString(err.Error()) {
				t.Errorf("the error does not say where: %v", err)
			}
			return
		}
		for _, a := range c.Accounts {
			if a.Name == "" || a.Host == "" || !filepath.IsAbs(a.Maildir) || a.Port < 1 || a.Timeout <= 0 || a.Connections < 1 {
				t.Errorf("accepted %+v", a)
			}
			a.Policy("INBOX")
			a.Folders.Match("A/B")
		}
	})
}

// TestHooks: an account's section stands over the file's, wherever that is.
func TestHooks(t *testing.T) {
	const account = "host = \"h\"\nuser = \"u\"\npassword_command = \"p\"\nmaildir = \"/"
	c, err := Parse("/c.toml", []byte("[accounts.a]\n"+account+"a\"\n[accounts.a.hooks]\nafter_sync = \"\"\nalways = true\n"+
		"[hooks]\nafter_sync = \"notmuch new\"\non_error = \"e\"\ntimeout = \"1m\"\n[accounts.b]\n"+account+"b\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Hooks{
		"a": {OnError: "e", Always: true, Timeout: time.Minute},
		"b": {AfterSync: "notmuch new", OnError: "e", Timeout: time.Minute},
	} {
		if got := c.Account(name).Hooks; got != want {
			t.Errorf("hooks of %s are %+v, want %+v", name, got, want)
		}
	}
}
