package conflict

import "imapsync/mail"

// Expunge says on which side messages marked as deleted (\Deleted, or T in the
// Maildir) are removed. The mark itself is mirrored as any flag.
type Expunge string

// Of one side alone, the other's message stays with its mark, and is not copied
// back as long as it has it.
const (
	ExpungeNone   Expunge = "none"
	ExpungeLocal  Expunge = "local"
	ExpungeRemote Expunge = "remote"
	ExpungeBoth   Expunge = "both"
)

func (e Expunge) fromLocal() bool  { return e == ExpungeLocal || e == ExpungeBoth }
func (e Expunge) fromRemote() bool { return e == ExpungeRemote || e == ExpungeBoth }

// Any reports whether marked messages are removed anywhere.
func (e Expunge) Any() bool { return e.fromLocal() || e.fromRemote() }

var markedDeleted = mail.Flags{System: mail.Deleted}

func (s *State) marked() bool { return s.Flags.System&mail.Deleted != 0 }

// Marked looks at what Merge decided once more, where marked messages are removed:
// policy is that of the folder the message ends in. To mark a message is to delete
// it: so it yields to what the other side did meanwhile, as any deletion does, and
// the mark is taken off then; as it is of what came into the trash with it, and of what
// was edited in the Maildir if both sides have it, for it may have come there from the
// server before anybody saw the edit. Of messages just found to be one (no base, or one of
// other UIDs) a mark on one side is no news of that side, and is taken off too.
//
// DeleteLocal and DeleteRemote of a message that both sides have leave the other
// side's with the Flags; Forget and Nothing of one that a side alone has leave it
// there.
func Marked(o Outcome, base, local, remote *State, policy Policy) Outcome {
	switch {
	case !policy.Expunge.Any():
		return o
	case local != nil && remote != nil:
		return markedBoth(o, base, *local, *remote, policy)
	case local != nil && local.marked() && local.Edited: // nobody may have seen both
		o.Flags = o.Flags.Minus(markedDeleted)
		return o
	case local != nil && local.marked():
		return markedAlone(o, base, policy.Expunge.fromLocal(), DeleteLocal, "in the Maildir")
	case remote != nil && remote.marked():
		return markedAlone(o, base, policy.Expunge.fromRemote(), DeleteRemote, "on the server")
	}
	return o
}

// markedAlone judges a marked message that one side alone has.
func markedAlone(o Outcome, base *State, remove bool, removal Action, where string) Outcome {
	out := Outcome{Action: removal, Folder: o.Folder, Rule: RuleExpunged, Reason: "marked as deleted " + where}
	switch {
	case remove && o.Action == removal:
		return o
	case remove && base == nil:
		out.Reason += ": removed there, not copied"
	case remove:
		out.Reason += " and gone from the other side"
	case base == nil:
		out.Action, out.Reason = Nothing, out.Reason+": it stays there alone"
	default:
		out.Action, out.Reason = Forget, out.Reason+" and gone from the other side: it stays there alone"
	}
	return out
}

func markedBoth(o Outcome, base *State, local, remote State, policy Policy) Outcome {
	out := Outcome{Folder: o.Folder, Flags: o.Flags, Rule: RuleExpunged}
	switch {
	case o.Flags.System&mail.Deleted == 0 && !(local.Edited && remote.marked()):
		return o // not marked, or no longer
	case local.marked() && remote.marked() && !local.Edited:
		out.Reason = "marked as deleted on both sides"
	case base == nil:
		o.Flags, o.Reason = o.Flags.Minus(markedDeleted), o.Reason+"; no longer marked as deleted, as one side was alone"
		return o
	case base.Folder != policy.Trash && (o.Folder == policy.Trash || local.Edited && remote.Folder == policy.Trash):
		o.Flags, o.Reason = o.Flags.Minus(markedDeleted), o.Reason+": the trash, so no longer marked as deleted"
		return o
	default:
		left, s := remote, side{deleted: "in the Maildir", changed: "on the server", restore: Download, remove: DeleteRemote}
		if remote.marked() {
			left, s = local, side{deleted: "on the server", changed: "in the Maildir", restore: Upload, remove: DeleteLocal}
		}
		verdict := gone(*base, left, policy, s)
		if verdict.Action == s.restore {
			o = unmark(o, *base, left, local.Edited, s)
			if local.Edited && remote.Folder != base.Folder { // nothing is there whose place it could take
				o.Action = KeepBoth
			}
			return o
		}
		out.Reason, out.Conflict = "marked as deleted "+s.deleted, verdict.Conflict
		if verdict.Conflict {
			out.Reason += ", though " + since(*base, left) + " " + s.changed + ": the deletion wins, as configured"
		}
	}
	switch policy.Expunge {
	case ExpungeLocal:
		out.Action = DeleteLocal
	case ExpungeRemote:
		out.Action = DeleteRemote
	default:
		out.Action = DeleteBoth
	}
	return out
}

// unmark has a message stay that one side had marked and the other changed. What
// was edited in the Maildir takes the place of what is marked on the server.
func unmark(o Outcome, base, left State, edited bool, s side) Outcome {
	if edited && !left.Edited {
		return o // the mark is on what was edited: both are kept, and then this one goes
	}
	if edited {
		o.Action = Replace
	}
	o.Flags = o.Flags.Minus(markedDeleted)
	o.Rule, o.Conflict = RuleDeletionYields, true
	o.Reason = "marked as deleted " + s.deleted + " but " + since(base, left) + " " + s.changed + ": kept"
	return o
}
