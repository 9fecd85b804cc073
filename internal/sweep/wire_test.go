//go:build linux && (amd64 || arm64)

package sweep

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"imapsync/internal/dovecot"
	"imapsync/internal/proxy"
)

// servers are one with everything, and some without what tells the outcome of a
// command. The connection is lost before commands only on some of them.
var servers = []struct {
	name    string
	without []string
	fates   []proxy.Fate
}{
	{"plain", nil, []proxy.Fate{proxy.Unsent, proxy.Unanswered}},
	{"no UIDPLUS", []string{"UIDPLUS"}, []proxy.Fate{proxy.Unanswered}},
	{"no MOVE", []string{"MOVE"}, []proxy.Fate{proxy.Unanswered}},
	{"no CONDSTORE", []string{"CONDSTORE", "QRESYNC", "MULTIAPPEND"}, []proxy.Fate{proxy.Unanswered}},
	{"nothing", []string{"UIDPLUS", "MOVE", "CONDSTORE", "QRESYNC", "ESEARCH", "LIST-STATUS", "LITERAL+"}, []proxy.Fate{proxy.Unanswered}},
}

// victim chooses one command of a run, by its verb and how many of these went
// before.
type victim struct {
	verb  string
	index int
}

// cutAt cuts the connection at the command; it reports whether it came to that.
func (s *site) cutAt(v victim, fate proxy.Fate) (struck func() bool) {
	var mu sync.Mutex
	seen := 0
	s.proxy.Intercept(func(command string) proxy.Fate {
		if proxy.Verb(command) != v.verb {
			return proxy.Pass
		}
		mu.Lock()
		defer mu.Unlock()
		seen++
		if seen == v.index+1 {
			return fate
		}
		return proxy.Pass
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen > v.index
	}
}

// victims are the commands of the run that change something; of each kind the first
// and the last, unless everything is tried.
func (s *site) victims() []victim {
	s.t.Helper()
	s.restore()
	if code, output := s.sync("--full"); code != 0 {
		s.t.Fatalf("exit %d\n%s", code, output)
	}
	count := map[string]int{}
	for _, c := range proxy.Changing(s.proxy.Commands()) {
		count[proxy.Verb(c)]++
	}
	var chosen []victim
	for _, verb := range slices.Sorted(maps.Keys(count)) {
		for i := range count[verb] {
			if everything || i == 0 || i == count[verb]-1 {
				chosen = append(chosen, victim{verb, i})
			}
		}
	}
	return chosen
}

// TestConnectionLostAtEachCommand: the connection is lost as a command that
// changes something is sent, or when the server has carried it out but nobody
// learns of it.
func TestConnectionLostAtEachCommand(t *testing.T) {
	t.Parallel()
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, dovecot.Start(t, dovecot.Without(server.without...)), "wire", (*site).mixed)
			tried := map[string]int{}
			for _, v := range s.victims() {
				for _, fate := range server.fates {
					if s.lose(v, fate) {
						tried[v.verb]++
					}
				}
			}
			t.Logf("connections lost: %v", tried)
		})
	}
}

// lose makes the run with the connection lost at a command, and another one.
func (s *site) lose(v victim, fate proxy.Fate) bool {
	s.t.Helper()
	s.restore()
	struck := s.cutAt(v, fate)
	first, said := s.sync("--full")
	errs := []error{s.nothingLost()}
	switch first {
	case 0:
		w := s.look()
		errs = append(errs, w.local.differences("success, but local", s.want.local), w.remote.differences("success, but remote", s.want.remote))
	case 1, 4:
	default:
		errs = append(errs, fmt.Errorf("exit %d", first))
	}
	s.proxy.Intercept(nil)
	code, output := s.sync("--full")
	if code != 0 {
		errs = append(errs, fmt.Errorf("next run: exit %d", code))
	}
	errs = append(errs, s.verify(), s.idle())
	if err := errors.Join(errs...); err != nil {
		s.t.Errorf("%s %d, fate %d: %v\n--- the run ended with %d\n%s--- the next run\n%s", v.verb, v.index, fate, err, first, said, output)
	}
	return struck()
}
