package query

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// now is an evening in a zone that is a day ahead of UTC's night.
var now = time.Date(2026, 3, 1, 0, 30, 0, 0, time.FixedZone("", 3600))

func on(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

func TestParse(t *testing.T) {
	for text, want := range map[string]Query{
		`invoice`:                       {{Text: "invoice"}},
		`  annual   "last call" `:       {{Text: "annual"}, {Text: "last call"}},
		`from:anna To:bob@example.org`:  {{Field: From, Text: "anna"}, {Field: To, Text: "bob@example.org"}},
		`subject:"a b" -subject:Re`:     {{Field: Subject, Text: "a b"}, {Field: Subject, Text: "Re", Not: true}},
		`"subject:x" 10:30`:             {{Text: "subject:x"}, {Text: "10:30"}},
		`not draft NOT -x "not"`:        {{Text: "draft", Not: true}, {Text: "x"}, {Text: "not"}},
		`- a-b`:                         {{Text: "-"}, {Text: "a-b"}},
		`"a \"b\" \\ \c"`:               {{Text: `a "b" \ \c`}},
		`pre"fix me"`:                   {{Text: "prefix me"}},
		`Übung`:                         {{Text: "Übung"}},
		`:-)`:                           {{Text: ":-)"}},
		`since:2026-01-31 before:today`: {{Field: Since, Day: on(2026, 1, 31)}, {Field: Before, Day: on(2026, 3, 1)}},
		`since:yesterday`:               {{Field: Since, Day: on(2026, 2, 28)}},
		`since:30d`:                     {{Field: Since, Day: on(2026, 1, 30)}},
		`before:2w`:                     {{Field: Before, Day: on(2026, 2, 15)}},
		`before:1y`:                     {{Field: Before, Day: on(2025, 3, 1)}},
		`larger:5M -larger:100K`:        {{Field: Larger, Size: 5 << 20}, {Field: Larger, Size: 100 << 10, Not: true}},
		`larger:17`:                     {{Field: Larger, Size: 17}},
		`flag:seen -flag:\FLAGGED`:      {{Field: Flag, Text: `\Seen`}, {Field: Flag, Text: `\Flagged`, Not: true}},
		`flag:Forwarded flag:todo`:      {{Field: Flag, Text: `$Forwarded`}, {Field: Flag, Text: `todo`}},
	} {
		got, err := Parse(text, now)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Parse(%s) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		``:                        "empty",
		`   `:                     "empty",
		`""`:                      "quotes around nothing",
		`a "b`:                    "not closed",
		`a not`:                   "before nothing",
		`form:anna`:               `no field "form:"`,
		`https://example.org`:     `quote it: "https://example.org"`,
		`from: anna`:              "right behind it, as in from:anna",
		`since:tomorrow`:          "since: \"tomorrow\" is no day",
		`since:2026-02-30`:        "is no day",
		`since:5m`:                "is no day",
		`before:9999y`:            "too long ago",
		`larger:big`:              "is no size",
		`larger:0`:                "is no size",
		`larger:4G`:               "is no size",
		`larger:M`:                "is no size",
		`flag:(x)`:                "is no flag",
		"a\nb":                    "line end",
		"\xff":                    "not UTF-8",
		strings.Repeat("a", 5000): "longer than 4096",
	} {
		if q, err := Parse(text, now); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%.40q) = %v, %v; want an error with %q", text, q, err, want)
		}
	}
}

// FuzzParse: whatever the text, what Parse takes has sound terms and is read
// again as the same from what String writes.
func FuzzParse(f *testing.F) {
	f.Add(`invoice -from:"anna b" since:2026-01-31 before:2w larger:5M not flag:seen "a \" \\ b"`)
	f.Add("- -- : :: a: \"\" 0d 1y Ü\u00a0x")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := Parse(text, now)
		if err != nil {
			return
		}
		for _, term := range q {
			if strings.ContainsAny(term.Text, "\x00\r\n") {
				t.Errorf("%q: a term that no command can carry: %q", text, term.Text)
			}
			isText := term.Field == Text || term.Field == From || term.Field == To || term.Field == Subject || term.Field == Flag
			if isText == (term.Text == "") || (term.Field == Larger) == (term.Size < 1) ||
				(term.Field == Since || term.Field == Before) == term.Day.IsZero() {
				t.Errorf("%q: term %+v", text, term)
			}
		}
		written := q.String()
		if len(written) > maxQuery {
			return
		}
		if again, err := Parse(written, now); err != nil || !reflect.DeepEqual(again, q) {
			t.Errorf("%q: written as %q, read again as %+v, %v", text, written, again, err)
		}
	})
}
