// Package simworld is a simulated world for tests of the synchroniser: an IMAP
// server with other clients on it, a Maildir with mail readers at work, a state,
// and everything that goes wrong with them. It does no I/O, reads no clock and
// has no randomness but a seed: the same seed and edits give the same calls.
//
// World ties together Server, Disk and Record, which implement the ports
// syncer.Remote, syncer.Local and syncer.State. It numbers the calls made on
// them; a trouble (TroubleAt) or an edit (HookAt) strikes at a chosen one. What
// a port's contract forbids its caller is noted (Wrong), for the test to fail
// on. A crash ends the process: later calls fail until Begin. It leaves the
// server as it is, a Commit whole or absent, and of the Maildir what was durable
// and, file by file as the seed has it, what was not.
//
// # Scenarios
//
// A scenario is a text file of lines; it is parsed apart from being played, so
// that the same files can be played elsewhere.
//
//	# A comment.
//	oneway                                  the rule differs with the sides swapped
//	start        A=S B= Work/C=FS+todo D    both sides hold this and agree on it
//	options      full, deletion wins, accept Work/, limit 3 25%, pull new flags, push nothing, newest 2
//	             expunge both, trash Trash/ (apart: not synchronised)
//	state        lose state
//	local        A+R, delete B, new E=S, move A to Work/
//	remote       A+F-S, Work/C-todo
//	fails        words of the run's error
//	plan local   A+F                        what the run does to the Maildir
//	plan remote  A+R, delete B              … to the server
//	plan state   pair E, agree A=S          … to the record alone
//	after        A=FRS E=S                  what both sides hold then
//
// From options to after is a round; the line that follows after begins the next.
// Where the sides are to differ there are two lines, "after local" and "after
// remote". A plan of which nothing comes is "plan nothing".
//
// A message is named by its content (see Content): A~ is A edited, and A! another
// message of the same header and size. Its folder
// stands before it, INBOX goes without saying; "Work/" alone is a folder, listed
// only when it is empty. After "=" come Maildir letters and "+"keywords. A
// message without "=" has no flags and lies in new/; that counts for making it
// only, not for comparing. "M1..M22=S" is a run of messages. Messages listed
// twice are there twice.
//
// Edits, separated by commas: changes of flags (A+F-S+todo: letters where all
// are letters, else a keyword), and those that type Verb lists. Phrases of a plan
// are edits, too, followed by (conflict) or (held).
//
// # Histories
//
// A Story is a text file of lines in their order, in testdata/histories. It says
// what happens and not what comes of it: that is for the ledger to tell, which
// knows what people did, and for the comparison of both sides and the state.
//
//	# A comment.
//	seed         7
//	without      move, uidplus, modseq, marks, keywords     what the server lacks
//	options      deletion wins, lanes 2     of every run
//	local        new A=S, delete B          edits between runs, as in scenarios
//	state        backup                     and later: restore
//	state        limit newest 2             what the Maildir is to hold from here on: see below
//	during       remote call 5: local A+F   right before a call of the next run
//	trouble      step 3: crash after        what goes wrong at a call of the next run
//	run          3s                         that long after the last one
//	run          3s, pull new, push nothing     and what alone it propagates
//	run          3s, fetch Work/A           that is asked for whole, and its folder alone synchronised
//	quiet                                   runs until all is quiet, and the checks
//
// A limit is "newest 2" or "age 25h", which leave messages on the server, "headers",
// "text" or "size 70000", which make stubs, several of them, with "flagged" behind
// where flagged messages are held whole, or "none". Those that leave messages on the
// server are taken away at the next quiet, the others at the end. A quiet time removes
// stubs whose message the server has no more, as runs advise. Where the options say
// "trash Trash/", without "apart", that is a folder as any.
//
// A call is the nth of a side ("remote call 5") or the nth of those with an
// effect ("step 3"). troubleWords lists the troubles. What hides messages
// (partial, hide, empty, fewer, vanish, lock, unmount) ends with the run. A line
// for which there is nothing to do is passed over, and at the end all is to be
// quiet: so a story may be shortened at will, which Shrink does. History says
// how a story goes.
//
// PlayBytes makes up a history from bytes. A seeded loop and a fuzzer share it;
// what they find is printed as a story.
package simworld
