// Command bench runs imapsync and mbsync in turn on the same private Dovecot
// and prints a Markdown table of times and ratios. Both write every message to
// the disk for good (fsync), neither has TLS or compression between itself and
// the server. What each of them leaves is checked before its time counts.
//
// Every run has a directory of its own, and all are deleted at the end only:
// file systems are slow to give the inodes of deleted files away again, which
// would be charged to whoever runs next.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"imapsync/internal/corpus"
	"imapsync/internal/dovecot"
	"imapsync/internal/phone"
	"imapsync/internal/proxy"
)

// options are the flags.
type options struct {
	imapsync, mbsync string
	messages         int
	folders          int
	runs             int
	roundTrips       string
	dir              string
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.imapsync, "imapsync", "./imapsync", "the imapsync `binary`")
	flag.StringVar(&o.mbsync, "mbsync", "/usr/bin/mbsync", "the mbsync `binary` (Debian's isync)")
	flag.IntVar(&o.messages, "messages", 2000, "messages on the server")
	flag.IntVar(&o.folders, "folders", 20, "folders they lie in")
	flag.IntVar(&o.runs, "runs", 3, "runs of each; the median counts")
	flag.StringVar(&o.roundTrips, "rtt", "0s,40ms", "round-trip times to the server, with commas")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where the Maildirs are made")
	flag.Parse()
	if err := bench(o); err != nil {
		log.Fatal(err)
	}
}

func bench(o options) error {
	for _, binary := range []*string{&o.imapsync, &o.mbsync} {
		var err error
		if *binary, err = filepath.Abs(*binary); err != nil {
			return err
		}
		if _, err := os.Stat(*binary); err != nil {
			return fmt.Errorf("%w (mbsync is in Debian's isync, make build makes imapsync)", err)
		}
	}
	base, err := os.MkdirTemp(o.dir, "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(base)
	serverDir, err := os.MkdirTemp("", "dovecot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(serverDir)
	server, err := dovecot.New(serverDir, dovecot.Options{})
	if err != nil {
		return err
	}
	defer server.Stop()
	total, err := fill(server, o)
	if err != nil {
		return err
	}
	log.Printf("%d messages, %.0f MB, in %d folders; %s", o.messages, float64(total)/1e6, o.folders, versions(o))

	var results []result
	for _, text := range strings.Split(o.roundTrips, ",") {
		roundTrip, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		found, err := compare(o, server, roundTrip, base)
		if err != nil {
			return err
		}
		results = append(results, found...)
	}
	fmt.Print(table(results))
	return nil
}

// fill puts the corpus on the server and returns its size in bytes.
func fill(server *dovecot.Server, o options) (total int, err error) {
	c, err := phone.Dial(server.Addr(), user, server.Password)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	generator := corpus.New(1)
	for i := range o.messages {
		folder := fmt.Sprintf("Folder %d", i%o.folders)
		if i < o.folders {
			if err := c.Create(folder); err != nil {
				return 0, err
			}
		}
		m := generator.Message()
		total += len(m.Body)
		if _, err := c.Append(folder, m.Flags, m.Date, corpus.Wire(m.Body)); err != nil {
			return 0, err
		}
	}
	return total, nil
}

// settle is how long a directory must have been left alone before either tool
// believes that it is: mbsync sleeps until then, imapsync scans it once more.
// The run after it is not counted: it is not what a timer meets every time.
const settle = 3 * time.Second

// compare runs both tools in turn, each time beginning with the other one.
func compare(o options, server *dovecot.Server, roundTrip time.Duration, base string) ([]result, error) {
	link, err := proxy.New(server.Addr(), roundTrip)
	if err != nil {
		return nil, err
	}
	defer link.Close()
	first, unchanged := result{"first sync", roundTrip, nil, nil}, result{"unchanged run", roundTrip, nil, nil}
	for i := range o.runs {
		tools := []tool{imapsync(o.imapsync), mbsync(o.mbsync)}
		if i%2 == 1 {
			tools[0], tools[1] = tools[1], tools[0]
		}
		for _, t := range tools {
			dir, err := os.MkdirTemp(base, t.name)
			if err != nil {
				return nil, err
			}
			if err := t.configure(dir, link.Port(), server.Password); err != nil {
				return nil, err
			}
			for _, r := range []*result{&first, nil, &unchanged} {
				link.Reset()
				took, err := t.time(dir)
				if err != nil {
					return nil, err
				}
				if err := check(dir, o.messages); err != nil {
					return nil, fmt.Errorf("%s: %w", t.name, err)
				}
				if r == nil {
					continue
				}
				r.add(t.name, took)
				log.Printf("%s, round trip %v, %s: %v wall, %v CPU, %d commands", r.what, roundTrip, t.name, took.wall, took.cpu, len(link.Commands()))
				time.Sleep(settle)
			}
		}
	}
	return []result{first, unchanged}, nil
}
