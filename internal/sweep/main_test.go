//go:build linux && (amd64 || arm64)

package sweep

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"imapsync/internal/tracer"
)

// everything is whether each step is tried.
var everything = os.Getenv("SWEEP") == "all"

// scratch is where the tests work: in memory where that is to be had, for they
// sync thousands of files. What reaches the disk is for the tracer to say.
var scratch string

// Tests here wait for the server more than they compute, so twice as many as
// there are processors run at once.
func TestMain(m *testing.M) {
	tracer.Launch()
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		if err := parallel.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("/dev/shm", "imapsync-sweep"); err != nil {
		if scratch, err = os.MkdirTemp("", "imapsync-sweep"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

// binary compiles the program once, without race detection: that would take
// most of the time.
var binary = sync.OnceValues(func() (string, error) {
	file := filepath.Join(scratch, "imapsync")
	if out, err := exec.Command("go", "build", "-o", file, "imapsync/cmd/imapsync").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %v\n%s", err, out)
	}
	return file, nil
})
