package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binaryDir holds the built binaries for the whole test process.
var binaryDir string

func TestMain(m *testing.M) {
	if file := os.Getenv(measureEnv); file != "" {
		os.Exit(measure(file, os.Args[1:]))
	}
	var err error
	if binaryDir, err = os.MkdirTemp("", "imapsync-e2e"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := os.Chmod(binaryDir, 0o755); err != nil { // some tests run it as another user
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(binaryDir)
	os.Exit(code)
}

// build compiles the program once for each set of flags.
func build(name string, flags ...string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		file := filepath.Join(binaryDir, name)
		args := append([]string{"build", "-o", file}, flags...)
		out, err := exec.Command("go", append(args, "imapsync/cmd/imapsync")...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("go build: %v\n%s", err, out)
		}
		return file, nil
	})
}

var (
	racedBinary = build("imapsync", buildFlags...)
	plainBinary = build("imapsync-plain")
)

// raced are the tests in which several goroutines of the program have much to do
// at once. Where the tests look for data races, these do so in the program, too;
// in all of them it would take a second for each start.
var raced = []string{"TestTwoThousand", "TestWithoutExtensions/all", "TestInterrupted", "TestServerRestart", "TestBesideOtherPrograms"}

// binary builds the program for a test.
func binary(t *testing.T) (string, error) {
	if slices.ContainsFunc(raced, func(name string) bool { return strings.HasPrefix(t.Name(), name) }) {
		return racedBinary()
	}
	return plainBinary()
}

// result is how a run of the program ended.
type result struct {
	code           int
	stdout, stderr string
	watchdog       *time.Timer
}

func (r result) String() string {
	return fmt.Sprintf("exit %d\n--- stdout\n%s--- stderr\n%s", r.code, r.stdout, r.stderr)
}

// output is everything the program said.
func (r result) output() string { return r.stdout + r.stderr }

// runLimit is when a run counts as hung: it is then made to show its goroutines.
const runLimit = 2 * time.Minute

// start runs the program without waiting for it. It ends with the tests.
func start(t *testing.T, args ...string) (*exec.Cmd, *result) {
	t.Helper()
	return startAs(t, nil, args...)
}

// startAs starts the program as another user.
func startAs(t *testing.T, as *syscall.Credential, args ...string) (*exec.Cmd, *result) {
	t.Helper()
	file, err := binary(t)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(file, args...)
	r := &result{}
	cmd.Stdout, cmd.Stderr = (*textWriter)(&r.stdout), (*textWriter)(&r.stderr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: as}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.watchdog = time.AfterFunc(runLimit, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	return cmd, r
}

// run runs the program to its end.
func run(t *testing.T, args ...string) result {
	t.Helper()
	cmd, r := start(t, args...)
	return finish(t, cmd, r)
}

// finish waits for the program.
func finish(t *testing.T, cmd *exec.Cmd, r *result) result {
	t.Helper()
	err := cmd.Wait()
	if !r.watchdog.Stop() {
		t.Errorf("the run hung for %v and was ended", runLimit)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	r.code = cmd.ProcessState.ExitCode()
	return *r
}

// textWriter collects output; package exec writes to it from one goroutine.
type textWriter string

func (w *textWriter) Write(p []byte) (int, error) {
	*w += textWriter(p)
	return len(p), nil
}

// measureEnv makes the test binary run the program given as its arguments and
// write the program's peak memory to a file. A process inherits the peak of
// the one that starts it, so a small one has to stand between.
const measureEnv = "IMAPSYNC_E2E_MEASURE"

func measure(file string, command []string) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return 99
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, "%d", usage.Maxrss<<10), 0o600); err != nil {
		return 99
	}
	return cmd.ProcessState.ExitCode()
}

// runMeasured runs the program without race detection and tells its peak
// memory in bytes.
func runMeasured(t *testing.T, args ...string) (result, int64) {
	t.Helper()
	file, err := plainBinary()
	if err != nil {
		t.Fatal(err)
	}
	peakFile := filepath.Join(t.TempDir(), "peak")
	cmd := exec.Command(os.Args[0], append([]string{file}, args...)...)
	cmd.Env = append(os.Environ(), measureEnv+"="+peakFile)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	text, err := os.ReadFile(peakFile)
	if err != nil {
		t.Fatal(err)
	}
	var peak int64
	if _, err := fmt.Sscan(string(text), &peak); err != nil {
		t.Fatal(err)
	}
	return result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}, peak
}
