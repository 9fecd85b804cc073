package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"imapsync/conflict"
	"imapsync/mail"
	"imapsync/plan"
)

// The JSON objects of why (docs/json.md).
type (
	messageObject struct {
		head
		Folder mail.FolderName `json:"folder"`
		UID    mail.UID        `json:"uid,omitempty"`
		Key    mail.Key        `json:"key,omitempty"`
		Status string          `json:"status"`
		Text   string          `json:"text"` // the status in words
		File   string          `json:"file,omitempty"`
		Flags  []string        `json:"flags,omitempty"`
		Digest string          `json:"digest,omitempty"`
		Size   int64           `json:"size,omitempty"`
		Date   *time.Time      `json:"date,omitempty"`
		Intent string          `json:"intent,omitempty"`
		Held   []string        `json:"held,omitempty"`
		Undo   string          `json:"undo,omitempty"`
	}
	historyObject struct {
		head
		Run      int64           `json:"run"`
		Folder   mail.FolderName `json:"folder"`
		UID      mail.UID        `json:"uid,omitempty"`
		Key      mail.Key        `json:"key,omitempty"`
		From     *placeObject    `json:"from,omitempty"`
		Action   string          `json:"action"`
		Rule     string          `json:"rule"`
		Reason   string          `json:"reason"`
		Conflict bool            `json:"conflict,omitempty"`
	}
	placeObject struct {
		Folder mail.FolderName `json:"folder"`
		UID    mail.UID        `json:"uid,omitempty"`
		Key    mail.Key        `json:"key,omitempty"`
	}
)

// status tells in a word and in words where the message is.
func (l *lane) status(s *subject) (word, text string) {
	p := l.Policy(s.folder)
	switch {
	case s.row != nil && s.row.RemoteOnly:
		return "left", "on the server only: beyond what its folder's max_age or max_messages has the Maildir hold"
	case s.row != nil && s.file != "" && s.row.UID != 0 && s.row.Content.Whole > 0:
		return "stub", fmt.Sprintf("both sides had it when it was last looked at; the file is a stub of the %d bytes on the server, which imapsync fetch brings", s.row.Content.Whole)
	case s.row != nil && s.file != "" && s.row.UID != 0:
		return "synchronised", "both sides had it when it was last looked at"
	case s.row != nil && s.file != "":
		return "unmatched", "its number on the server is not known; the next sync looks for it there by its content"
	case s.row != nil && s.row.Key != "" && !p.Pushes(conflict.Deletions):
		return "missing", `both sides had it, and its file is gone; that is not brought to the server, for push lacks "deletions" here`
	case s.row != nil:
		return "missing", "both sides had it, and its file is gone; the next sync decides what that means"
	case s.file != "" && !l.Folders.Match(s.folder):
		return "left out", "in the Maildir only: the account's folders leave its folder out"
	case s.file != "" && !p.Pushes(conflict.New):
		return "new", `in the Maildir only; that is not brought to the server, for push lacks "new" here, unless it has it already`
	case s.file != "":
		return "new", "in the Maildir only; the next sync uploads it, unless the server has it already"
	case s.kept != nil:
		text = "deleted from the Maildir, and kept"
		if l.KeepDeleted > 0 {
			text += " until " + s.kept.At.Add(l.KeepDeleted).Local().Format(clock)
		}
		return "kept", text + "; to put it back: " + l.undoCommand(s.undo)
	case s.intent != nil:
		return "pending", "a run was cut short while it was copied; the next sync looks whether that happened"
	}
	if n := len(s.steps); n > 0 && slices.Contains(lastActions, s.steps[n-1].Action) {
		return "gone", "both sides have lost it, and it is not kept"
	}
	return "unknown", "neither the Maildir nor the record has it; whether the server does, the next sync finds out"
}

// lastActions are those after which neither side has the message.
var lastActions = []string{string(plan.DeleteLocal), string(plan.DeleteRemote), string(plan.Forget)}

// describe makes the object of a message.
func (l *lane) describe(s *subject) messageObject {
	o := messageObject{head: l.out.head("message", l.Name), Folder: s.folder, UID: s.uid, Key: s.key, File: s.file}
	o.Status, o.Text = l.status(s)
	const digits = 12
	date := time.Time{}
	switch {
	case s.row != nil:
		o.Flags, o.Size, date = s.row.Flags.IMAP(), s.row.Content.Wire, s.row.Date
		if s.row.RemoteOnly {
			o.Size = s.row.RemoteSize
		}
		if d := s.row.Content.Digest; !d.IsZero() {
			o.Digest = d.String()[:digits]
		}
	case s.kept != nil:
		o.Flags, o.Size, date, o.File = s.kept.Flags.IMAP(), s.kept.Size, s.kept.Date, s.kept.Path
		o.Undo = l.undoCommand(s.undo)
	}
	if !date.IsZero() {
		date = date.UTC()
		o.Date = &date
	}
	if s.intent != nil {
		o.Intent = string(s.intent.Kind)
	}
	for _, h := range s.holds {
		o.Held = append(o.Held, deletions(h)+": "+h.Reason)
	}
	return o
}

func (l *lane) showSubject(s *subject) {
	o := l.describe(s)
	l.out.object(o)
	l.out.say("%s: %s", l.Name, placeText(o.Folder, o.UID, o.Key))
	tell := func(name, value string) {
		if value != "" {
			l.out.say("  %-9s %s", name+":", value)
		}
	}
	tell("now", o.Text)
	tell("file", o.File)
	tell("flags", strings.Join(o.Flags, " "))
	if o.Size > 0 {
		content := fmt.Sprintf("%d bytes", o.Size)
		if o.Digest != "" {
			content += ", digest " + o.Digest
		}
		tell("content", content)
	}
	if o.Date != nil {
		tell("date", o.Date.Local().Format(clock))
	}
	if o.Intent != "" {
		tell("pending", o.Intent+" begun by a run that was cut short; the next sync settles it")
	}
	for _, h := range o.Held {
		tell("held", "in its folder: "+h)
	}
	if len(s.steps) == 0 {
		tell("history", "nothing recorded: it was never changed, or longer ago than the history reaches")
	}
	for _, step := range s.steps {
		l.showStep(step.Entry, step.From)
	}
}

func (l *lane) showStep(e mail.Entry, from *mail.Entry) {
	o := historyObject{head{"history", l.Name, e.Time.UTC()}, e.Run, e.Folder, e.UID, e.Key, nil, e.Action, e.Rule, e.Reason, e.Conflict}
	what := fmt.Sprintf("%s in %s", e.Action, placeText(e.Folder, e.UID, ""))
	if from != nil {
		o.From = &placeObject{from.Folder, from.UID, from.Key}
		what = fmt.Sprintf("%s from %s to %s", e.Action, placeText(from.Folder, from.UID, ""), placeText(e.Folder, e.UID, ""))
	}
	l.out.object(o)
	conflict := ""
	if e.Conflict {
		conflict = ", conflict"
	}
	l.out.say("  %s run %d: %s: %s (rule: %s%s)", e.Time.Local().Format(clock), e.Run, what, e.Reason, e.Rule, conflict)
}

// placeText names a message by its folder and UID, or by its file where it has
// none.
func placeText(folder mail.FolderName, uid mail.UID, key mail.Key) string {
	switch {
	case uid != 0:
		return fmt.Sprintf("%s uid %d", folder, uid)
	case key != "":
		return fmt.Sprintf("%s file %s", folder, key)
	}
	return string(folder)
}
