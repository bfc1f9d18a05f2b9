package apikey

import "net/netip"

// An Outcome says how a request ended that came with a key. The zero Outcome
// stands for none and is not recorded.
type Outcome uint8

// The outcomes, see Counts. That a key was disabled, expired or revoked, Verify
// records itself.
const (
	Allowed          Outcome = 1 + iota // the only one that is a use: it moves LastUse
	DeniedAddress                       // not from this address, or the address was not known
	DeniedType                          // another type of key was needed
	DeniedPermission                    // a permission was missing
	DeniedRequest                       // it asked for something that there is not

	deniedState
	outcomes // how many there are, and the zero one
)

// RecordUse counts how a request ended, once for each request and at its end;
// the Guard of the package middleware does. It costs a few nanoseconds and
// never fails: what is counted is recorded in Config.Activity within ten
// seconds, or by Close, and when there is too much of it or the Activity fails,
// it is the statistics that suffer. Without an Activity nothing is recorded.
func (m *Manager) RecordUse(v Verified, addr netip.Addr, outcome Outcome) {
	if v.key == nil || outcome == 0 || outcome >= deniedState {
		return
	}
	m.uses.record(v.key, v.at, addr, outcome)
}
