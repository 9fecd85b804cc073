package plan

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"imapsync/conflict"
	"imapsync/mail"
)

// Text writes the plan for a person: one line an operation, grouped as it is
// carried out, each with its reason.
func Text(w io.Writer, p *Plan) error {
	left := leftBehind(p)
	for _, o := range p.Ops {
		if o.Denied {
			continue
		}
		if o.Kind == Leave {
			if n := left[leavesOf(o)]; n > 1 {
				delete(left, leavesOf(o))
				if _, err := fmt.Fprintf(w, "%s: %s %d messages: %s\n", o.Folder, o.Kind, n, o.Reason); err != nil {
					return err
				}
			}
			if left[leavesOf(o)] != 1 {
				continue
			}
		}
		if _, err := fmt.Fprintln(w, o); err != nil {
			return err
		}
	}
	for _, c := range p.RememberedCounts() {
		if _, err := fmt.Fprintln(w, c); err != nil {
			return err
		}
	}
	for _, h := range p.Holds {
		if _, err := fmt.Fprintf(w, "held: %d deletions (%s) in %q: %s\n", h.Count, h.Side, string(h.Folder), h.Reason); err != nil {
			return err
		}
	}
	return nil
}

// leaves are operations that a plan tells in one line: in a first run they may be
// most of the account.
type leaves struct {
	folder mail.FolderName
	reason string
}

func leavesOf(o *Op) leaves { return leaves{o.Folder, o.Reason} }

func leftBehind(p *Plan) map[leaves]int {
	n := map[leaves]int{}
	for _, o := range p.Ops {
		if o.Kind == Leave {
			n[leavesOf(o)]++
		}
	}
	return n
}

// RememberedCount is how many changes of a kind are remembered in a folder.
type RememberedCount struct {
	Remembered
	Count int
}

// RememberedCounts counts like changes, in the order of the first of them.
func (p *Plan) RememberedCounts() []*RememberedCount {
	var list []*RememberedCount
	index := map[Remembered]*RememberedCount{}
	for _, w := range p.Remembered {
		w.UID, w.Key = 0, ""
		c := index[w]
		if c == nil {
			c = &RememberedCount{Remembered: w}
			index[w] = c
			list = append(list, c)
		}
		c.Count++
	}
	return list
}

// String is the count in one line.
func (c *RememberedCount) String() string {
	return fmt.Sprintf("%s: not %sed: %d × %s, for %s lacks %s", c.Folder, c.direction(), c.Count, c.Change, c.direction(), c.Kinds)
}

func (r Remembered) direction() string {
	if r.Pull {
		return "pull"
	}
	return "push"
}

// MarshalJSON is the count for programs; docs/json.md describes it.
func (c *RememberedCount) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Folder    mail.FolderName `json:"folder"`
		Direction string          `json:"direction"`
		Lacks     []string        `json:"lacks"`
		Change    string          `json:"change"`
		Count     int             `json:"count"`
	}{c.Folder, c.direction(), c.Kinds.Names(), c.Change, c.Count})
}

// String is the operation in one line.
func (o *Op) String() string {
	var b strings.Builder
	if o.Held && !o.Denied {
		b.WriteString("HELD ")
	}
	fmt.Fprintf(&b, "%s: %s", o.Folder, o.Kind)
	if o.To != "" && o.To != o.Folder {
		fmt.Fprintf(&b, " to %s", o.To)
	}
	if u := o.uid(); u != 0 {
		fmt.Fprintf(&b, " uid %d", u)
	}
	if k := o.key(); k != "" {
		fmt.Fprintf(&b, " file %s", k)
	}
	if d := o.flagText(); d != "" {
		b.WriteString(" " + d)
	}
	b.WriteString(": " + o.Reason)
	if o.Conflict {
		b.WriteString(" [conflict]")
	}
	return b.String()
}

// flagText says what a SetFlags changes on which side.
func (o *Op) flagText() string {
	if o.Kind != SetFlags {
		return ""
	}
	var parts []string
	if o.OnLocal {
		parts = append(parts, "local "+conflict.Difference(o.Local.Flags, o.Flags))
	}
	if o.OnRemote {
		parts = append(parts, "remote "+conflict.Difference(o.Remote.Flags, o.Flags))
	}
	if parts == nil {
		return "(both sides agree already)"
	}
	return strings.Join(parts, ", ")
}

// MarshalJSON is the operation for programs; docs/json.md describes it.
func (o *Op) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Kind     Kind            `json:"kind"`
		Folder   mail.FolderName `json:"folder"`
		To       mail.FolderName `json:"to,omitempty"`
		UID      mail.UID        `json:"uid,omitempty"`
		Key      mail.Key        `json:"key,omitempty"`
		Flags    []string        `json:"flags,omitempty"`
		Change   string          `json:"change,omitempty"`
		Rule     conflict.Rule   `json:"rule"`
		Reason   string          `json:"reason"`
		Conflict bool            `json:"conflict,omitempty"`
		Held     bool            `json:"held,omitempty"`
	}{o.Kind, o.Folder, o.To, o.uid(), o.key(), o.Flags.IMAP(), o.flagText(), o.Rule, o.Reason, o.Conflict, o.Held})
}
