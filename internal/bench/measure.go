package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"imapsync/internal/proxy"
)

// measure is what one run took.
type measure struct {
	Wall     float64 `json:"wall_seconds"`
	CPU      float64 `json:"cpu_seconds"`
	Resident float64 `json:"resident_mb"` // the maximum
	proxy.Counts
	Verbs map[string]int `json:"verbs,omitempty"` // the commands by name
}

// time lets a client do its work over the link.
func (w *world) time(c *client, roundTrip time.Duration) (measure, error) {
	return w.do(c, c.args, roundTrip)
}

// do runs a command of a client. What others left to be written is written
// before: who calls syncfs would wait for it.
func (w *world) do(c *client, args []string, roundTrip time.Duration) (m measure, err error) {
	if err := w.flush(); err != nil {
		return m, err
	}
	self, err := os.Executable()
	if err != nil {
		return m, err
	}
	w.link.SetRoundTrip(roundTrip)
	w.link.Reset()
	cmd := exec.Command(self, append([]string{"measure"}, w.command(c, args)...)...)
	cmd.Env = append(os.Environ(), "HOME="+c.dir)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return m, fmt.Errorf("%s in %s: %w\n%s", c.name, c.dir, err, exit.Stderr)
	} else if err != nil {
		return m, err
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return m, err
	}
	w.link.Wait()
	m.Counts, m.Verbs = w.link.Counts(), map[string]int{}
	for _, command := range w.link.Commands() {
		m.Verbs[proxy.Verb(command)]++
	}
	return m, nil
}

// measureMain runs a command and prints what it took. It is a process of its
// own because Linux counts the memory of the process that starts another one as
// the other's: this one is small.
func measureMain(command []string) error {
	cmd := exec.Command(command[0], command[1:]...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	wall := time.Since(start)
	if err != nil {
		return fmt.Errorf("%v: %w\n%s", command, err, out)
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return json.NewEncoder(os.Stdout).Encode(measure{
		Wall: wall.Seconds(), CPU: cpu.Seconds(), Resident: float64(usage.Maxrss) * 1024 / 1e6,
	})
}

// flush has the file system of the Maildirs write everything.
func (w *world) flush() error {
	dir, err := os.Open(w.base)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Syncfs(int(dir.Fd()))
}

// median takes each number by itself; zero if there is none.
func median[T any, N int | int64 | float64](all []T, number func(T) N) N {
	var list []N
	for _, one := range all {
		list = append(list, number(one))
	}
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// medianOf is the median of each number of the runs.
func medianOf(runs []measure) measure {
	return measure{
		Wall:     median(runs, func(m measure) float64 { return m.Wall }),
		CPU:      median(runs, func(m measure) float64 { return m.CPU }),
		Resident: median(runs, func(m measure) float64 { return m.Resident }),
		Counts: proxy.Counts{
			In:          median(runs, func(m measure) int64 { return m.In }),
			Out:         median(runs, func(m measure) int64 { return m.Out }),
			Commands:    median(runs, func(m measure) int { return m.Commands }),
			Turnarounds: median(runs, func(m measure) int { return m.Turnarounds }),
			Connections: median(runs, func(m measure) int { return m.Connections }),
		},
	}
}
