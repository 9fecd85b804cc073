package importer

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// server reads how the server is reached, and returns the folder for what is
// deleted there, "" for none.
func (a *olAccount) server(gmail bool) (trash string) {
	s, l := a.remote, &a.login
	l.tls = "starttls"
	l.host, l.user, l.timeout = s.text("remotehost"), s.text("remoteuser"), s.timeout
	l.port = s.number("remoteport", 1, 65535)
	switch {
	case s.yes("ssl", true):
		l.tls = "implicit"
	case !s.yes("starttls", true):
		l.tls = "none"
	}
	s.text("starttls")
	if gmail {
		if l.host == "" {
			l.host = "imap.gmail.com"
		}
		if trash = readable(s.text("trashfolder")); trash == "" {
			trash = "[Gmail]/Trash"
		}
		s.text("spamfolder")
	} else {
		trash = readable(s.text("trashfolder"))
	}
	for _, o := range []string{"remotehosteval", "remoteporteval"} {
		if s.text(o) != "" {
			s.grave(s.lineOf(o), o, "a Python expression; write its value as the key %s", strings.TrimSuffix(strings.TrimPrefix(o, "remote"), "eval"))
		}
	}
	if l.host == "" && s.text("preauthtunnel") == "" && s.text("remotehosteval") == "" {
		s.grave(s.line, s.name, "there is no remotehost; add host")
	}
	a.secret()
	a.tls()
	a.ways()
	return trash
}

// secret reads who the user is and where the password comes from.
func (a *olAccount) secret() {
	s, l := a.remote, &a.login
	l.password = s.text("remotepass")
	l.passwordFile = s.path("remotepassfile")
	if mechs := s.text("auth_mechanisms"); mechs != "" {
		if left := l.chooseAuth(regexp.MustCompile(`[,\s]+`).Split(mechs, -1)); left != "" {
			s.note(s.lineOf("auth_mechanisms"), "auth_mechanisms", "%s", left)
		}
	}
	token := "" // one that is given is not taken along
	for option, to := range map[string]struct{ command, literal *string }{
		"remotepasseval": {&l.passwordCommand, &l.password}, "remoteusereval": {&l.userCommand, &l.user}, "oauth2_access_token_eval": {&l.tokenCommand, &token},
	} {
		e := s.text(option)
		if list, ok := parseStrings(e); ok && len(list) == 1 && !strings.Contains(e, `\`) {
			if *to.literal = list[0]; option == "remotepasseval" {
				l.passwordFile = ""
			}
		} else if e != "" {
			*to.command = s.python(e)
			s.note(s.lineOf(option), option, "is now a command that has Python evaluate the expression; something simpler will do, such as pass mail/%s", a.name)
		}
	}
	if l.userCommand != "" {
		l.user = ""
	}
	a.oauth()
	s.say("remote_identity", "authorisation for another identity (SASL authzid) is not supported; log in as that user")
}

// oauth reads who asks for tokens. The tokens themselves are not taken along: they
// are the old program's, and imapsync login keeps its own.
func (a *olAccount) oauth() {
	s, l := a.remote, &a.login
	asked := ""
	for _, o := range []string{
		"oauth2_client_id", "oauth2_client_secret", "oauth2_client_id_eval", "oauth2_client_secret_eval", "oauth2_access_token", "oauth2_request_url",
		"oauth2_refresh_token", "oauth2_refresh_token_eval", "oauth2_access_token_eval",
	} {
		if s.text(o) != "" && asked == "" && !(o == "oauth2_access_token_eval" && l.tokenCommand != "") {
			asked = o
		}
	}
	if asked == "" {
		return
	}
	if id, url := s.text("oauth2_client_id"), s.text("oauth2_request_url"); id != "" {
		provider := pair{"token_url", url}
		switch {
		case strings.Contains(url, "google") || url == "" && strings.HasSuffix(l.host, "gmail.com"):
			provider = pair{"provider", "google"}
		case strings.Contains(url, "microsoft") || strings.Contains(url, "live.com"):
			provider = pair{"provider", "microsoft"}
		}
		l.oauth = []pair{provider, {"client_id", id}}
		if secret := s.text("oauth2_client_secret"); secret != "" {
			l.oauth = append(l.oauth, pair{"client_secret", secret})
		}
	}
	if l.hasSecret() {
		s.note(s.lineOf(asked), asked, "not needed beside the other way to log in; with OAuth 2 alone the account has the key oauth, and imapsync login asks once")
		return
	}
	s.grave(s.lineOf(asked), asked, "run imapsync login once: it asks for consent in a browser and keeps the token. The key oauth has the client (client_id, client_secret), "+
		"where the old file has it; or give token_command, a command that prints an access token")
}

// python makes a command of an expression, which is evaluated as offlineimap
// does it: after the pythonfile.
func (s *olSection) python(expression string) string {
	code := ""
	if s.pythonFile != "" {
		code = fmt.Sprintf("exec(open(%s).read())\n", pyQuote(s.pythonFile))
	}
	code += "r = " + strings.ReplaceAll(expression, "\n", " ") + "\nprint(r.decode() if isinstance(r, bytes) else r)"
	return evaluated + " " + shellQuote(code)
}

// evaluated begins the command that an expression becomes, which may hold the secret.
const evaluated = "python3 -c"

func pyQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// tls reads which certificates are believed.
func (a *olAccount) tls() {
	s, l := a.remote, &a.login
	if file := s.text("sslcacertfile"); file != "" && file != "OS-DEFAULT" && !slices.Contains(systemBundles, s.path("sslcacertfile")) {
		l.caFile = s.path("sslcacertfile")
	}
	for _, sum := range strings.Split(s.text("cert_fingerprint"), ",") {
		sum = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(sum), ":", ""))
		if b, err := hex.DecodeString(sum); err == nil && len(b) == 32 {
			l.fingerprints = append(l.fingerprints, sum)
		} else if sum != "" {
			s.note(s.lineOf("cert_fingerprint"), "cert_fingerprint", "only SHA-256 is taken, and %s is none: the certificate must be one that an authority signed; or give its fingerprint: "+
				"openssl s_client -connect %s:993 </dev/null | openssl x509 -noout -fingerprint -sha256", sum, l.host)
		}
	}
	if len(l.fingerprints) > 0 && l.caFile != "" {
		l.caFile = ""
		s.note(s.lineOf("sslcacertfile"), "sslcacertfile", "the fingerprint alone is checked; take one of fingerprint and ca_file")
	}
	l.clientCert, l.clientKey = s.path("sslclientcert"), s.path("sslclientkey")
	s.say("ssl_version", "TLS 1.2 and later are used, whichever the server has")
	s.say("tls_level", "TLS 1.2 and later are used, whichever the server has")
}

// ways reads what stands between here and the server.
func (a *olAccount) ways() {
	s, l := a.remote, &a.login
	if l.tunnel = s.text("preauthtunnel"); l.tunnel != "" {
		l.tls = ""
	}
	if s.text("transporttunnel") != "" {
		s.grave(s.lineOf("transporttunnel"), "transporttunnel", "a tunnel here is one that the server has logged the user in to (PREAUTH); "+
			"reach the server itself by host, or by a local port that the tunnel program forwards")
	}
	if p := a.account.text("proxy"); p != "" {
		kind, address, _ := strings.Cut(p, ":")
		switch strings.ToUpper(kind) {
		case "SOCKS5":
			l.proxy = "socks5://" + address
		case "HTTP":
			l.proxy = "http://" + address
		default:
			a.account.grave(a.account.lineOf("proxy"), "proxy", "it is neither SOCKS5 nor HTTP, which are the proxies supported")
		}
	}
	a.account.say("authproxy", "there is one proxy for everything, that of the key proxy")
	s.say("ipv6", "the address is chosen by the system; give host an address of the kind you want")
}

// others names the rest, which has no counterpart or needs none.
func (a *olAccount) others() {
	acc, local, remote := a.account, a.local, a.remote
	acc.say("autorefresh", "run imapsync sync from a timer (see the README); where nothing changed it costs one round trip")
	acc.text("quick") // a run that finds nothing costs one round trip anyway
	acc.say("presynchook", "run it before imapsync sync, in the same script or unit (ExecStartPre=)")
	acc.say("postsynchook", "give [hooks] after_sync the command")
	acc.say("startdate", "use max_age, which keeps what is older on the server only")
	local.say("startdate", "use max_age, which keeps what is older on the server only")
	if acc.yes("synclabels", false) {
		acc.say("synclabels", "labels are not written into messages; each label is a folder on the server and in the Maildir")
	}
	for _, o := range []string{"labelsheader", "ignorelabels"} {
		acc.text(o)
	}
	acc.say("filterheaders", "messages are sent as they are, with all their fields")
	acc.yes("utf8foldernames", false)
	local.say("restoreatime", "access times of directories are left to the system")
	local.text("utime_from_header")
	local.text("filename_use_mail_timestamp")
	local.say("nametrans", "rename works both ways, so that there is nothing to say for this side; compare the key rename with it")
	for _, o := range []string{"foldersort", "dynamic_folderfilter", "singlethreadperfolder", "holdconnectionopen", "keepalive", "retrycount"} {
		local.text(o)
		remote.text(o) // not needed: order, connections and faults are taken care of
	}
	remote.say("idlefolders", "run imapsync sync from a timer; where nothing changed it costs one round trip, however many folders there are")
	remote.say("newmail_hook", "give [hooks] on_new_mail a command")
	remote.say("copy_ignore_eval", "a message that the server does not give is set aside, named, and tried again after growing pauses")
	for _, s := range []*olSection{local, remote} {
		for _, o := range []string{"readonly", "createfolders", "sync_deletes", "folderfilter", "folderincludes", "decodefoldernames"} {
			s.text(o)
		}
	}
}
