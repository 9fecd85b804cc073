// Package tracer runs a program with all its threads under ptrace, for tests on
// Linux, and counts the system calls by which it changes something: files made,
// written, synced, linked, renamed and removed, directories made, attributes
// set, and everything sent on a socket. At a chosen step it kills the program
// before the call is carried out, makes the call fail, or cuts the power.
//
// A seccomp filter stops the program at these calls alone, so that a traced run
// takes hardly longer than another. The filter has to be laid by the process
// that becomes the program: the test binary starts itself for that, and its
// TestMain must call Launch first.
//
// Steps are counted over all threads in the order in which the calls begin.
// Two runs of a program with several threads need not have the same order.
//
// # The power cut
//
// After the kill everything that was not durable is undone on the real file
// system, by a model that is stricter than any file system in use:
//
//   - A file's bytes and length are those at its last fsync, fdatasync or
//     syncfs; a new file that never had one is empty.
//   - A name made, replaced or removed is durable once its directory was
//     fsynced, or all of the file system by syncfs. An fsync of the file does
//     not do that. A rename across directories, or of one, is carried out whole or
//     not at all, and is durable once the directory of the new name was synced.
//   - A directory that was not durable is gone with all that is in it.
//   - Times and modes are durable at once.
//   - SQLite's -shm files are memory, and are removed.
//
// Loss chooses whether names, bytes or both are undone: what was not synced may
// be lost but need not be. While the power can be cut, calls that change files
// are carried out one after the other.
package tracer
