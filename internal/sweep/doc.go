// Package sweep ends the real binary at every step of one run against a real
// Dovecot, and looks at what the next run makes of it. It has tests only.
//
// The run has a bit of everything: messages, flags, keywords, copies, moves,
// deletions and folders in both directions, and an edited draft. For each step
// (see package tracer) it is made afresh from a template; then the program is
// killed there, or the power is cut, or the call fails, or the server's answer
// is lost; and after another run, undisturbed:
//
//   - both sides have exactly what they have after a run that nothing happened
//     to, message by message, with all flags and keywords;
//   - what was deleted in the Maildir is among the kept mail;
//   - the state contradicts neither itself nor them, and has no intent left;
//   - no tmp directory has a file in it, and there is no file that does not
//     belong, but for Dovecot's locks beside a keyword table (anyone may take away
//     those of a process that is gone);
//   - one more run finds nothing to do: it sends no command that changes
//     anything, fetches no message and touches no file.
//
// SWEEP=all makes every step of every kind; else a part of the steps is chosen
// that has each kind of call in it.
package sweep
