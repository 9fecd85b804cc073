// Command testsummary runs go test with the arguments given, prints what go
// test prints, and ends by naming the tests that were skipped and why. Where
// CI=true or IMAPSYNC_REQUIRE=1 a skipped test is a failure.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	skipped, err := summarize(out, os.Stdout)
	failed := cmd.Wait() != nil
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		failed = true
	}
	if len(skipped) > 0 {
		fmt.Printf("\n%d skipped:\n%s", len(skipped), strings.Join(skipped, ""))
		if os.Getenv("CI") == "true" || os.Getenv("IMAPSYNC_REQUIRE") == "1" {
			fmt.Println("nothing may be skipped here: this is a failure")
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// event is one line of go test -json (go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type testID struct{ pkg, test string }

// summarize prints the output of go test -json as go test itself would, and
// returns a line for each skipped test.
func summarize(from io.Reader, to io.Writer) (skipped []string, err error) {
	pending := map[testID]*strings.Builder{} // output of tests not yet judged
	var order []testID
	for decoder := json.NewDecoder(from); ; {
		var e event
		if err := decoder.Decode(&e); err == io.EOF {
			return skipped, nil
		} else if err != nil {
			return skipped, err
		}
		id := testID{e.Package, e.Test}
		switch {
		case e.Action == "build-output", e.Action == "output" && e.Test == "":
			if !strings.HasPrefix(e.Output, "=== ") && e.Output != "PASS\n" {
				fmt.Fprint(to, e.Output)
			}
		case e.Action == "output":
			if pending[id] == nil {
				pending[id] = &strings.Builder{}
				order = append(order, id)
			}
			if !strings.HasPrefix(e.Output, "=== ") {
				pending[id].WriteString(e.Output)
			}
		case e.Action == "skip" && e.Test != "":
			skipped = append(skipped, fmt.Sprintf("%s %s: %s\n", e.Package, e.Test, reason(take(pending, id))))
		case e.Action == "pass" && e.Test != "":
			take(pending, id)
		case e.Action == "fail" && e.Test != "":
			fmt.Fprint(to, take(pending, id))
		case e.Action == "fail":
			// Tests without a verdict were running when the package crashed.
			for _, other := range order {
				if other.pkg == e.Package {
					fmt.Fprint(to, take(pending, other))
				}
			}
		}
	}
}

func take(pending map[testID]*strings.Builder, id testID) string {
	output := pending[id]
	if output == nil {
		return ""
	}
	delete(pending, id)
	return output.String()
}

// reason is what a test said when it skipped, on one line.
func reason(output string) string {
	var words []string
	for _, line := range strings.Split(output, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--- ") {
			words = append(words, line)
		}
	}
	return strings.Join(words, " ")
}
