package discover

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// clientConfig is what we need of an autoconfig file.
type clientConfig struct {
	Providers []struct {
		Incoming []struct {
			Type   string   `xml:"type,attr"`
			Host   string   `xml:"hostname"`
			Port   int      `xml:"port"`
			Socket string   `xml:"socketType"`
			User   string   `xml:"username"`
			Ways   []string `xml:"authentication"`
		} `xml:"incomingServer"`
	} `xml:"emailProvider"`
}

// maxAutoconfig bounds such a file, in bytes.
const maxAutoconfig = 1 << 20

// autoconfig reads the file at an address of the domain, by HTTPS only.
func (f *Finder) autoconfig(ctx context.Context, address, local, domain string) []Server {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"?"+url.Values{"emailaddress": {local + "@" + domain}}.Encode(), nil)
	if err != nil {
		return nil
	}
	answer, err := f.HTTP.Do(r)
	if err != nil {
		return nil
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil
	}
	var c clientConfig
	if xml.NewDecoder(io.LimitReader(answer.Body, maxAutoconfig)).Decode(&c) != nil {
		return nil
	}
	fill := strings.NewReplacer("%EMAILADDRESS%", local+"@"+domain, "%EMAILLOCALPART%", local, "%EMAILDOMAIN%", domain)
	tls := map[string]string{"SSL": "implicit", "STARTTLS": "starttls"} // nothing is said in clear
	var servers []Server
	for _, p := range c.Providers {
		for _, in := range p.Incoming {
			s := Server{Host: strings.ToLower(fill.Replace(strings.TrimSpace(in.Host))), Port: in.Port, TLS: tls[strings.TrimSpace(in.Socket)],
				User: fill.Replace(strings.TrimSpace(in.User)), Found: address, Sure: true}
			if s.User == "" {
				s.User = local + "@" + domain
			}
			s.OAuth = providerOf(s.Host)
			s.NoPassword = s.OAuth != "" && len(in.Ways) > 0 && strings.Join(in.Ways, "") == "OAuth2"
			if in.Type == "imap" && s.TLS != "" && isHost(s.Host) && 0 < s.Port && s.Port < 1<<16 {
				servers = append(servers, s)
			}
		}
	}
	return servers
}
