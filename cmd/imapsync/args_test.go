package main

import (
	"io"
	"strings"
	"testing"
)

func TestArrange(t *testing.T) {
	app := (&program{out: newOutput(io.Discard, io.Discard)}).newApp()
	for in, want := range map[string]string{
		"":                                "",
		"sync work -n":                    "sync -n -- work",
		"sync work --json -c f -n":        "--json -c f sync -n -- work",
		"-c f sync":                       "-c f sync --",
		"--config=f sync":                 "--config=f sync --",
		"sync a --wait 30s b":             "sync --wait 30s -- a b",
		"sync --wait=30s a":               "sync --wait=30s -- a",
		"sync --accept-deletions a":       "sync --accept-deletions=\x00 -- a",
		"sync --accept-deletions=true a":  "sync --accept-deletions=true -- a",
		"sync a --accept-deletions=A/B C": "sync --accept-deletions=A/B -- a C",
		"sync -- -n --json":               "sync -- -n --json",
		"sync -":                          "sync -- -",
		"-vv sync":                        "-vv sync --",
		"sync a --help":                   "sync --help -- a",
		"help":                            "--help",
		"help sync":                       "sync --help --",
		"sync help":                       "sync -- help",
	} {
		got, err := arrange(app, strings.Fields(in))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q:\n got %q, %v\nwant %q", in, strings.Join(got, " "), err, want)
		}
	}
}

func TestOptionalValues(t *testing.T) {
	var o optionalValues
	for _, v := range []string{"A", bareValue, "true"} {
		if err := o.Set(v); err != nil {
			t.Fatal(err)
		}
	}
	if !o.bare || o.String() != "A,true" {
		t.Errorf("%+v", o)
	}
	if o.Set("") == nil {
		t.Error("an empty value, as of an unset shell variable, was taken")
	}
}
