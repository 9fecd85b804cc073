package dovecot

import (
	"strings"
	"text/template"
)

// confData is what the configuration template needs.
type confData struct {
	Options
	Dir, User, Group, Password, Capability string
	MailLocation                           string
	Port, TLSPort                          int
	CertFile, KeyFile                      string
}

// mailLocations maps Options.Format to mail_location.
var mailLocations = map[string]string{
	"":        "sdbox:~/mail",
	"sdbox":   "sdbox:~/mail",
	"mdbox":   "mdbox:~/mail",
	"maildir": "maildir:~/mail",
}

var conf = template.Must(template.New("dovecot.conf").Parse(`
base_dir = {{.Dir}}/run
state_dir = {{.Dir}}/state
default_internal_user = {{.User}}
default_login_user = {{.User}}
default_internal_group = {{.Group}}
log_path = /dev/stderr
protocols = imap
listen = 127.0.0.1
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-256
auth_failure_delay = 0
first_valid_uid = 1
mail_fsync = never
mail_location = {{.MailLocation}}
mail_max_userip_connections = {{.MaxUserConnections}}
imap_capability = {{.Capability}}
passdb {
  driver = static
  args = password={{.Password}}
}
userdb {
  driver = static
  args = uid={{.User}} gid={{.Group}} home={{.Dir}}/home/%u
}
namespace inbox {
  inbox = yes
  separator = {{.Separator}}
  prefix = {{.Prefix}}
}
{{if .TLS}}
ssl = yes
ssl_cert = <{{.CertFile}}
ssl_key = <{{.KeyFile}}
{{else}}
ssl = no
{{end}}
{{if .Shared}}
namespace other {
  type = shared
  separator = {{.Separator}}
  prefix = shared{{.Separator}}%%u{{.Separator}}
  location = sdbox:{{.Dir}}/home/%%u/mail
  subscriptions = no
  list = children
}
namespace public {
  type = public
  separator = {{.Separator}}
  prefix = Public{{.Separator}}
  location = sdbox:{{.Dir}}/public
  subscriptions = no
}
plugin {
  acl = vfile:{{.Dir}}/acl
  acl_shared_dict = file:{{.Dir}}/shared-mailboxes
}
{{end}}
mail_plugins = {{if .QuotaBytes}}quota{{end}} {{if .Shared}}acl{{end}}
protocol imap {
  mail_plugins = {{if .QuotaBytes}}quota imap_quota{{end}} {{if .Compress}}imap_zlib{{end}} {{if .Shared}}acl imap_acl{{end}}
}
{{if .QuotaBytes}}
plugin {
  quota = count:User quota
  quota_rule = *:storage={{.QuotaBytes}}B
  quota_grace = 0
  quota_vsizes = yes
}
{{end}}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service imap-login {
  chroot =
  service_count = 0
  client_limit = 1000
  inet_listener imap {
    port = {{.Port}}
  }
  inet_listener imaps {
    port = {{.TLSPort}}
  }
}
service stats {
  chroot =
}
{{.Extra}}
`))

// render writes the configuration.
func (d confData) render() (string, error) {
	var b strings.Builder
	err := conf.Execute(&b, d)
	return b.String(), err
}
