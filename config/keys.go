package config

import (
	"strings"
	"time"

	"imapsync/conflict"
)

// Key documents one key of an account's section.
type Key struct {
	Name    string
	Form    string // of the value, as written in TOML
	Default string // "" when there is none
	Text    string // what it does, one sentence or two
	set     func(a *Account, v value)
	folder  func(v value) func(*conflict.Policy) // nil: the key is for the whole account
}

// Keys returns the keys of an account's section in the order of the manual.
func Keys() []Key { return append([]Key(nil), accountKeys...) }

// FolderKeys returns the names of those that a folder's section may set again.
func FolderKeys() []string { return keyNames(true) }

// laterKeys are keys that later versions will know: better named than unknown.
var laterKeys = strings.Fields(`on_change watch interval gmail`)

func setString(to func(*Account) *string) func(*Account, value) {
	return func(a *Account, v value) {
		if s, ok := v.text(); ok {
			*to(a) = s
		}
	}
}

func setFile(to func(*Account) *string) func(*Account, value) {
	return func(a *Account, v value) {
		if s, ok := v.file(); ok {
			*to(a) = s
		}
	}
}

func setBool(to func(*Account) *bool) func(*Account, value) {
	return func(a *Account, v value) {
		if b, ok := v.boolean(); ok {
			*to(a) = b
		}
	}
}

func setInt(low, high int64, to func(*Account) *int) func(*Account, value) {
	return func(a *Account, v value) {
		if n, ok := v.integer(low, high); ok {
			*to(a) = n
		}
	}
}

func setDuration(low time.Duration, to func(*Account) *time.Duration) func(*Account, value) {
	return func(a *Account, v value) {
		if d, ok := v.duration(low); ok {
			*to(a) = d
		}
	}
}

func setChoice[T ~string](to func(*Account) *T, allowed ...string) func(*Account, value) {
	return func(a *Account, v value) {
		if s, ok := v.oneOf(allowed...); ok {
			*to(a) = T(s)
		}
	}
}

var accountKeys = []Key{
	{Name: "host", Form: `"imap.example.org"`, Text: "The server; its certificate must carry this name.",
		set: setString(func(a *Account) *string { return &a.Host })},
	{Name: "port", Form: "993", Default: "993, or 143 unless tls is implicit", Text: "The TCP port.",
		set: setInt(1, 65535, func(a *Account) *int { return &a.Port })},
	{Name: "tunnel", Form: `"ssh host /usr/libexec/dovecot/imap"`,
		Text: "A shell command whose standard input and output are the connection, in place of a TCP connection to host. " +
			"Where it greets as logged in (PREAUTH) user and secret can be left out, and host unless tls is set; " +
			"with host the account stays the same when the command changes. It cannot ask on the terminal.",
		set: setString(func(a *Account) *string { return &a.Tunnel })},
	{Name: "proxy", Form: `"socks5://…" | "http://…" | "none"`, Default: "that of the environment",
		Text: "The proxy to connect through, [USER:PASSWORD@]HOST:PORT, by SOCKS 5 or HTTP CONNECT (https:// where the proxy itself wants TLS). In the environment it is ALL_PROXY, else HTTPS_PROXY, " +
			"not for this machine and what NO_PROXY names.", set: setProxy},
	{Name: "tls", Form: `"implicit" | "starttls" | "none"`, Default: `"implicit", or "none" in a tunnel`,
		Text: "How the connection is protected: TLS from the first byte, TLS begun by STARTTLS and insisted upon, or not at all. " +
			`"none" is refused for a host other than this machine unless insecure = true.`,
		set: setChoice(func(a *Account) *TLS { return &a.TLS }, string(TLSImplicit), string(TLSStart), string(TLSNone))},
	{Name: "insecure", Form: "true | false", Default: "false", Text: `Lets tls = "none" send the password across a network.`,
		set: setBool(func(a *Account) *bool { return &a.Insecure })},
	{Name: "ca_file", Form: `"~/ca.pem"`, Text: "Believe the certificate authorities of this PEM file in place of the system's.",
		set: setFile(func(a *Account) *string { return &a.CAFile })},
	{Name: "fingerprint", Form: `"AB:CD:…" | [..]`,
		Text: "Believe exactly the certificates of these SHA-256 fingerprints, whoever signed them.", set: setFingerprints},
	{Name: "client_cert", Form: `"~/me.pem"`, Text: "A PEM file with the certificate, and those of its authorities, that this machine shows to the server. " +
		"Without a secret it is the login (EXTERNAL).", set: setFile(func(a *Account) *string { return &a.ClientCert })},
	{Name: "client_key", Form: `"~/me.key"`, Default: "the file of client_cert", Text: "A PEM file with the private key of client_cert, not encrypted.",
		set: setFile(func(a *Account) *string { return &a.ClientKey })},
	{Name: "user", Form: `"me@example.org"`, Text: "The login name.",
		set: setString(func(a *Account) *string { return &a.User })},
	{Name: "user_command", Form: `"pass mail/work-user"`, Text: "A shell command; the first line it prints is the login name.",
		set: setString(func(a *Account) *string { return &a.UserCommand })},
	{Name: "password", Form: `"…"`, Text: "The password itself; the file must then be readable by its owner alone.", set: setPassword},
	{Name: "password_file", Form: `"~/.secret"`, Text: "A file whose first line is the password.",
		set: setSecretFile},
	{Name: "password_command", Form: `"pass mail/work"`, Text: "A shell command; the first line it prints is the password. It may ask on the terminal, but not on standard input.",
		set: setSecretCommand(false)},
	{Name: "credential", Form: `"name"`, Text: "A credential that systemd hands to the service (LoadCredential=); its first line is the password.",
		set: setCredential},
	{Name: "keyring", Form: "true | false", Default: "false", Text: "The password is in the system's keyring (Secret Service, Keychain); " +
		"imapsync login ACCOUNT puts it there.", set: setKeyring},
	{Name: "oauth", Form: `{ provider = "google" | "microsoft", client_id = "…", client_secret = "…" }`,
		Text: "Log in by OAuth 2: imapsync login ACCOUNT asks once, in a browser; the refresh token is then kept in the system's keyring, " +
			"or in a file of the state directory that only its owner can read where there is no keyring. The client is one that you have " +
			"registered with the provider as an installed application. In place of provider, or to differ from it: " +
			"auth_url, token_url, device_url and scopes.", set: setOAuth},
	{Name: "token_command", Form: `"oauth-token work"`, Text: "A shell command; the first line it prints is an OAuth 2 access token.",
		set: setSecretCommand(true)},
	{Name: "auth", Form: `"auto" | "scram-sha-256" | "scram-sha-1" | "plain" | "login" | "cram-md5" | "xoauth2" | "oauthbearer" | "external"`, Default: `"auto"`,
		Text: "The SASL mechanism; auto takes the best that the server offers for the secret at hand. " +
			"The scram mechanisms bind the login to the TLS connection (-PLUS) where the server can.", set: setAuth},
	{Name: "maildir", Form: `"~/Mail/work"`, Text: "The root of the Maildir; made if it is not there.",
		set: setFile(func(a *Account) *string { return &a.Maildir })},
	{Name: "layout", Form: `"verbatim" | "maildir++" | "flat"`, Default: `"verbatim"`,
		Text: "How folders lie below the root: Root/A/B; the root as INBOX and .A.B; or Root/A.B with a separator.",
		set: setChoice(func(a *Account) *Layout { return &a.Layout },
			string(LayoutVerbatim), string(LayoutPlusPlus), string(LayoutFlat))},
	{Name: "separator", Form: `"."`, Default: `"."`, Text: `The character between components in layout = "flat".`, set: setSeparator},
	{Name: "inbox", Form: `"Inbox"`, Default: `"INBOX"`,
		Text: `The directory of INBOX in the root, where it has another name, as other programs may have given it; "." is the root itself. ` +
			"In layout maildir++ it is always the root.", set: setInbox},
	{Name: "folder_names", Form: `"utf-8" | "utf-7"`, Default: `"utf-8"`,
		Text: "How directories write folder names beyond ASCII: as they are, or in the modified UTF-7 of IMAP, as mbsync and offlineimap leave them.",
		set:  setFolderNames},
	{Name: "folders", Form: `["*", "!Spam"]`, Default: `["*"]`,
		Text: `The folders to keep the same, by their names in the Maildir. Later patterns win, "!" leaves out, "*" stands for anything, "%" for anything without "/". ` +
			`A list that begins with "!" starts from every folder.`, set: setFolders},
	{Name: "rename", Form: `{ "[Gmail]/Sent Mail" = "Sent", .. }`, Default: "{}",
		Text: "What folders of the server are called in the Maildir, and wherever else this program names them, the key folders included. " +
			`The server's name is in UTF-8, with "/" between components, as imapsync folders shows it without this key. ` +
			"Folders below go with it. Where both names end in \"/\", or ours is empty, it is about what lies below alone: " +
			`"INBOX/" = "" takes that prefix off, "" = "Work/" puts all but INBOX below Work. Of several the longest counts. ` +
			"Two folders that would have one name are an error and left alone. " +
			"INBOX keeps its name; for its directory see inbox.",
		set: setRename},
	{Name: "subscribed", Form: "true | false", Default: "false",
		Text: "Whether of the server's folders only those that are subscribed, and INBOX, are synchronised. " +
			"One that is unsubscribed later is left alone on both sides; new ones of the Maildir are made and subscribed.",
		set: setBool(func(a *Account) *bool { return &a.Subscribed })},
	{Name: "namespaces", Form: `["personal", "other", "shared"]`, Default: `["personal"]`,
		Text: "Whose folders are synchronised: one's own, other users', those of nobody in particular (RFC 2342). " +
			"All but one's own have their namespace's prefix in their names. What the server does not allow to be changed in them is only taken from there.",
		set: setNamespaces},
	{Name: "connections", Form: "4", Default: "4", Text: "How many connections to the server may be open at once.",
		set: setInt(1, 32, func(a *Account) *int { return &a.Connections })},
	{Name: "compress", Form: `"auto" | true | false`, Default: `"auto"`,
		Text: "Whether what crosses the link is compressed, where the server offers COMPRESS=DEFLATE (RFC 4978). " +
			"On a fast link that takes far longer, for the server compresses more slowly than it sends: " +
			"auto begins once the mail fetched so far came at less than 2.5 MB/s on a connection.", set: setCompress},
	{Name: "timeout", Form: `"60s"`, Default: `"60s"`, Text: "How long the server may stay silent while an answer is due.",
		set: setDuration(time.Second, func(a *Account) *time.Duration { return &a.Timeout })},
	{Name: "fsync", Form: "true | false", Default: "true", Text: "Whether messages are on the disk for good before they are recorded. " +
		"Without it a power cut may lose files that are recorded already, and the next run takes them for deleted.",
		set: setBool(func(a *Account) *bool { return &a.Fsync })},
	{Name: "keep_deleted", Form: `"30d"`, Default: `"30d"`, Text: "How long messages that a run removed from the Maildir are kept in the state directory.",
		set: setDuration(0, func(a *Account) *time.Duration { return &a.KeepDeleted })},
	{Name: "full_check", Form: `"7d"`, Default: `"7d"`, Text: "How often each folder is compared in full, whatever the server claims.",
		set: setDuration(time.Minute, func(a *Account) *time.Duration { return &a.FullCheck })},
	{Name: "max_deletions", Form: "{ count = 100, percent = 25 }", Default: "{ count = 100, percent = 25 }",
		Text: "A run that would remove more than so many messages from one side, which are also more than so many percent of it, " +
			"holds them back until sync --accept-deletions.", set: setLimits},
	{Name: "max_age", Form: `"2y"`, Text: "Messages that arrived on the server longer ago stay there and are not held in the Maildir, unless they are unread, flagged or drafts. " +
		"Nothing is deleted on the server because of it, and a longer time or none brings the rest. What grows too old leaves the Maildir once a day. \"0s\" in a folder section takes the limit away.",
		set: setFolderKey(folderMaxAge), folder: folderMaxAge},
	{Name: "max_messages", Form: "1000", Text: "Of each folder the Maildir holds the newest so many messages, besides those that are unread, flagged or drafts, as with max_age; 0 in a folder section takes the limit away.",
		set: setFolderKey(folderMaxMessages), folder: folderMaxMessages},
	{Name: "max_size", Form: `"10MB"`, Text: "A larger message is held as a stub: its header, the beginning of its text and the list of what was left out. " +
		"imapsync fetch brings the whole. A stub is moved, flagged and deleted as the message itself, and never sent. What is no larger than 64 kB is held whole in any case.",
		set: setFolderKey(folderMaxSize), folder: folderMaxSize},
	{Name: "body", Form: `"full" | "text" | "headers"`, Default: `"full"`, Text: "How much is held of every message; what is less than all of it is a stub, as with max_size. With text, a message of up to 64 kB is held whole. \"full\" later brings the rest.",
		set: setFolderKey(folderBody), folder: folderBody},
	{Name: "upgrade", Form: `"flagged" | "asked"`, Default: `"asked"`, Text: "When the whole of a stub is fetched: if it is flagged, or only by imapsync fetch.",
		set: setFolderKey(folderUpgrade), folder: folderUpgrade},
	{Name: "conflicts", Form: `{ deletion = "yields" | "wins" }`, Default: `{ deletion = "yields" }`,
		Text: "What becomes of a message deleted on one side and flagged, answered, forwarded or tagged on the other: " +
			"it comes back, or it goes.", set: setConflicts, folder: folderConflicts},
	{Name: "expunge", Form: `"none" | "local" | "remote" | "both"`, Default: `"none"`,
		Text: `On which side messages marked as deleted (\Deleted on the server, T in the Maildir) are removed. The mark itself is mirrored as any flag. ` +
			`Of one side alone: the other's message stays there with its mark, and is copied back once it is taken off. ` +
			`A mark yields as a deletion does: see conflicts. Marks from before the key was set are heeded by sync --full. ` +
			`What is removed from the Maildir needs deletions in pull, what is removed on the server in push: without, the message stays on both sides with its mark.`,
		set: setExpunge, folder: folderExpunge},
	{Name: "trash", Form: `"Trash" | "auto"`,
		Text: `The folder that deletions on the server move messages to, made if it is not there; auto is the one the server marks as \Trash (SPECIAL-USE, RFC 6154). ` +
			`What is deleted in that folder itself is removed. Where it is among folders, what is moved there is in its Maildir, too. ` +
			`Without this key what is deleted is expunged.`, set: setTrash},
	{Name: "hooks", Form: `{ after_sync = "notmuch new", .. }`, Text: "Shell commands to run after a sync of this account, each in the place of the one in the section [hooks].",
		set: func(a *Account, v value) { a.hooks = readHooks(v) }},
	{Name: "pull", Form: `["new", "flags", "deletions", "folders"]`, Default: "all four",
		Text: "Which changes made on the server are brought into the Maildir: new messages, flags and keywords, deletions, and folders that were made, renamed or removed. " +
			"An empty array is none. A message that was moved is new where it went and deleted where it was: without deletions it is copied, without new it stays where it is. " +
			"What is not brought over is not forgotten: it is done once its kind is added here, unless it was undone by then. " +
			"Where folders are left out and the Maildir lacks one, that is left alone altogether, but for INBOX.",
		set: setKinds(notPulled), folder: folderKinds(notPulled)},
	{Name: "push", Form: `["new", "flags", "deletions", "folders"]`, Default: "all four",
		Text: "The same for changes made in the Maildir, which are brought to the server.",
		set:  setKinds(notPushed), folder: folderKinds(notPushed)},
	{Name: "disable_extensions", Form: `["CONDSTORE", ..]`, Default: "[]", Text: "Server capabilities to do without, for servers that get them wrong.",
		set: setExtensions},
}

func findKey(name string) *Key {
	for i := range accountKeys {
		if accountKeys[i].Name == name {
			return &accountKeys[i]
		}
	}
	return nil
}

// keyNames lists what may stand in an account's section, or in a folder's.
func keyNames(folder bool) []string {
	var names []string
	for _, k := range accountKeys {
		if !folder || k.folder != nil {
			names = append(names, k.Name)
		}
	}
	return names
}
