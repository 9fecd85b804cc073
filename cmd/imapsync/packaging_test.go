package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnits: systemd takes the units, which call the program as it is called.
func TestUnits(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"imapsync.service", "imapsync.timer"} {
		text, err := os.ReadFile(filepath.Join("../../packaging", name))
		if err != nil {
			t.Fatal(err)
		}
		unit := string(text)
		if name == "imapsync.service" {
			before, after, ok := strings.Cut(unit, "ExecStart=imapsync ")
			if !ok || !strings.Contains(unit, "\nSuccessExitStatus=6\n") {
				t.Fatalf("the service is not as it was:\n%s", unit)
			}
			line, _, _ := strings.Cut(after, "\n")
			checkLine(t, strings.Fields(line))
			unit = before + "ExecStart=" + self + " " + after
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is missing; what the units say was not looked at")
		return
	}
	cmd := exec.Command(analyze, "verify", "--user", "--man=no", filepath.Join(dir, "imapsync.service"), filepath.Join(dir, "imapsync.timer"))
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir, "HOME="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), dir) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestLaunchAgent: the property list is one, and calls the program as it is called.
func TestLaunchAgent(t *testing.T) {
	file, err := os.Open("../../packaging/imapsync.plist")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	called := false
	for d := xml.NewDecoder(file); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, _ := token.(xml.CharData)
		if line, ok := strings.CutPrefix(string(text), "exec imapsync "); ok {
			called = true
			line, _, _ = strings.Cut(line, " 2>>")
			checkLine(t, strings.Fields(line))
		}
	}
	if !called {
		t.Error("it does not call the program")
	}
}

// checkLine insists that the program understands a command line.
func checkLine(t *testing.T, args []string) {
	t.Helper()
	p := &program{out: newOutput(io.Discard, io.Discard)}
	if _, err := arrange(p.newApp(), args); err != nil {
		t.Errorf("%q: %v", args, err)
	}
}
