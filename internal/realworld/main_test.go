package realworld

import (
	"flag"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// Tests here wait for the server and the disk more than they compute, so twice
// as many as there are processors run at once.
func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == parallel.DefValue {
		if err := parallel.Value.Set(strconv.Itoa(2 * runtime.GOMAXPROCS(0))); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
