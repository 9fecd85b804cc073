package conflict

import (
	"strings"

	"imapsync/mail"
)

// State is a message as one side holds it, or as the base recorded it.
type State struct {
	Folder mail.FolderName
	Flags  mail.Flags
	Edited bool // the content is another than the base's
}

// Action is what is to become of a message.
type Action int

// The actions. Those that leave the message on both sides come with the
// Folder and Flags it ends with.
const (
	Nothing      Action = iota // both sides and the base agree
	Settle                     // both have it: bring folder and flags together
	Download                   // the Maildir gets it
	Upload                     // the server gets it
	DeleteLocal                // the Maildir loses it
	DeleteRemote               // the server loses it
	Forget                     // neither has it any more
	Replace                    // the server gets the new content, then loses the old
	KeepBoth                   // the two contents become two messages on both sides
	DeleteBoth                 // both sides lose it; only by Marked
)

// Outcome is the verdict on one message.
type Outcome struct {
	Action   Action
	Folder   mail.FolderName
	Flags    mail.Flags
	Rule     Rule
	Reason   string
	Conflict bool // both sides had changed in ways that could not both stand
}

// Rule names the row of the rule table that decided.
type Rule string

// The rules.
const (
	RuleAgree          Rule = "agree"
	RuleFlags          Rule = "flags-merge"
	RuleNewLocal       Rule = "new-local"
	RuleNewRemote      Rule = "new-remote"
	RulePair           Rule = "pair-new"
	RuleDeleted        Rule = "deleted"
	RuleGone           Rule = "gone-both"
	RuleDeletionYields Rule = "deletion-yields"
	RuleDeletionWins   Rule = "deletion-wins"
	RuleMoved          Rule = "moved"
	RuleMovedBoth      Rule = "moved-both"
	RuleMovedDeleted   Rule = "moved-deleted"
	RuleCopied         Rule = "copied"
	RuleLimit          Rule = "limit"
	RuleEdited         Rule = "edited"
	RuleEditedChanged  Rule = "edited-changed"
	RuleExpunged       Rule = "expunged"
	RuleRematch        Rule = "rematch"
	RuleFolderNew      Rule = "folder-new"
	RuleFolderGone     Rule = "folder-gone"
	RuleFolderRenamed  Rule = "folder-renamed"
)

// Merge decides on one message. Nil means that the side does not have it, or
// that base and sides never agreed on it; at least one must be given.
func Merge(base, local, remote *State, policy Policy) Outcome {
	switch {
	case local != nil && remote != nil && base == nil:
		return pair(*local, *remote)
	case local != nil && remote != nil:
		return both(*base, *local, *remote, policy)
	case local == nil && remote == nil:
		return Outcome{Action: Forget, Rule: RuleGone, Reason: "gone on both sides"}
	case base == nil && remote == nil:
		return Outcome{Action: Upload, Folder: local.Folder, Flags: local.Flags, Rule: RuleNewLocal, Reason: "new in the Maildir"}
	case base == nil:
		return Outcome{Action: Download, Folder: remote.Folder, Flags: remote.Flags, Rule: RuleNewRemote, Reason: "new on the server"}
	case remote == nil:
		return gone(*base, *local, policy, side{
			deleted: "on the server", changed: "in the Maildir", restore: Upload, remove: DeleteLocal})
	default:
		return gone(*base, *remote, policy, side{
			deleted: "in the Maildir", changed: "on the server", restore: Download, remove: DeleteRemote})
	}
}

// pair unites a local and a remote message found to be the same.
func pair(local, remote State) Outcome {
	return Outcome{Action: Settle, Folder: remote.Folder, Flags: local.Flags.Union(remote.Flags),
		Rule: RulePair, Reason: "the same message on both sides: paired, not copied"}
}

func both(base, local, remote State, policy Policy) Outcome {
	if local.Edited {
		return edited(base, local, remote)
	}
	o := Outcome{Action: Settle, Folder: base.Folder, Flags: MergeFlags(base.Flags, local.Flags, remote.Flags)}
	localMoved, remoteMoved := local.Folder != base.Folder, remote.Folder != base.Folder
	switch {
	case localMoved && remoteMoved && local.Folder != remote.Folder:
		o.Folder, o.Rule, o.Conflict = remote.Folder, RuleMovedBoth, true
		winner := "the server's"
		if policy.LocalPlace {
			o.Folder, winner = local.Folder, "the Maildir's"
		}
		o.Reason = "moved to " + quote(local.Folder) + " in the Maildir and to " + quote(remote.Folder) + " on the server: " + winner + " place wins"
	case localMoved && remoteMoved:
		o.Folder, o.Rule, o.Reason = local.Folder, RuleMoved, "moved to "+quote(local.Folder)+" on both sides"
	case localMoved:
		o.Folder, o.Rule, o.Reason = local.Folder, RuleMoved, "moved to "+quote(local.Folder)+" in the Maildir"
	case remoteMoved:
		o.Folder, o.Rule, o.Reason = remote.Folder, RuleMoved, "moved to "+quote(remote.Folder)+" on the server"
	case o.Flags.Equal(base.Flags) && local.Flags.Equal(base.Flags) && remote.Flags.Equal(base.Flags):
		o.Action, o.Rule, o.Reason = Nothing, RuleAgree, "unchanged"
	default:
		o.Rule, o.Reason = RuleFlags, flagReason(base.Flags, local.Flags, remote.Flags)
	}
	return o
}

// edited judges a message rewritten in place in the Maildir, as mail programs
// do with drafts.
func edited(base, local, remote State) Outcome {
	if change := since(base, remote); change != "" {
		return Outcome{Action: KeepBoth, Folder: local.Folder, Flags: local.Flags, Rule: RuleEditedChanged, Conflict: true,
			Reason: "edited in the Maildir and " + change + " on the server: both kept"}
	}
	return Outcome{Action: Replace, Folder: local.Folder, Flags: MergeFlags(base.Flags, local.Flags, remote.Flags),
		Rule: RuleEdited, Reason: "edited in the Maildir"}
}

// side words a deletion: where the message was deleted, and the other side.
type side struct {
	deleted, changed string
	restore, remove  Action
}

// gone judges a message that one side no longer has; left is the other's.
func gone(base, left State, policy Policy, s side) Outcome {
	change := since(base, left)
	if change == "" {
		return Outcome{Action: s.remove, Folder: left.Folder, Rule: RuleDeleted, Reason: "deleted " + s.deleted}
	}
	if left.Folder != base.Folder && !left.Edited {
		return Outcome{Action: s.restore, Folder: left.Folder, Flags: left.Flags, Rule: RuleMovedDeleted, Conflict: left.Folder != policy.Trash,
			Reason: "deleted " + s.deleted + " but " + change + " " + s.changed + ": kept there"}
	}
	if policy.Deletion == Wins && !left.Edited {
		return Outcome{Action: s.remove, Folder: left.Folder, Rule: RuleDeletionWins, Conflict: true,
			Reason: "deleted " + s.deleted + ", though " + change + " " + s.changed + ": the deletion wins, as configured"}
	}
	return Outcome{Action: s.restore, Folder: left.Folder, Flags: left.Flags, Rule: RuleDeletionYields, Conflict: true,
		Reason: "deleted " + s.deleted + " but " + change + " " + s.changed + ": kept"}
}

// since says in words what somebody did to a message that a deletion yields
// to, "" when nothing such happened. A mere \Seen is not enough.
func since(base, now State) string {
	added, removed := now.Flags.Minus(base.Flags), base.Flags.Minus(now.Flags)
	var did []string
	if now.Edited {
		did = append(did, "edited")
	}
	if now.Folder != base.Folder {
		did = append(did, "moved to "+quote(now.Folder))
	}
	for _, f := range []struct {
		flag mail.System
		word string
	}{{mail.Flagged, "flagged"}, {mail.Answered, "answered"}, {mail.Forwarded, "forwarded"}} {
		if added.System&f.flag != 0 {
			did = append(did, f.word)
		}
	}
	if k := added.Keywords(); len(k) > 0 {
		did = append(did, "tagged "+strings.Join(k, " "))
	}
	if removed.System&mail.Deleted != 0 {
		did = append(did, "undeleted")
	}
	return strings.Join(did, ", ")
}

func quote(n mail.FolderName) string { return "\"" + string(n) + "\"" }
