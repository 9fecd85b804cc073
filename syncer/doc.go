// Package syncer carries out one run on one account: recover what a crash
// left, observe both sides, decide, apply, record. It owns the order of these
// steps and the journal; what it needs of the Maildir, the server and the
// state are the interfaces in ports.go, so that a whole run can be played on
// simulated ones.
//
// Contract: a copy is journalled before it is made and recorded with the
// removal of its journal entry in one transaction; flag changes and deletions
// are recorded after they were done and made durable; a folder's watermarks
// advance only when everything seen up to them was carried out. So a run may
// end anywhere, and the next begins from what is really there.
package syncer
