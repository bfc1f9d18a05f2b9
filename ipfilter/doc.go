// Package ipfilter holds lists of IP addresses and finds out who a client is.
package ipfilter
