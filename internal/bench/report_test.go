package main

import (
	"strings"
	"testing"
	"time"

	"imapsync/internal/proxy"
)

func TestReport(t *testing.T) {
	r := &report{options: options{messages: 5000, folders: 20}}
	for _, s := range []float64{9, 1, 2} { // the median is 2
		r.add("upload", 40*time.Millisecond, "mbsync", measure{Wall: 10 * s, CPU: s})
		r.add("upload", 40*time.Millisecond, "bare", measure{Wall: s / 2})
		r.add("upload", 40*time.Millisecond, "imapsync", measure{Wall: s, CPU: s / 2, Counts: proxy.Counts{In: 1_234_567}})
	}
	r.add("first", 150*time.Millisecond, "imapsync", measure{Wall: 1})
	r.judge()
	if got := r.Results[0].Row; got != "first" {
		t.Errorf("the table begins with %s", got)
	}
	text := r.markdown()
	for _, want := range []string{
		"| upload: 2,000 messages | 40 ms | 2.000 | 20.000 | 1.000 | wall / mbsync 0.1 ≤ 0.15; wall / bare **2 > 1.5** |\n",
		"| upload | 40 ms | imapsync | 1.000 | 0 | 1,234 | 0 | 0 | 0 | 0 |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %s in\n%s", want, text)
		}
	}
}

func TestVerdictNeedsBoth(t *testing.T) {
	r := &report{}
	r.add("unchanged", 0, "imapsync", measure{Wall: 1})
	r.judge()
	for _, v := range r.Results[0].Verdicts {
		t.Errorf("a verdict against a tool that did not run: %+v", v)
	}
}
