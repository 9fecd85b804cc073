// Command bench measures imapsync, mbsync and a bare client in turn on the same
// private Dovecot, and holds the ratios against the targets of
// docs/performance.md. All of them write every message to the disk for good
// (fsync), none has TLS or compression. What a run leaves is compared with what
// it should leave before its time counts; a wrong result ends the benchmark.
//
// Every run has a directory of its own, and all are deleted at the end only:
// file systems are slow to give the inodes of deleted files away again, which
// would be charged to whoever runs next.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	imapsync, mbsync string
	dir, serverDir   string
	json             string
	rows             []string
	roundTrips       []time.Duration // nil: those of each row
	runs             int
	messages         int // all numbers but those below are in proportion to it
	folders          int
	manyFolders      int // of the unchanged account
	manyEach         int
	huge             int // messages of the one folder of the slow rows
}

func main() {
	log.SetFlags(0)
	if len(os.Args) > 1 && helpers[os.Args[1]] != nil {
		if err := helpers[os.Args[1]](os.Args[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	o, err := parse()
	if err == nil {
		err = run(o)
	}
	if err != nil {
		log.Fatal(err)
	}
}

// helpers are what this program is started again for.
var helpers = map[string]func(args []string) error{"measure": measureMain, "bare": bareMain}

func parse() (options, error) {
	var o options
	var rows, roundTrips string
	var short bool
	flag.StringVar(&o.imapsync, "imapsync", "./imapsync", "the imapsync `binary`")
	flag.StringVar(&o.mbsync, "mbsync", "/usr/bin/mbsync", "the mbsync `binary` (Debian's isync)")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where the Maildirs are made: the disk that is measured")
	flag.StringVar(&o.serverDir, "server-dir", "/dev/shm", "where the server keeps its mail, best on another file system")
	flag.StringVar(&o.json, "json", "", "write the results to this `file`, too")
	flag.StringVar(&rows, "rows", strings.Join(defaultRows(), ","), "what to measure, with commas; there are also "+strings.Join(slowRows, ", "))
	flag.StringVar(&roundTrips, "rtt", "", "round-trip times in place of each row's own, with commas")
	flag.BoolVar(&short, "short", false, "a smaller account and one run, for a first look")
	flag.IntVar(&o.runs, "runs", 3, "runs of each; the median counts")
	flag.IntVar(&o.messages, "messages", 5000, "messages of the account that most rows work on, by which their changes grow too")
	flag.IntVar(&o.folders, "folders", 20, "folders they lie in")
	flag.IntVar(&o.huge, "huge", 500_000, "messages of "+strings.Join(slowRows, ", "))
	flag.Parse()
	o.manyFolders, o.manyEach = 200, 500
	if short {
		o.runs, o.messages, o.manyFolders, o.manyEach, o.huge = 1, 1000, 50, 50, 50_000
		flag.Parse() // what is given is meant all the same
	}
	if o.messages%(10*o.folders) != 0 {
		return o, fmt.Errorf("-messages must be a multiple of %d, ten for each folder", 10*o.folders)
	}
	o.rows = strings.Split(rows, ",")
	for _, key := range o.rows {
		if !slices.ContainsFunc(allRows, func(r row) bool { return r.key == key }) {
			return o, fmt.Errorf("no row %q; there are %s", key, strings.Join(append(defaultRows(), slowRows...), ", "))
		}
	}
	for text := range strings.SplitSeq(roundTrips, ",") {
		if text == "" {
			continue
		}
		roundTrip, err := time.ParseDuration(text)
		if err != nil {
			return o, err
		}
		o.roundTrips = append(o.roundTrips, roundTrip)
	}
	return o, nil
}

func run(o options) error {
	for _, binary := range []*string{&o.imapsync, &o.mbsync} {
		var err error
		if *binary, err = filepath.Abs(*binary); err != nil {
			return err
		}
		if _, err := os.Stat(*binary); err != nil {
			return fmt.Errorf("%w (mbsync is in Debian's isync, make build makes imapsync)", err)
		}
	}
	w, err := newWorld(o)
	if err != nil {
		return err
	}
	defer w.close()
	report := &report{Machine: facts(o), options: o}
	began := time.Now()
	for _, play := range scenarios {
		if err := play(&bench{w, report}); err != nil {
			return err
		}
	}
	report.judge()
	report.Took = time.Since(began).Round(time.Second).String()
	fmt.Print(report.markdown())
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(o.json, append(text, '\n'), 0o644)
}
