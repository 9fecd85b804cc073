package simworld

// restored enters that the server put a folder back. What it lost by that the
// Maildir has, and is kept; what came back by that is new; and of flags it put
// back nobody can tell whose they are.
func (l *ledger) restored(before, after []Entry) {
	count := map[string]int{}
	flags := map[string]string{}
	for _, m := range before {
		count[m.Name]--
		flags[m.Name] += m.String() + " "
	}
	for _, m := range after {
		count[m.Name]++
	}
	now := map[string]string{}
	for _, m := range after {
		now[m.Name] += m.String() + " "
	}
	for name, n := range count {
		if flags[name] == now[name] {
			continue
		}
		a := l.account(name)
		a.made[Remote] += max(n, 0)
		a.lost += max(-n, 0)
		a.hollow += min(max(-n, 0), l.stubs(name))
		a.events = append(a.events, event{side: Remote, edit: Edit{Verb: Restore}})
	}
}

// staleState enters that the state was put back to a backup: of a file written
// in place since it has the content from before, and what is in it now, found on
// the server, may come another time.
func (l *ledger) staleState() {
	l.stale, l.missed = true, l.missed || l.lied || len(l.rewrote) > 0
	for name := range l.rewrote {
		l.account(name).astray++
	}
}
