// Package throttle limits how often something may happen per key, in memory
// that is fixed when it is made and without a goroutine.
//
// A [Limiter] is the generic cell rate algorithm, GCRA: all it keeps of a key
// is one instant, the one at which everything counted will be forgotten. It
// lies one interval further in the future for each time that was counted, and
// that sum may not exceed the burst. A [Recent] remembers keys for a time.
//
// # The table
//
// Both keep a fixed number of entries, seven to a bucket. A key that is new in
// a full bucket takes the place of the entry that has least to forget: the one
// whose instant is the earliest. Whoever sprays keys replaces the keys sprayed
// before, and not one that was counted more often. To wash out a key that was
// counted n times somebody must be counted n times under seven other keys of
// its bucket, and the seed of the hash, which differs from process to process,
// does not tell which those are: it takes n times for nearly every entry of the
// whole table, within n intervals. While fewer new keys than there are entries
// come within an interval, next to nothing is forgotten before its time.
//
// # Time
//
// Time is the monotonic clock of the process, in nanoseconds since the table was
// made: a wall clock that is set changes nothing. Should time go back all the
// same, nothing is refilled for that.
package throttle
