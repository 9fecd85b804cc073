//go:build linux && (amd64 || arm64)

package sweep

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/internal/tracer"
)

// sites is how many accounts share the steps of a test.
func sites() int {
	if everything {
		return 4
	}
	return 1
}

// stroke is one thing that happens to a run.
type stroke struct {
	name string
	plan tracer.Plan // all but the step
	// One of so many steps is tried, unless everything is; from this one on.
	stride, offset int
	ended          func(s *site, r tracer.Result) error // what is wrong with how the run ended
}

// sweep tries strokes at the steps of the run for which prepare makes the account.
func sweep(t *testing.T, prepare func(*site), strokes ...stroke) {
	t.Parallel()
	server := dovecot.Start(t)
	var tried, struck atomic.Int64
	t.Cleanup(func() { t.Logf("%d runs were tried, and struck in %d", tried.Load(), struck.Load()) })
	for number := range sites() {
		t.Run(fmt.Sprintf("site%d", number), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, server, strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")), prepare)
			kinds := map[tracer.Kind]bool{}
			for _, k := range strokes {
				s.restore()
				k.plan.At = 0
				steps := s.strike(k.plan).Steps
				for i, at := range k.choose(steps, kinds) {
					if i%sites() != number {
						continue
					}
					tried.Add(1)
					if s.try(k, at) {
						struck.Add(1)
					}
				}
			}
		})
	}
}

// choose picks the steps to be tried: every so manieth, and the first of each
// kind that the test has not tried yet.
func (k stroke) choose(steps []tracer.Call, kinds map[tracer.Kind]bool) []int {
	var chosen []int
	pick := func(i int) {
		chosen = append(chosen, i+1)
		kinds[steps[i].Kind] = true
	}
	for i := range steps {
		if everything || i%k.stride == k.offset%k.stride {
			pick(i)
		}
	}
	for i, c := range steps {
		if !kinds[c.Kind] {
			pick(i)
		}
	}
	return chosen
}

// try makes the run with the stroke at a step, and another after it.
func (s *site) try(k stroke, at int) (struck bool) {
	s.t.Helper()
	s.restore()
	k.plan.At = at
	r := s.strike(k.plan)
	errs := []error{s.nothingLost()}
	if k.ended != nil && r.Struck != nil {
		errs = append(errs, k.ended(s, r))
	}
	code, output := s.sync("--full")
	if code != 0 {
		errs = append(errs, fmt.Errorf("next run: exit %d", code))
	}
	errs = append(errs, s.verify(), s.idle())
	if err := errors.Join(errs...); err != nil {
		s.t.Errorf("%s at step %d, %v: %v\n--- the run ended with %d\n%s%s--- the next run\n%s", k.name, at, r.Struck, err, r.Code, r.Stdout, r.Stderr, output)
	}
	return r.Struck != nil
}

// nothingLost looks whether each message that nobody deleted is somewhere.
func (s *site) nothingLost() error {
	s.t.Helper()
	w := s.look()
	there := map[[32]byte]bool{}
	for _, side := range []items{w.local, w.remote} {
		for i := range side {
			there[i.sum] = true
		}
	}
	var errs []error
	for i := range s.want.local {
		if !there[i.sum] {
			if i.sum != [32]byte{} {
				errs = append(errs, fmt.Errorf("lost: %v", i))
			}
		}
	}
	return errors.Join(errs...)
}

// lasting are the calls that change what has to last.
func lasting(c tracer.Call) bool { return !strings.HasSuffix(c.Path, "-shm") }

func TestKilledAtEachStep(t *testing.T) {
	sweep(t, (*site).mixed, stroke{name: "killed", stride: 40, offset: 3,
		plan: tracer.Plan{Do: tracer.Kill, Counts: lasting}})
}

func TestPowerCutAtEachStep(t *testing.T) {
	var strokes []stroke
	for i, loss := range []tracer.Loss{tracer.All, tracer.Names, tracer.Bytes} {
		strokes = append(strokes, stroke{name: "power cut that loses " + string(loss), stride: 90, offset: 5 + 30*i,
			plan: tracer.Plan{Do: tracer.Cut, Loss: loss, Counts: lasting}})
	}
	sweep(t, (*site).mixed, strokes...)
}

func TestFirstRunEndedAtEachStep(t *testing.T) {
	sweep(t, (*site).first,
		stroke{name: "killed", stride: 120, offset: 40, plan: tracer.Plan{Do: tracer.Kill, Counts: lasting}},
		stroke{name: "power cut", stride: 60, offset: 10, plan: tracer.Plan{Do: tracer.Cut, Loss: tracer.All, Counts: lasting}})
}

// onFiles are the calls that a file system can let fail.
func onFiles(c tracer.Call) bool { return c.Kind != tracer.Send }

// needsSpace are the calls that a full disk can let fail.
func needsSpace(c tracer.Call) bool {
	return onFiles(c) && c.Kind != tracer.Unlink && c.Kind != tracer.Attr
}

// honest looks how a run ended in which something failed: with a message, or
// in success if both sides are the same.
func honest(s *site, r tracer.Result) error {
	var errs []error
	switch {
	case r.Hung:
		errs = append(errs, errors.New("the run hung"))
	case r.Code == 0:
		w := s.look()
		errs = append(errs, w.local.differences("success, but local", s.want.local), w.remote.differences("success, but remote", s.want.remote))
	case r.Code != 1:
		errs = append(errs, fmt.Errorf("exit %d, want 1", r.Code))
	case strings.TrimSpace(r.Stderr) == "":
		errs = append(errs, errors.New("exit 1 without a word"))
	}
	if strings.Contains(r.Stderr, "goroutine ") {
		errs = append(errs, errors.New("it crashed"))
	}
	return errors.Join(errs...)
}

func TestEachCallFailsOnce(t *testing.T) {
	var strokes []stroke
	for i, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EACCES, syscall.EDQUOT} {
		counts := onFiles
		if errno == syscall.ENOSPC || errno == syscall.EDQUOT {
			counts = needsSpace
		}
		strokes = append(strokes, stroke{name: errno.Error() + " once", stride: 120, offset: 2 + 30*i, ended: honest,
			plan: tracer.Plan{Do: tracer.Fail, Errno: errno, Counts: counts}})
	}
	sweep(t, (*site).mixed, strokes...)
}

func TestDiskFullFromEachStepOn(t *testing.T) {
	var strokes []stroke
	for i, dir := range []string{"Mail", "state"} {
		full := func(c tracer.Call) bool {
			return needsSpace(c) && strings.Contains(c.Path+c.To, filepath.Join("live", dir))
		}
		strokes = append(strokes, stroke{name: "disk of " + dir + " full", stride: 60, offset: 1 + 30*i, ended: honest,
			plan: tracer.Plan{Do: tracer.Fail, Errno: syscall.ENOSPC, Counts: full, Then: full}})
	}
	sweep(t, (*site).mixed, strokes...)
}
