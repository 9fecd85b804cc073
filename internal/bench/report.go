package main

import (
	"fmt"
	"strings"
	"time"
)

// report is what the benchmark found out.
type report struct {
	options options
	Machine machine   `json:"machine"`
	Took    string    `json:"took"`
	Results []*result `json:"results"`
}

// result is a row at a round-trip time.
type result struct {
	Row       string               `json:"row"`
	Title     string               `json:"title"`
	Size      string               `json:"size"`
	RoundTrip time.Duration        `json:"round_trip_ns"`
	Runs      map[string][]measure `json:"runs"` // by tool
	Verdicts  []verdict            `json:"verdicts"`
}

// verdict is a target and what came of it.
type verdict struct {
	Number  string  `json:"number"`
	Against string  `json:"against,omitempty"` // nothing: the number itself
	Target  float64 `json:"target"`
	Got     float64 `json:"got"`
	Met     bool    `json:"met"`
}

// add takes the measure of a run.
func (r *report) add(key string, roundTrip time.Duration, tool string, m measure) {
	for _, known := range r.Results {
		if known.Row == key && known.RoundTrip == roundTrip {
			known.Runs[tool] = append(known.Runs[tool], m)
			return
		}
	}
	found := &result{Row: key, Size: r.options.size(key), RoundTrip: roundTrip, Runs: map[string][]measure{tool: {m}}}
	r.Results = append(r.Results, found)
}

// judge holds the medians against the targets, in the order of the rows.
func (r *report) judge() {
	var ordered []*result
	for _, row := range allRows {
		for _, found := range r.Results {
			if found.Row == row.key {
				found.Title, found.Verdicts = row.title, row.judge(found)
				ordered = append(ordered, found)
			}
		}
	}
	r.Results = ordered
}

func (row row) judge(found *result) (verdicts []verdict) {
	for _, t := range row.targets {
		if t.roundTrip != anyTrip && t.roundTrip != found.RoundTrip || t.against != "" && len(found.Runs[t.against]) == 0 {
			continue
		}
		got := numbers[t.number](medianOf(found.Runs["imapsync"]))
		if t.against != "" {
			got /= numbers[t.number](medianOf(found.Runs[t.against]))
		}
		verdicts = append(verdicts, verdict{t.number, t.against, t.limit, got, got <= t.limit})
	}
	return verdicts
}

// markdown is the report for people.
func (r *report) markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Measured %s in %s, medians of %d: %s; %s; %s; Maildirs on %s; %s. %s.\n\n", m.Date, r.Took, r.options.runs,
		m.Processors, m.Memory, m.Kernel, m.Disk, m.Server, strings.Join(m.Versions, ", "))
	b.WriteString("| work | round trip | imapsync s | mbsync s | bare s | ratio ≤ target |\n|---|--:|--:|--:|--:|---|\n")
	for _, f := range r.Results {
		fmt.Fprintf(&b, "| %s: %s | %s | %s | %s | %s | %s |\n", f.Title, f.Size, trip(f.RoundTrip),
			seconds(f.Runs["imapsync"]), seconds(f.Runs["mbsync"]), seconds(f.Runs["bare"]), f.verdicts())
	}
	b.WriteString("\n| work | round trip | tool | CPU s | resident MB | kB in | kB out | commands | turnarounds | connections |\n")
	b.WriteString("|---|--:|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, f := range r.Results {
		for _, tool := range []string{"imapsync", "mbsync", "bare"} {
			if runs := f.Runs[tool]; len(runs) > 0 {
				m := medianOf(runs)
				fmt.Fprintf(&b, "| %s | %s | %s | %.3f | %.0f | %s | %s | %s | %s | %d |\n", f.Title, trip(f.RoundTrip), tool, m.CPU, m.Resident,
					number(int(m.In/1000)), number(int(m.Out/1000)), number(m.Commands), number(m.Turnarounds), m.Connections)
			}
		}
	}
	return b.String()
}

func (f *result) verdicts() string {
	var all []string
	for _, v := range f.Verdicts {
		what := v.Number
		if v.Against != "" {
			what += " / " + v.Against
		}
		if v.Number == "resident" {
			what += " MB"
		}
		text := fmt.Sprintf("%s %.3g ≤ %.3g", what, v.Got, v.Target)
		if !v.Met {
			text = fmt.Sprintf("%s **%.3g > %.3g**", what, v.Got, v.Target)
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func trip(d time.Duration) string { return fmt.Sprintf("%d ms", d.Milliseconds()) }

func seconds(runs []measure) string {
	if len(runs) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f", medianOf(runs).Wall)
}

// number writes thousands apart.
func number(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", number(n/1000), n%1000)
}
