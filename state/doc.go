// Package state keeps the record of one account in one SQLite file: what both
// sides last agreed on (the base rows), the watermarks of each folder, the
// journal of copies under way, held deletions, and what earlier runs did.
// schema.sql says what each row means.
//
// A state file is either whole or not there: it is made under another name and
// appears complete, and each Commit is one durable transaction (write-ahead
// log, synchronous=FULL), but for the end of a run that found nothing to do, which
// is told of in a file beside the state and may be lost. A file that is not a
// state, is damaged, or was written by a newer version is reported and left as it
// is. A lost state is no disaster: the next run matches both sides by content and
// deletes nothing.
//
// Open is for the one run that holds the account's Lock. OpenReadOnly is for
// everybody else, at any time; it creates and changes nothing.
//
// All errors are mail.Faults, except those of a context.
package state
