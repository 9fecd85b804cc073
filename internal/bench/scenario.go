package main

import (
	"log"
	"slices"
	"time"
)

// bench is the world and what was found out in it.
type bench struct {
	*world
	*report
}

// scenarios play the rows, those together that work on the same clients.
var scenarios = []func(*bench) error{
	(*bench).firstSync, (*bench).unchanged, (*bench).changes, (*bench).upload, (*bench).memoryOfFirst, (*bench).huge,
}

// settle is how long a directory must have been left alone before a tool
// believes that it is: mbsync sleeps until then, imapsync scans it once more.
const settle = 3 * time.Second

// ours returns the two tools that keep a state.
func (b *bench) ours() []tool { return []tool{imapsync(b.imapsync), mbsync(b.world.mbsync)} }

// withBare returns all three, the bare client for one kind of work.
func (b *bench) withBare(work string) ([]tool, error) {
	t, err := bareClient(work)
	return append(b.ours(), t), err
}

// clients makes one client for each tool.
func (b *bench) clients(tools []tool, master string) (clients []*client, err error) {
	for _, t := range tools {
		c, err := b.client(t, master)
		if err != nil {
			return nil, err
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// synchronised makes clients that have nothing left to do: after their first
// run comes one that is not yet what a timer meets every time.
func (b *bench) synchronised(tools []tool, master string) ([]*client, error) {
	clients, err := b.clients(tools, master)
	if err != nil {
		return nil, err
	}
	for run := range 2 {
		for _, c := range clients {
			if err := b.configure(c, run > 0); err != nil {
				return nil, err
			}
			args := c.args
			if c.name == "bare" {
				if run > 0 {
					continue // it keeps no state
				}
				args = slices.Concat(args[:1], []string{"download"}, args[2:])
			}
			if _, err := b.do(c, args, 0); err != nil {
				return nil, err
			}
			if c.want, err = b.onServer(c.user, true); err != nil {
				return nil, err
			}
			if err := b.check(c, true); err != nil {
				return nil, err
			}
		}
		time.Sleep(settle)
	}
	return clients, nil
}

// step has the user edit each client's account, then each client run, beginning
// with another one each time.
func (b *bench) step(key string, roundTrip time.Duration, round int, clients []*client, e edit, counts bool) error {
	for _, c := range clients {
		c.edits++
		err := e.make(b.world, c)
		if err != nil {
			return err
		}
		if e.local {
			c.want, err = onDisk(c.mail(), counts)
		} else {
			c.want, err = b.onServer(c.user, counts)
		}
		if err != nil {
			return err
		}
	}
	time.Sleep(settle)
	for i := range clients {
		c := clients[(i+round)%len(clients)]
		m, err := b.time(c, roundTrip)
		if err != nil {
			return err
		}
		if err := b.check(c, counts); err != nil {
			return err
		}
		b.add(key, roundTrip, c.name, m)
		log.Printf("%s, round trip %v, %s: %.3f s wall, %.3f s CPU, %.0f MB resident, %d commands, %d turnarounds, %d bytes",
			key, roundTrip, c.name, m.Wall, m.CPU, m.Resident, m.Commands, m.Turnarounds, m.In+m.Out)
	}
	return nil
}

func (b *bench) firstSync() error {
	tools, err := b.withBare("download")
	if err != nil {
		return err
	}
	for round := range b.runs {
		for _, roundTrip := range b.tripsOf("first") {
			clients, err := b.clients(tools, mixed)
			if err != nil {
				return err
			}
			if err := b.step("first", roundTrip, round, clients, nothing, false); err != nil {
				return err
			}
			if err := b.release(clients...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) unchanged() error {
	trips := b.tripsOf("unchanged")
	if trips == nil {
		return nil
	}
	tools, err := b.withBare("unchanged")
	if err != nil {
		return err
	}
	clients, err := b.synchronised(tools, many)
	if err != nil {
		return err
	}
	for round := range b.runs {
		for _, roundTrip := range trips {
			if err := b.step("unchanged", roundTrip, round, clients, nothing, true); err != nil {
				return err
			}
		}
	}
	return b.release(clients...)
}

// edits are made to the same clients one after the other, as it happens to a
// real account.
var edits = []struct {
	key string
	edit
}{
	{"server-changes", edit{false, changeServer}},
	{"local-changes", edit{true, changeLocally}},
	{"local-moves", edit{true, moveLocally}},
	{"server-moves", edit{false, moveOnServer}},
}

func (b *bench) changes() error {
	var clients []*client
	for round := range b.runs {
		for _, e := range edits {
			for _, roundTrip := range b.tripsOf(e.key) {
				if clients == nil {
					var err error
					if clients, err = b.synchronised(b.ours(), mixed); err != nil {
						return err
					}
				}
				if err := b.step(e.key, roundTrip, round, clients, e.edit, false); err != nil {
					return err
				}
			}
		}
	}
	return b.release(clients...)
}

func (b *bench) upload() error {
	tools, err := b.withBare("upload")
	if err != nil {
		return err
	}
	for round := range b.runs {
		for _, roundTrip := range b.tripsOf("upload") {
			clients, err := b.synchronised(tools, empty)
			if err != nil {
				return err
			}
			if err := b.step("upload", roundTrip, round, clients, edit{true, fillUploads}, false); err != nil {
				return err
			}
			if err := b.release(clients...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) memoryOfFirst() error {
	for _, roundTrip := range b.tripsOf("memory-first") {
		clients, err := b.clients(b.ours(), bulk)
		if err != nil {
			return err
		}
		if err := b.step("memory-first", roundTrip, 0, clients, nothing, true); err != nil {
			return err
		}
		if err := b.release(clients...); err != nil {
			return err
		}
	}
	return nil
}

// huge plays the rows of one huge folder. mbsync takes part where something is to
// be done.
func (b *bench) huge() error {
	tools := []tool{imapsync(b.imapsync)}
	if b.tripsOf(hugeServer) != nil || b.tripsOf(hugeLocal) != nil {
		tools = b.ours()
	}
	var clients []*client
	for round := range b.runs {
		for _, e := range []struct {
			key string
			edit
		}{{memoryUnchanged, nothing}, {hugeServer, edit{false, changeHugeOnServer}}, {hugeLocal, edit{true, changeHugeLocally}}} {
			for _, roundTrip := range b.tripsOf(e.key) {
				if clients == nil {
					var err error
					if clients, err = b.synchronised(tools, single); err != nil {
						return err
					}
				}
				if err := b.step(e.key, roundTrip, round, clients, e.edit, true); err != nil {
					return err
				}
			}
		}
	}
	return b.release(clients...)
}
