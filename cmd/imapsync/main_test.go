package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"imapsync/internal/demo"
	"imapsync/mail"
	"imapsync/state"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){programName: main, "xdg-open": browser})
}

// TestScripts runs the command lines of testdata/script. Beside testscript's
// own commands they have:
//
//	server start|seed|stop           an embedded server; start sets $PORT
//	server deliver SUBJECT           a message arrives
//	server delete|flag FOLDER SUBJECT
//	server fill FOLDER N             N messages of one subject, "bulk"
//	config FILE                      expands $WORK and $PORT in the file, mode 0600
//	exits CODE COMMAND...            runs a command that must end with the code
//	json EVENT...                    the last output is JSON objects in the form of
//	                                 docs/json.md, and these events are among them, in this order
//	holdlock NAME                    another process works on the account
//	holdmaildir DIR                  another process works on the Maildir with another state
//	sound NAME                       the account's state keeps its invariants
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "xdg"))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Values[serverKey{}] = &scriptServer{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"server": serverCmd, "config": configCmd, "exits": exitsCmd, "json": jsonCmd, "holdlock": holdLockCmd, "holdmaildir": holdMaildirCmd, "sound": soundCmd,
		},
	})
}

type serverKey struct{}

type scriptServer struct{ *demo.Server }

func serverCmd(ts *testscript.TestScript, _ bool, args []string) {
	s := ts.Value(serverKey{}).(*scriptServer)
	var err error
	switch args[0] {
	case "start":
		s.Server, err = demo.Start()
		ts.Check(err)
		ts.Setenv("PORT", strconv.Itoa(s.Port()))
		ts.Defer(s.Close)
	case "seed":
		err = s.Seed()
	case "stop":
		s.Close()
	case "deliver":
		err = s.Deliver("Garden neighbour <garden@example.net>", args[1], "text")
	case "delete":
		err = s.Delete(args[1], args[2])
	case "flag":
		err = s.Flag(args[1], args[2], mail.NewFlags(mail.Flagged))
	case "fill":
		n, convErr := strconv.Atoi(args[2])
		ts.Check(convErr)
		if args[1] != "INBOX" {
			ts.Check(s.Create(args[1]))
		}
		for i := range n {
			body := fmt.Sprintf("Subject: bulk\r\nMessage-ID: <%d@bulk>\r\n\r\nmessage %d\r\n", i, i)
			ts.Check(s.Append(args[1], mail.Flags{}, time.Unix(1_700_000_000+int64(i), 0), []byte(body)))
		}
	default:
		ts.Fatalf("server: no such command %q", args[0])
	}
	ts.Check(err)
}

func configCmd(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(file, []byte(text), 0o600))
	ts.Check(os.Chmod(file, 0o600))
}

func exitsCmd(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func jsonCmd(ts *testscript.TestScript, neg bool, want []string) {
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile("stdout")))
	lines.Buffer(nil, 1<<20)
	var events []string
	for lines.Scan() {
		var object map[string]any
		if err := json.Unmarshal(lines.Bytes(), &object); err != nil {
			ts.Fatalf("%v in %s", err, lines.Text())
		}
		event, _ := object["event"].(string)
		if _, ok := object["account"].(string); !ok {
			ts.Fatalf("no account in %s", lines.Text())
		}
		if at, _ := object["time"].(string); !isTime(at) {
			ts.Fatalf("no time in %s", lines.Text())
		}
		for key := range object {
			if !slices.Contains(documented[event], key) {
				ts.Fatalf("event %q has the key %q that docs/json.md does not describe: %s", event, key, lines.Text())
			}
		}
		events = append(events, event)
	}
	ts.Check(lines.Err())
	left := want
	for _, e := range events {
		if len(left) > 0 && e == left[0] {
			left = left[1:]
		}
		if neg && slices.Contains(want, e) {
			ts.Fatalf("event %q among %q", e, events)
		}
	}
	if !neg && len(left) > 0 {
		ts.Fatalf("events %q are not among %q in this order", want, events)
	}
}

func isTime(s string) bool {
	_, err := time.Parse(time.RFC3339Nano, s)
	return err == nil
}

func holdLockCmd(ts *testscript.TestScript, _ bool, args []string) {
	lock, err := state.Lock(context.Background(), filepath.Join(ts.Getenv("WORK"), "state", "imapsync", args[0]+".db"), 0)
	ts.Check(err)
	ts.Defer(func() { ts.Check(lock.Unlock()) })
}

func holdMaildirCmd(ts *testscript.TestScript, _ bool, args []string) {
	unlock, err := state.LockMaildir(context.Background(), ts.MkAbs(args[0]), 0)
	ts.Check(err)
	ts.Defer(func() { ts.Check(unlock()) })
}

func soundCmd(ts *testscript.TestScript, _ bool, args []string) {
	db, err := state.OpenReadOnly(context.Background(), filepath.Join(ts.Getenv("WORK"), "state", "imapsync", args[0]+".db"))
	ts.Check(err)
	defer db.Close()
	ts.Check(db.Check(context.Background()))
}
