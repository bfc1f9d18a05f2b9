package password

import (
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// encode writes a PHC string.
func (p params) encode(salt, tag []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.memory, p.iterations, p.parallelism,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(tag))
}

// decode reads what encode writes, and nothing else: writing what was read must
// give the same text.
func decode(text string) (p params, salt, tag []byte, err error) {
	parts := strings.Split(text, "$")
	if len(text) > 512 || len(parts) != 6 {
		return params{}, nil, nil, ErrFormat
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.iterations, &p.parallelism); err != nil || p.validate() != nil {
		return params{}, nil, nil, ErrFormat
	}
	encoding := base64.RawStdEncoding.Strict()
	salt, err = encoding.DecodeString(parts[4])
	if err != nil || len(salt) < 8 {
		return params{}, nil, nil, ErrFormat
	}
	tag, err = encoding.DecodeString(parts[5])
	if err != nil || len(tag) < 16 || len(tag) > 64 || p.encode(salt, tag) != text {
		return params{}, nil, nil, ErrFormat
	}
	return p, salt, tag, nil
}
