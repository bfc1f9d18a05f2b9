package credential

// ChecksumForTest returns the checksum of any body, base62 or not.
func ChecksumForTest(f Format, body string) string {
	sum := checksum(f.crc, []byte(body))
	return string(sum[:])
}
