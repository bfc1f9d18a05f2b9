package oauth

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// checkIssuer holds an issuer against RFC 8414 section 2, with the exception
// for loopback addresses that development needs.
func checkIssuer(issuer string) error {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Hostname() == "" || u.User != nil || u.Opaque != "":
		return fmt.Errorf("issuer %.100q is not a URL with a host", issuer)
	case !strings.HasPrefix(issuer, u.Scheme+":"):
		return fmt.Errorf("issuer %.100q: the scheme must be in lower case", issuer)
	case !isHost(u):
		return fmt.Errorf("issuer %.100q: the host must be an address, or a name of letters, digits, dots and hyphens", issuer)
	case hasOddPort(u):
		return fmt.Errorf("issuer %.100q: a port must be between 1 and 65535", issuer)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || issuer[len(issuer)-1] == '/' || issuer[len(issuer)-1] == '#':
		return fmt.Errorf("issuer %.100q: no query, no fragment and no slash at the end", issuer)
	case u.Path != "" && !isPath(u.EscapedPath()):
		return fmt.Errorf("issuer %.100q: the path must be clean, and of letters, digits and -._~", issuer)
	case strings.HasPrefix(u.Path+"/", "/.well-known/"):
		return fmt.Errorf("issuer %.100q: the path /.well-known belongs to documents", issuer)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	default:
		return fmt.Errorf("issuer %.100q: must be https, or http on a loopback address", issuer)
	}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
