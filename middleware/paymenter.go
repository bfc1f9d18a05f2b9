package middleware

import (
	"fmt"
	"net/http"
	"strings"
)

// WritePaymenterRejection is a Config.Reject for clients that were written for
// a Paymenter panel: the bodies are those of its API, and where access tokens
// are needed those of its /api/me. Status and headers stay ours, which are
// stricter; what Paymenter does not know has a body in the same manner.
func WritePaymenterRejection(w http.ResponseWriter, _ *http.Request, rej Rejection) {
	forTokens := rej.Needed == KindUser || rej.Needed == KindClient
	message := rej.Message
	switch {
	case rej.Code == CodeUserRequired, rej.Code == CodeClientRequired,
		forTokens && (rej.Code == CodeMissingToken || rej.Code == CodeInvalidToken):
		message = "Unauthenticated."
	case rej.Code == CodeMissingToken:
		writeJSON(w, rej, struct {
			Error string `json:"error"`
		}{"The request is missing a valid bearer token."})
		return
	case rej.Code == CodeInvalidToken:
		message = "The provided API key is invalid or has been disabled."
	case rej.Code == CodeWrongKeyType, rej.Code == CodeIPNotAllowed, rej.Code == CodeIPUnknown:
		message = "You do not have permission to access this resource."
	case rej.Code == CodeInsufficientScope && forTokens:
		message = "Invalid scope(s) provided."
	case rej.Code == CodeInsufficientScope:
		message = "This action is unauthorized."
	case rej.Code == CodeTooManyRequests:
		message = "Too Many Attempts."
	case len(rej.Unknown) > 0:
		message = paymenterInclude(rej)
	}
	writeJSON(w, rej, struct {
		Message string `json:"message"`
	}{message})
}

// paymenterInclude says what Paymenter says of includes that it does not know.
func paymenterInclude(rej Rejection) string {
	allowed := "There are no allowed includes."
	if len(rej.Allowed) > 0 {
		allowed = fmt.Sprintf("Allowed include(s) are `%s`.", strings.Join(rej.Allowed, ", "))
	}
	return fmt.Sprintf("Requested include(s) `%s` are not allowed. %s", strings.Join(rej.Unknown, ", "), allowed)
}
