// Package maildir is the local side: one Maildir tree on disk, read and changed
// beside any other program that works on it.
//
// What it promises:
//
//   - A message file is renamed for its flags, moved or taken away, never
//     rewritten; no rename writes over another file.
//   - A file that cannot be found is looked for again before it counts as gone,
//     and then it is mail.ErrChanged: a change, not a deletion.
//   - A directory that cannot be read is an error, never an empty folder, and what
//     a link that cannot be followed stands for is not gone.
//   - Delivered files become visible whole and, with Config.Fsync, only once
//     they are on the disk.
//   - Files and directories of other programs are left alone.
//
// # Names on disk
//
// A folder name becomes a path by its layout (see Layout), in UTF-8. What cannot
// stand there is written %XX, two upper-case hexadecimal digits: control
// characters, a leading dot, the layout's separator inside a component, and the
// first letter of a component "cur", "new" or "tmp", or "dovecot-keywords" and the
// like, which are files there. A "%" of the name itself is
// written %25 only where it would read as one of those. The mapping is one to
// one: a directory whose name it would not produce is no folder (Skipped names
// it). A component of more than 255 bytes on disk cannot be kept apart from
// others safely by cutting it, so such a folder is refused with a folder's fault.
//
// The root may be a symbolic link, and so may directories under it: nothing a
// server sends can make one, so the user did. A directory reached twice counts
// once, and one that is marked as another account's Maildir is left out.
//
// # Message files
//
// The key is the part of a name before the first ":2,", or all of it; where it is
// empty the file is no message, and Skipped names it. Flag
// letters are those of the Maildir specification (https://cr.yp.to/proto/maildir.html)
// with P for $Forwarded; a to z are keywords by the folder's dovecot-keywords
// file. Letters and fields without a known meaning stay in the name.
//
// # Removed files
//
// With Config.KeepDir, Remove moves a file to
//
//	KeepDir/20060102T150405Z/FOLDER/FILE
//
// under the second of its removal in UTC, FOLDER as in the verbatim layout and
// FILE with its name unchanged, so key and flags are there; where it has keyword
// letters the folder's dovecot-keywords lies beside it. Kept lists them, Restore
// puts them back, Prune deletes them for good.
package maildir
