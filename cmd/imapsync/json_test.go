package main

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"imapsync/plan"
)

// documented are the keys of each event, as docs/json.md describes them.
var documented = readDocumented()

func readDocumented() map[string][]string {
	text, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		return nil // TestDocumented tells
	}
	found := map[string][]string{}
	event := ""
	heading, row := regexp.MustCompile("^###? `?([a-zA-Z ]+)`?$"), regexp.MustCompile("^\\| `([a-z_]+)` \\|")
	for _, line := range strings.Split(string(text), "\n") {
		if m := heading.FindStringSubmatch(line); m != nil {
			if event = m[1]; strings.HasPrefix(line, "### ") {
				found[event] = []string{"event", "account", "time"}
			}
		}
		if m := row.FindStringSubmatch(line); m != nil && found[event] != nil {
			found[event] = append(found[event], m[1])
		}
	}
	return found
}

// TestDocumented keeps docs/json.md and the objects the same, both ways.
func TestDocumented(t *testing.T) {
	for event, object := range map[string]any{
		"started": head{}, "note": noteObject{}, "planned": plannedObject{}, "operation": operationObject{}, "done": operationObject{},
		"conflict": operationObject{}, "held": holdObject{}, "summary": summaryObject{}, "error": errorObject{},
		"status": statusObject{}, "folder": folderObject{}, "past conflict": conflictObject{}, "check": finding{}, "login": loginObject{}, "init": initObject{}, "demo": demoObject{},
		"difference": differenceObject{}, "verified": verifiedObject{}, "message": messageObject{}, "history": historyObject{},
		"undoable": deletionObject{}, "put back": putBackObject{}, "undone": undoneObject{},
		"hook": hookObject{}, "found": foundObject{},
	} {
		keys := keysOf(reflect.TypeOf(object))
		for _, key := range keys {
			if bytesLater := event != "done" && key == "bytes" && reflect.TypeOf(object) == reflect.TypeOf(operationObject{}); bytesLater {
				continue // only what was carried out has moved bytes
			}
			if !slices.Contains(documented[event], key) {
				t.Errorf("docs/json.md does not describe the key %q of %q", key, event)
			}
		}
		for _, key := range documented[event] {
			if !slices.Contains(keys, key) {
				t.Errorf("docs/json.md describes a key %q that %q has not", key, event)
			}
		}
	}
	op, err := json.Marshal(&plan.Op{Kind: plan.SetFlags, To: "x", Conflict: true, Held: true})
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(op, &keys); err != nil {
		t.Fatal(err)
	}
	for key := range keys {
		if !slices.Contains(documented["Operations"], key) {
			t.Errorf("docs/json.md does not describe the key %q of an operation", key)
		}
	}
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			keys = append(keys, keysOf(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	sort.Strings(keys)
	return keys
}
