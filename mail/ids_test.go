package mail

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFolderNameCheck(t *testing.T) {
	for _, fit := range []FolderName{"INBOX", "A/B/C", "Entwürfe", "..", "a/./b", "cur", "x\ny", "50%", FolderName(strings.Repeat("x", MaxFolderName))} {
		if err := fit.Check(); err != nil {
			t.Errorf("%q: %v", fit, err)
		}
	}
	for _, unfit := range []FolderName{"", "/", "/A", "A/", "A//B", "A\x00", "\xff", FolderName(strings.Repeat("x", MaxFolderName+1))} {
		if unfit.Check() == nil {
			t.Errorf("%q is taken", unfit)
		}
	}
}

func TestFolderNameParts(t *testing.T) {
	if p := FolderName("A/B/C").Parent(); p != "A/B" {
		t.Errorf("parent %q", p)
	}
	if p := Inbox.Parent(); p != "" {
		t.Errorf("parent of the inbox %q", p)
	}
	if c := FolderName("A/B%2FC").Components(); !slices.Equal(c, []string{"A", "B%2FC"}) {
		t.Errorf("components %q", c)
	}
}

func TestDirStampUnchanged(t *testing.T) {
	now := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC).UnixNano()
	old := now - int64(time.Hour)
	then := DirStamp{Cur: DirTime{1, 2, old}, New: DirTime{1, 3, old}, Taken: now}
	if !then.Unchanged(then) {
		t.Error("an old stamp is not its own")
	}
	for name, other := range map[string]DirStamp{
		"zero":           {},
		"never taken":    {Cur: then.Cur, New: then.New},
		"cur changed":    {Cur: DirTime{1, 2, old + 1}, New: then.New, Taken: now},
		"new replaced":   {Cur: then.Cur, New: DirTime{1, 9, old}, Taken: now},
		"other device":   {Cur: DirTime{7, 2, old}, New: then.New, Taken: now},
		"taken too soon": {Cur: then.Cur, New: then.New, Taken: old + int64(2*time.Second)},
	} {
		if then.Unchanged(other) {
			t.Errorf("%s: unchanged", name)
		}
	}
	if (DirStamp{}).Unchanged(DirStamp{}) {
		t.Error("two stamps of nothing are unchanged")
	}
}

func TestFault(t *testing.T) {
	cause := errors.New("refused")
	f := &Fault{Scope: ScopeMessage, Class: ClassTemporary, Folder: "A", Message: "7", Doing: "append message", Err: cause, Hint: "try later", After: time.Minute}
	if got, want := f.Error(), `folder "A": message 7: append message: refused (try later)`; got != want {
		t.Errorf("%s", got)
	}
	wrapped := fmt.Errorf("run: %w", f)
	if ScopeOf(wrapped) != ScopeMessage || ClassOf(wrapped) != ClassTemporary || AfterOf(wrapped) != time.Minute || !errors.Is(wrapped, cause) {
		t.Error("a wrapped fault loses its grade or cause")
	}
	if ScopeOf(cause) != ScopeFolder || ClassOf(cause) != ClassFailed || AfterOf(cause) != 0 {
		t.Error("an ungraded error does not cost its folder")
	}
}
