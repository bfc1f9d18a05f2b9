package ipfilter

// Why an entry cannot be read.
const (
	emptyEntry = "empty entry"
	tooLong    = "too long"
	notAddress = "not an address"
)

func diagnose(text string) *problem { return &problem{reason: notAddress} }
