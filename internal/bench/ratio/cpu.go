package ratio

import (
	"syscall"
	"time"
)

// CPU returns the processor time that this process has taken on all cores, the
// garbage collector's included. It is an Options.Clock for works that are
// measured by averages: other processes do not disturb it much.
func CPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // there is no other reason than a wrong argument
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
